//! The table of encoders in this build, and the choice between them.

use crate::{EncodeError, Encoder, EncoderConfig};
use media::Codec;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// Why a backend cannot run, in words.
type Why = Cow<'static, str>;

/// One way to encode.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// The name users choose it by.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// What its licence means for a build that contains it.
    pub licence: &'static str,
    /// What it codes, where the machine can.
    pub codecs: &'static [Codec],
    /// Whether a chip made for it does the work.
    pub hardware: bool,
    /// Whether it codes this codec on this machine. Takes some milliseconds, the first time more.
    pub probe: fn(Codec) -> Result<(), Why>,
    /// Opens it for one of its codecs.
    pub open: fn(&EncoderConfig) -> Result<Box<dyn Encoder>, EncodeError>,
}

impl Backend {
    /// Whether it codes this codec here.
    fn runs(&self, codec: Codec) -> Result<(), EncodeError> {
        if !self.codecs.contains(&codec) {
            return Err(self.lacks(codec));
        }
        (self.probe)(codec).map_err(|why| EncodeError::Unavailable {
            name: self.name,
            why,
        })
    }

    fn lacks(&self, codec: Codec) -> EncodeError {
        EncodeError::Unavailable {
            name: self.name,
            why: format!("it codes {}, not {codec}", words(self.codecs)).into(),
        }
    }

    /// Whether it codes anything here; if not, why not the first of its codecs.
    fn works(&self) -> Result<(), EncodeError> {
        let mut outcomes = self.codecs.iter().map(|codec| self.runs(*codec));
        let first = outcomes.next().unwrap_or(Err(EncodeError::NoBackend));
        if outcomes.any(|outcome| outcome.is_ok()) {
            return Ok(());
        }
        first
    }
}

fn words(codecs: &[Codec]) -> String {
    let names: Vec<String> = codecs.iter().map(Codec::to_string).collect();
    names.join(", ")
}

/// The encoders of this build, best first: `auto` takes the first that runs.
///
/// Hardware comes before software, but for H.264, where x264 stays first: it alone repairs a loss
/// without a keyframe.
pub const BACKENDS: &[Backend] = &[
    #[cfg(feature = "x264")]
    crate::x264::BACKEND,
    #[cfg(feature = "openh264")]
    crate::openh264::BACKEND,
    #[cfg(feature = "ffmpeg")]
    crate::ffmpeg::NVENC,
    #[cfg(feature = "ffmpeg")]
    crate::ffmpeg::VAAPI,
    #[cfg(feature = "ffmpeg")]
    crate::ffmpeg::X265,
    #[cfg(feature = "ffmpeg")]
    crate::ffmpeg::SVT_AV1,
    #[cfg(feature = "ffmpeg")]
    crate::ffmpeg::AOM,
];

/// Which encoder a user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EncoderChoice {
    /// The first of [`BACKENDS`] that has the codec and runs.
    #[default]
    Auto,
    /// This one of [`BACKENDS`] or none for the codecs it has; other codecs are coded as with
    /// [`Auto`](Self::Auto).
    Named(&'static str),
}

impl FromStr for EncoderChoice {
    type Err = EncodeError;

    fn from_str(text: &str) -> Result<Self, EncodeError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let named = BACKENDS.iter().find(|backend| backend.name == text);
        named
            .map(|backend| Self::Named(backend.name))
            .ok_or_else(|| EncodeError::Unknown(text.to_owned(), known_names()))
    }
}

impl fmt::Display for EncoderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Named(name) => name,
        })
    }
}

fn known_names() -> String {
    let mut names = vec!["auto"];
    names.extend(BACKENDS.iter().map(|backend| backend.name));
    names.join(", ")
}

/// The encoder a choice came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: &'static str,
    /// Why this one, in words.
    pub reason: String,
}

/// One line of a list of encoders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderListing {
    /// Its name.
    pub name: &'static str,
    /// What it is and what its licence asks, or why it does not run here.
    pub detail: String,
    /// Whether it runs on this machine.
    pub available: bool,
    /// What it codes on this machine.
    pub codecs: Vec<Codec>,
}

/// The encoders of this build and whether they run here.
#[must_use]
pub fn list() -> Vec<EncoderListing> {
    let listing = |backend: &Backend| {
        let Backend {
            name,
            description,
            licence,
            ..
        } = *backend;
        let all = backend.codecs.iter().copied();
        let codecs: Vec<_> = all.filter(|codec| backend.runs(*codec).is_ok()).collect();
        let works = backend.works();
        let available = works.is_ok();
        let detail = match works {
            Ok(()) => format!("{description} ({}); {licence}", words(&codecs)),
            Err(EncodeError::Unavailable { why, .. }) => {
                format!("{description}; does not run here: {why}")
            }
            Err(why) => format!("{description}; does not run here: {why}"),
        };
        EncoderListing {
            name,
            detail,
            available,
            codecs,
        }
    };
    BACKENDS.iter().map(listing).collect()
}

/// The codecs that some encoder of this build codes on this machine, in the order of
/// [`Codec::ALL`]. Tries them once; later calls cost nothing.
#[must_use]
pub fn codecs() -> Vec<Codec> {
    static WORKING: OnceLock<Vec<Codec>> = OnceLock::new();
    WORKING.get_or_init(|| working(|_| true)).clone()
}

/// Those of [`codecs`] that a chip codes here. The others cost so much processor time that clients
/// should get them on request only.
#[must_use]
pub fn hardware_codecs() -> Vec<Codec> {
    static WORKING: OnceLock<Vec<Codec>> = OnceLock::new();
    WORKING
        .get_or_init(|| working(|backend| backend.hardware))
        .clone()
}

fn working(wanted: impl Fn(&Backend) -> bool) -> Vec<Codec> {
    let runs = |codec: &Codec| {
        let mut backends = BACKENDS.iter().filter(|backend| wanted(backend));
        backends.any(|backend| backend.runs(*codec).is_ok())
    };
    Codec::ALL.into_iter().filter(runs).collect()
}

/// What a choice comes to on this machine, for the first codec that works, without opening anything
/// that lasts.
///
/// # Errors
/// [`EncodeError::Unavailable`] when nothing chosen runs here.
pub fn probe(choice: &EncoderChoice) -> Result<Chosen, EncodeError> {
    first(choice, None, Backend::works).map(|((), chosen)| chosen)
}

/// Opens an encoder for the codec of `config`. `auto` takes the first that runs and opens with
/// these settings.
///
/// # Errors
/// [`EncodeError::Unavailable`] or [`EncodeError::Open`] of the last encoder tried;
/// [`EncodeError::NoCodec`] when this build has none for the codec.
pub fn open(
    choice: &EncoderChoice,
    config: &EncoderConfig,
) -> Result<(Box<dyn Encoder>, Chosen), EncodeError> {
    first(choice, Some(config.codec), |backend| (backend.open)(config))
}

/// The first chosen backend (for this codec, if one is given) with which `attempt` succeeds.
fn first<T>(
    choice: &EncoderChoice,
    codec: Option<Codec>,
    attempt: impl Fn(&Backend) -> Result<T, EncodeError>,
) -> Result<(T, Chosen), EncodeError> {
    let has = |backend: &Backend| codec.is_none_or(|codec| backend.codecs.contains(&codec));
    let mut refusals = String::new();
    let mut last = codec.map_or(EncodeError::NoBackend, EncodeError::NoCodec);
    let mut asked = None;
    if let EncoderChoice::Named(name) = choice {
        asked = BACKENDS.iter().find(|backend| backend.name == *name);
        if let (Some(backend), Some(codec)) = (asked, codec)
            && !has(backend)
        {
            refusals = format!(" ({})", backend.lacks(codec));
            asked = None;
        }
    }
    let wanted = |backend: &Backend| asked.is_none_or(|asked| asked.name == backend.name);
    for backend in BACKENDS
        .iter()
        .filter(|backend| wanted(backend) && has(backend))
    {
        match attempt(backend) {
            Ok(done) => {
                let why = if asked.is_some() {
                    "as asked"
                } else {
                    "the first that runs"
                };
                let reason = format!("{}, {why}{refusals}", backend.description);
                let name = backend.name;
                return Ok((done, Chosen { name, reason }));
            }
            Err(error) => {
                refusals += &format!(" ({error})");
                last = error;
            }
        }
    }
    Err(last)
}

#[cfg(all(test, any(feature = "x264", feature = "openh264")))]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_unknown_ones_explained() {
        assert_eq!(
            "auto".parse::<EncoderChoice>().unwrap(),
            EncoderChoice::Auto
        );
        for backend in BACKENDS {
            let choice: EncoderChoice = backend.name.parse().unwrap();
            assert_eq!(choice.to_string(), backend.name);
        }
        let error = "h263".parse::<EncoderChoice>().unwrap_err().to_string();
        assert!(error.contains("h263") && error.contains("auto"), "{error}");
        assert!(
            BACKENDS.iter().all(|backend| error.contains(backend.name)),
            "{error}"
        );
    }

    #[test]
    fn auto_says_which_and_why() {
        let chosen = probe(&EncoderChoice::Auto).unwrap();
        assert_eq!(chosen.name, BACKENDS[0].name);
        assert!(
            chosen.reason.contains("the first that runs"),
            "{}",
            chosen.reason
        );
    }

    #[test]
    fn every_backend_is_listed() {
        let names: Vec<_> = list().iter().map(|listing| listing.name).collect();
        let table: Vec<_> = BACKENDS.iter().map(|backend| backend.name).collect();
        assert_eq!(names, table);
        assert!(list().iter().any(|listing| listing.available));
        for listing in list() {
            assert_eq!(listing.available, !listing.codecs.is_empty());
        }
    }

    #[test]
    fn the_codecs_are_those_of_the_encoders_that_run() {
        let mut listed: Vec<_> = list().into_iter().flat_map(|line| line.codecs).collect();
        for codec in codecs() {
            assert!(listed.contains(&codec), "{codec}");
            listed.retain(|other| *other != codec);
        }
        assert_eq!(listed, []);
        assert!(codecs().contains(&Codec::H264));
        assert!(
            hardware_codecs()
                .iter()
                .all(|codec| codecs().contains(codec))
        );
    }

    #[test]
    fn an_encoder_without_the_codec_gives_way_and_says_so() {
        let config = EncoderConfig {
            size: media::Size::new(128, 128),
            rate: media::FrameRate::new(60).unwrap(),
            bitrate: media::Bitrate::clamped(1_000_000),
            codec: Codec::Hevc,
            profile: media::QualityProfile::Latency,
            threads: 1,
            slices: 1,
            reference_pictures: 1,
        };
        let name = BACKENDS[0].name;
        match open(&EncoderChoice::Named(name), &config) {
            Ok((_, chosen)) => {
                assert!(codecs().contains(&Codec::Hevc));
                assert_ne!(chosen.name, name);
                assert!(chosen.reason.contains("not HEVC"), "{}", chosen.reason);
            }
            Err(error) => assert!(!codecs().contains(&Codec::Hevc), "{error}"),
        }
    }
}
