//! The table of encoders in this build, and the choice between them.

use crate::{EncodeError, Encoder, EncoderConfig};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

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
    /// Whether it runs on this machine. Takes a few milliseconds at most.
    pub probe: fn() -> Result<(), Why>,
    /// Opens it.
    pub open: fn(&EncoderConfig) -> Result<Box<dyn Encoder>, EncodeError>,
}

/// The encoders of this build, best first: `auto` takes the first that runs.
pub const BACKENDS: &[Backend] = &[
    #[cfg(feature = "x264")]
    crate::x264::BACKEND,
    #[cfg(feature = "openh264")]
    crate::openh264::BACKEND,
];

/// Which encoder a user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EncoderChoice {
    /// The first of [`BACKENDS`] that runs.
    #[default]
    Auto,
    /// This one of [`BACKENDS`] or none.
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
        let probed = (backend.probe)();
        let available = probed.is_ok();
        let detail = match probed {
            Ok(()) => format!("{description}; {licence}"),
            Err(why) => format!("{description}; does not run here: {why}"),
        };
        EncoderListing {
            name,
            detail,
            available,
        }
    };
    BACKENDS.iter().map(listing).collect()
}

/// What a choice comes to on this machine, without opening anything that lasts.
///
/// # Errors
/// [`EncodeError::Unavailable`] when nothing chosen runs here.
pub fn probe(choice: &EncoderChoice) -> Result<Chosen, EncodeError> {
    first(choice, |backend| {
        (backend.probe)().map_err(|why| EncodeError::Unavailable {
            name: backend.name,
            why,
        })
    })
    .map(|((), chosen)| chosen)
}

/// Opens an encoder. `auto` takes the first that runs and opens with these settings.
///
/// # Errors
/// [`EncodeError::Unavailable`] or [`EncodeError::Open`] of the last encoder tried.
pub fn open(
    choice: &EncoderChoice,
    config: &EncoderConfig,
) -> Result<(Box<dyn Encoder>, Chosen), EncodeError> {
    first(choice, |backend| (backend.open)(config))
}

/// The first chosen backend with which `attempt` succeeds.
fn first<T>(
    choice: &EncoderChoice,
    attempt: impl Fn(&Backend) -> Result<T, EncodeError>,
) -> Result<(T, Chosen), EncodeError> {
    let mut refusals = String::new();
    let mut last = EncodeError::NoBackend;
    for backend in BACKENDS {
        let asked = match choice {
            EncoderChoice::Named(name) if *name != backend.name => continue,
            EncoderChoice::Named(_) => true,
            EncoderChoice::Auto => false,
        };
        match attempt(backend) {
            Ok(done) => {
                let why = if asked {
                    "as asked"
                } else {
                    "the first that runs"
                };
                let reason = format!("{}, {why}{refusals}", backend.description);
                return Ok((
                    done,
                    Chosen {
                        name: backend.name,
                        reason,
                    },
                ));
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
    }
}
