//! A stream on a thread of its own, and what was read of it so far. Ends with its owner.

use super::pictures::Readers;
use crate::BenchError;
use crate::frames::{Batch, HostTimes};
use crate::presses::ShownPresses;
use probe::{Client, Hand, Report, StreamOptions};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From launching to a control connection.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

/// What the threads of a stream leave for whoever measures.
pub(super) struct Records {
    kept: Mutex<Kept>,
    /// Rung with each new count of presses.
    counted: Condvar,
}

#[derive(Default)]
struct Kept {
    batch: Batch,
    presses: Option<ShownPresses>,
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            counted: Condvar::new(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> Batch {
        std::mem::take(&mut self.kept().batch)
    }

    /// A new stream begins.
    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    pub(super) fn host(&self, times: Vec<HostTimes>) {
        self.kept().batch.host.extend(times);
    }

    pub(super) fn problem(&self, problem: String) {
        self.kept().batch.problems.push(problem);
    }

    /// Changes the records of pictures.
    #[cfg(feature = "ffmpeg")]
    pub(super) fn pictures(&self, change: impl FnOnce(&mut Batch)) {
        change(&mut self.kept().batch);
    }

    /// A picture tells of the presses.
    #[cfg(any(feature = "ffmpeg", test))]
    pub(super) fn show_presses(&self, shown: ShownPresses) {
        let mut kept = self.kept();
        let known = kept.presses.is_some_and(|known| known.2 == shown.2);
        if !known {
            kept.presses = Some(shown);
            self.counted.notify_all();
        }
    }

    /// What the pictures told last.
    pub(super) fn presses(&self) -> Option<ShownPresses> {
        self.kept().presses
    }

    /// Waits until they tell something that is `wanted`.
    pub(super) fn wait_for_presses(
        &self,
        deadline: Instant,
        wanted: impl Fn(&ShownPresses) -> bool,
    ) -> Option<ShownPresses> {
        let mut kept = self.kept();
        loop {
            if let Some(shown) = kept.presses.filter(&wanted) {
                return Some(shown);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.counted.wait_timeout(kept, left);
            kept = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A stream that runs.
pub(super) struct Watching {
    pub(super) hand: Hand,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), probe::Error>>>,
}

impl Watching {
    /// Launches, and waits until the control connection is up.
    pub(super) fn start(
        client: &Arc<Client>,
        options: StreamOptions,
        records: &Arc<Records>,
    ) -> Result<Self, BenchError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (begun, begins) = channel();
        let readers = Readers::new(Arc::clone(records), options.size);
        let (client, stopping) = (Arc::clone(client), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut begun = Some(begun);
            let mut hand_over = |hand: Hand| {
                if let Some(begun) = begun.take() {
                    // Whoever waited has given up.
                    let _ = begun.send(hand);
                }
            };
            let mut on_report = |_: &Report| match stopping.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            let streamed =
                client.stream_by_hand(&options, &readers, &mut hand_over, &mut on_report);
            streamed.map(|_| ())
        });
        match begins.recv_timeout(BEGIN_LIMIT) {
            Ok(hand) => Ok(Self {
                hand,
                stop,
                thread: Some(thread),
            }),
            Err(RecvTimeoutError::Timeout) => Err(BenchError::Timeout {
                what: "a stream for the Moonlight client".to_owned(),
                after: BEGIN_LIMIT,
            }),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = thread.join();
                Err(ended.map_or_else(|_| ended_early(), |ended| failure(ended.err())))
            }
        }
    }

    /// Ends with an error if the stream has ended.
    pub(super) fn check_alive(&self) -> Result<(), BenchError> {
        let over = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if over { Err(ended_early()) } else { Ok(()) }
    }

    /// Ends it, within a second.
    pub(super) fn end(mut self) -> Result<(), BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(error.into()),
            Some(Err(_)) => Err(ended_early()),
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The thread ends by itself within a second; nothing is asked of it any more.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ended_early() -> BenchError {
    BenchError::program(
        "the Moonlight client's stream",
        "ended before it was asked to",
    )
}

fn failure(error: Option<probe::Error>) -> BenchError {
    error.map_or_else(ended_early, BenchError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_is_waited_for_until_it_is_shown_or_its_time_is_over() {
        let records = Arc::new(Records::new());
        let second = |shown: &ShownPresses| shown.3 == 2;
        let (over, soon) = (Instant::now(), Instant::now() + Duration::from_secs(20));
        records.show_presses((1.0, Some(7), 100.0, 1));
        assert_eq!(records.wait_for_presses(over, second), None);
        let later = Arc::clone(&records);
        let showing = std::thread::spawn(move || {
            later.show_presses((2.0, Some(8), 200.0, 2));
            // The same press again, in a later picture.
            later.show_presses((3.0, Some(9), 200.0, 2));
        });
        let shown = records.wait_for_presses(soon, second);
        assert_eq!(shown, Some((2.0, Some(8), 200.0, 2)));
        showing.join().unwrap();
        assert_eq!(records.presses(), shown);
    }
}
