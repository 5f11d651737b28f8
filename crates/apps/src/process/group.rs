//! A command as a process group of its own: started, signalled as a whole, and never left a zombie.
//!
//! Its first process is reaped last: until then no other group can get its number, so that a signal
//! always reaches who it is meant for.

use super::proc::{self, Stat};
use crate::Exit;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// A process group whose first process is ours.
#[derive(Debug)]
pub(super) struct Group {
    /// Taken when it is reaped, or handed to somebody who will.
    child: Option<Child>,
    pid: Pid,
    /// Readable once the first process has ended.
    pidfd: OwnedFd,
}

impl Group {
    /// Starts a command as the first of a group of its own.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self {
                child: Some(child),
                pid,
                pidfd,
            }),
            Err(error) => {
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = child.wait();
                Err(error.into())
            }
        }
    }

    /// The number of the first process, and of the group.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Signals every process of the group; nobody being there is fine.
    pub(super) fn signal(&self, signal: Signal) {
        if self.child.is_some() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// How the first process ended; nothing while it runs.
    pub(super) fn exit(&self) -> Option<Exit> {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), how).ok()??;
        if let Some(code) = status.exit_status() {
            return Some(Exit::Code(code));
        }
        status.terminating_signal().map(Exit::Signal)
    }

    /// Whether a process of the group other than the first is alive; the dead that nobody reaped
    /// are not.
    pub(super) fn others_alive(&self) -> bool {
        let others = proc::pids().into_iter().filter(|pid| *pid != self.pid());
        others
            .filter_map(Stat::of)
            .any(|stat| stat.alive && stat.group == self.pid())
    }

    /// Reaps the first process, which has ended; the rest of its group lives on.
    pub(super) fn reap(mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// The first process, for somebody else to wait for.
    pub(super) fn into_child(mut self) -> Option<Child> {
        self.child.take()
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Group {
    /// Reached with a child only when its keeper panicked: nothing may be left running unwatched.
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}
