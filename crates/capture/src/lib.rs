//! Picture sources behind one trait, and the table of backends.
//!
//! Owns waiting for and copying pictures; refuses to know about encoders or viewers.

mod backends;
pub mod barcode;
pub mod canvas;
mod font;
mod noise;
mod pattern;
mod slate;
mod source;
mod synthetic;
mod taps;
mod ticker;
mod x11;

pub use backends::{
    BACKENDS, Backend, Opened, SourceListing, SourceOptions, SourceSpec, list, open, open_with,
};
pub use slate::{SlateText, slate};
pub use source::{FRAMES_IN_FLIGHT, Source, SourceError, SourceInfo, SourceRequest, StopSignal};
pub use synthetic::Synthetic;
pub use taps::{
    AreaSink, CapturedArea, CursorPlace, CursorShape, CursorSink, CursorSwitch, CursorTap,
    CursorUpdate, Taps,
};
pub use x11::{PatternWindow, PatternWindowRequest, X11};
