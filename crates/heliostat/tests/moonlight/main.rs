//! Moonlight clients against the real program: pairing, apps, streams and what becomes of losses,
//! control and hostile clients. The client is the crate `probe`; it measures, and these tests judge.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot get so far has failed"
)]

mod apps;
mod control;
#[path = "../../src/probe/decoders.rs"]
mod decoders;
mod feedback;
mod host;
mod hostile;
mod killed;
mod loss;
mod pairing;
mod rights;
mod stream;
mod together;
mod x_display;
#[path = "../../../input/tests/input/xserver.rs"]
#[allow(dead_code, reason = "shared with tests that use all of it")]
mod xserver;
