//! What a host owes for its apps while they run: which processes to end and which commands to perform
//! so that all is undone. It is on the disk before anything is done, so that the next host can make
//! good for one that was killed.

mod record;
mod slot;

use crate::AppsError;
use crate::catalogue::App;
use crate::process::{self, Surroundings, proc};
use record::Written;
pub(crate) use record::{Leader, Owed, Record, Running};
use slot::{Held, Slot};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The journal of one host. Clones are the same journal.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    /// Absent where nothing is kept.
    held: Option<Held>,
    boot_id: String,
    next: u64,
    records: BTreeMap<u64, Record>,
}

/// One app in the journal.
#[derive(Debug)]
pub(crate) struct Entry {
    journal: Journal,
    number: u64,
}

impl Journal {
    /// Takes a journal in this directory that no host alive has. What is written there is made good
    /// for first, as by [`recover`].
    ///
    /// # Errors
    /// [`AppsError::Journal`]; apps can be run with [`Self::default`], which keeps nothing.
    pub fn open(state_dir: &Path) -> Result<Self, AppsError> {
        for slot in Slot::all(state_dir) {
            if let Some(held) = slot.hold()? {
                return Ok(Self::make_good(held));
            }
        }
        Err(AppsError::Journal {
            path: state_dir.to_owned(),
            why: "too many hosts use this directory".to_owned(),
        })
    }

    /// Ends what is left of apps and undoes what was prepared for them; then the journal is empty.
    fn make_good(held: Held) -> Self {
        let written = held.read().unwrap_or_else(|error| {
            match held.set_aside() {
                Ok(aside) => tracing::warn!(
                    %error, kept = %aside.display(),
                    "what a host left of its apps cannot be read; it is set aside"
                ),
                Err(again) => {
                    tracing::warn!(%error, %again, "what a host left of its apps cannot be read")
                }
            }
            None
        });
        let Written { boot_id, apps } = written.unwrap_or_default();
        let now = proc::boot_id();
        let same_boot = boot_id == now;
        let journal = Self::default();
        *journal.lock() = Book {
            held: Some(held),
            boot_id: now,
            next: apps.len() as u64,
            records: (0..).zip(apps).collect(),
        };
        let numbers: Vec<u64> = journal.lock().records.keys().rev().copied().collect();
        for number in numbers {
            let entry = Entry {
                journal: journal.clone(),
                number,
            };
            if !same_boot {
                // Its processes ended with the machine, and others have their numbers.
                entry.change(|record| record.running = None);
            }
            if let Err(error) = process::make_good(entry) {
                tracing::warn!(%error, "what a host left of an app stays for the next start");
            }
        }
        journal
    }

    /// Begins to keep an app.
    pub(crate) fn begin(&self, app: &App, around: &Surroundings) -> Entry {
        let mut book = self.lock();
        let number = book.next;
        book.next += 1;
        book.records.insert(number, Record::new(app, around));
        Entry {
            journal: self.clone(),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes good for hosts that were killed, where one left something in this directory: ends what is
/// left of their apps, and performs the commands that undo what was prepared, the last one first.
/// Hosts that are alive are left alone. It waits for all of it, and tells the log.
pub fn recover(state_dir: &Path) {
    for slot in Slot::all(state_dir).filter(Slot::is_used) {
        match slot.hold() {
            Ok(Some(held)) => drop(Journal::make_good(held)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what a host left of its apps is not looked at"),
        }
    }
}

impl Book {
    /// Trouble is told, and changes nothing: an app is worth more than the record of it.
    fn write(&self) {
        let Some(held) = &self.held else { return };
        let open = self.records.values().filter(|record| !record.is_settled());
        let written = Written {
            boot_id: self.boot_id.clone(),
            apps: open.cloned().collect(),
        };
        if let Err(error) = held.write(&written) {
            tracing::warn!(%error, "if this host is killed, nobody undoes what its apps change");
        }
    }
}

impl Entry {
    /// What is kept of the app.
    pub(crate) fn record(&self) -> Option<Record> {
        self.journal.lock().records.get(&self.number).cloned()
    }

    /// The command under way.
    pub(crate) fn running(&self) -> Option<Running> {
        self.record()?.running
    }

    /// What is to be undone next.
    pub(crate) fn owed(&self) -> Option<Owed> {
        self.record()?.owed.pop()
    }

    /// Something is about to be done that is to be undone so.
    pub(crate) fn owe(&self, owed: Owed) {
        self.change(|record| record.owed.push(owed));
    }

    /// What was owed last is undone, or was never done.
    pub(crate) fn settle(&self) {
        self.change(|record| drop(record.owed.pop()));
    }

    /// A command is about to start, with the mark that is returned.
    pub(crate) fn starts(&self) -> String {
        static COMMANDS: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        let started = proc::Stat::of(pid).map_or(0, |stat| stat.start_ticks);
        let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{pid}-{started}-{number}");
        let running = Running {
            mark: mark.clone(),
            leader: None,
        };
        self.change(|record| record.running = Some(running));
        mark
    }

    /// The command runs, and this is its first process, which is not reaped yet.
    pub(crate) fn runs(&self, pid: u32) {
        let leader = proc::Stat::of(pid).map(|stat| Leader {
            pid,
            start_ticks: stat.start_ticks,
        });
        self.change(|record| {
            if let Some(running) = &mut record.running {
                running.leader = leader;
            }
        });
    }

    /// The command has ended, or could not start.
    pub(crate) fn over(&self) {
        self.change(|record| record.running = None);
    }

    /// Nothing is left of the app.
    pub(crate) fn end(self) {
        let mut book = self.journal.lock();
        book.records.remove(&self.number);
        book.write();
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        let mut book = self.journal.lock();
        if let Some(record) = book.records.get_mut(&self.number) {
            change(record);
            book.write();
        }
    }
}

#[cfg(test)]
mod tests;
