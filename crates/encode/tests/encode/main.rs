//! The encoders, judged by FFmpeg's decoder and header parser: programs that share no code with them.

#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

#[cfg(feature = "x264")]
mod bitstream;
#[cfg(feature = "ffmpeg")]
mod codecs;
mod ffmpeg;
mod pictures;
#[cfg(feature = "x264")]
mod rate;
#[cfg(feature = "x264")]
mod recovery;
mod session;
mod shared;
