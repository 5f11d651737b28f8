//! Where capture threads hand in pictures and news, and the encode thread takes them.
//!
//! Owns which of them count: whatever comes from a source that was stopped is refused.

use capture::{SourceError, SourceInfo};
use media::{Frame, MonoTime, Slot};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of a thread of a pipeline; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run(pub(crate) u64);

/// The encode thread.
pub(crate) const ENCODING: Run = Run(0);

/// What kind of loss it is, apart from how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossKind {
    /// It takes its time to open.
    Opening,
    /// It is not there, or went away.
    Absent,
    /// It is there, but cannot be streamed.
    Unsupported,
}

/// No pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) kind: LossKind,
    pub(crate) why: String,
    /// Whether this thread had delivered pictures before.
    pub(crate) after_pictures: bool,
}

/// What a capture thread has to tell.
#[derive(Debug)]
pub(crate) enum News {
    /// The next picture is the first, or the first of another size.
    Present(SourceInfo),
    /// There are no pictures.
    Lost(Loss),
}

/// How the opening of another source ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<(), SourceError>,
    /// It delivers in the place of the old source from now on.
    pub(crate) took_over: bool,
}

/// What became of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits for the encode thread.
    Staged,
    /// It waits in the place of one that was never encoded.
    Displaced,
    /// Nobody wants pictures from this thread any more.
    Unwanted,
}

#[derive(Debug, Default)]
struct State {
    /// Whose pictures count.
    current: Option<Run>,
    /// Who may take over by opening its source.
    candidate: Option<Run>,
    outcome: Option<Outcome>,
    /// The latest; what was not heard before does not matter any more.
    news: Option<News>,
    /// Threads that have not ended, or not been released, yet.
    alive: Vec<Run>,
}

/// Shared by the threads of one pipeline.
#[derive(Debug)]
pub(crate) struct Intake {
    slot: Arc<Slot<Frame>>,
    state: Mutex<State>,
    left: Condvar,
}

impl Intake {
    pub(crate) fn new(slot: Arc<Slot<Frame>>) -> Self {
        Self {
            slot,
            state: Mutex::default(),
            left: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on pictures of `run` count, and nothing that came before.
    pub(crate) fn begin(&self, run: Run) {
        let mut state = self.lock();
        (state.current, state.news) = (Some(run), None);
        drop(self.slot.clear());
    }

    /// From now on no pictures count. Hands back what another source came to meanwhile.
    pub(crate) fn end(&self) -> Option<Outcome> {
        let mut state = self.lock();
        (state.current, state.news) = (None, None);
        drop(self.slot.clear());
        state.outcome.take()
    }

    /// Lets `run` take over when its source is open. Hands back what the one before it came to.
    pub(crate) fn nominate(&self, run: Run) -> Option<Outcome> {
        let mut state = self.lock();
        state.candidate = Some(run);
        state.outcome.take()
    }

    /// Takes what is new.
    pub(crate) fn take(&self) -> (Option<News>, Option<Outcome>) {
        let mut state = self.lock();
        (state.news.take(), state.outcome.take())
    }

    /// Tells how the opening of a candidate ended. `true` when its pictures count now.
    pub(crate) fn opened(&self, run: Run, result: Result<(), SourceError>) -> bool {
        let mut state = self.lock();
        if state.candidate != Some(run) {
            return false;
        }
        state.candidate = None;
        let took_over = result.is_ok() && state.current.is_some();
        if took_over {
            (state.current, state.news) = (Some(run), None);
            drop(self.slot.clear());
        }
        state.outcome = Some(Outcome { result, took_over });
        drop(state);
        self.slot.nudge();
        took_over
    }

    /// Tells something to the encode thread, if `run` still counts.
    pub(crate) fn tell(&self, run: Run, news: News) {
        let mut state = self.lock();
        if state.current != Some(run) {
            return;
        }
        if matches!(news, News::Lost(_)) {
            // The slate comes at once, not behind a last picture.
            drop(self.slot.clear());
        }
        state.news = Some(news);
        drop(state);
        self.slot.nudge();
    }

    /// Stages a picture, if `run` still counts.
    pub(crate) fn put(&self, run: Run, frame: Frame) -> Put {
        let state = self.lock();
        if state.current != Some(run) {
            return Put::Unwanted;
        }
        match self.slot.put(frame) {
            Ok(None) => Put::Staged,
            Ok(Some(_displaced)) => Put::Displaced,
            Err(_closed) => Put::Unwanted,
        }
    }

    /// Counts a thread that is about to start; it is counted until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, run: Run) -> Presence {
        self.lock().alive.push(run);
        Presence {
            intake: Arc::clone(self),
            run,
        }
    }

    /// Whether no capture thread but `spared` is left.
    pub(crate) fn is_free(&self, spared: Option<Run>) -> bool {
        let state = self.lock();
        let mut others = state.alive.iter().filter(|run| **run != ENCODING);
        others.all(|run| Some(*run) == spared)
    }

    /// Sleeps until every thread has ended, or `limit` has passed; the ones that are left.
    pub(crate) fn wait_empty(&self, limit: Duration) -> Vec<Run> {
        let until = MonoTime::now() + limit;
        let mut state = self.lock();
        while !state.alive.is_empty() {
            let rest = until.since(MonoTime::now());
            if rest.is_zero() {
                break;
            }
            let woken = self.left.wait_timeout(state, rest);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.alive.clone()
    }
}

/// A thread that is there, however it ends.
#[derive(Debug)]
pub(crate) struct Presence {
    intake: Arc<Intake>,
    run: Run,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.intake.lock().alive.retain(|run| *run != self.run);
        self.intake.left.notify_all();
        // A source that may be opened only now.
        self.intake.slot.nudge();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::screen::{SIZE, frame};
    use media::Wake;

    fn intake() -> Arc<Intake> {
        Arc::new(Intake::new(Arc::new(Slot::new())))
    }

    fn picture() -> Frame {
        frame(1, SIZE, MonoTime::ZERO)
    }

    fn lost() -> News {
        News::Lost(Loss {
            kind: LossKind::Absent,
            why: "it went away".to_owned(),
            after_pictures: true,
        })
    }

    #[test]
    fn pictures_and_news_of_a_stopped_source_do_not_count() {
        let intake = intake();
        intake.begin(Run(1));
        assert_eq!(intake.put(Run(1), picture()), Put::Staged);
        assert_eq!(intake.put(Run(1), picture()), Put::Displaced);
        assert!(intake.end().is_none());
        let past = Some(MonoTime::ZERO);
        assert!(matches!(
            intake.slot.wait(MonoTime::ZERO, past),
            Wake::Deadline
        ));
        intake.begin(Run(2));
        assert_eq!(intake.put(Run(1), picture()), Put::Unwanted);
        intake.tell(Run(1), lost());
        assert!(intake.take().0.is_none());
    }

    #[test]
    fn a_loss_takes_back_the_picture_that_nobody_saw() {
        let intake = intake();
        intake.begin(Run(1));
        intake.put(Run(1), picture());
        intake.tell(Run(1), lost());
        let past = Some(MonoTime::ZERO);
        assert!(matches!(
            intake.slot.wait(MonoTime::ZERO, past),
            Wake::Nudge
        ));
        assert!(matches!(intake.take().0, Some(News::Lost(_))));
    }

    #[test]
    fn only_the_last_one_asked_may_take_over_and_only_while_somebody_watches() {
        let intake = intake();
        intake.begin(Run(1));
        assert!(intake.nominate(Run(2)).is_none());
        assert!(intake.nominate(Run(3)).is_none());
        assert!(!intake.opened(Run(2), Ok(())), "another came after it");
        assert!(intake.take().1.is_none());
        assert!(intake.opened(Run(3), Ok(())));
        assert_eq!(intake.put(Run(1), picture()), Put::Unwanted);
        assert_eq!(intake.put(Run(3), picture()), Put::Staged);
        let outcome = intake.end().unwrap();
        assert!(outcome.took_over && outcome.result.is_ok());
        assert!(intake.nominate(Run(4)).is_none());
        assert!(!intake.opened(Run(4), Ok(())), "nobody watches");
        let outcome = intake.take().1.unwrap();
        assert!(!outcome.took_over && outcome.result.is_ok());
    }

    #[test]
    fn threads_are_counted_until_they_end() {
        let intake = intake();
        let encoding = intake.enter(ENCODING);
        assert!(intake.is_free(None));
        let (first, second) = (intake.enter(Run(1)), intake.enter(Run(2)));
        assert!(!intake.is_free(Some(Run(2))));
        drop(first);
        assert!(intake.is_free(Some(Run(2))) && !intake.is_free(None));
        assert_eq!(
            intake.wait_empty(Duration::from_millis(1)),
            [ENCODING, Run(2)]
        );
        drop((encoding, second));
        assert!(intake.wait_empty(Duration::MAX / 4).is_empty());
    }
}
