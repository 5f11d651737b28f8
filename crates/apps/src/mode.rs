//! The mode of a stream, as its client asked for it.

use media::{FrameRate, Size};
use std::fmt;

/// Size and frame rate of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode {
    /// Pixels.
    pub size: Size,
    /// Frames a second.
    pub fps: FrameRate,
}

impl fmt::Display for Mode {
    /// `WIDTHxHEIGHT@FPS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.size, self.fps)
    }
}
