//! The front door over real sockets, with a scripted media engine behind it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test binary")]

mod access;
mod client;
mod engine;
mod host;
mod net;
mod rpc;
mod sessions;
mod whep;
