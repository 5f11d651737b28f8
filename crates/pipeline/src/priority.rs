//! Raises the priority of hot-path threads where the system allows it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Priority of capture and encode threads.
pub const ENCODE_NICE: i32 = -10;
/// Priority of sending threads.
pub const SEND_NICE: i32 = -5;

static REFUSED: AtomicBool = AtomicBool::new(false);

/// Raises the calling thread to `nice`. Without the right to do so the thread goes on as it is.
pub fn raise(nice: i32) {
    // On Linux a thread is addressed by its own id, and a nice value belongs to the thread.
    let thread = rustix::thread::gettid();
    if rustix::process::setpriority_process(Some(thread), nice).is_err() {
        REFUSED.store(true, Ordering::Relaxed);
    }
}

/// Whether the system refused a higher priority so far.
#[must_use]
pub fn was_refused() -> bool {
    REFUSED.load(Ordering::Relaxed)
}
