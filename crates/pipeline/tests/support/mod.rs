//! A screen and an encoder made of numbers, shared by the pipeline's tests.
//!
//! The screen shows a picture when told to; the encoder keeps references as x264 does and fails
//! when told to. Names of the pipeline come through `crate`, for the crate's own tests use it too.
#![allow(dead_code, reason = "no test binary uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

pub(crate) mod coder;
pub(crate) mod screen;
pub(crate) mod stage;
pub(crate) mod watch;
