//! The ring between the hot path and the statistics: bounded, never waits, counts what it drops.

use crate::Event;
use crossbeam_queue::ArrayQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Event>,
    dropped: AtomicU64,
}

/// The emitting end. Cheap to clone; emitting never blocks and never allocates.
#[derive(Clone, Debug, Default)]
pub struct EventSink(Option<Arc<Shared>>);

impl EventSink {
    /// A sink that forgets everything.
    #[must_use]
    pub const fn disconnected() -> Self {
        Self(None)
    }

    /// Hands one event over; when the ring is full it is dropped and counted.
    pub fn emit(&self, event: impl Into<Event>) {
        if let Some(shared) = &self.0
            && shared.queue.push(event.into()).is_err()
        {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The reading end.
#[derive(Debug)]
pub struct EventRing(Arc<Shared>);

impl EventRing {
    /// A ring of `capacity` events and its first sink.
    #[must_use]
    pub fn new(capacity: usize) -> (EventSink, Self) {
        let queue = ArrayQueue::new(capacity);
        let shared = Arc::new(Shared {
            queue,
            dropped: AtomicU64::new(0),
        });
        (EventSink(Some(Arc::clone(&shared))), Self(shared))
    }

    /// The oldest event.
    #[must_use]
    pub fn pop(&self) -> Option<Event> {
        self.0.queue.pop()
    }

    /// Events dropped so far because nobody read in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameSuperseded;

    #[test]
    fn a_full_ring_drops_and_counts() {
        let (sink, ring) = EventRing::new(2);
        for _ in 0..5 {
            sink.emit(FrameSuperseded::default());
        }
        assert_eq!(ring.dropped(), 3);
        assert_eq!(std::iter::from_fn(|| ring.pop()).count(), 2);
    }

    #[test]
    fn a_disconnected_sink_costs_nothing_and_tells_nobody() {
        EventSink::disconnected().emit(FrameSuperseded::default());
    }
}
