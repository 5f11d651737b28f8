//! The trait every picture source implements, its errors, and the signal that stops a wait.

use media::{Frame, FrameRate, Size};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Pictures of one source that may be in use at a time: one being filled, one in the mailbox, one
/// displaced from it, one being encoded, one kept to be repeated, and one to spare.
pub const FRAMES_IN_FLIGHT: usize = 6;

/// What a source is, for people and for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Name of the backend, as in `--source`.
    pub name: &'static str,
    /// What exactly is shown, such as a display and a monitor.
    pub detail: String,
    /// Size of its pictures now.
    pub size: Size,
}

/// How a source is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRequest {
    /// What follows the colon in `--source name:target`.
    pub target: Option<String>,
    /// Size asked for; a source with a size of its own keeps it, and the stream is scaled.
    pub size: Option<Size>,
    /// Highest frame rate.
    pub rate: FrameRate,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source is not there, or went away; trying again later can help.
    #[error("{what}: {why}")]
    Absent {
        /// The source in words, such as `X display :1`.
        what: String,
        /// Reason in words.
        why: String,
    },
    /// The source is there but cannot be streamed as asked; trying again does not help.
    #[error("{what} cannot be streamed: {why}")]
    Unsupported {
        /// The source in words.
        what: String,
        /// Reason in words, with what to do.
        why: String,
    },
    /// No backend of that name.
    #[error("source {name:?} is not known; known sources: {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The operating system refused something this host needs.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl SourceError {
    /// Whether opening again later can help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::System(_))
    }
}

/// Interrupts a source's wait from another thread. Clones share the signal.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<StopInner>);

#[derive(Debug)]
struct StopInner {
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
        Ok(Self(Arc::new(StopInner {
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

    /// Sleeps until `fd` (if any) is readable, the signal is raised, or `timeout` has passed.
    ///
    /// # Errors
    /// When the system's `poll` fails for another reason than an interruption.
    pub fn wait(
        &self,
        fd: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> std::io::Result<()> {
        self.wait_any([fd, None], timeout)
    }

    /// As [`wait`](Self::wait), with two descriptors.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_any(
        &self,
        fds: [Option<BorrowedFd<'_>>; 2],
        timeout: Option<Duration>,
    ) -> std::io::Result<()> {
        let stop = self.0.wake.as_fd();
        let [first, second] = fds.map(|fd| fd.unwrap_or(stop));
        let mut fds = [stop, first, second].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A picture source. It is driven by one thread, which sleeps in [`next_frame`](Self::next_frame).
pub trait Source: Send {
    /// What it is; the size may change with a frame.
    fn info(&self) -> SourceInfo;

    /// Sleeps until the picture has changed (never sooner than the rate allows), copies it and
    /// returns it. The first call returns the present picture at once. `None` when `stop` is raised.
    ///
    /// # Errors
    /// [`SourceError`]; after one the source is dropped, and opened again if it is temporary.
    fn next_frame(&mut self, stop: &StopSignal) -> Result<Option<Frame>, SourceError>;
}
