//! Wakes a thread from others, and lets it sleep on descriptors with fine timeouts. It reads and
//! writes nothing but alarms.

use media::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// An alarm that other threads ring. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Alarm(Arc<OwnedFd>);

impl Alarm {
    /// An alarm that nobody rang.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    /// Ends the present or the next sleep. Never blocks.
    pub fn ring(&self) {
        // A write fails only when the counter is full: then the alarm rings already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Stops the ringing.
    pub fn hush(&self) {
        let mut counter = [0_u8; 8];
        // A read fails only when nobody rang.
        let _ = rustix::io::read(&*self.0, &mut counter);
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sleeps until one of `fds` is readable (or writable, where asked) or `deadline` has come.
///
/// # Errors
/// What `poll` says, but not that a signal came.
pub fn sleep(fds: &mut [PollFd<'_>], deadline: Option<MonoTime>) -> io::Result<()> {
    let timeout = deadline.map(|deadline| {
        let left = deadline.since(MonoTime::now());
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A readable-interest entry.
#[must_use]
pub fn readable<'fd>(fd: &'fd impl AsFd) -> PollFd<'fd> {
    PollFd::new(fd, PollFlags::IN)
}
