//! Keeps a source delivering: opens it, feeds the slot, and tries again when it goes away.

use crate::priority;
use crate::status::{SourceState, StatusBoard};
use capture::{Source, SourceError, SourceInfo, StopSignal};
use events::{EventSink, FrameSuperseded, LostReason, SourceChange};
use media::{Frame, MonoTime, Slot};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two attempts to open a source that is away.
pub const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Opens the source; called again after each loss.
pub type OpenSource = Arc<dyn Fn() -> Result<Box<dyn Source>, SourceError> + Send + Sync>;

/// What the capture thread needs.
pub(crate) struct SupervisorParts {
    pub(crate) pipeline: u32,
    pub(crate) open: OpenSource,
    pub(crate) slot: Arc<Slot<Frame>>,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) events: EventSink,
}

/// A running capture thread. Dropping it stops the source and waits until it is released.
pub(crate) struct SourceSupervisor {
    stop: StopSignal,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for SourceSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSupervisor").finish_non_exhaustive()
    }
}

impl SourceSupervisor {
    /// Starts the capture thread.
    pub(crate) fn start(parts: SupervisorParts) -> std::io::Result<Self> {
        let stop = StopSignal::new()?;
        let signal = stop.clone();
        let name = format!("capture-{}", parts.pipeline);
        let thread = thread::Builder::new().name(name).spawn(move || {
            priority::raise(priority::ENCODE_NICE);
            parts.run(&signal);
        })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for SourceSupervisor {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the capture thread panicked");
        }
    }
}

impl SupervisorParts {
    fn run(&self, stop: &StopSignal) {
        while !stop.is_raised() {
            // A backend that panics has lost its source like one that returns an error.
            let attempt = AssertUnwindSafe(|| self.attempt(stop));
            let why = match panic::catch_unwind(attempt) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_panic) => "the source panicked; the log says where".to_owned(),
            };
            tracing::warn!(%why, "no picture from the source; trying again");
            let reason = LostReason::NoSignal;
            self.report(SourceState::Absent { reason, why }, Some(reason));
            if stop.wait(None, Some(RETRY_EVERY)).is_err() {
                return;
            }
        }
    }

    fn attempt(&self, stop: &StopSignal) -> Result<(), SourceError> {
        let mut source = (self.open)()?;
        self.deliver(source.as_mut(), stop)
    }

    /// Feeds the slot until the stop signal (`Ok`) or a loss.
    fn deliver(&self, source: &mut dyn Source, stop: &StopSignal) -> Result<(), SourceError> {
        let mut announced: Option<SourceInfo> = None;
        while let Some(frame) = source.next_frame(stop)? {
            if announced
                .as_ref()
                .is_none_or(|info| info.size != frame.size)
            {
                let info = source.info();
                self.report(SourceState::Present(info.clone()), None);
                announced = Some(info);
            }
            match self.slot.put(frame) {
                Ok(None) => {}
                Ok(Some(_displaced)) => {
                    let at = MonoTime::now();
                    self.events.emit(FrameSuperseded {
                        pipeline: self.pipeline,
                        at,
                    });
                }
                Err(_closed) => return Ok(()),
            }
        }
        Ok(())
    }

    fn report(&self, state: SourceState, lost: Option<LostReason>) {
        let pipeline = self.pipeline;
        self.events.emit(SourceChange {
            pipeline,
            lost,
            at: MonoTime::now(),
        });
        self.status.update(|status| status.source = state);
    }
}
