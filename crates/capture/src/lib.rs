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
mod ticker;
mod x11;

pub use backends::{
    BACKENDS, Backend, Opened, SourceListing, SourceOptions, SourceSpec, list, open,
};
pub use slate::{SlateText, slate};
pub use source::{FRAMES_IN_FLIGHT, Source, SourceError, SourceInfo, SourceRequest, StopSignal};
pub use synthetic::Synthetic;
pub use x11::{PatternWindow, PatternWindowRequest, X11};
