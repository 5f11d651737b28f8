//! One app's life on a thread of its own: preparations, the command, its end, and what is undone.
//!
//! The caller's thread never waits, and is told of everything by events. Nothing here decides when
//! an app starts or stops.

mod group;
mod leftover;
mod life;
mod output;
pub(crate) mod proc;
mod watch;

use crate::Mode;
use crate::catalogue::App;
use crate::journal::{Entry, Journal};
use crate::{AppsError, Exit};
use life::Life;
use output::Output;
use rustix::event::{EventfdFlags, eventfd};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use watch::Watch;

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The app.
    pub app: Arc<App>,
    /// What its commands find around them.
    pub around: Surroundings,
}

/// What an app's commands find around them, beyond what the host itself has. What the owner wrote
/// for the app goes before it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Surroundings {
    /// Variables to set, such as the display to draw on.
    pub set: Vec<(OsString, OsString)>,
    /// Variables of the host that are none of an app's business.
    pub remove: Vec<OsString>,
    /// Where commands run when the app does not say.
    pub directory: Option<PathBuf>,
}

impl Surroundings {
    /// Adds what commands may want to know of the client: `HELIOSTAT_APP_ID`, `_APP_NAME`,
    /// `_CLIENT_NAME`, `_CLIENT_WIDTH` and `_HEIGHT` in pixels, and `_CLIENT_FPS`.
    pub fn describe(&mut self, app: &App, client_name: &str, mode: Mode) {
        let facts = [
            ("APP_ID", app.id.to_string()),
            ("APP_NAME", app.name.clone()),
            ("CLIENT_NAME", client_name.replace('\0', "")),
            ("CLIENT_WIDTH", mode.size.width.to_string()),
            ("CLIENT_HEIGHT", mode.size.height.to_string()),
            ("CLIENT_FPS", mode.fps.to_string()),
        ];
        let named = facts.map(|(name, value)| (format!("HELIOSTAT_{name}").into(), value.into()));
        self.set.extend(named);
    }
}

/// What happens to an app, in the order in which it happens; `Ended` comes always, once, and last.
#[derive(Debug)]
pub enum AppEvent {
    /// Preparations are done, and the command runs.
    Started {
        /// Its process, which leads a group of its own; absent for an app without a command.
        pid: Option<u32>,
    },
    /// The command ended with success soon after its start: it left the work to a program that ran
    /// already or runs on elsewhere, as launchers do. The app goes on until it is stopped.
    HandedOver,
    /// A preparation failed, or the command could not be started, or failed soon after its start.
    /// What was prepared is undone now.
    LaunchFailed {
        /// Why.
        error: AppsError,
        /// The last lines that it wrote.
        output: Vec<String>,
    },
    /// The app ended by itself. What was prepared is undone now.
    Exited {
        /// How.
        exit: Exit,
        /// How long it ran.
        ran: Duration,
        /// The last lines that it wrote.
        output: Vec<String>,
    },
    /// The app is stopped, as was asked for. What was prepared is undone now.
    Stopped {
        /// Whether it had to be killed.
        killed: bool,
    },
    /// Something prepared could not be undone.
    UndoFailed(AppsError),
    /// All is undone, and nothing of the app is left in its process groups.
    Ended,
}

/// An app that was launched. Dropping it asks the app to stop.
pub struct RunningApp {
    stop: Arc<OwnedFd>,
    ended: Arc<Latch>,
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended.wait(Duration::ZERO);
        f.debug_struct("RunningApp").field("ended", &ended).finish()
    }
}

impl RunningApp {
    /// Asks the app to stop, and returns at once; asking again changes nothing. Its process group
    /// gets SIGTERM, after the app's grace SIGKILL, and then what was prepared is undone.
    pub fn stop(&self) {
        // The counter of the descriptor cannot overflow by ones.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
    }

    /// Waits until [`AppEvent::Ended`] was told, for a host that is about to leave; whether it was.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        self.ended.wait(limit)
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Something that happens once and is waited for.
#[derive(Default)]
struct Latch {
    happened: Mutex<bool>,
    changed: Condvar,
}

impl Latch {
    fn happen(&self) {
        *self.happened.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self, limit: Duration) -> bool {
        let happened = self.happened.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(happened, limit, |happened| !*happened);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Lets the latch happen when the thread is through, also by a panic.
struct Happens(Arc<Latch>);

impl Drop for Happens {
    fn drop(&mut self) {
        self.0.happen();
    }
}

/// Launches an app and returns at once; `tell` is called on the app's own thread. What is owed for the
/// app is in the journal as long as it is.
///
/// # Errors
/// [`AppsError::Exhausted`] when there is no thread or descriptor for it; then nothing was started
/// and nothing is told. All other trouble is told as an event.
pub fn launch<T>(launch: Launch, journal: &Journal, tell: T) -> Result<RunningApp, AppsError>
where
    T: FnMut(AppEvent) + Send + 'static,
{
    let (watch, stop) = watch(&launch.app)?;
    let entry = journal.begin(&launch.app, &launch.around);
    let ended = Arc::new(Latch::default());
    let happens = Happens(Arc::clone(&ended));
    let body = move || {
        let remains = Life::new(launch, watch, entry, tell).run();
        drop(happens);
        remains.outlast();
    };
    let thread = thread::Builder::new().name("app".to_owned());
    thread.spawn(body).map_err(AppsError::Exhausted)?;
    Ok(RunningApp { stop, ended })
}

/// Ends and undoes what the host that wrote this left, and waits for it.
///
/// # Errors
/// [`AppsError::Exhausted`] when there is no descriptor for it; nothing was done then.
pub(crate) fn make_good(entry: Entry) -> Result<(), AppsError> {
    let Some(launch) = entry.record().map(|record| record.launch()) else {
        return Ok(());
    };
    let (watch, _) = watch(&launch.app)?;
    let remains = Life::new(launch, watch, entry, |_| {}).make_good();
    let thread = thread::Builder::new().name("app".to_owned());
    // Without a thread, what the commands left in the background may not be able to write.
    let _ = thread.spawn(|| remains.outlast());
    Ok(())
}

/// What the thread of an app sleeps on, and what it is told by to stop.
fn watch(app: &App) -> Result<(Watch, Arc<OwnedFd>), AppsError> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let stop = eventfd(0, flags).map_err(|error| AppsError::Exhausted(error.into()))?;
    let stop = Arc::new(stop);
    let output = Output::new(app.name.clone()).map_err(AppsError::Exhausted)?;
    Ok((Watch::new(Arc::clone(&stop), output), stop))
}

#[cfg(test)]
mod tests;
