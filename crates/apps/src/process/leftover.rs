//! What a command of a host that was killed has left running: found again, and ended. Whoever only
//! has the number of one of its processes by now is not touched.

use super::life::KILLED_WITHIN;
use super::proc::{self, Stat};
use crate::journal::Running;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The variable by which processes of a command are known once its first process, which led their
/// group, is gone: the number of that group alone might be somebody else's by now.
pub(super) const MARK: &str = "HELIOSTAT_APP_RUN";

/// How what was left over ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was nothing.
    Nothing,
    /// As it was asked to.
    Asked,
    /// It had to be killed.
    Killed,
    /// The kernel does not let go of it.
    Stuck,
}

/// A process that was left over; the descriptor reaches it and nobody else.
struct Member {
    pid: u32,
    pidfd: OwnedFd,
}

/// Ends what is left: asks it to, waits for all of it, kills what remains after `grace`.
pub(super) fn end(running: &Running, grace: Duration) -> Ended {
    if members(running).is_empty() {
        return Ended::Nothing;
    }
    // A stopped process cannot act on what it was asked.
    if gone_after(running, &[Signal::TERM, Signal::CONT], grace) {
        return Ended::Asked;
    }
    if gone_after(running, &[Signal::KILL], KILLED_WITHIN) {
        return Ended::Killed;
    }
    Ended::Stuck
}

/// Signals all that is left, and what it starts meanwhile; whether nothing is left within the limit.
fn gone_after(running: &Running, signals: &[Signal], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut reached = BTreeSet::new();
    loop {
        let members = members(running);
        if members.is_empty() {
            return true;
        }
        for member in members.iter().filter(|member| reached.insert(member.pid)) {
            for signal in signals {
                // One that has ended meanwhile needs none.
                let _ = pidfd_send_signal(&member.pidfd, *signal);
            }
        }
        if !one_ends(&members, deadline) {
            return false;
        }
    }
}

/// Waits until one of them has ended; whether that came before the deadline.
fn one_ends(members: &[Member], deadline: Instant) -> bool {
    let watch = |member| PollFd::from_borrowed_fd(member, PollFlags::IN);
    let mut fds: Vec<_> = members
        .iter()
        .map(|member| watch(std::os::fd::AsFd::as_fd(&member.pidfd)))
        .collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(ended) => return ended > 0,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// The processes that are left and alive. Each is looked at again once it cannot change any more who
/// its descriptor reaches.
fn members(running: &Running) -> Vec<Member> {
    let found = proc::pids()
        .into_iter()
        .filter(|pid| is_left(running, *pid));
    let opened = found.filter_map(|pid| {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        Some(Member { pid, pidfd })
    });
    opened
        .filter(|member| is_left(running, member.pid))
        .collect()
}

/// Whether this process is one that the command left. Where the host was killed before it knew the
/// group, the mark alone says so.
fn is_left(running: &Running, pid: u32) -> bool {
    let alive = Stat::of(pid).filter(|stat| stat.alive && pid != std::process::id());
    let Some(stat) = alive else { return false };
    let marked = || proc::started_with(pid, MARK, &running.mark);
    let Some(leader) = running.leader else {
        return marked();
    };
    let lives = || Stat::of(leader.pid).is_some_and(|led| led.start_ticks == leader.start_ticks);
    stat.group == leader.pid && (lives() || marked())
}
