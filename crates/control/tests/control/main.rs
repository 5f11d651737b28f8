//! The front door over real sockets, with a scripted media engine behind it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test binary")]

mod access;
mod channels;
mod client;
mod driving;
mod engine;
mod feed;
mod host;
mod jetkvm;
mod lifetimes;
mod managing;
mod moonlight;
mod net;
mod pauses;
mod roles;
mod rpc;
mod shares;
mod whep;
