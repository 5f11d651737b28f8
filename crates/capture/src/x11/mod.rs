//! `x11`: the screen of an X server, or one of its monitors, with the mouse cursor.

mod cursor;
mod display;
mod segment;
mod source;
mod stream;
mod target;
mod window;

pub use source::X11;
pub use window::{PatternWindow, PatternWindowRequest};
