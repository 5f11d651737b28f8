//! The table of backends, how a source of sound is named, and which one `auto` takes.
//!
//! Owns the names; refuses to know what any backend does.

#[cfg(feature = "pipewire")]
use crate::pipewire;
use crate::pulse;
use crate::source::{AudioServers, Source, SourceError, SourceRequest};
use crate::stop::StopSignal;
use crate::synthetic::{self, Silence, Tone};
use std::fmt;
use std::str::FromStr;

type OpenFn = fn(&SourceRequest, &StopSignal) -> Result<Box<dyn Source>, SourceError>;

/// A kind of source.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Its name in an [`AudioSpec`].
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Whether `auto` may take it: it captures what the host plays.
    captures: bool,
    open: OpenFn,
    list: fn(&AudioServers, &StopSignal) -> Vec<AudioListing>,
}

/// Every backend, the most wanted first: `auto` takes the first that opens and captures.
pub static BACKENDS: &[Backend] = &[
    #[cfg(feature = "pipewire")]
    Backend {
        name: pipewire::NAME,
        summary: "a PipeWire server: pipewire[:SINK or SOURCE]",
        captures: true,
        open: |request, stop| Ok(Box::new(pipewire::PipeWire::open(request, stop)?)),
        list: |servers, stop| {
            let sinks = pipewire::probe(servers, stop);
            rows(
                pipewire::NAME,
                sinks.map(|sinks| ("PipeWire".to_owned(), sinks)),
            )
        },
    },
    Backend {
        name: pulse::NAME,
        summary: "a PulseAudio server, or PipeWire through its own: pulse[:SINK or SOURCE]",
        captures: true,
        open: |request, stop| Ok(Box::new(pulse::Pulse::open(request, stop)?)),
        list: |servers, stop| {
            let server = pulse::probe(servers, stop);
            rows(
                pulse::NAME,
                server.map(|server| (server.name, server.sinks)),
            )
        },
    },
    Backend {
        name: synthetic::TONE,
        summary: "a tone of its own on each channel",
        captures: false,
        open: |request, _| Ok(Box::new(Tone::open(request)?)),
        list: |_, _| vec![synthetic_listing(synthetic::TONE, "a tone on each channel")],
    },
    Backend {
        name: synthetic::NONE,
        summary: "silence",
        captures: false,
        open: |request, _| Ok(Box::new(Silence::open(request)?)),
        list: |_, _| vec![synthetic_listing(synthetic::NONE, "silence")],
    },
];

const AUTO: &str = "auto";

/// One source that this machine has, or could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioListing {
    /// What to give as the source.
    pub spec: String,
    /// What is heard there, or why it cannot be opened now.
    pub detail: String,
    /// Whether it can be opened now.
    pub available: bool,
}

fn synthetic_listing(name: &str, detail: &str) -> AudioListing {
    AudioListing {
        spec: name.to_owned(),
        detail: detail.to_owned(),
        available: true,
    }
}

/// A row for the server as a whole, and one for each of its sinks.
fn rows(
    backend: &str,
    probed: Result<(String, Vec<(String, String)>), SourceError>,
) -> Vec<AudioListing> {
    let row = |spec: String, detail: String, available| AudioListing {
        spec,
        detail,
        available,
    };
    match probed {
        Err(error) => vec![row(backend.to_owned(), error.to_string(), false)],
        Ok((server, sinks)) => {
            let whole = row(backend.to_owned(), server, true);
            let sinks = sinks
                .into_iter()
                .map(|(name, description)| row(format!("{backend}:{name}"), description, true));
            std::iter::once(whole).chain(sinks).collect()
        }
    }
}

/// Every source that can be told without being named. Changes nothing on the host.
#[must_use]
pub fn list(servers: &AudioServers) -> Vec<AudioListing> {
    let Ok(stop) = StopSignal::new() else {
        return Vec::new();
    };
    BACKENDS
        .iter()
        .flat_map(|backend| (backend.list)(servers, &stop))
        .collect()
}

/// Whether this source can be heard now, in words for people: what it would be, or why the stream
/// stays silent. Changes nothing on the host.
#[must_use]
pub fn probe(spec: &AudioSpec, servers: &AudioServers) -> AudioListing {
    let name = match spec {
        AudioSpec::Auto => None,
        AudioSpec::Backend { name, .. } => Some(*name),
    };
    let Ok(stop) = StopSignal::new() else {
        let detail = "the system gives no file descriptor";
        return AudioListing {
            available: false,
            ..synthetic_listing(AUTO, detail)
        };
    };
    let candidates = match name {
        Some(name) => BACKENDS.iter().filter(|b| b.name == name).collect(),
        None => in_auto_order(servers, &stop),
    };
    let mut rows = candidates
        .iter()
        .filter_map(|backend| (backend.list)(servers, &stop).into_iter().next());
    let mut refused = Vec::new();
    loop {
        match rows.next() {
            Some(row) if row.available => return row,
            Some(row) => refused.push(row.detail),
            None => break,
        }
    }
    AudioListing {
        spec: spec.to_string(),
        detail: refused.join("; "),
        available: false,
    }
}

/// A source as named by the user: `auto`, or a backend and what it shall open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum AudioSpec {
    /// The first backend that captures what the host plays.
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

impl AudioSpec {
    /// Whether it asks for silence.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Backend { name, .. } if *name == synthetic::NONE)
    }
}

impl FromStr for AudioSpec {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (name, target) = match text.split_once(':') {
            Some((name, target)) => (name, Some(target.to_owned())),
            None => (text, None),
        };
        if name == AUTO && target.is_none() {
            return Ok(Self::Auto);
        }
        match BACKENDS.iter().find(|backend| backend.name == name) {
            Some(Backend { name, .. }) => Ok(Self::Backend { name, target }),
            None => Err(unknown(text)),
        }
    }
}

fn unknown(name: &str) -> SourceError {
    let names = BACKENDS.iter().map(|backend| backend.name);
    let known: Vec<_> = std::iter::once(AUTO).chain(names).collect();
    SourceError::Unknown {
        name: name.to_owned(),
        known: known.join(", "),
    }
}

impl fmt::Display for AudioSpec {
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

/// Opens a source. The request's own target is replaced by the one in `spec`.
///
/// # Errors
/// What its backend says; for `auto`, what every backend says.
pub fn open(
    spec: &AudioSpec,
    request: &SourceRequest,
    stop: &StopSignal,
) -> Result<Box<dyn Source>, SourceError> {
    let with = |target: &Option<String>| SourceRequest {
        target: target.clone(),
        ..request.clone()
    };
    match spec {
        AudioSpec::Auto => open_first(&with(&None), stop),
        AudioSpec::Backend { name, target } => {
            let backend = BACKENDS.iter().find(|backend| backend.name == *name);
            let backend = backend.ok_or_else(|| unknown(name))?;
            (backend.open)(&with(target), stop)
        }
    }
}

fn open_first(request: &SourceRequest, stop: &StopSignal) -> Result<Box<dyn Source>, SourceError> {
    let mut refused = Vec::new();
    for backend in in_auto_order(&request.servers, stop) {
        match (backend.open)(request, stop) {
            Ok(source) => return Ok(source),
            Err(error) => refused.push(error.to_string()),
        }
    }
    Err(SourceError::Absent {
        what: "no sound".to_owned(),
        why: refused.join("; "),
    })
}

/// The backends that capture, in the order of the table, except that a real PulseAudio server goes
/// first: where one runs, programs play there, and PipeWire, if it runs too, serves only video.
fn in_auto_order(servers: &AudioServers, stop: &StopSignal) -> Vec<&'static Backend> {
    let mut order: Vec<_> = BACKENDS.iter().filter(|backend| backend.captures).collect();
    if order.len() > 1 && pulse::probe(servers, stop).is_ok_and(|server| !server.is_pipewire) {
        order.sort_by_key(|backend| backend.name != pulse::NAME);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_as_they_are_written() {
        for text in [
            "auto",
            "none",
            "tone",
            "pulse",
            "pulse:alsa_output.pci-0000_00_1b.0:x",
        ] {
            let spec: AudioSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn an_unknown_source_is_told_with_the_known_ones() {
        for text in ["alsa", "", "auto:1", "Pulse"] {
            let error = text.parse::<AudioSpec>().unwrap_err().to_string();
            for part in [text, "auto", "pulse", "tone", "none"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn without_a_server_the_reason_is_told() {
        let nowhere = tempfile::tempdir().unwrap();
        let servers = AudioServers {
            pulse: Some(nowhere.path().join("pulse")),
            pipewire: Some(nowhere.path().join("pipewire")),
        };
        let probed = probe(&AudioSpec::Auto, &servers);
        assert!(!probed.available);
        assert!(probed.detail.contains("PulseAudio"), "{probed:?}");
        let stop = StopSignal::new().unwrap();
        let request = SourceRequest {
            servers,
            ..SourceRequest::default()
        };
        let Err(error) = open(&AudioSpec::Auto, &request, &stop) else {
            panic!("opened without a server");
        };
        assert!(error.is_temporary(), "{error}");
        assert!(open(&"tone:x".parse().unwrap(), &request, &stop).is_err());
    }
}
