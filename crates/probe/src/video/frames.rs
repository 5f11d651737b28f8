//! Whole frames to units for a decoder: the frame header, which frames may be shown after a loss, and
//! what is asked of the host (VideoDepacketizer.c). It does not decode.

use media::MonoTime;

use super::{RawFrame, Violation, Violations};
use crate::bitstream;
use crate::options::Codec;

/// Bytes of the header before the bitstream.
const HEADER_LEN: usize = 8;
/// After so many frames that could not be shown, a keyframe is asked for (`CONSECUTIVE_DROP_LIMIT`).
const DROP_LIMIT: u32 = 120;

/// What a frame is, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Refers to what came before.
    Predicted,
    /// Refers to nothing.
    Key,
    /// Refreshes a part.
    IntraRefresh,
    /// Refers past what was lost.
    AfterInvalidation,
}

impl FrameKind {
    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Predicted),
            2 => Some(Self::Key),
            4 => Some(Self::IntraRefresh),
            5 => Some(Self::AfterInvalidation),
            _ => None,
        }
    }

    /// As the wire numbers it.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Predicted => 1,
            Self::Key => 2,
            Self::IntraRefresh => 4,
            Self::AfterInvalidation => 5,
        }
    }
}

/// A frame for the decoder.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// Frame number.
    pub index: u32,
    /// What it is.
    pub kind: FrameKind,
    /// Whether a stock client recognises a keyframe in it.
    pub key: bool,
    /// RTP timestamp.
    pub timestamp: u32,
    /// The bitstream, without padding.
    pub bitstream: &'a [u8],
    /// What the host says it took, in tenths of a millisecond; 0 if it does not.
    pub host_latency_tenth_ms: u16,
    /// When its first packet came.
    pub first_at: MonoTime,
    /// When it was complete.
    pub complete_at: MonoTime,
    /// Whether the host asks for an acknowledgement.
    pub long_term: bool,
}

/// What the gate has to say.
#[derive(Debug)]
pub enum FrameEvent<'a> {
    /// Decode this.
    Unit(Unit<'a>),
    /// Ask the host for a picture that refers to none of these.
    Invalidate {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
    /// Ask the host for a keyframe.
    NeedKeyframe,
    /// This frame was whole and cannot be shown.
    Unusable {
        /// Its number.
        index: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    No,
    ForKeyframe,
    ForInvalidation,
}

/// Decides which frames can be shown.
#[derive(Debug)]
pub struct FrameGate {
    codec: Codec,
    invalidates: bool,
    next: u32,
    /// The first frame after the last one shown.
    first_unshown: u32,
    waiting: Waiting,
    had_keyframe: bool,
    /// A loss has been seen, and no whole frame since.
    unanswered: bool,
    drops: u32,
    violations: Violations,
}

struct Header {
    kind: FrameKind,
    latency_tenth_ms: u16,
}

impl FrameGate {
    /// For a stream of `codec`; with `invalidates`, losses are repaired without keyframes.
    #[must_use]
    pub const fn new(codec: Codec, invalidates: bool) -> Self {
        Self {
            codec,
            invalidates,
            next: 1,
            first_unshown: 0,
            waiting: Waiting::ForKeyframe,
            had_keyframe: false,
            unanswered: false,
            drops: 0,
            violations: Violations::new(),
        }
    }

    /// What the host did that it may not.
    #[must_use]
    pub const fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Frames up to `through` will not come.
    pub fn lost(&mut self, through: u32, sink: &mut dyn FnMut(FrameEvent<'_>)) {
        self.drop(sink);
        if self.waiting == Waiting::ForInvalidation {
            self.next = through.wrapping_add(1);
            let first = self.first_unshown;
            sink(FrameEvent::Invalidate {
                first,
                last: through,
            });
        }
    }

    /// A whole frame.
    pub fn frame(&mut self, raw: &RawFrame<'_>, sink: &mut dyn FnMut(FrameEvent<'_>)) {
        let ahead = raw.index.wrapping_sub(self.next).cast_signed();
        if ahead < 0 {
            return;
        }
        if ahead > 0 {
            self.unanswered = true;
            self.drop(sink);
        }
        self.next = raw.index.wrapping_add(1);
        let Some((header, bitstream)) = self.header(raw) else {
            self.violate(Violation::FrameHeader);
            sink(FrameEvent::Unusable { index: raw.index });
            self.lost(raw.index, sink);
            return;
        };
        let key = self.recognise(&header, raw, bitstream);
        if self.waiting == Waiting::ForInvalidation && header.kind != FrameKind::Predicted {
            self.waiting = Waiting::No;
            self.unanswered = false;
        }
        if key {
            self.waiting = Waiting::No;
            self.unanswered = false;
        }
        if self.waiting != Waiting::No {
            self.refuse(raw.index, sink);
            return;
        }
        self.had_keyframe |= key;
        self.drops = 0;
        self.first_unshown = self.next;
        sink(FrameEvent::Unit(Unit {
            index: raw.index,
            kind: header.kind,
            key,
            timestamp: raw.timestamp,
            bitstream,
            host_latency_tenth_ms: header.latency_tenth_ms,
            first_at: raw.first_at,
            complete_at: raw.complete_at,
            long_term: raw.long_term,
        }));
    }

    /// The decoder has lost the thread: nothing is shown until a keyframe.
    pub fn decoder_failed(&mut self, sink: &mut dyn FnMut(FrameEvent<'_>)) {
        self.waiting = Waiting::ForKeyframe;
        sink(FrameEvent::NeedKeyframe);
    }

    fn violate(&mut self, violation: Violation) {
        *self.violations.entry(violation).or_default() += 1;
    }

    fn refuse(&mut self, index: u32, sink: &mut dyn FnMut(FrameEvent<'_>)) {
        sink(FrameEvent::Unusable { index });
        match self.waiting {
            // Asked for once a whole frame shows that the network is back.
            Waiting::ForKeyframe if self.unanswered => sink(FrameEvent::NeedKeyframe),
            Waiting::ForKeyframe | Waiting::No => {}
            Waiting::ForInvalidation => sink(FrameEvent::Invalidate {
                first: self.first_unshown,
                last: index,
            }),
        }
        self.unanswered = false;
        self.drop(sink);
    }

    fn drop(&mut self, sink: &mut dyn FnMut(FrameEvent<'_>)) {
        let keyframe =
            !self.invalidates || !self.had_keyframe || self.waiting == Waiting::ForKeyframe;
        self.waiting = if keyframe {
            Waiting::ForKeyframe
        } else {
            Waiting::ForInvalidation
        };
        self.drops += 1;
        if self.drops == DROP_LIMIT {
            self.drops = 0;
            self.waiting = Waiting::ForKeyframe;
            sink(FrameEvent::NeedKeyframe);
        }
    }

    fn header<'a>(&mut self, raw: &RawFrame<'a>) -> Option<(Header, &'a [u8])> {
        let (header, rest) = raw.payload.split_at_checked(HEADER_LEN)?;
        let kind = FrameKind::of(header[3]).filter(|_| header[0] == 1)?;
        let last_len = usize::from(u16::from_le_bytes([header[4], header[5]]));
        // The length counts the header where first and last packet are one.
        let before_last = raw.payload.len() - raw.last_packet_len;
        let end = before_last + last_len;
        let sound = last_len > 0 && last_len <= raw.last_packet_len && end > HEADER_LEN;
        let bitstream = if sound {
            let (bitstream, padding) = rest.split_at(end - HEADER_LEN);
            if padding.iter().any(|&byte| byte != 0) {
                self.violate(Violation::Padding);
            }
            bitstream
        } else {
            self.violate(Violation::Padding);
            if self.codec == Codec::Av1 {
                return None;
            }
            rest
        };
        let latency_tenth_ms = u16::from_le_bytes([header[1], header[2]]);
        let header = Header {
            kind,
            latency_tenth_ms,
        };
        Some((header, bitstream))
    }

    /// Whether a stock client takes the frame for a keyframe: for H.264 and HEVC it looks at the
    /// bitstream in the first packet, for AV1 it believes the header.
    fn recognise(&mut self, header: &Header, raw: &RawFrame<'_>, bitstream: &[u8]) -> bool {
        if self.codec == Codec::Av1 {
            return header.kind == FrameKind::Key;
        }
        let first = raw.first_packet_len.saturating_sub(HEADER_LEN);
        let first = &bitstream[..first.min(bitstream.len())];
        if !bitstream::starts_with_start_code(first) {
            self.violate(Violation::NoStartCode);
        }
        let key = bitstream::keyframe_begins_in(self.codec, first);
        if key != (header.kind == FrameKind::Key) {
            self.violate(if key {
                Violation::FrameHeader
            } else {
                Violation::HiddenKeyframe
            });
        }
        key
    }
}
