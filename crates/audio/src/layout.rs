//! Which channels a stream has, in which order, and how long its frames are; refuses any other shape.

use std::fmt;
use std::time::Duration;

/// Samples per second of every channel. Opus and the servers agree on it, so nothing is resampled
/// on the way unless a device has another rate.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// The most channels of any layout.
pub const MAX_CHANNELS: usize = 8;

/// Where a channel is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// Front left.
    FrontLeft,
    /// Front right.
    FrontRight,
    /// Front centre.
    Centre,
    /// Low frequencies.
    Lfe,
    /// Behind, left.
    BackLeft,
    /// Behind, right.
    BackRight,
    /// Beside, left.
    SideLeft,
    /// Beside, right.
    SideRight,
}

const SPEAKERS: [Speaker; MAX_CHANNELS] = [
    Speaker::FrontLeft,
    Speaker::FrontRight,
    Speaker::Centre,
    Speaker::Lfe,
    Speaker::BackLeft,
    Speaker::BackRight,
    Speaker::SideLeft,
    Speaker::SideRight,
];

/// The channels of a stream, interleaved in the order FL FR C LFE BL BR SL SR, as far as there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelLayout {
    /// Two channels.
    #[default]
    Stereo,
    /// Six channels.
    Surround51,
    /// Eight channels.
    Surround71,
}

impl ChannelLayout {
    /// Every layout, the smallest first.
    pub const ALL: [Self; 3] = [Self::Stereo, Self::Surround51, Self::Surround71];

    /// The layout with so many channels.
    #[must_use]
    pub fn from_channels(channels: usize) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.channels() == channels)
    }

    /// How many channels it has.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Stereo => 2,
            Self::Surround51 => 6,
            Self::Surround71 => 8,
        }
    }

    /// Its channels in their order.
    #[must_use]
    pub fn speakers(self) -> &'static [Speaker] {
        &SPEAKERS[..self.channels()]
    }
}

impl fmt::Display for ChannelLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stereo => "stereo",
            Self::Surround51 => "5.1",
            Self::Surround71 => "7.1",
        })
    }
}

/// How long one frame, and one packet, lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameDuration {
    /// 2.5 ms.
    Ms2_5,
    /// 5 ms.
    #[default]
    Ms5,
    /// 10 ms.
    Ms10,
    /// 20 ms.
    Ms20,
}

impl FrameDuration {
    /// Every duration, the shortest first.
    pub const ALL: [Self; 4] = [Self::Ms2_5, Self::Ms5, Self::Ms10, Self::Ms20];

    /// The duration of so many whole milliseconds, as clients ask for it.
    #[must_use]
    pub const fn from_ms(ms: u32) -> Option<Self> {
        match ms {
            5 => Some(Self::Ms5),
            10 => Some(Self::Ms10),
            20 => Some(Self::Ms20),
            _ => None,
        }
    }

    /// Samples of each channel.
    #[must_use]
    pub const fn samples(self) -> usize {
        match self {
            Self::Ms2_5 => 120,
            Self::Ms5 => 240,
            Self::Ms10 => 480,
            Self::Ms20 => 960,
        }
    }

    /// As time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(match self {
            Self::Ms2_5 => 2_500,
            Self::Ms5 => 5_000,
            Self::Ms10 => 10_000,
            Self::Ms20 => 20_000,
        })
    }
}

/// What a source is asked for, and gives: 48 kHz, 32-bit float, interleaved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Its channels.
    pub layout: ChannelLayout,
    /// How long each frame is.
    pub frame: FrameDuration,
}

impl AudioFormat {
    /// Values in one frame: samples of all channels together.
    #[must_use]
    pub const fn values(self) -> usize {
        self.frame.samples() * self.layout.channels()
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?} frames", self.layout, self.frame.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_one_order_in_every_layout() {
        for layout in ChannelLayout::ALL {
            assert_eq!(layout.speakers().len(), layout.channels());
            assert_eq!(layout.speakers(), &SPEAKERS[..layout.channels()]);
            assert_eq!(
                ChannelLayout::from_channels(layout.channels()),
                Some(layout)
            );
        }
        assert_eq!(ChannelLayout::from_channels(4), None);
    }

    #[test]
    fn samples_and_durations_tell_the_same() {
        for frame in FrameDuration::ALL {
            let micros = frame.samples() as u128 * 1_000_000 / u128::from(SAMPLE_RATE_HZ);
            assert_eq!(frame.duration().as_micros(), micros);
        }
        assert_eq!(FrameDuration::from_ms(10), Some(FrameDuration::Ms10));
        assert_eq!(FrameDuration::from_ms(7), None);
    }
}
