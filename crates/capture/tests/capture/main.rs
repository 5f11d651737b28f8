//! Picture sources against real X servers, real clients and a real encoder.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

mod backends;
mod synthetic;
mod x11_cursor;
mod x11_cursor_out;
mod x11_layout;
mod x11_picture;
mod x11_presses;
mod xserver;
