//! The thread around the fold: it drains the ring while somebody streams, and sleeps otherwise.

use crate::fold::{Clock, Fold, Frames};
use crate::second::Second;
use events::{EventRing, ViewerId};
use media::MonoTime;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the ring is drained while somebody looks at single frames.
const WATCHED_PERIOD: Duration = Duration::from_millis(200);
/// How often it is drained while a pipeline runs and nobody looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Most events taken in at once, so that busy emitters cannot keep the fold locked.
const MAX_DRAINED: usize = 65_536;

/// Why the collector could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system gave no thread.
    #[error("cannot start the statistics thread: {0}")]
    Spawn(#[source] std::io::Error),
}

/// Who needs numbers now.
#[derive(Debug, Default)]
struct Demand {
    activities: u32,
    watchers: u32,
    /// When the first of them came.
    since: MonoTime,
    stop: bool,
}

impl Demand {
    fn period(&self) -> Option<Duration> {
        match (self.watchers, self.activities) {
            (1.., _) => Some(WATCHED_PERIOD),
            (0, 1..) => Some(PERIOD),
            (0, 0) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    demand: Mutex<Demand>,
    changed: Condvar,
    fold: Mutex<Fold>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counters stay usable after a panic elsewhere; at worst one window is incomplete.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Owns the thread that drains the ring. Dropping it ends the thread.
#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts the thread. It sleeps until an [`Activity`] exists.
    ///
    /// # Errors
    /// [`Error::Spawn`] when there is no thread to be had.
    pub fn start(ring: EventRing) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("stats".to_owned())
            .stack_size(256 * 1024)
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, &ring)
            })
            .map_err(Error::Spawn)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// A handle to read with, and to say that numbers are needed.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.shared))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        lock(&self.shared.demand).stop = true;
        self.shared.changed.notify_all();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the statistics thread panicked");
        }
    }
}

/// Reads what was collected. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader(Arc<Shared>);

impl Reader {
    /// Says that a pipeline runs (or is about to): the ring is drained once a second while the
    /// result lives.
    pub fn activity(&self) -> Activity {
        self.demand(false)
    }

    /// Says that somebody looks at single frames: the ring is drained five times a second while the
    /// result lives.
    pub fn watch(&self) -> Activity {
        self.demand(true)
    }

    /// The last complete second; absent before the first one is over and while nobody streams.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Second>> {
        lock(&self.0.fold).latest()
    }

    /// The frames sent to `viewer` after `cursor` (0 for all of the last two seconds).
    #[must_use]
    pub fn frames_since(&self, viewer: ViewerId, cursor: u64) -> Frames {
        lock(&self.0.fold).frames_since(viewer, cursor)
    }

    fn demand(&self, watching: bool) -> Activity {
        let mut demand = lock(&self.0.demand);
        if demand.period().is_none() {
            demand.since = MonoTime::now();
        }
        *counter(&mut demand, watching) += 1;
        drop(demand);
        self.0.changed.notify_all();
        Activity {
            shared: Arc::clone(&self.0),
            watching,
        }
    }
}

fn counter(demand: &mut Demand, watching: bool) -> &mut u32 {
    if watching {
        &mut demand.watchers
    } else {
        &mut demand.activities
    }
}

/// Keeps the collector awake while it lives.
#[derive(Debug)]
#[must_use = "the collector sleeps again as soon as this is dropped"]
pub struct Activity {
    shared: Arc<Shared>,
    watching: bool,
}

impl Drop for Activity {
    fn drop(&mut self) {
        *counter(&mut lock(&self.shared.demand), self.watching) -= 1;
        self.shared.changed.notify_all();
    }
}

fn run(shared: &Shared, ring: &EventRing) {
    let mut last_drain: Option<Instant> = None;
    let mut demand = lock(&shared.demand);
    while !demand.stop {
        let Some(period) = demand.period() else {
            last_drain = None;
            demand = sleep(shared, demand, None);
            continue;
        };
        let now = Instant::now();
        let wait = last_drain.map_or(Duration::ZERO, |last| {
            (last + period).saturating_duration_since(now)
        });
        if !wait.is_zero() {
            demand = sleep(shared, demand, Some(wait));
            continue;
        }
        let since = demand.since;
        drop(demand);
        let mut fold = lock(&shared.fold);
        if last_drain.replace(now).is_none() {
            fold.begin(since, ring.dropped());
        }
        drain(&mut fold, ring);
        drop(fold);
        demand = lock(&shared.demand);
    }
}

fn sleep<'a>(
    shared: &Shared,
    demand: MutexGuard<'a, Demand>,
    timeout: Option<Duration>,
) -> MutexGuard<'a, Demand> {
    match timeout {
        None => shared
            .changed
            .wait(demand)
            .unwrap_or_else(PoisonError::into_inner),
        Some(timeout) => {
            let woken = shared.changed.wait_timeout(demand, timeout);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// Takes in what is in the ring, but no more than [`MAX_DRAINED`]: the rest waits for the next time.
fn drain(fold: &mut Fold, ring: &EventRing) {
    let clock = Clock::read();
    for event in std::iter::from_fn(|| ring.pop()).take(MAX_DRAINED) {
        fold.apply(&event, clock);
    }
    fold.advance(clock, ring.dropped());
}
