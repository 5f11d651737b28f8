//! The encode loop and what surrounds it: consumers with leases, recovery, the still screen,
//! pacing plans, and the threads that keep a source delivering, or say why it does not.
//!
//! Owns the life of source and encoder; refuses to know how units travel to a viewer.

mod chain;
mod consumer;
mod encode_loop;
mod feed;
mod gate;
mod intake;
mod paced;
mod pacer;
mod pipeline;
pub mod priority;
mod recoder;
mod signal;
mod status;
mod still;
mod supervisor;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod switch;

pub use consumer::{QUEUE_DEPTH, UnitQueue};
pub use events::LostReason;
pub use gate::{KEYFRAME_SPACING, KeyframeGate, LostRange, Recovery};
pub use paced::{Cut, PacedFrame};
pub use pacer::{MAX_STEPS, MIN_CHUNK_PACKETS, MIN_SLEEP, PacingInput, PacingPlan};
pub use pipeline::{CommandRefused, Lease, OpenEncoder, OpenedEncoder, Pipeline, PipelineParts};
pub use signal::SLATE_EVERY;
pub use status::{PipelineStatus, SourceState};
pub use still::{KEEP_ALIVE, STILL_AFTER, Still, StillPicture, StillPolicy};
pub use supervisor::{OpenSource, RETRY_EVERY};
pub use switch::{OnSwitch, SwitchError};
