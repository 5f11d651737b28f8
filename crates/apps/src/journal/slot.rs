//! One journal's place in the state directory: its file, and the lock that says whether the host
//! that writes it is alive.

use super::record::Written;
use crate::AppsError;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// As many hosts with apps may share a state directory.
const SLOTS: std::ops::RangeInclusive<u8> = 1..=32;

/// Where one host's journal is.
#[derive(Debug)]
pub(super) struct Slot {
    path: PathBuf,
}

/// The same, and nobody else's as long as this lives. The kernel gives the lock up with the process,
/// however that ends.
#[derive(Debug)]
pub(super) struct Held {
    slot: Slot,
    lock: File,
}

impl Drop for Held {
    /// Closing the file would not do while a command that is just being started has it too.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Slot {
    /// All that there may be.
    pub(super) fn all(state_dir: &Path) -> impl Iterator<Item = Self> {
        SLOTS.map(move |number| Self {
            path: state_dir.join(format!("running-apps-{number}.json")),
        })
    }

    /// Whether something is written there.
    pub(super) fn is_used(&self) -> bool {
        self.path.exists()
    }

    /// Takes it; nothing where a host that is alive has it.
    ///
    /// # Errors
    /// [`AppsError::Journal`].
    pub(super) fn hold(self) -> Result<Option<Held>, AppsError> {
        let path = self.path.with_extension("lock");
        let file = open_lock(&path).map_err(|error| wrong(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held {
                slot: self,
                lock: file,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(wrong(&path, error)),
        }
    }
}

impl Held {
    /// What is written there; nothing where there is no file.
    ///
    /// # Errors
    /// [`AppsError::Journal`]: others can write or read it, or it is no journal.
    pub(super) fn read(&self) -> Result<Option<Written>, AppsError> {
        let path = &self.slot.path;
        let Some(bytes) = private_file::read(path).map_err(|error| wrong(path, error))? else {
            return Ok(None);
        };
        // What stands in it is run, so it has to be by the one who runs it.
        let owner = fs::metadata(path)
            .map_err(|error| wrong(path, error))?
            .uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(wrong(path, "belongs to somebody else"));
        }
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| wrong(path, error))
    }

    /// Puts this in the place of what is written there; without apps, there is no file.
    ///
    /// # Errors
    /// [`AppsError::Journal`].
    pub(super) fn write(&self, written: &Written) -> Result<(), AppsError> {
        let path = &self.slot.path;
        let kept = if written.apps.is_empty() {
            remove(path)
        } else {
            serde_json::to_vec_pretty(written)
                .map_err(io::Error::from)
                .and_then(|bytes| private_file::replace(path, &bytes))
        };
        kept.map_err(|error| wrong(path, error))
    }

    /// Gives what is written there another name, for somebody to look at; which.
    ///
    /// # Errors
    /// [`AppsError::Journal`].
    pub(super) fn set_aside(&self) -> Result<PathBuf, AppsError> {
        let path = &self.slot.path;
        let aside = path.with_extension("bad");
        fs::rename(path, &aside).map_err(|error| wrong(path, error))?;
        Ok(aside)
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn wrong(path: &Path, why: impl Display) -> AppsError {
    AppsError::Journal {
        path: path.to_owned(),
        why: why.to_string(),
    }
}
