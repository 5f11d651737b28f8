//! The clipboard's text, both ways.
//!
//! Owns the limit; refuses anything but text.

mod transfer;
mod x11;

use crate::error::InputError;
pub use x11::X11Clipboard;

/// Longest text that is taken or given.
pub const CLIPBOARD_LIMIT_BYTES: usize = 128 * 1024;

/// What happened to the host's clipboard.
#[derive(Debug)]
pub enum ClipboardChange {
    /// A program of the host put this text there.
    Text(String),
    /// What is there now cannot be passed on.
    Refused(InputError),
}

/// Told of each change that [`Clipboard::set_text`] did not make, on the clipboard's own thread.
pub type OnClipboard = Box<dyn Fn(ClipboardChange) + Send>;

/// The host's clipboard.
pub trait Clipboard: Send + Sync {
    /// Puts text there. Returns before it is done.
    ///
    /// # Errors
    /// [`InputError::TooLong`], or [`InputError::Closed`].
    fn set_text(&self, text: &str) -> Result<(), InputError>;
}
