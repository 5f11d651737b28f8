//! The source side of the encode loop: which capture thread runs, which is on trial, which must end.
//!
//! Starts and stops of the source alternate; it never waits for a thread.

use crate::intake::{Intake, News, Outcome, Run};
use crate::supervisor::{Capture, CaptureParts, OpenSource};
use crate::switch::{OnSwitch, SwitchError};
use events::EventSink;
use std::sync::Arc;

/// A source on trial, and who wants to know how it ends.
struct Trial {
    capture: Capture,
    open: OpenSource,
    done: OnSwitch,
}

/// Driven by the encode thread alone.
pub(crate) struct Feed {
    pipeline: u32,
    events: EventSink,
    intake: Arc<Intake>,
    open: OpenSource,
    /// The run whose pictures count.
    run: Option<Run>,
    /// Its thread, once the source before it was released.
    capture: Option<Capture>,
    trial: Option<Trial>,
    next_run: u64,
}

/// What the encode thread has to know.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) news: Option<News>,
    /// Another source took the place of the one before.
    pub(crate) replaced: bool,
}

impl Feed {
    pub(crate) fn new(
        pipeline: u32,
        open: OpenSource,
        intake: Arc<Intake>,
        events: EventSink,
    ) -> Self {
        Self {
            pipeline,
            events,
            intake,
            open,
            run: None,
            capture: None,
            trial: None,
            next_run: 1,
        }
    }

    /// The run whose pictures count.
    pub(crate) const fn run(&self) -> Option<Run> {
        self.run
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.run().is_some()
    }

    fn parts(&mut self, run: Run, open: &OpenSource) -> CaptureParts {
        CaptureParts {
            pipeline: self.pipeline,
            run,
            open: Arc::clone(open),
            intake: Arc::clone(&self.intake),
            events: self.events.clone(),
        }
    }

    fn take_number(&mut self) -> Run {
        let run = Run(self.next_run);
        self.next_run += 1;
        run
    }

    /// Wants pictures from now on.
    pub(crate) fn start(&mut self) {
        let run = self.take_number();
        self.run = Some(run);
        self.capture = None;
        self.intake.begin(run);
    }

    /// Wants no pictures any more. A source on trial goes on: whoever asked wants to know.
    pub(crate) fn stop(&mut self) {
        let outcome = self.intake.end();
        (self.run, self.capture) = (None, None);
        if let Some(outcome) = outcome {
            self.settle(outcome);
            // It may just have taken over.
            (self.run, self.capture) = (None, None);
        }
    }

    /// Starts the thread that is wanted, as soon as the one before has released its source.
    ///
    /// # Errors
    /// When the system gives no thread; it may be tried again.
    pub(crate) fn tend(&mut self) -> std::io::Result<()> {
        let Some(run) = self.run.filter(|_| self.capture.is_none()) else {
            return Ok(());
        };
        let on_trial = self.trial.as_ref().map(|trial| trial.capture.run());
        if self.intake.is_free(on_trial) {
            let open = Arc::clone(&self.open);
            self.capture = Some(Capture::start(self.parts(run, &open))?);
        }
        Ok(())
    }

    /// Takes what the capture threads have to tell.
    pub(crate) fn hear(&mut self) -> Heard {
        let (news, outcome) = self.intake.take();
        let replaced = outcome.is_some_and(|outcome| self.settle(outcome));
        Heard { news, replaced }
    }

    /// Opens another source beside the present one, which it replaces once it is open.
    pub(crate) fn switch(&mut self, open: OpenSource, done: OnSwitch) {
        let run = self.take_number();
        if let Some(outcome) = self.intake.nominate(run) {
            self.settle(outcome);
        }
        if let Some(trial) = self.trial.take() {
            (trial.done)(Err(SwitchError::Replaced));
        }
        match Capture::audition(self.parts(run, &open)) {
            Ok(capture) => {
                self.trial = Some(Trial {
                    capture,
                    open,
                    done,
                });
            }
            Err(error) => done(Err(error.into())),
        }
    }

    /// Ends a trial. `true` when the present source is another one now.
    fn settle(&mut self, outcome: Outcome) -> bool {
        let Some(trial) = self.trial.take() else {
            return false;
        };
        if let Err(error) = outcome.result {
            (trial.done)(Err(error.into()));
            return false;
        }
        self.open = trial.open;
        if outcome.took_over {
            self.run = Some(trial.capture.run());
            self.capture = Some(trial.capture);
        } else if self.is_running() {
            // It opened while nobody watched, and was let go; somebody came since.
            self.start();
        }
        (trial.done)(Ok(()));
        self.is_running()
    }

    /// Nobody will want anything any more.
    pub(crate) fn close(&mut self) {
        self.stop();
        if let Some(trial) = self.trial.take() {
            (trial.done)(Err(SwitchError::Ended));
        }
    }
}
