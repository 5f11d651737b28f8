//! What a probe is asked to do: which host, and what kind of stream. Each value is checked where it is
//! read, so that nothing later has to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use gamestream_proto::constants::DEFAULT_BASE_PORT;
use media::{Bitrate, FrameRate, Size};

use crate::error::OptionError;
use crate::input::Script;

/// A host as a person writes it: a name or address, and the HTTP port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostAddress {
    name: String,
    port: u16,
}

impl HostAddress {
    /// The name or address, without brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The HTTP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name as a URL has it: IPv6 addresses in brackets.
    #[must_use]
    pub fn bracketed(&self) -> String {
        if self.name.contains(':') {
            format!("[{}]", self.name)
        } else {
            self.name.clone()
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.bracketed(), self.port)
    }
}

impl FromStr for HostAddress {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let wrong = || OptionError::Host(text.to_owned());
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (name, rest) = rest.split_once(']').ok_or_else(wrong)?;
            let port = rest.strip_prefix(':').or(rest.is_empty().then_some(""));
            (name, port.ok_or_else(wrong)?)
        } else if text.matches(':').count() > 1 {
            (text, "")
        } else {
            text.split_once(':').unwrap_or((text, ""))
        };
        let port = match port {
            "" if text.ends_with(':') && !text.ends_with("::") => return Err(wrong()),
            "" => DEFAULT_BASE_PORT,
            port => port.parse().map_err(|_| wrong())?,
        };
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if name.is_empty() || port == 0 || !name.chars().all(sound) {
            return Err(wrong());
        }
        Ok(Self {
            name: name.to_owned(),
            port,
        })
    }
}

/// Who is asked, and where this client keeps its key.
#[derive(Clone, Debug)]
pub struct Options {
    /// The host.
    pub host: HostAddress,
    /// The folder with this client's key and the hosts it knows; it is made where it is missing.
    pub state_dir: PathBuf,
}

/// What video is coded in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264.
    #[default]
    H264,
    /// HEVC.
    Hevc,
    /// AV1.
    Av1,
}

impl Codec {
    /// As options and reports spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
        }
    }
}

impl FromStr for Codec {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "h264" => Ok(Self::H264),
            "hevc" => Ok(Self::Hevc),
            "av1" => Ok(Self::Av1),
            _ => Err(OptionError::Codec(text.to_owned())),
        }
    }
}

/// The loudspeakers asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AudioLayout {
    /// Two.
    #[default]
    Stereo,
    /// Six.
    Surround51,
    /// Eight.
    Surround71,
}

impl AudioLayout {
    /// How many channels.
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Stereo => 2,
            Self::Surround51 => 6,
            Self::Surround71 => 8,
        }
    }

    /// Which loudspeakers, as Windows numbers them (Limelight.h, `AUDIO_CONFIGURATION_*`).
    #[must_use]
    pub const fn mask(self) -> u32 {
        match self {
            Self::Stereo => 0x3,
            Self::Surround51 => 0x3f,
            Self::Surround71 => 0x63f,
        }
    }
}

impl FromStr for AudioLayout {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "stereo" => Ok(Self::Stereo),
            "51" | "5.1" => Ok(Self::Surround51),
            "71" | "7.1" => Ok(Self::Surround71),
            _ => Err(OptionError::Audio(text.to_owned())),
        }
    }
}

/// Which of the optional parts are to be encrypted; control always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Audio.
    pub audio: bool,
    /// Video.
    pub video: bool,
}

impl Default for Encryption {
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
        }
    }
}

impl FromStr for Encryption {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let (audio, video) = match text {
            "none" => (false, false),
            "audio" => (true, false),
            "video" => (false, true),
            "all" => (true, true),
            _ => return Err(OptionError::Encryption(text.to_owned())),
        };
        Ok(Self { audio, video })
    }
}

/// Bytes of a video packet, without the 16 of its RTP header, before encryption takes its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketSize(u32);

impl PacketSize {
    /// A checked size.
    ///
    /// # Errors
    /// [`OptionError::PacketSize`] unless it is 256 to 1392 and a multiple of 16.
    pub fn new(bytes: u32) -> Result<Self, OptionError> {
        if (256..=1392).contains(&bytes) && bytes.is_multiple_of(16) {
            Ok(Self(bytes))
        } else {
            Err(OptionError::PacketSize(bytes))
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

impl Default for PacketSize {
    fn default() -> Self {
        Self(1392)
    }
}

/// What this client throws away on purpose, to see how the stream recovers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DropPlan {
    /// A share of the video packets, in runs.
    pub video: Option<DropShare>,
    /// Whole frames, by their number.
    pub frames: Vec<u32>,
    /// A share of the audio packets, in runs.
    pub audio: Option<DropShare>,
    /// A share of the video packets that is not lost but late.
    pub late: Option<LateShare>,
    /// Decides which packets; the same seed gives the same choice.
    pub seed: u64,
}

/// A share of packets, lost in runs of `burst`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropShare {
    /// 0 to 100.
    pub percent: f64,
    /// Packets lost together.
    pub burst: u32,
}

impl FromStr for DropShare {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let share = share(text).ok_or_else(|| OptionError::Drop(text.to_owned()));
        share.map(|(percent, burst)| Self { percent, burst })
    }
}

/// `PERCENT` or `PERCENT:COUNT`.
fn share(text: &str) -> Option<(f64, u32)> {
    let (percent, count) = text.split_once(':').unwrap_or((text, "1"));
    let percent: f64 = percent.parse().ok()?;
    let count: u32 = count.parse().ok()?;
    let sound = (0.0..=100.0).contains(&percent) && count > 0;
    sound.then_some((percent, count))
}

/// A share of packets that come after `behind` of those that were sent later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LateShare {
    /// 0 to 100.
    pub percent: f64,
    /// Packets that overtake it.
    pub behind: u32,
}

impl FromStr for LateShare {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let share = share(text).ok_or_else(|| OptionError::Late(text.to_owned()));
        share.map(|(percent, behind)| Self { percent, behind })
    }
}

/// What kind of stream to ask for, and what to do with it.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The application, by its title or number.
    pub app: String,
    /// Picture size.
    pub size: Size,
    /// Frames a second.
    pub rate: FrameRate,
    /// Bits a second on the wire, error correction included.
    pub bitrate: Bitrate,
    /// The codec wanted; hosts without it give H.264.
    pub codec: Codec,
    /// Ten bits a channel, where codec and host can.
    pub hdr: bool,
    /// Packet size.
    pub packet_size: PacketSize,
    /// Loudspeakers.
    pub audio: AudioLayout,
    /// Ask for the better sound of the two qualities.
    pub high_quality_audio: bool,
    /// What to encrypt, where the host can.
    pub encryption: Encryption,
    /// Whether a lost picture is repaired by a picture that refers past it (or by a keyframe).
    pub invalidate_references: bool,
    /// Slices a picture.
    pub slices: u8,
    /// How long to watch.
    pub duration: Duration,
    /// What to throw away.
    pub drop: DropPlan,
    /// What to type and move.
    pub script: Option<Script>,
    /// Ask for a keyframe this often.
    pub keyframe_every: Option<Duration>,
    /// Units that may wait for the decoder before the stream begins anew with a keyframe.
    pub max_undecoded: usize,
    /// End the application afterwards, rather than leave it running.
    pub quit_after: bool,
}

impl StreamOptions {
    /// 720p at 60 frames a second and 10 Mb/s for ten seconds.
    #[must_use]
    pub fn new(app: &str) -> Self {
        Self {
            app: app.to_owned(),
            size: Size::new(1280, 720),
            rate: FrameRate::new(60).unwrap_or_else(|_| unreachable!("60 is a frame rate")),
            bitrate: Bitrate::clamped(10_000_000),
            codec: Codec::default(),
            hdr: false,
            packet_size: PacketSize::default(),
            audio: AudioLayout::default(),
            high_quality_audio: false,
            encryption: Encryption::default(),
            invalidate_references: true,
            slices: 1,
            duration: Duration::from_secs(10),
            drop: DropPlan::default(),
            script: None,
            keyframe_every: None,
            // As in clients (VideoDepacketizer.c).
            max_undecoded: 15,
            quit_after: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<(String, u16)> {
        let host: HostAddress = text.parse().ok()?;
        Some((host.name().to_owned(), host.port()))
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        assert_eq!(host("box"), Some(("box".to_owned(), 47989)));
        assert_eq!(host("box:5000"), Some(("box".to_owned(), 5000)));
        assert_eq!(host("[::1]:5000"), Some(("::1".to_owned(), 5000)));
        assert_eq!(
            host("fe80::1%eth0"),
            Some(("fe80::1%eth0".to_owned(), 47989))
        );
        for wrong in [
            "",
            ":5",
            "box:",
            "box:x",
            "[::1",
            "a b",
            "[::1]5",
            "box:0",
            "http://a/b",
        ] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
        let host: HostAddress = "[::1]:5000".parse().unwrap();
        assert_eq!(host.to_string(), "[::1]:5000");
    }

    #[test]
    fn shares_and_sizes_out_of_range_are_refused() {
        let share = "2.5:3".parse::<DropShare>().unwrap();
        assert_eq!((share.percent, share.burst), (2.5, 3));
        for wrong in ["101", "-1", "1:0", "x", "NaN"] {
            assert!(wrong.parse::<DropShare>().is_err(), "{wrong}");
            assert!(wrong.parse::<LateShare>().is_err(), "{wrong}");
        }
        assert!(PacketSize::new(1392).is_ok() && PacketSize::new(1000).is_err());
    }
}
