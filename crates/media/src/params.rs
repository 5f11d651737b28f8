//! What a stream is asked to be: size, rate, bitrate, codec, each checked before anything starts.

use crate::Size;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Smallest width or height.
pub const MIN_DIMENSION: u32 = 2;
/// Largest width or height.
pub const MAX_DIMENSION: u32 = 8192;
/// Highest frame rate.
pub const MAX_FPS: u32 = 240;
/// Lowest bitrate, in bits a second.
pub const MIN_BITRATE_BPS: u32 = 500_000;
/// Highest bitrate, in bits a second.
pub const MAX_BITRATE_BPS: u32 = 1_000_000_000;

/// A stream parameter outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// Width or height too small or too large.
    #[error(
        "size {0} is out of range: width and height must be {MIN_DIMENSION} to {MAX_DIMENSION}"
    )]
    SizeRange(Size),
    /// Width or height odd.
    #[error("size {0} is odd: width and height must be even")]
    SizeOdd(Size),
    /// Frame rate out of range.
    #[error("fps {0} is out of range: it must be 1 to {MAX_FPS}")]
    Fps(u32),
    /// Bitrate out of range.
    #[error("bitrate {0} is out of range: it must be 500k to 1000M bits a second")]
    Bitrate(u64),
}

/// A size that was not written `WIDTHxHEIGHT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeParseError {
    /// Not two numbers with an `x` between.
    #[error("size {0:?} is not WIDTHxHEIGHT, such as 1920x1080")]
    Shape(String),
    /// Two numbers that no stream can have.
    #[error(transparent)]
    Mode(#[from] ModeError),
}

impl FromStr for Size {
    type Err = SizeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || SizeParseError::Shape(text.to_owned());
        let (width, height) = text.split_once(['x', 'X']).ok_or_else(shape)?;
        let number = |part: &str| part.trim().parse::<u32>().map_err(|_| shape());
        Ok(Size::new(number(width)?, number(height)?).checked()?)
    }
}

impl Size {
    /// This size, if a stream can have it.
    ///
    /// # Errors
    /// [`ModeError::SizeRange`] or [`ModeError::SizeOdd`].
    pub fn checked(self) -> Result<Self, ModeError> {
        let range = MIN_DIMENSION..=MAX_DIMENSION;
        if !range.contains(&self.width) || !range.contains(&self.height) {
            return Err(ModeError::SizeRange(self));
        }
        if self != self.even() {
            return Err(ModeError::SizeOdd(self));
        }
        Ok(self)
    }
}

/// Frames a second, 1 to 240.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameRate(u32);

impl FrameRate {
    /// A checked frame rate.
    ///
    /// # Errors
    /// [`ModeError::Fps`] outside 1..=240.
    pub const fn new(fps: u32) -> Result<Self, ModeError> {
        if fps >= 1 && fps <= MAX_FPS {
            Ok(Self(fps))
        } else {
            Err(ModeError::Fps(fps))
        }
    }

    /// Frames a second.
    #[must_use]
    pub const fn fps(self) -> u32 {
        self.0
    }

    /// Time from one frame to the next.
    #[must_use]
    pub const fn interval(self) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.0 as u64)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame rate that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameRateError {
    /// Not a whole number.
    #[error("fps {0:?} is not a whole number, 1 to {MAX_FPS}")]
    Shape(String),
    /// A number out of range.
    #[error(transparent)]
    Range(#[from] ModeError),
}

impl FromStr for FrameRate {
    type Err = FrameRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().parse();
        let number = number.map_err(|_| FrameRateError::Shape(text.to_owned()))?;
        Ok(Self::new(number)?)
    }
}

/// Bits a second on the wire, 500 kb/s to 1 Gb/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bitrate(u32);

/// A bitrate that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitrateError {
    /// Not a number with an optional unit.
    #[error("bitrate {0:?} is not a number of bits a second, such as 8M, 8000k or 8000000")]
    Shape(String),
    /// A number out of range.
    #[error(transparent)]
    Range(#[from] ModeError),
}

impl Bitrate {
    /// A checked bitrate.
    ///
    /// # Errors
    /// [`ModeError::Bitrate`] outside 500 kb/s..=1 Gb/s.
    pub fn new(bps: u64) -> Result<Self, ModeError> {
        match u32::try_from(bps) {
            Ok(small) if (MIN_BITRATE_BPS..=MAX_BITRATE_BPS).contains(&small) => Ok(Self(small)),
            _ => Err(ModeError::Bitrate(bps)),
        }
    }

    /// The nearest bitrate in range.
    #[must_use]
    pub fn clamped(bps: u64) -> Self {
        Self(bps.clamp(MIN_BITRATE_BPS.into(), MAX_BITRATE_BPS.into()) as u32)
    }

    /// Bits a second.
    #[must_use]
    pub const fn bps(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bps if bps % 1_000_000 == 0 => write!(f, "{}M", bps / 1_000_000),
            bps if bps % 1_000 == 0 => write!(f, "{}k", bps / 1_000),
            bps => bps.fmt(f),
        }
    }
}

impl FromStr for Bitrate {
    type Err = BitrateError;

    fn from_str(text: &str) -> Result<Self, BitrateError> {
        let trimmed = text.trim();
        let (digits, unit) = match trimmed.as_bytes().last() {
            Some(b'k' | b'K') => (&trimmed[..trimmed.len() - 1], 1e3),
            Some(b'm' | b'M') => (&trimmed[..trimmed.len() - 1], 1e6),
            Some(b'g' | b'G') => (&trimmed[..trimmed.len() - 1], 1e9),
            _ => (trimmed, 1.0),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number = digits.parse::<f64>().ok().filter(|_| plain);
        let number = number.ok_or_else(|| BitrateError::Shape(text.to_owned()))?;
        Ok(Self::new((number * unit).round() as u64)?)
    }
}

/// What the bitstream is coded in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 / AVC.
    #[default]
    H264,
    /// H.265 / HEVC, Main profile.
    Hevc,
    /// AV1, Main profile.
    Av1,
}

impl Codec {
    /// Every codec there is.
    pub const ALL: [Self; 3] = [Self::H264, Self::Hevc, Self::Av1];
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
            Self::Av1 => "AV1",
        })
    }
}

/// What the encoder favours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QualityProfile {
    /// The least time and CPU a frame.
    #[default]
    Latency,
    /// A better picture for about twice the encode time.
    Quality,
}

/// Everything that decides whether two viewers can share one encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamParams {
    /// Size asked for; `None` follows the source.
    pub size: Option<Size>,
    /// Highest frame rate.
    pub rate: FrameRate,
    /// Wire budget.
    pub bitrate: Bitrate,
    /// Codec.
    pub codec: Codec,
    /// Speed against picture.
    pub profile: QualityProfile,
    /// The least number of slices a picture is cut into, for decoders that share them out; encoders
    /// that cannot cut without delay make fewer.
    pub slices: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrates_are_read_in_every_usual_spelling() {
        for text in ["8M", "8m", "8000k", "8000000", " 8.0M "] {
            assert_eq!(text.parse::<Bitrate>().unwrap().bps(), 8_000_000, "{text}");
        }
        assert_eq!("1.5M".parse::<Bitrate>().unwrap().bps(), 1_500_000);
    }

    #[test]
    fn bad_bitrates_name_the_range_or_the_shape() {
        for text in ["", "M", "fast", "-8M", "1e7", "8MB", "NaN", "inf", "0x10"] {
            let error = text.parse::<Bitrate>().unwrap_err();
            assert!(matches!(error, BitrateError::Shape(_)), "{text}: {error}");
        }
        for text in ["499k", "0", "1001M", "99999999999999999999"] {
            let error = text.parse::<Bitrate>().unwrap_err();
            assert!(
                error.to_string().contains("500k to 1000M"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn bitrates_print_as_they_are_read() {
        for text in ["8M", "2500k", "700001"] {
            assert_eq!(text.parse::<Bitrate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn sizes_are_checked_before_anything_starts() {
        assert_eq!("1920x1080".parse(), Ok(Size::new(1920, 1080)));
        for (text, part) in [
            ("1921x1080", "even"),
            ("1920x0", "2 to 8192"),
            ("8194x100", "2 to 8192"),
            ("1920", "WIDTHxHEIGHT"),
            ("axb", "WIDTHxHEIGHT"),
            ("1920x1080x2", "WIDTHxHEIGHT"),
            ("-2x4", "WIDTHxHEIGHT"),
        ] {
            let error = text.parse::<Size>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn frame_rates_are_1_to_240() {
        assert_eq!("60".parse::<FrameRate>().unwrap().fps(), 60);
        for (text, part) in [
            ("0", "1 to 240"),
            ("241", "1 to 240"),
            ("x", "not a whole number"),
            ("-1", "not a whole number"),
            ("59.94", "not a whole number"),
        ] {
            let error = text.parse::<FrameRate>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
