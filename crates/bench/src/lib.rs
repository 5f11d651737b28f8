//! `heliostat bench`: measures glass to glass for real. A pattern with a clock in it is drawn on an
//! X server, captured, streamed by the real host, decoded in a real browser (or by a Moonlight client)
//! and read back there; keys are pressed there, and the picture that shows their effect is waited for.
//!
//! Owns the processes that this takes and the arithmetic on what they tell; refuses to look inside
//! the host by any way that a viewer does not have.

mod browser;
mod cdp;
mod child;
mod chromium;
mod error;
mod frames;
mod host_process;
mod input;
mod moonlight;
mod options;
mod page;
mod percentiles;
mod plot;
mod presses;
mod processes;
mod progress;
mod report;
mod run;
mod scene;
mod svg;
mod table;
mod turn;
mod viewer;
mod xserver;

pub use error::BenchError;
pub use frames::Stage;
pub use input::{InputBand, InputReport, InputScene, InputSeries, InputStage, InputStageSummary};
pub use options::{BenchOptions, BenchSource};
pub use page::ClockBounds;
pub use percentiles::Summary;
pub use presses::PressKind;
pub use processes::Machine;
pub use progress::{Progress, Recent};
pub use report::{
    Band, Counts, Freezes, Memory, MemorySample, ProcessShare, Report, StageSummary, Totals,
    VariantReport, ViewerCost, Wire,
};
pub use run::run;
pub use scene::Content;
pub use viewer::BenchClient;
pub use xserver::{PATTERN_COMMAND, pattern_child};
