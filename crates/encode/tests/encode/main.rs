//! The encoders, judged by FFmpeg's decoder and header parser: programs that share no code with them.

#![allow(clippy::unwrap_used)] // the lint knows tests, but not what they call

mod ffmpeg;
mod pictures;
#[cfg(feature = "x264")]
mod recovery;
mod session;
mod shared;
