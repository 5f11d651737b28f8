//! Telemetry on the reading side: one-second windows with exact percentiles and counters, and the
//! last frames of each viewer.
//!
//! Nothing here is called by the hot path: it drains [`events::EventRing`], and it sleeps for as long
//! as nobody streams.

mod collector;
mod fold;
mod samples;
mod second;

pub use collector::{Activity, Collector, Error, Reader};
pub use fold::{Clock, Fold, FrameRecord, Frames};
pub use samples::Summary;
pub use second::{
    LinkSecond, PipelineSecond, PipelineStages, Repairs, Second, SoundSecond, ViewerSecond,
    ViewerStages,
};
