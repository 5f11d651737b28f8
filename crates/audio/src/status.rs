//! What a stream of sound does at present, for people.

use crate::layout::AudioFormat;
use crate::source::{HostAudio, SourceInfo};

/// Whether there is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioState {
    /// The source is being opened.
    Opening,
    /// Sound comes from this source.
    Capturing(SourceInfo),
    /// There is no sound, for this reason; it is tried again where that can help.
    Silent(String),
}

/// One stream: its shape, its listeners, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioStatus {
    /// Channels and frame length.
    pub format: AudioFormat,
    /// Whether the host stays audible.
    pub host_audio: HostAudio,
    /// Whether there is sound.
    pub state: AudioState,
    /// Who listens.
    pub consumers: usize,
    /// Frames sent so far.
    pub frames: u64,
    /// How many of them were silence in place of sound that did not come.
    pub filled: u64,
}
