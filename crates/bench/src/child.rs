//! Child processes in groups of their own, which end with the value that owns them, whatever the
//! path on which it is dropped.

use crate::BenchError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Lines of a child's log that are worth showing.
const LOG_LINES: usize = 8;
/// How often a child that was asked to end is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A child and everything it started.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Group {
    /// Starts `command` in a new process group, with stdin and stdout as pipes and stderr in a file
    /// in `folder`.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
    ) -> Result<Self, BenchError> {
        let log = folder.join(format!("{name}.log"));
        let stderr = File::create(&log).map_err(|error| BenchError::Output {
            path: log.clone(),
            error,
        })?;
        let command = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let child = command
            .spawn()
            .map_err(|error| BenchError::program(name, format!("cannot be started: {error}")))?;
        Ok(Self { child, name, log })
    }

    /// Number of the process group, which is that of its first process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe to its stdin; there is one to take.
    pub(crate) fn take_stdin(&mut self) -> Result<ChildStdin, BenchError> {
        let stdin = self.child.stdin.take();
        stdin.ok_or_else(|| BenchError::program(self.name, "has no stdin"))
    }

    /// The pipe from its stdout; there is one to take.
    pub(crate) fn take_stdout(&mut self) -> Result<ChildStdout, BenchError> {
        let stdout = self.child.stdout.take();
        stdout.ok_or_else(|| BenchError::program(self.name, "has no stdout"))
    }

    /// Lines of its stdout as they come. The pipe is read to its end, so the child never blocks.
    pub(crate) fn lines(&mut self) -> Result<Receiver<String>, BenchError> {
        let stdout = BufReader::new(self.take_stdout()?);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody listens any more: the pipe is still emptied.
                let _ = sender.send(line);
            }
        });
        Ok(receiver)
    }

    /// The first line in which `find` finds something.
    pub(crate) fn wait_for_line<T>(
        &self,
        lines: &Receiver<String>,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T, BenchError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) => {
                    let why = format!("did not get ready within {} s", within.as_secs());
                    return Err(self.failed(&why));
                }
            }
        }
    }

    /// Ends with an error if the child is gone.
    pub(crate) fn check_alive(&mut self) -> Result<(), BenchError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// Gives the child time to end by itself, which it was asked to.
    pub(crate) fn wait_for_end(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The child ended by itself, which it never should.
    pub(crate) fn ended(&self) -> BenchError {
        self.failed("ended before it was asked to")
    }

    fn failed(&self, why: &str) -> BenchError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
        let said = if last.is_empty() {
            "and said nothing".to_owned()
        } else {
            format!("and said:\n  {last}")
        };
        BenchError::program(self.name, format!("{why}, {said}"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that is gone already is what is wanted.
        if let Some(group) = Pid::from_raw(self.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str, folder: &Path) -> Group {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Group::start("shell", command, folder).unwrap()
    }

    #[test]
    fn a_dropped_group_takes_its_grandchildren_along() {
        let folder = tempfile::tempdir().unwrap();
        let mut group = shell("sleep 1000 & echo $!; wait", folder.path());
        let lines = group.lines().unwrap();
        let grandchild = group.wait_for_line(&lines, SOON, |line| line.parse::<u32>().ok());
        let stat = PathBuf::from(format!("/proc/{}/stat", grandchild.unwrap()));
        assert!(stat.exists());
        drop(group);
        // Killed but perhaps not yet reaped by whoever adopted it.
        let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + SOON;
        while !gone() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(gone());
    }

    #[test]
    fn a_child_that_ends_early_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut group = shell("echo no luck today >&2; exit 3", folder.path());
        let lines = group.lines().unwrap();
        let error = group.wait_for_line(&lines, SOON, |_| Some(())).unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains("ended") && words.contains("no luck today"),
            "{words}"
        );
    }
}
