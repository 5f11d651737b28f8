//! The table of backends, how one is named on the command line, and which one `auto` takes.
//!
//! Owns the names; refuses to know what any backend does.

use crate::area::TargetArea;
use crate::error::InputError;
use crate::injector::{FeedbackSink, Injector};
use crate::nothing::Nothing;
use crate::recording::Recording;
use crate::uinput::Uinput;
use crate::xtest::Xtest;
use crate::{nothing, recording, uinput, xtest};
use std::fmt;
use std::str::FromStr;

/// A kind of injector.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Its name in `--input`.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    open: fn(&OpenRequest) -> Result<Box<dyn Injector>, InputError>,
}

/// Every backend, the most wanted first.
pub static BACKENDS: [Backend; 4] = [
    Backend {
        name: xtest::NAME,
        summary: "into an X display, by default the one that is shown: xtest[:DISPLAY]",
        open: |request| Ok(Box::new(Xtest::open(request)?)),
    },
    Backend {
        name: uinput::NAME,
        summary: "as devices of the kernel, pads included; needs /dev/uinput, and /dev/uhid for DualSense",
        open: |request| Ok(Box::new(Uinput::open(request)?)),
    },
    Backend {
        name: recording::NAME,
        summary: "into a file, a line of JSON an event: recording:FILE",
        open: |request| {
            let target = request.target.as_deref();
            Ok(Box::new(Recording::open(target, &request.feedback)?))
        },
    },
    Backend {
        name: nothing::NAME,
        summary: "nowhere: everybody only looks on",
        open: |_| Ok(Box::new(Nothing)),
    },
];

const AUTO: &str = "auto";

/// An injector as named by the user: `auto`, or a backend and its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InputSpec {
    /// What suits the source.
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

fn known() -> String {
    let names = BACKENDS.iter().map(|backend| backend.name);
    let names: Vec<_> = std::iter::once(AUTO).chain(names).collect();
    names.join(", ")
}

fn backend(name: &str) -> Result<&'static Backend, InputError> {
    let found = BACKENDS.iter().find(|backend| backend.name == name);
    found.ok_or_else(|| InputError::Unknown {
        name: name.to_owned(),
        known: known(),
    })
}

impl FromStr for InputSpec {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let (name, target) = match text.split_once(':') {
            Some((name, target)) => (name, Some(target.to_owned())),
            None => (text, None),
        };
        if name == AUTO && target.is_none() {
            return Ok(Self::Auto);
        }
        let name = backend(name)?.name;
        let wants_none = [uinput::NAME, nothing::NAME].contains(&name);
        if wants_none && target.is_some() {
            return Err(InputError::Unsupported {
                what: format!("input {text}"),
                why: format!("{name} takes nothing after its name"),
            });
        }
        Ok(Self::Backend { name, target })
    }
}

impl fmt::Display for InputSpec {
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

/// The X display that is captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XDisplay {
    /// Such as `:1`; absent means the user's own.
    pub name: Option<String>,
}

/// How an injector is opened.
#[derive(Clone)]
pub struct OpenRequest {
    /// What follows the colon in `--input name:target`; [`open`] fills it in.
    pub target: Option<String>,
    /// The X display that is captured, if the source is one.
    pub x: Option<XDisplay>,
    /// Which part of the screen is captured.
    pub area: TargetArea,
    /// Where rumble and lights are told.
    pub feedback: FeedbackSink,
}

impl fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRequest")
            .field("target", &self.target)
            .field("x", &self.x)
            .finish_non_exhaustive()
    }
}

/// An injector, and how it was chosen.
pub struct Opened {
    /// The injector.
    pub injector: Box<dyn Injector>,
    /// Which it is and why, for the user.
    pub reason: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("backend", &self.injector.name())
            .field("reason", &self.reason)
            .finish()
    }
}

/// Opens an injector. `auto` always gives one: `xtest` for an X source, else `uinput`, else `none`.
///
/// # Errors
/// What the named backend says.
pub fn open(spec: &InputSpec, request: &OpenRequest) -> Result<Opened, InputError> {
    match spec {
        InputSpec::Auto => Ok(open_suited(request)),
        InputSpec::Backend { name, target } => {
            let target = target.clone().filter(|target| !target.is_empty());
            let injector = open_backend(name, target, request)?;
            let reason = format!("{spec}, as asked");
            Ok(Opened { injector, reason })
        }
    }
}

fn open_backend(
    name: &str,
    target: Option<String>,
    request: &OpenRequest,
) -> Result<Box<dyn Injector>, InputError> {
    let request = OpenRequest {
        target,
        ..request.clone()
    };
    (backend(name)?.open)(&request)
}

fn open_suited(request: &OpenRequest) -> Opened {
    let mut refusals = Vec::new();
    if request.x.is_some() {
        match open_backend(xtest::NAME, None, request) {
            Ok(injector) => {
                let reason = "xtest, because the source is an X display".to_owned();
                return Opened { injector, reason };
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    match open_backend(uinput::NAME, None, request) {
        Ok(injector) => {
            let reason = match refusals.first() {
                None => "uinput, because the source is no X display".to_owned(),
                Some(refusal) => format!("uinput, because {refusal}"),
            };
            Opened { injector, reason }
        }
        Err(error) => {
            refusals.push(error.to_string());
            let reason = format!("no input, because {}", refusals.join("; "));
            let injector = Box::new(Nothing);
            Opened { injector, reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_as_they_are_written() {
        for text in [
            "auto",
            "none",
            "uinput",
            "xtest",
            "xtest::1",
            "recording:/tmp/a:b",
        ] {
            let spec: InputSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for text in ["", "auto:1", "XTEST", "keyboard"] {
            let error = text.parse::<InputSpec>().unwrap_err().to_string();
            for backend in &BACKENDS {
                assert!(error.contains(backend.name), "{error}");
            }
        }
        assert!("uinput:1".parse::<InputSpec>().is_err());
        assert!("none:1".parse::<InputSpec>().is_err());
    }
}
