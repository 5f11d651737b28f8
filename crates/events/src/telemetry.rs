//! The events themselves: plain fixed-size values with units in their names.

use media::{EncodeTimes, FrameIndex, FrameKind, MonoTime, Rtp90k, Size};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Number of a viewer, unique while the host runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewerId(pub u32);

/// Gives each viewer its number. Clones share one series, so that engines which do not know each
/// other never give the same number.
#[derive(Clone, Debug)]
pub struct ViewerIds(Arc<AtomicU32>);

impl ViewerIds {
    /// The next number; the first one is 1.
    #[must_use]
    pub fn next(&self) -> ViewerId {
        ViewerId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for ViewerIds {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(1)))
    }
}

/// A captured frame was displaced by a newer one before it was encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameSuperseded {
    /// Pipeline number.
    pub pipeline: u32,
    /// When.
    pub at: MonoTime,
}

/// Why a keyframe was coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyframeCause {
    /// The first picture of an encoder.
    Start,
    /// A consumer joined.
    NewConsumer,
    /// A client asked.
    Requested,
    /// A loss that invalidation could not repair.
    Loss,
    /// A refused unit that invalidation could not repair.
    Refused,
    /// The encoder was opened again.
    Reopened,
    /// The source went away, or came back.
    Signal,
    /// The encoder decided by itself.
    Encoder,
}

/// One access unit left the encoder.
#[derive(Clone, Copy, Debug)]
pub struct FrameEncoded {
    /// Pipeline number.
    pub pipeline: u32,
    /// Number of the picture.
    pub index: FrameIndex,
    /// New, repeated or drawn by the host.
    pub kind: FrameKind,
    /// Stage times.
    pub times: EncodeTimes,
    /// Bytes of the access unit.
    pub bytes: u32,
    /// Set on a keyframe.
    pub keyframe: Option<KeyframeCause>,
    /// Set when it refers past invalidated pictures.
    pub recovers: bool,
    /// Mean quantiser, where the encoder tells.
    pub quantiser: Option<u8>,
}

/// All packets of one access unit went to one viewer's socket.
#[derive(Clone, Copy, Debug)]
pub struct FrameSent {
    /// Viewer.
    pub viewer: ViewerId,
    /// Number of the picture.
    pub index: FrameIndex,
    /// RTP timestamp this viewer saw.
    pub rtp: Rtp90k,
    /// New, repeated or drawn by the host.
    pub kind: FrameKind,
    /// Whether it was a keyframe.
    pub keyframe: bool,
    /// Stage times up to the encoder's end.
    pub times: EncodeTimes,
    /// The sender took the unit from its queue and cut it.
    pub packetised: MonoTime,
    /// First packet handed to the kernel.
    pub first_sent: MonoTime,
    /// Last packet handed to the kernel.
    pub last_sent: MonoTime,
    /// Packets.
    pub packets: u32,
    /// Bytes of payload.
    pub bytes: u32,
}

/// A unit was not taken by a consumer's queue.
#[derive(Clone, Copy, Debug)]
pub struct UnitRefused {
    /// Pipeline number.
    pub pipeline: u32,
    /// Consumer's viewer number.
    pub viewer: ViewerId,
    /// Number of the picture.
    pub index: FrameIndex,
    /// When.
    pub at: MonoTime,
}

/// A consumer joined or left.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerChange {
    /// Pipeline number.
    pub pipeline: u32,
    /// Consumer's viewer number.
    pub viewer: ViewerId,
    /// Consumers after the change.
    pub consumers: u32,
    /// Whether it joined.
    pub joined: bool,
    /// When.
    pub at: MonoTime,
}

/// A pipeline started or stopped.
#[derive(Clone, Copy, Debug)]
pub struct PipelineChange {
    /// Pipeline number.
    pub pipeline: u32,
    /// Whether it runs now.
    pub running: bool,
    /// When.
    pub at: MonoTime,
}

/// An encoder was opened.
#[derive(Clone, Copy, Debug)]
pub struct EncoderOpened {
    /// Pipeline number.
    pub pipeline: u32,
    /// Backend.
    pub name: &'static str,
    /// Picture size.
    pub size: Size,
    /// When.
    pub at: MonoTime,
}

/// Why there are no pictures, as far as the host can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LostReason {
    /// Pictures came once, and do not come back.
    NoSignal,
    /// There never was a source.
    NoDevice,
    /// The source is there, but cannot be streamed as it is.
    UnsupportedMode,
    /// Pictures came a moment ago, or the source is still being opened.
    SourceRestarting,
}

impl LostReason {
    /// Its name in protocols.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::NoSignal => "no_signal",
            Self::NoDevice => "no_device",
            Self::UnsupportedMode => "unsupported_mode",
            Self::SourceRestarting => "source_restarting",
        }
    }
}

impl fmt::Display for LostReason {
    /// In the capitals of the slate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSignal => "NO SIGNAL",
            Self::NoDevice => "NO DEVICE",
            Self::UnsupportedMode => "UNSUPPORTED MODE",
            Self::SourceRestarting => "SOURCE RESTARTING",
        })
    }
}

/// The source came or went.
#[derive(Clone, Copy, Debug)]
pub struct SourceChange {
    /// Pipeline number.
    pub pipeline: u32,
    /// Why there are no pictures; absent when they come.
    pub lost: Option<LostReason>,
    /// When.
    pub at: MonoTime,
}

/// How a loss was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepairKind {
    /// Packets were asked for again; they are sent again unless they are too old or the share of
    /// resends is spent, which the library decides and does not tell.
    Resend,
    /// References were invalidated.
    Invalidate,
    /// A keyframe was asked for.
    Keyframe,
}

/// A viewer lost packets and something was done.
#[derive(Clone, Copy, Debug)]
pub struct LossRepair {
    /// Viewer.
    pub viewer: ViewerId,
    /// What was done.
    pub kind: RepairKind,
    /// Packets concerned.
    pub packets: u32,
    /// When.
    pub at: MonoTime,
}

/// What a viewer's connection looks like, about once a second. Absent means not measured.
#[derive(Clone, Copy, Debug)]
pub struct LinkSample {
    /// Viewer.
    pub viewer: ViewerId,
    /// Round trip.
    pub rtt_us: Option<u32>,
    /// Share of packets lost, in millionths.
    pub loss_ppm: Option<u32>,
    /// Bandwidth estimate.
    pub estimate_bps: Option<u32>,
    /// Encoder target derived from it.
    pub target_bps: u32,
    /// NACKed packets since the last sample.
    pub nacks: u32,
    /// PLI and FIR since the last sample.
    pub plis: u32,
    /// Bytes handed to the kernel since the last sample, resends and framing included.
    pub sent_bytes: u64,
    /// When.
    pub at: MonoTime,
}

/// What a viewer hears, about once a second while it listens. Absent means not measured.
#[derive(Clone, Copy, Debug)]
pub struct SoundSample {
    /// Viewer.
    pub viewer: ViewerId,
    /// Bytes of its packets since the last sample, RTP headers included.
    pub sent_bytes: u64,
    /// Packets since the last sample; few in silence.
    pub packets: u32,
    /// Share of packets lost, in millionths.
    pub loss_ppm: Option<u32>,
    /// When.
    pub at: MonoTime,
}

macro_rules! events {
    ($($name:ident),+ $(,)?) => {
        /// Any event.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each variant carries the documented struct of its name")]
        pub enum Event {
            $($name($name)),+
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })+
    };
}

events!(
    FrameSuperseded,
    FrameEncoded,
    FrameSent,
    UnitRefused,
    ConsumerChange,
    PipelineChange,
    EncoderOpened,
    SourceChange,
    LossRepair,
    LinkSample,
    SoundSample,
);
