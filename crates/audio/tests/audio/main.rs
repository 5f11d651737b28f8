//! Sound from real servers and synthetic sources, through the real encoder to an independent look
//! at what is heard.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

mod listener;
mod opus;
mod pipeline;
#[cfg(feature = "pipewire")]
mod pipewire;
mod pulse;
mod servers;
mod spectrum;
