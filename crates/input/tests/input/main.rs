//! Injection and the clipboard against real X servers and real programs.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

mod clipboard;
mod desk;
mod pointer;
mod typing;
mod xserver;
