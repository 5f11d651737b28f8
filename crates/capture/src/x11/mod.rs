//! `x11`: the screen of an X server, or one of its monitors, with the mouse cursor.

mod cursor;
mod cursor_report;
mod display;
mod frames;
mod list;
mod segment;
mod source;
mod stream;
mod target;
mod window;

pub(crate) use list::list;
pub(crate) use source::NAME;
pub use source::X11;
pub use window::{PatternWindow, PatternWindowRequest};
