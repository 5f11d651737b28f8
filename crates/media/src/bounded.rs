//! A short queue that never blocks its writer: full or stale, it hands the item back.

use crate::MonoTime;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why an item was handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many items wait as the queue may hold.
    Full,
    /// The oldest waiting item is older than the queue allows: its reader has stalled.
    Stale,
    /// The reader is gone.
    Closed,
}

/// An item that was not taken.
#[derive(Debug)]
pub struct PushRefused<T> {
    /// The item, unchanged.
    pub item: T,
    /// Why it came back.
    pub reason: Refusal,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(MonoTime, T)>,
    max_age: Duration,
    closed: bool,
}

/// A queue bounded in length and in age.
#[derive(Debug)]
pub struct Bounded<T> {
    state: Mutex<State<T>>,
    depth: usize,
}

impl<T> Bounded<T> {
    /// A queue of at most `depth` items, none of them older than `max_age` when another arrives.
    #[must_use]
    pub fn new(depth: usize, max_age: Duration) -> Self {
        let state = State {
            items: VecDeque::with_capacity(depth),
            max_age,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            depth,
        }
    }

    /// Changes how old the oldest item may be when another arrives.
    pub fn set_max_age(&self, max_age: Duration) {
        self.lock().max_age = max_age;
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `item`, or hands it back at once.
    ///
    /// # Errors
    /// [`PushRefused`] with the item when the queue is full, stale or closed.
    pub fn push(&self, item: T, now: MonoTime) -> Result<(), PushRefused<T>> {
        let mut state = self.lock();
        let stale = state
            .items
            .front()
            .is_some_and(|(at, _)| now.since(*at) > state.max_age);
        let reason = match () {
            () if state.closed => Refusal::Closed,
            () if state.items.len() >= self.depth => Refusal::Full,
            () if stale => Refusal::Stale,
            () => {
                state.items.push_back((now, item));
                return Ok(());
            }
        };
        Err(PushRefused { item, reason })
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        self.lock().items.pop_front().map(|(_, item)| item)
    }

    /// Number of waiting items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses everything from now on and hands back what waits. Idempotent.
    pub fn close(&self) -> impl Iterator<Item = T> + use<T> {
        let mut state = self.lock();
        state.closed = true;
        let items = std::mem::take(&mut state.items);
        drop(state);
        items.into_iter().map(|(_, item)| item)
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_millis(33);

    #[test]
    fn items_leave_in_the_order_they_came() {
        let queue = Bounded::new(2, AGE);
        queue.push(1, MonoTime::ZERO).unwrap();
        queue.push(2, MonoTime::ZERO).unwrap();
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn a_full_queue_hands_the_item_back() {
        let queue = Bounded::new(1, AGE);
        queue.push("a", MonoTime::ZERO).unwrap();
        let refused = queue.push("b", MonoTime::ZERO).unwrap_err();
        assert_eq!((refused.item, refused.reason), ("b", Refusal::Full));
        assert_eq!(queue.pop(), Some("a"));
    }

    #[test]
    fn a_stalled_reader_is_told_apart_from_a_slow_one() {
        let queue = Bounded::new(3, AGE);
        queue.push(1, MonoTime::ZERO).unwrap();
        queue.push(2, MonoTime::ZERO + AGE).unwrap();
        let late = MonoTime::ZERO + AGE + Duration::from_nanos(1);
        assert_eq!(queue.push(3, late).unwrap_err().reason, Refusal::Stale);
    }

    #[test]
    fn a_reader_may_be_given_more_time() {
        let queue = Bounded::new(3, AGE);
        queue.push(1, MonoTime::ZERO).unwrap();
        queue.set_max_age(AGE * 2);
        queue.push(2, MonoTime::ZERO + AGE * 2).unwrap();
        queue.set_max_age(AGE);
        let refused = queue.push(3, MonoTime::ZERO + AGE * 2).unwrap_err();
        assert_eq!(refused.reason, Refusal::Stale);
    }

    #[test]
    fn closing_hands_back_what_waits_and_refuses_the_rest() {
        let queue = Bounded::new(2, AGE);
        queue.push(1, MonoTime::ZERO).unwrap();
        assert!(queue.close().eq([1]));
        assert_eq!(queue.close().next(), None);
        assert_eq!(
            queue.push(2, MonoTime::ZERO).unwrap_err().reason,
            Refusal::Closed
        );
        assert_eq!(queue.pop(), None);
        assert!(queue.is_closed());
    }
}
