//! Input from viewers to the host: keys, text, pointer, touch, pen, pads and the clipboard.
//!
//! Owns the page's wire format, who holds what down, and the backends that inject; refuses to know
//! about sessions, roles or sockets.

mod area;
mod backends;
mod clipboard;
mod desk;
mod error;
mod event;
mod held;
mod injector;
mod key;
mod key_table;
mod notches;
mod nothing;
mod recording;
mod uinput;
pub mod wire;
mod x11;
mod xtest;

pub use area::{ScreenArea, TargetArea};
pub use backends::{BACKENDS, Backend, InputSpec, OpenRequest, Opened, XDisplay, open};
pub use clipboard::{CLIPBOARD_LIMIT_BYTES, Clipboard, ClipboardChange, OnClipboard, X11Clipboard};
pub use desk::{Channel, Desk, DeskParts, InputState, OnFeedback, OnState, OpenInjector};
pub use error::InputError;
pub use event::{
    BatteryState, Button, Contact, InputEvent, MAX_TEXT_BYTES, MotionKind, PadCapabilities,
    PadEvent, PadKind, PadState, PenEvent, PenPhase, PenTool, Permissions, TouchPhase,
};
pub use injector::{Capabilities, Feedback, FeedbackSink, Injector, Next, TriggerEffect};
pub use key::KeyCode;
