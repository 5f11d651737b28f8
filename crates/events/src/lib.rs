//! Every telemetry event, one struct each, with units, and the ring they travel in.
//!
//! Emitting copies a fixed-size value; nothing is computed, formatted or waited for here.

mod ring;
mod telemetry;

pub use ring::{EventRing, EventSink};
pub use telemetry::{
    ConsumerChange, EncoderOpened, Event, FrameEncoded, FrameSent, FrameSuperseded, KeyframeCause,
    LinkSample, LossRepair, LostReason, PipelineChange, RepairKind, SoundSample, SourceChange,
    UnitRefused, ViewerId, ViewerIds,
};
