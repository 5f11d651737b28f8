//! Sound of the host: sources behind one trait, the table of backends, Opus, and the fan-out.
//!
//! Owns capturing, encoding and keeping the clock of listeners going; refuses to know about packets.

mod assembler;
mod backends;
mod clock;
mod frame;
mod layout;
mod opening;
mod opus;
mod pace;
mod pipeline;
#[cfg(feature = "pipewire")]
mod pipewire;
mod priority;
mod pulse;
mod queue;
mod source;
mod status;
mod stop;
mod stream;
mod synthetic;

pub use crate::opus::{OpusConfig, OpusDecoder, OpusEncoder, OpusError, Quality, RateControl};
#[cfg(feature = "pipewire")]
pub use crate::pipewire::PipeWire;
pub use backends::{AudioListing, AudioSpec, BACKENDS, Backend, list, open, probe};
pub use frame::AudioFrame;
pub use layout::{
    AudioFormat, ChannelLayout, FrameDuration, MAX_CHANNELS, SAMPLE_RATE_HZ, Speaker,
};
pub use pipeline::{
    AcquireError, AudioLease, AudioOptions, AudioPipeline, AudioRequest, InSilence, WithoutSource,
};
pub use pulse::Pulse;
pub use queue::{MAX_QUEUE_DEPTH, OpusFrame, OpusQueue};
pub use source::{AudioServers, Heard, HostAudio, Source, SourceError, SourceInfo, SourceRequest};
pub use status::{AudioState, AudioStatus};
pub use stop::StopSignal;
pub use synthetic::{Silence, TONES_HZ, Tone};
