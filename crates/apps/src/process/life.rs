//! The course of an app's life, from its first preparation to the last thing undone.

use super::group::Group;
use super::leftover::{self, Ended, MARK};
use super::watch::{Until, Watch, Woken};
use super::{AppEvent, Launch};
use crate::catalogue::CommandLine;
use crate::journal::{Entry, Owed};
use crate::{AppsError, Exit, Failure};
use rustix::process::Signal;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the kernel may take to end what was killed. A process that hangs in a driver can take
/// longer; then its end is waited for on the side.
pub(super) const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at a group whose first process has ended.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Life<T> {
    launch: Launch,
    watch: Watch,
    /// What is owed, on the disk too.
    entry: Entry,
    tell: T,
    /// Killed, and still not gone.
    stuck: Vec<Child>,
}

/// What may outlive an app: programs that it put out of reach and that write to its outputs still,
/// and processes stuck in the kernel.
pub(super) struct Remains {
    watch: Watch,
    stuck: Vec<Child>,
}

impl Remains {
    /// Waits for all of it: a program that left the app's group must not end because nobody reads
    /// what it writes.
    pub(super) fn outlast(mut self) {
        self.watch.output.no_more_writers();
        self.watch.outlast_writers();
        for mut child in self.stuck {
            let _ = child.wait();
        }
    }
}

/// How the watch over a running command ended.
enum Over {
    Exited(Exit),
    Stopped { killed: bool },
}

impl<T: FnMut(AppEvent)> Life<T> {
    pub(super) const fn new(launch: Launch, watch: Watch, entry: Entry, tell: T) -> Self {
        Self {
            launch,
            watch,
            entry,
            tell,
            stuck: Vec::new(),
        }
    }

    /// The whole of it.
    pub(super) fn run(mut self) -> Remains {
        match self.prepare() {
            Ok(()) if self.watch.stop_wanted() => (self.tell)(AppEvent::Stopped { killed: false }),
            Ok(()) => self.live(),
            Err(error) => self.launch_failed(error),
        }
        while let Some((_, undone)) = self.undo_last() {
            if let Err(error) = undone {
                (self.tell)(AppEvent::UndoFailed(error));
            }
        }
        self.entry.end();
        (self.tell)(AppEvent::Ended);
        Remains {
            watch: self.watch,
            stuck: self.stuck,
        }
    }

    /// The rest of a life that another host began and could not see to its end.
    pub(super) fn make_good(mut self) -> Remains {
        let app = self.launch.app.name.clone();
        if let Some(running) = self.entry.running() {
            let pid = running.leader.map(|leader| leader.pid);
            match leftover::end(&running, self.launch.app.grace) {
                Ended::Nothing => {}
                Ended::Asked => tracing::info!(%app, pid, "an app outlived its host; it is ended"),
                Ended::Killed => {
                    tracing::info!(%app, pid, "an app outlived its host; it is killed")
                }
                Ended::Stuck => {
                    tracing::warn!(%app, pid, "an app outlived its host and does not end")
                }
            }
            self.entry.over();
        }
        while let Some((command, undone)) = self.undo_last() {
            match undone {
                Ok(()) => tracing::info!(%app, %command, "undone, as the host before could not"),
                Err(error) => tracing::warn!(%app, %error, "an app's traces remain"),
            }
        }
        self.entry.end();
        Remains {
            watch: self.watch,
            stuck: self.stuck,
        }
    }

    /// Runs the preparations in order, each once it is written down how it is undone. A wish to stop is
    /// heeded between two of them: one that is broken off halfway could not be undone.
    fn prepare(&mut self) -> Result<(), AppsError> {
        let app = self.launch.app.clone();
        for prep in &app.prep {
            if self.watch.stop_wanted() {
                break;
            }
            if let Some(undo) = &prep.undo_command {
                self.entry.owe(Owed::new(undo.clone(), prep.limit));
            }
            if let Some(command) = &prep.do_command
                && let Err(error) = self.step(command, prep.limit)
            {
                if prep.undo_command.is_some() {
                    self.entry.settle();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Undoes what was prepared last; nothing when all is undone. A host that is killed meanwhile still
    /// owes it: better twice than not at all.
    fn undo_last(&mut self) -> Option<(CommandLine, Result<(), AppsError>)> {
        let owed = self.entry.owed()?;
        let undone = self.step(&owed.command, owed.limit());
        self.entry.settle();
        Some((owed.command, undone))
    }

    /// Runs a command to its end. What it leaves running in the background is left alone.
    fn step(&mut self, command: &CommandLine, limit: Duration) -> Result<(), AppsError> {
        let ended = self.run_to_end(command, limit);
        self.entry.over();
        ended
    }

    fn run_to_end(&mut self, command: &CommandLine, limit: Duration) -> Result<(), AppsError> {
        let group = self.spawn(command)?;
        let until = Until {
            exit_of: Some(&group),
            deadline: Some(Instant::now() + limit),
            ..Until::default()
        };
        if self.watch.wait(until) == Woken::Late {
            group.signal(Signal::KILL);
            self.bury(group);
            return Err(failed(command, Failure::Late(limit)));
        }
        let exit = group.exit();
        group.reap();
        match exit {
            Some(exit) if !exit.success() => Err(failed(command, Failure::Ended(exit))),
            _ => Ok(()),
        }
    }

    /// Runs the app's own command until it ends or is to stop.
    fn live(&mut self) {
        let app = self.launch.app.clone();
        let Some(command) = &app.command else {
            (self.tell)(AppEvent::Started { pid: None });
            self.rest();
            return;
        };
        let started = Instant::now();
        let group = match self.spawn(command) {
            Ok(group) => group,
            Err(error) => return self.launch_failed(error),
        };
        let pid = Some(group.pid());
        (self.tell)(AppEvent::Started { pid });
        let over = self.watch_over(group, app.grace);
        self.entry.over();
        let ran = started.elapsed();
        match over {
            Over::Stopped { killed } => (self.tell)(AppEvent::Stopped { killed }),
            Over::Exited(exit) if ran >= app.settle => {
                let output = self.watch.output.last_lines();
                (self.tell)(AppEvent::Exited { exit, ran, output });
            }
            Over::Exited(exit) if exit.success() => {
                (self.tell)(AppEvent::HandedOver);
                self.rest();
            }
            Over::Exited(exit) => self.launch_failed(failed(command, Failure::Ended(exit))),
        }
    }

    /// Waits until the app is to stop, with nothing of its own running.
    fn rest(&mut self) {
        let until = Until {
            stop: true,
            ..Until::default()
        };
        self.watch.wait(until);
        (self.tell)(AppEvent::Stopped { killed: false });
    }

    /// Watches until the whole group has ended, or ends it when it is to stop.
    fn watch_over(&mut self, group: Group, grace: Duration) -> Over {
        let mut woken = self.watch.wait(Until {
            exit_of: Some(&group),
            stop: true,
            deadline: None,
        });
        let exit = group.exit();
        let mut pause = FIRST_PAUSE;
        while woken != Woken::Stop && group.others_alive() {
            woken = self.watch.wait(Until {
                stop: true,
                deadline: Some(Instant::now() + pause),
                ..Until::default()
            });
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        match (woken, exit) {
            (Woken::Stop, _) => Over::Stopped {
                killed: self.end(group, grace),
            },
            (_, exit) => {
                group.reap();
                // It has ended, so there is always an exit; a missing one would be a failure.
                Over::Exited(exit.unwrap_or(Exit::Code(-1)))
            }
        }
    }

    /// Ends a group: asks it to, waits for all of it, kills what is left; whether it had to.
    fn end(&mut self, group: Group, grace: Duration) -> bool {
        group.signal(Signal::TERM);
        // A stopped process cannot act on what it was asked.
        group.signal(Signal::CONT);
        if self.gone_within(&group, grace) {
            group.reap();
            return false;
        }
        group.signal(Signal::KILL);
        self.bury(group);
        true
    }

    /// Waits for a killed group to be gone, and no longer than is sensible.
    fn bury(&mut self, group: Group) {
        if self.gone_within(&group, KILLED_WITHIN) || group.exit().is_some() {
            group.reap();
        } else {
            self.stuck.extend(group.into_child());
        }
    }

    /// Waits until nobody of the group is alive; whether that came in time.
    fn gone_within(&mut self, group: &Group, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let exit = Until {
            exit_of: Some(group),
            deadline: Some(deadline),
            ..Until::default()
        };
        if self.watch.wait(exit) == Woken::Late {
            return false;
        }
        let mut pause = FIRST_PAUSE;
        while group.others_alive() {
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            self.watch.wait(Until {
                deadline: Some(deadline.min(now + pause)),
                ..Until::default()
            });
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        true
    }

    fn launch_failed(&mut self, error: AppsError) {
        let output = self.watch.output.last_lines();
        (self.tell)(AppEvent::LaunchFailed { error, output });
    }

    /// Starts a command with everything that it finds around it.
    fn spawn(&self, line: &CommandLine) -> Result<Group, AppsError> {
        let (app, around) = (&self.launch.app, &self.launch.around);
        let mut command = Command::new(&line.program);
        command.args(&line.arguments).stdin(Stdio::null());
        for name in &around.remove {
            command.env_remove(name);
        }
        let given = around.set.iter().map(|(name, value)| (name, value));
        command.envs(given).envs(&app.env);
        let directory = app.directory.as_deref().or(around.directory.as_deref());
        if let Some(directory) = directory {
            // Otherwise a missing directory reads as a missing program.
            if !Path::is_dir(directory) {
                return Err(failed(line, Failure::NoDirectory(directory.to_owned())));
            }
            command.current_dir(directory);
        }
        command.env(MARK, self.entry.starts());
        let output = &self.watch.output;
        let group = output.stdio().and_then(|stdout| {
            command.stdout(stdout).stderr(output.stdio()?);
            Group::spawn(&mut command)
        });
        let group = group.map_err(|error| failed(line, Failure::Spawn(error)))?;
        self.entry.runs(group.pid());
        Ok(group)
    }
}

fn failed(command: &CommandLine, failure: Failure) -> AppsError {
    AppsError::Command {
        command: command.to_string(),
        failure,
    }
}
