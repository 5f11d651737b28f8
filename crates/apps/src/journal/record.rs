//! What is written down of an app, so that the next host can end it and undo what was prepared.

use crate::catalogue::{App, CommandLine};
use crate::process::Surroundings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The whole of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    /// Which start of the machine the processes are of.
    pub(super) boot_id: String,
    /// The apps, in the order in which they were started.
    pub(super) apps: Vec<Record>,
}

/// One app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) name: String,
    /// The command under way.
    pub(super) running: Option<Running>,
    /// What is to be undone, the last one first.
    pub(super) owed: Vec<Owed>,
    grace_s: u32,
    directory: Option<PathBuf>,
    env: BTreeMap<String, String>,
    around: Surroundings,
}

/// A command under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// What its processes find in their environment, and no other command's.
    pub(crate) mark: String,
    /// Its first process; absent while it is being started.
    pub(crate) leader: Option<Leader>,
}

/// The first process of a group, which has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leader {
    pub(crate) pid: u32,
    /// When it started, in ticks since the machine did.
    pub(crate) start_ticks: u64,
}

/// A command that undoes something, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owed {
    pub(crate) command: CommandLine,
    limit_s: u32,
}

impl Owed {
    pub(crate) fn new(command: CommandLine, limit: Duration) -> Self {
        let limit_s = whole_seconds(limit);
        Self { command, limit_s }
    }

    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_s.into())
    }
}

impl Record {
    /// An app of which nothing was done yet.
    pub(super) fn new(app: &App, around: &Surroundings) -> Self {
        Self {
            name: app.name.clone(),
            running: None,
            owed: Vec::new(),
            grace_s: whole_seconds(app.grace),
            directory: app.directory.clone(),
            env: app.env.clone(),
            around: around.clone(),
        }
    }

    /// Whether nothing is left to do for it.
    pub(super) const fn is_settled(&self) -> bool {
        self.running.is_none() && self.owed.is_empty()
    }

    /// What its commands are run with.
    pub(crate) fn launch(&self) -> crate::process::Launch {
        let app = App {
            name: self.name.clone(),
            directory: self.directory.clone(),
            env: self.env.clone(),
            grace: Duration::from_secs(self.grace_s.into()),
            ..App::desktop()
        };
        crate::process::Launch {
            app: Arc::new(app),
            around: self.around.clone(),
        }
    }
}

/// The file of apps gives whole seconds, in ranges far below the largest here.
fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
