//! What a bench is doing, told about once a second to whoever started it.

use crate::BenchError;
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

/// Where a bench is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The configuration, and which of its turns.
    pub label: String,
    /// What happens now.
    pub step: &'static str,
    /// Time this step has taken.
    pub elapsed: Duration,
    /// Time this step takes.
    pub of: Duration,
    /// The last second's frames, if any arrived.
    pub recent: Option<Recent>,
}

/// What arrived since the last progress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recent {
    /// Readable frames.
    pub frames: usize,
    /// Half of them took no longer from drawing to readable.
    pub readable_p50_ms: f64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, of) = (self.elapsed.as_secs_f64(), self.of.as_secs_f64());
        write!(f, "{:<5} {} {elapsed:.0}/{of:.0} s", self.label, self.step)?;
        match self.recent {
            Some(Recent {
                frames,
                readable_p50_ms,
            }) => {
                write!(
                    f,
                    "   {frames} frames, readable after {readable_p50_ms:.1} ms"
                )
            }
            None => Ok(()),
        }
    }
}

/// The caller's ear.
pub(crate) struct Listener<'a> {
    hear: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(hear: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Self {
        Self { hear }
    }

    /// Tells; ends with an error when the caller wants no more.
    pub(crate) fn tell(&mut self, progress: &Progress) -> Result<(), BenchError> {
        match (self.hear)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(BenchError::Interrupted),
        }
    }
}
