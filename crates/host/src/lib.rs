//! Typed configuration, wiring of all parts, start and shutdown.

pub mod config;
pub mod doctor;
mod front;
mod serve;

pub use serve::{Host, HostError, OnLink, Started};
