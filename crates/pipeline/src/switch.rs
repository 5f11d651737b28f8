//! How a change of source or encoder in a running stream ends, and who is told.

use capture::SourceError;
use encode::EncodeError;

/// Why a source or an encoder was not changed: the old one stays.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The new source does not open.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The new encoder does not open.
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    /// What is needed to open it failed.
    #[error("the switch was not possible: {0}")]
    System(#[from] std::io::Error),
    /// Another change was asked for before this one was done.
    #[error("another change took its place")]
    Replaced,
    /// The pipeline ended first.
    #[error("the pipeline ended before the change was done")]
    Ended,
}

/// Told once how a change ended, on a thread of the pipeline: it must not block.
pub type OnSwitch = Box<dyn FnOnce(Result<(), SwitchError>) + Send>;
