//! Raises the priority of the threads that sound goes through, where the system allows it.

/// A frame of sound is a few milliseconds long: whoever waits behind a compiler is heard.
const AUDIO_NICE: i32 = -11;

/// Raises the calling thread. Without the right to do so it goes on as it is.
pub(crate) fn raise() {
    // On Linux a thread is addressed by its own id, and a nice value belongs to the thread.
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), AUDIO_NICE) {
        tracing::debug!("audio threads keep their priority: {error}");
    }
}
