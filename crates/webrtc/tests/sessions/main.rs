//! Sessions over real sockets: an engine with a pipeline on one side, a client made of the same
//! library on the other.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod channels;
mod flavours;
mod host;
mod pause;
mod peer;
mod sound;
