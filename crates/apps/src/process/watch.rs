//! What the thread of an app sleeps on: the end of a process, the wish to stop, what is written, and
//! a deadline. It reads outputs on the way and decides nothing.

use super::group::Group;
use super::output::Output;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Why the thread woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The first process of the group has ended.
    Exited,
    /// Somebody wants the app to stop.
    Stop,
    /// The deadline has passed.
    Late,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Until<'a> {
    /// The end of this one's first process.
    pub(super) exit_of: Option<&'a Group>,
    /// The wish to stop.
    pub(super) stop: bool,
    /// This time.
    pub(super) deadline: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<OwnedFd>,
    pub(super) output: Output,
}

impl Watch {
    pub(super) const fn new(stop: Arc<OwnedFd>, output: Output) -> Self {
        Self { stop, output }
    }

    /// Sleeps until one of these happens; of several, the one that stands first in [`Woken`].
    pub(super) fn wait(&mut self, until: Until<'_>) -> Woken {
        loop {
            let left = until
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let (exited, stop) = self.turn(until, left);
            if exited {
                return Woken::Exited;
            }
            if stop {
                return Woken::Stop;
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Woken::Late;
            }
        }
    }

    /// Whether somebody wants the app to stop.
    pub(super) fn stop_wanted(&mut self) -> bool {
        let until = Until {
            stop: true,
            deadline: Some(Instant::now()),
            ..Until::default()
        };
        self.wait(until) == Woken::Stop
    }

    /// Reads on until nobody is left who could write.
    pub(super) fn outlast_writers(&mut self) {
        while self.output.reader().is_some() {
            self.turn(Until::default(), None);
        }
    }

    /// One sleep: whether the group's first process has ended, and whether a stop is wanted.
    fn turn(&mut self, until: Until<'_>, left: Option<Duration>) -> (bool, bool) {
        let mut fds = Vec::with_capacity(3);
        let mut watch = |fd| {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            fds.len() - 1
        };
        let exit = until.exit_of.map(|group| watch(group.as_fd()));
        let stop = until.stop.then(|| watch(self.stop.as_fd()));
        let written = self.output.reader().map(|reader| watch(reader.as_fd()));
        let timeout = left.map(|left| Timespec {
            // A longer sleep is made of several.
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(3600).min(3600),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return (false, false),
            // The kernel is out of memory: it is not asked again at once.
            Err(_) => {
                thread::sleep(Duration::from_millis(100));
                return (false, false);
            }
        }
        let ready = |index: Option<usize>| index.is_some_and(|at| !fds[at].revents().is_empty());
        let (exited, stop, written) = (ready(exit), ready(stop), ready(written));
        if written {
            self.output.take();
        }
        (exited, stop)
    }
}
