//! The trait every source of sound implements, what it is asked for, and its errors.

use crate::frame::AudioFrame;
use crate::layout::AudioFormat;
use crate::stop::StopSignal;
use media::MonoTime;
use std::path::PathBuf;

/// What a source is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Name of the backend, as in [`AudioSpec`](crate::AudioSpec).
    pub name: &'static str,
    /// What exactly is heard, such as a server and one of its sinks.
    pub detail: String,
}

/// Whether people next to the host hear what is streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostAudio {
    /// The host plays on as ever, and what its default sink plays is captured. A host without any
    /// sink gets one that makes no sound.
    Audible,
    /// Programs play into a sink of our own that makes no sound and is the default one meanwhile.
    /// Its channels are those of the first stream; the server remixes for others at the same time.
    #[default]
    Silent,
}

/// Where the sound servers are; what is absent is found as their own clients find them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AudioServers {
    /// Socket of the PulseAudio server, `…/pulse/native`.
    pub pulse: Option<PathBuf>,
    /// Socket of the PipeWire server, `…/pipewire-0`.
    pub pipewire: Option<PathBuf>,
}

/// How a source is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRequest {
    /// What follows the colon in `name:target`: what to capture instead of what `host_audio` says.
    pub target: Option<String>,
    /// The frames wanted. A server remixes where its own channels are others.
    pub format: AudioFormat,
    /// Whether the host stays audible.
    pub host_audio: HostAudio,
    /// Where the servers are.
    pub servers: AudioServers,
}

/// What came of waiting for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The frame was filled.
    Frame,
    /// The deadline came first.
    Late,
    /// The stop signal was raised.
    Stopped,
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source is not there, or went away; trying again later can help.
    #[error("{what}: {why}")]
    Absent {
        /// The source in words.
        what: String,
        /// Reason in words.
        why: String,
    },
    /// The source is there but cannot be captured as asked; trying again does not help.
    #[error("{what} cannot be captured: {why}")]
    Unsupported {
        /// The source in words.
        what: String,
        /// Reason in words, with what to do.
        why: String,
    },
    /// No backend of that name.
    #[error("audio source {name:?} is not known; known ones: {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The operating system refused something this host needs.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl SourceError {
    /// Whether opening again later can help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::System(_))
    }
}

/// A source of sound. It is driven by one thread. Dropping it puts back whatever was changed on the
/// host, which may take as long as a server takes to answer.
pub trait Source: Send {
    /// What it is.
    fn info(&self) -> SourceInfo;

    /// Sleeps until the next frame is complete, and copies it to `frame`, which has the format that
    /// the source was opened with; or until `deadline`, or until `stop` is raised.
    ///
    /// # Errors
    /// [`SourceError`]; after one the source is dropped, and opened again if it is temporary.
    fn next_frame(
        &mut self,
        frame: &mut AudioFrame,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Heard, SourceError>;
}
