//! One encoded picture on its way to the consumers, with what it refers to and its stage times.

use crate::{CaptureTimes, Codec, FrameKind, MonoTime, Size};

/// Running number of an encoded picture within a pipeline; never reused, spent even when dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameIndex(pub u64);

impl FrameIndex {
    /// The index after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What a decoder needs besides the access unit itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Nothing: an IDR picture with its parameter sets.
    #[default]
    None,
    /// Exactly this earlier picture (and what that one needed).
    Frame(FrameIndex),
}

/// Stage times of one access unit up to the encoder's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodeTimes {
    /// From the frame.
    pub capture: CaptureTimes,
    /// The encode loop took the frame out of the slot.
    pub dequeued: MonoTime,
    /// The access unit is complete.
    pub encoded: MonoTime,
}

/// One encoded picture (Annex B for H.264 and HEVC, a temporal unit for AV1). Reused from a pool: `data` keeps its capacity.
#[derive(Clone, Debug, Default)]
pub struct AccessUnit {
    /// Number of the picture.
    pub index: FrameIndex,
    /// What `data` is coded in.
    pub codec: Codec,
    /// Size of the picture.
    pub size: Size,
    /// The picture it refers to; [`Reference::None`] makes it a keyframe.
    pub reference: Reference,
    /// New, repeated, or drawn by the host.
    pub kind: FrameKind,
    /// Stage times so far.
    pub times: EncodeTimes,
    /// Mean quantiser of the picture, where the encoder tells.
    pub quantiser: Option<u8>,
    /// Bytes of the bitstream.
    pub data: Vec<u8>,
}

impl AccessUnit {
    /// Whether decoding can start here.
    #[must_use]
    pub const fn is_keyframe(&self) -> bool {
        matches!(self.reference, Reference::None)
    }
}
