//! A raw picture on its way to an encoder: shared pixels, their layout, and when they were seen.

use crate::{Bands, MonoTime, PictureId};
use std::fmt;
use std::sync::Arc;

/// Width and height of a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// A size of `width` by `height` pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The largest even size inside this one: 4:2:0 video has no odd sizes.
    #[must_use]
    pub const fn even(self) -> Self {
        Self {
            width: self.width & !1,
            height: self.height & !1,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// How pixels lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Four bytes a pixel: blue, green, red, ignored. X11's usual layout.
    Bgrx,
    /// Planar 4:2:0, BT.709 limited range: Y of `stride * height`, then U and V of
    /// `stride/2 * height/2` each. Stride and height are even.
    I420,
}

impl PixelFormat {
    /// Bytes that a picture of `height` rows takes at this stride.
    #[must_use]
    pub const fn bytes(self, stride: usize, height: u32) -> usize {
        match self {
            Self::Bgrx => stride * height as usize,
            Self::I420 => stride * height as usize * 3 / 2,
        }
    }
}

/// Memory that holds a picture: a plain buffer or a segment shared with another process.
pub trait Pixels: Send + Sync {
    /// All bytes of the picture, planes and padding included.
    fn bytes(&self) -> &[u8];

    /// Which picture this is, where the source keeps account of what changes.
    fn id(&self) -> Option<PictureId> {
        None
    }

    /// The rows in which this picture may differ from an earlier one; `None` where that is not known.
    fn changed_since(&self, _earlier: PictureId) -> Option<Bands> {
        None
    }
}

impl Pixels for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// Whether the picture is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Newly captured.
    #[default]
    Fresh,
    /// The last picture again, because nothing changed.
    Repeat,
    /// A stand-in drawn by the host, such as a slate without a signal.
    Placeholder,
}

/// When a picture was seen and copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureTimes {
    /// The host learned that the picture had changed.
    pub noticed: MonoTime,
    /// The pixels were completely copied.
    pub grabbed: MonoTime,
}

/// One raw picture. Cloning shares the pixels.
#[derive(Clone)]
pub struct Frame {
    /// Visible size; both sides are even.
    pub size: Size,
    /// Layout of the bytes.
    pub format: PixelFormat,
    /// Bytes from one row (of the first plane) to the next.
    pub stride: usize,
    /// The bytes themselves.
    pub pixels: Arc<dyn Pixels>,
    /// New, repeated, or drawn by the host.
    pub kind: FrameKind,
    /// Stage times so far.
    pub times: CaptureTimes,
}

impl Frame {
    /// All bytes of the picture.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.pixels.bytes()
    }

    /// The same picture, shown again at `now`; a placeholder stays one.
    #[must_use]
    pub fn repeated(&self, now: MonoTime) -> Self {
        let kind = match self.kind {
            FrameKind::Placeholder => FrameKind::Placeholder,
            FrameKind::Fresh | FrameKind::Repeat => FrameKind::Repeat,
        };
        let times = CaptureTimes {
            noticed: now,
            grabbed: now,
        };
        Self {
            kind,
            times,
            ..self.clone()
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("size", &self.size)
            .field("format", &self.format)
            .field("stride", &self.stride)
            .field("kind", &self.kind)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}
