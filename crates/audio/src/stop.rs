//! The signal that ends a source's wait from another thread.

use media::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Interrupts a source's wait from another thread. Clones share the signal.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raised: AtomicBool,
    wake: OwnedFd,
}

impl StopSignal {
    /// A signal that is not raised.
    ///
    /// # Errors
    /// When the system gives no eventfd.
    pub fn new() -> std::io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Inner {
            raised: AtomicBool::new(false),
            wake,
        })))
    }

    /// Ends every present and future wait.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::Release);
        // An eventfd write fails only when its counter is full: then it is readable already.
        let _ = rustix::io::write(&self.0.wake, &1_u64.to_ne_bytes());
    }

    /// Whether the signal was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// Readable once the signal is raised, for another signal to wait on.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }

    /// Sleeps until `fd` (if any) is readable, the signal is raised, or `deadline` has come.
    ///
    /// # Errors
    /// When the system's `poll` fails for another reason than an interruption.
    pub fn wait_until(
        &self,
        fd: Option<BorrowedFd<'_>>,
        deadline: MonoTime,
    ) -> std::io::Result<()> {
        self.wait(fd, deadline.since(MonoTime::now()))
    }

    fn wait(&self, fd: Option<BorrowedFd<'_>>, timeout: Duration) -> std::io::Result<()> {
        let stop = self.0.wake.as_fd();
        let mut fds =
            [stop, fd.unwrap_or(stop)].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
