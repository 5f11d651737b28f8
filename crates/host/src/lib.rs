//! Typed configuration, wiring of all parts, start and shutdown; with a front door, or for a parent
//! process.

mod board;
mod clipboard;
pub mod config;
mod cursor;
mod desk;
pub mod doctor;
mod engine;
mod input;
mod jetkvm;
mod media_host;
mod moonlight;
mod pairing;
mod port_owner;
mod serve;
mod settings;
mod sound;
pub mod stdio;
mod stream;

pub use serve::{Callbacks, Host, HostError, Started};
