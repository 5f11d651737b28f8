//! A command as a process group of its own: started, signalled as a whole, and never left a zombie.
//!
//! Its first process is reaped last: until then no other group can get its number, so that a signal
//! always reaches who it is meant for.

use crate::Exit;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use std::fs;
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
        let Ok(processes) = fs::read_dir("/proc") else {
            return false;
        };
        let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut others = numbers.filter(|number: &u32| *number != self.pid());
        others.any(|number| {
            let stat = fs::read_to_string(format!("/proc/{number}/stat"));
            stat.is_ok_and(|stat| is_alive_in(&stat, self.pid()))
        })
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

/// Whether a line of `/proc/N/stat` is of a living process of this group. The name stands in
/// brackets and may hold anything; behind it stand state, parent and group.
fn is_alive_in(stat: &str, group: u32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return false;
    };
    let mut fields = rest.split_ascii_whitespace();
    let dead = fields.next().is_none_or(|state| matches!(state, "Z" | "X"));
    !dead && fields.nth(1).and_then(|field| field.parse().ok()) == Some(group)
}

#[cfg(test)]
mod tests {
    //! Lines of `/proc/N/stat`.

    use super::*;

    #[test]
    fn the_state_and_the_group_stand_behind_the_last_bracket() {
        assert!(is_alive_in("12 (a) Z 9) (b) S 1 77 5 0", 77));
        assert!(!is_alive_in("12 (a) Z 9) (b) Z 1 77 5 0", 77));
        assert!(!is_alive_in("12 (sh) S 77 12 77 0", 77));
        assert!(!is_alive_in("", 77));
        assert!(!is_alive_in("12 (sh) R", 77));
    }
}
