//! Waits for something another thread reports, with a guard against waiting for good.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A wait this long means that the awaited thing will never happen; nothing is measured by it.
pub(crate) const HANG_GUARD: Duration = Duration::from_secs(60);

/// A value that one thread changes and another waits for. Clones share it.
#[derive(Debug, Default)]
pub(crate) struct Watch<T>(Arc<(Mutex<T>, Condvar)>);

impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Watch<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((Mutex::new(value), Condvar::new())))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Sleeps until `reached` gives something.
    pub(crate) fn until<R>(&self, what: &str, mut reached: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut value = self.0.0.lock().unwrap();
        loop {
            if let Some(result) = reached(&mut value) {
                return result;
            }
            let (again, timeout) = self.0.1.wait_timeout(value, HANG_GUARD).unwrap();
            value = again;
            if timeout.timed_out() {
                drop(value);
                panic!("waited for good until {what}");
            }
        }
    }
}
