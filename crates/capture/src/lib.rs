//! Picture sources behind one trait, and the table of backends.
//!
//! Owns waiting for and copying pictures; refuses to know about encoders or viewers.

mod source;

pub use source::{Source, SourceError, SourceInfo, SourceRequest, StopSignal};
