//! Video from datagrams to pictures in the bitstream, as a pure function of packets and time: unsealing,
//! blocks with error correction, frames, and what to ask the host for after a loss.

mod blocks;
mod frames;
mod packet;

#[cfg(test)]
pub(crate) mod sender;
#[cfg(test)]
mod tests;

pub use blocks::{BlockEvent, BlockQueue, BlockStatus, RawFrame};
pub use frames::{FrameEvent, FrameGate, FrameKind, Unit};
pub use packet::{VideoPacket, parse_packet, unseal};

use std::collections::BTreeMap;

/// Something that a host may not do. Stock clients may or may not survive it; a report names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A packet without the headers of one, or larger than agreed.
    Malformed,
    /// A packet that does not decrypt.
    NotAuthentic,
    /// A packet outside its block.
    OutsideBlock,
    /// Packets of one block that disagree about it.
    BlockDisagrees,
    /// More data and parity in a block than the code has room for.
    BlockTooLarge,
    /// A block without its start flag first, its end flag last, or with other flags between.
    Flags,
    /// Data packets of a block that are not numbered one after the other.
    StreamIndex,
    /// A data packet, not the last, that is shorter than agreed.
    ShortPacket,
    /// Two frames with one timestamp, or a frame with several.
    Timestamp,
    /// A frame header that is not one, or of an unknown type.
    FrameHeader,
    /// A length of the last packet that cannot be, or bytes after it.
    Padding,
    /// A keyframe whose slice does not begin in its first packet: stock clients never see it.
    HiddenKeyframe,
    /// A bitstream that does not begin with a start code.
    NoStartCode,
}

impl Violation {
    /// As reports spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed packet",
            Self::NotAuthentic => "packet does not decrypt",
            Self::OutsideBlock => "packet outside its block",
            Self::BlockDisagrees => "packets of a block disagree",
            Self::BlockTooLarge => "block too large",
            Self::Flags => "wrong start and end flags",
            Self::StreamIndex => "stream index not continuous",
            Self::ShortPacket => "short packet inside a frame",
            Self::Timestamp => "wrong timestamp",
            Self::FrameHeader => "wrong frame header",
            Self::Padding => "wrong padding or last length",
            Self::HiddenKeyframe => "keyframe does not begin in its first packet",
            Self::NoStartCode => "no start code",
        }
    }
}

/// Violations, counted.
pub type Violations = BTreeMap<Violation, u64>;
