//! The capture thread: opens a source, hands in what it shows, and tries again when it goes away.
//!
//! It never waits for the encode thread, which never waits for it.

use crate::intake::{Intake, Loss, LossKind, News, Put, Run};
use crate::priority;
use capture::{Source, SourceError, StopSignal};
use events::{EventSink, FrameSuperseded};
use media::{MonoTime, Size};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Time between two attempts to open a source that is away.
pub const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Opens the source; called again after each loss.
pub type OpenSource = Arc<dyn Fn() -> Result<Box<dyn Source>, SourceError> + Send + Sync>;

/// What the capture thread needs.
pub(crate) struct CaptureParts {
    pub(crate) pipeline: u32,
    pub(crate) run: Run,
    pub(crate) open: OpenSource,
    pub(crate) intake: Arc<Intake>,
    pub(crate) events: EventSink,
}

/// A running capture thread. Dropping it asks the thread to release the source and end; a source
/// that is stuck delays nobody but the next one.
pub(crate) struct Capture {
    run: Run,
    stop: StopSignal,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Capture {
    /// Keeps a source delivering.
    pub(crate) fn start(parts: CaptureParts) -> std::io::Result<Self> {
        Self::spawn(parts, |parts, stop| parts.keep_delivering(None, stop))
    }

    /// Opens a source, and delivers if it may take over from the present one.
    pub(crate) fn audition(parts: CaptureParts) -> std::io::Result<Self> {
        Self::spawn(parts, |parts, stop| {
            let (opened, result) = match parts.open_caught() {
                Ok(source) => (Some(source), Ok(())),
                Err(error) => (None, Err(error)),
            };
            if parts.intake.opened(parts.run, result) {
                parts.keep_delivering(opened, stop);
            }
        })
    }

    fn spawn(
        parts: CaptureParts,
        body: impl FnOnce(&CaptureParts, &StopSignal) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (run, stop) = (parts.run, StopSignal::new()?);
        let signal = stop.clone();
        let presence = parts.intake.enter(run);
        let name = format!("capture-{}", parts.pipeline);
        thread::Builder::new().name(name).spawn(move || {
            // Dropped last: by then the source is released.
            let _presence = presence;
            priority::raise(priority::ENCODE_NICE);
            body(&parts, &signal);
        })?;
        Ok(Self { run, stop })
    }

    pub(crate) const fn run(&self) -> Run {
        self.run
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

impl CaptureParts {
    fn keep_delivering(&self, mut opened: Option<Box<dyn Source>>, stop: &StopSignal) {
        let mut said: Option<Loss> = None;
        while !stop.is_raised() {
            let mut delivered = false;
            let source = opened.take();
            // A backend that panics has lost its source like one that returns an error.
            let attempt = AssertUnwindSafe(|| self.attempt(source, stop, &mut delivered));
            let (kind, why) = match panic::catch_unwind(attempt) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => (kind(&error), error.to_string()),
                Err(_panic) => (LossKind::Absent, PANICKED.to_owned()),
            };
            if stop.is_raised() {
                return;
            }
            let after_pictures = delivered || said.as_ref().is_some_and(|loss| loss.after_pictures);
            let loss = Loss {
                kind,
                why,
                after_pictures,
            };
            // Said once, not at each attempt.
            if delivered || said.as_ref() != Some(&loss) {
                tracing::warn!(why = %loss.why, "no picture from the source; trying again");
                self.intake.tell(self.run, News::Lost(loss.clone()));
                said = Some(loss);
            }
            if stop.wait(None, Some(RETRY_EVERY)).is_err() {
                return;
            }
        }
    }

    fn open_caught(&self) -> Result<Box<dyn Source>, SourceError> {
        let opened = panic::catch_unwind(AssertUnwindSafe(|| (self.open)()));
        opened.unwrap_or_else(|_panic| {
            let (what, why) = ("the source".to_owned(), PANICKED.to_owned());
            Err(SourceError::Absent { what, why })
        })
    }

    fn attempt(
        &self,
        source: Option<Box<dyn Source>>,
        stop: &StopSignal,
        delivered: &mut bool,
    ) -> Result<(), SourceError> {
        let mut source = match source {
            Some(source) => source,
            None => (self.open)()?,
        };
        self.deliver(source.as_mut(), stop, delivered)
    }

    /// Hands in pictures until the stop signal (`Ok`) or a loss.
    fn deliver(
        &self,
        source: &mut dyn Source,
        stop: &StopSignal,
        delivered: &mut bool,
    ) -> Result<(), SourceError> {
        let mut announced: Option<Size> = None;
        while let Some(frame) = source.next_frame(stop)? {
            if announced != Some(frame.size) {
                announced = Some(frame.size);
                self.intake.tell(self.run, News::Present(source.info()));
            }
            *delivered = true;
            match self.intake.put(self.run, frame) {
                Put::Staged => {}
                Put::Displaced => {
                    let (pipeline, at) = (self.pipeline, MonoTime::now());
                    self.events.emit(FrameSuperseded { pipeline, at });
                }
                Put::Unwanted => return Ok(()),
            }
        }
        Ok(())
    }
}

const PANICKED: &str = "the source panicked; the log says where";

fn kind(error: &SourceError) -> LossKind {
    match error {
        SourceError::Absent { .. } | SourceError::System(_) => LossKind::Absent,
        SourceError::Unsupported { .. } | SourceError::Unknown { .. } => LossKind::Unsupported,
    }
}
