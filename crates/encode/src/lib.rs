//! Video encoders behind one trait, a table of backends, and the choice between them.
//!
//! Owns colour conversion, scaling and bitstream facts; refuses to know about consumers or networks.

mod backends;
#[cfg(feature = "x264")]
mod change;
#[cfg(any(feature = "ffmpeg", feature = "x264", feature = "openh264"))]
mod convert;
mod encoder;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;
pub mod h264;
pub mod hevc;
#[cfg(feature = "openh264")]
mod openh264;
#[cfg(feature = "x264")]
mod rate;
mod references;
#[cfg(feature = "x264")]
mod renumber;
#[cfg(any(feature = "ffmpeg", feature = "x264", feature = "openh264"))]
mod scale;
pub mod scripted;
#[cfg(feature = "x264")]
mod x264;

pub use backends::{
    BACKENDS, Backend, Chosen, EncoderChoice, EncoderListing, codecs, hardware_codecs, list, open,
    probe,
};
pub use encoder::{
    EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, KeyframeReason, PictureRequest,
};
