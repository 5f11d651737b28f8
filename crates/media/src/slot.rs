//! The mailbox between capture and encode: one staged value, the newest wins, one reader sleeps.
//!
//! Value, nudge and closing live under one lock, so a sleeping reader with a full slot cannot be.

use crate::MonoTime;
#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};

/// Why a reader woke.
#[derive(Debug, PartialEq, Eq)]
pub enum Wake<T> {
    /// The newest value; a nudge that came with it is spent too.
    Value(T),
    /// [`Slot::nudge`] was called: look at the commands.
    Nudge,
    /// The deadline passed.
    Deadline,
    /// The slot is closed, even if a value was staged.
    Closed,
}

/// The slot is closed; the value comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct SlotClosed<T>(pub T);

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    nudged: bool,
    closed: bool,
}

/// A single-value mailbox in which the newest value wins.
#[derive(Debug)]
pub struct Slot<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slot<T> {
    /// An empty, open slot.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            value: None,
            nudged: false,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stages `value` and returns the one it displaced, which was never read.
    ///
    /// # Errors
    /// [`SlotClosed`] with the value after [`close`](Self::close).
    pub fn put(&self, value: T) -> Result<Option<T>, SlotClosed<T>> {
        let mut state = self.lock();
        if state.closed {
            return Err(SlotClosed(value));
        }
        let displaced = state.value.replace(value);
        drop(state);
        self.wake.notify_one();
        Ok(displaced)
    }

    /// Wakes the reader without a value.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.wake.notify_one();
    }

    /// Takes the staged value without waiting; a pending nudge stays pending.
    pub fn clear(&self) -> Option<T> {
        self.lock().value.take()
    }

    /// Ends the slot: the reader wakes at once and reads [`Wake::Closed`]. Idempotent.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.value = None;
        drop(state);
        self.wake.notify_all();
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Sleeps until there is something to do.
    ///
    /// A value staged before `not_before` stays in the slot, where a newer one may still displace
    /// it, until that time has come. Without a deadline the reader sleeps as long as it takes.
    pub fn wait(&self, not_before: MonoTime, deadline: Option<MonoTime>) -> Wake<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Wake::Closed;
            }
            // The clock is only read when a time matters: a value that may leave at any time
            // leaves without one.
            let mut now = None;
            let mut clock = || *now.get_or_insert_with(MonoTime::now);
            if state.value.is_some()
                && (not_before == MonoTime::ZERO || clock() >= not_before)
                && let Some(value) = state.value.take()
            {
                state.nudged = false;
                return Wake::Value(value);
            }
            if state.nudged {
                state.nudged = false;
                return Wake::Nudge;
            }
            let held_until = state.value.is_some().then_some(not_before);
            let until = match (held_until, deadline) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if deadline.is_some_and(|deadline| clock() >= deadline) {
                return Wake::Deadline;
            }
            let Some(until) = until else {
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let timeout = until.since(clock());
            let woken = self.wake.wait_timeout(state, timeout);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
