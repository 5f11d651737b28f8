//! The table of backends, how a source is named on the command line, and which one `auto` takes.
//!
//! Owns the names; refuses to know what any backend does.

use crate::source::{Source, SourceError, SourceRequest};
use crate::taps::Taps;
use crate::{synthetic, x11};
use media::{FrameRate, Size};
use std::fmt;
use std::str::FromStr;

type OpenFn = fn(&SourceRequest, &Taps) -> Result<Box<dyn Source>, SourceError>;

/// A kind of source.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Its name in `--source`.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    open: OpenFn,
    list: fn() -> Vec<SourceListing>,
}

/// Every backend, the most wanted first: `auto` takes the first that opens.
pub static BACKENDS: [Backend; 2] = [
    Backend {
        name: x11::NAME,
        summary: "an X display, or one of its monitors: x11[:DISPLAY][/MONITOR]",
        open: |request, taps| Ok(Box::new(x11::X11::open_with(request, taps)?)),
        list: x11::list,
    },
    Backend {
        name: synthetic::NAME,
        summary: "a moving test pattern with a clock, of any size and rate",
        open: |request, _| Ok(Box::new(synthetic::Synthetic::open(request)?)),
        list: synthetic::list,
    },
];

const AUTO: &str = "auto";

/// One source that this machine has, or could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceListing {
    /// What to give to `--source`.
    pub spec: String,
    /// What it shows, or why it cannot be opened now.
    pub detail: String,
    /// Size of its picture; absent when it has none of its own, or cannot be opened.
    pub size: Option<Size>,
    /// Whether it can be opened now.
    pub available: bool,
}

/// Every source that can be told without being named; opens and closes each.
#[must_use]
pub fn list() -> Vec<SourceListing> {
    BACKENDS
        .iter()
        .flat_map(|backend| (backend.list)())
        .collect()
}

/// A source as named by the user: `auto`, or a backend and what it shall open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceSpec {
    /// The first backend that opens.
    #[default]
    Auto,
    /// One backend.
    Backend {
        /// Its name in [`BACKENDS`].
        name: &'static str,
        /// What follows the colon.
        target: Option<String>,
    },
}

impl FromStr for SourceSpec {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (name, target) = match text.split_once(':') {
            Some((name, target)) => (name, Some(target.to_owned())),
            None => (text, None),
        };
        if name == AUTO && target.is_none() {
            return Ok(Self::Auto);
        }
        let backend = BACKENDS.iter().find(|backend| backend.name == name);
        let name = backend
            .map(|backend| backend.name)
            .ok_or_else(|| SourceError::Unknown {
                name: text.to_owned(),
                known: known(),
            })?;
        Ok(Self::Backend { name, target })
    }
}

fn known() -> String {
    let names = BACKENDS.iter().map(|backend| backend.name);
    std::iter::once(AUTO)
        .chain(names)
        .collect::<Vec<_>>()
        .join(", ")
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str(AUTO),
            Self::Backend { name, target: None } => f.write_str(name),
            Self::Backend {
                name,
                target: Some(target),
            } => write!(f, "{name}:{target}"),
        }
    }
}

/// How the pictures shall be, whatever the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceOptions {
    /// Size asked for; a source with a size of its own keeps it, and the stream is scaled.
    pub size: Option<Size>,
    /// Highest frame rate.
    pub rate: FrameRate,
}

/// An opened source, and how it was chosen.
pub struct Opened {
    /// The source.
    pub source: Box<dyn Source>,
    /// What to open again when it goes away: never `auto`, so that a lost desktop comes back as
    /// that desktop.
    pub spec: SourceSpec,
    /// Which source it is and why, for the user.
    pub reason: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("spec", &self.spec)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// Opens a source.
///
/// # Errors
/// What its backend says; for `auto`, what the last backend tried says.
pub fn open(spec: &SourceSpec, options: SourceOptions) -> Result<Opened, SourceError> {
    open_with(spec, options, &Taps::default())
}

/// Opens a source that also tells what `taps` wants to hear.
///
/// # Errors
/// As for [`open`].
pub fn open_with(
    spec: &SourceSpec,
    options: SourceOptions,
    taps: &Taps,
) -> Result<Opened, SourceError> {
    match spec {
        SourceSpec::Auto => open_first(options, taps),
        SourceSpec::Backend { name, target } => {
            let source = open_backend(backend(name)?, target.clone(), options, taps)?;
            let reason = format!("{}, as asked", source.info().detail);
            Ok(Opened {
                source,
                spec: spec.clone(),
                reason,
            })
        }
    }
}

fn backend(name: &str) -> Result<&'static Backend, SourceError> {
    let found = BACKENDS.iter().find(|backend| backend.name == name);
    found.ok_or_else(|| SourceError::Unknown {
        name: name.to_owned(),
        known: known(),
    })
}

fn open_backend(
    backend: &Backend,
    target: Option<String>,
    options: SourceOptions,
    taps: &Taps,
) -> Result<Box<dyn Source>, SourceError> {
    let request = SourceRequest {
        target,
        size: options.size,
        rate: options.rate,
    };
    (backend.open)(&request, taps)
}

fn open_first(options: SourceOptions, taps: &Taps) -> Result<Opened, SourceError> {
    let mut refusals: Vec<SourceError> = Vec::new();
    for backend in &BACKENDS {
        match open_backend(backend, None, options, taps) {
            Ok(source) => {
                let detail = source.info().detail;
                let reason = match refusals.as_slice() {
                    [] => format!("{detail}, the first choice of auto"),
                    refusals => {
                        let why: Vec<_> = refusals.iter().map(ToString::to_string).collect();
                        format!("{detail}, because {}", why.join("; "))
                    }
                };
                let name = backend.name;
                let spec = SourceSpec::Backend { name, target: None };
                return Ok(Opened {
                    source,
                    spec,
                    reason,
                });
            }
            Err(error) => refusals.push(error),
        }
    }
    Err(refusals.pop().unwrap_or_else(|| SourceError::Unknown {
        name: AUTO.to_owned(),
        known: known(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_as_they_are_written() {
        for text in [
            "auto",
            "test-pattern",
            "x11",
            "x11::1",
            "x11::1/HDMI-1",
            "x11:/DP-2",
        ] {
            let spec: SourceSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
        let spec: SourceSpec = "x11::1/HDMI-1".parse().unwrap();
        let target = Some(":1/HDMI-1".to_owned());
        assert_eq!(
            spec,
            SourceSpec::Backend {
                name: "x11",
                target
            }
        );
    }

    #[test]
    fn an_unknown_source_is_told_with_the_known_ones() {
        for text in ["webcam", "", "auto:1", "X11", "x11rb::1"] {
            let error = text.parse::<SourceSpec>().unwrap_err().to_string();
            for part in [text, "auto", "test-pattern", "x11"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_target_where_none_can_be_is_refused() {
        let spec: SourceSpec = "test-pattern:1".parse().unwrap();
        let rate = FrameRate::new(60).unwrap();
        let error = open(&spec, SourceOptions { size: None, rate }).unwrap_err();
        assert!(error.to_string().contains("test-pattern:busy"), "{error}");
    }
}
