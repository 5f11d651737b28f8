//! Which apps there are: the owner's file `apps.toml`, read whole or not at all, and never written.

mod entry;
mod image;
mod place;

use crate::{AppsError, Complaint, Linger};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use image::MAX_IMAGE_BYTES;

/// Most apps in a file.
pub const MAX_APPS: usize = 256;
/// Largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// The name of the app that shows the desktop as it is.
pub const DESKTOP: &str = "Desktop";

/// What a client calls an app: positive, and the same every time the host starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(i32);

impl AppId {
    /// An id, where it is one: clients read a positive 32-bit number, and take 0 for "no app".
    #[must_use]
    pub const fn new(id: i32) -> Option<Self> {
        if id > 0 { Some(Self(id)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The id of an app whose owner gave it none: FNV-1a of the name, in 31 bits. It must never
    /// change: clients keep ids, in shortcuts too.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let positive = i32::try_from(hash & 0x7fff_ffff).unwrap_or(i32::MAX);
        Self(positive.max(1))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A program and its arguments, which no shell looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// The program: a path, or a name to be found in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        // A word that cannot be quoted holds a NUL byte, which a command of the file never does.
        let line = shlex::try_join(words.map(String::as_str));
        f.write_str(line.as_deref().unwrap_or(&self.program))
    }
}

/// What is done before an app starts, and undone after it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prep {
    /// Run before the app; the app does not start unless it ends with success.
    pub do_command: Option<CommandLine>,
    /// Run after the app.
    pub undo_command: Option<CommandLine>,
    /// How long either may take.
    pub limit: Duration,
}

/// One app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// What clients call it.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// What runs; nothing for the desktop as it is.
    pub command: Option<CommandLine>,
    /// Where its commands run; absent: wherever the host says.
    pub directory: Option<PathBuf>,
    /// What its commands find in their environment beyond the host's own.
    pub env: BTreeMap<String, String>,
    /// What is done before, in order, and undone after, in reverse.
    pub prep: Vec<Prep>,
    /// A PNG picture, best of 600x800 pixels. It may lie anywhere: the file is its owner's.
    pub image: Option<PathBuf>,
    /// How long it waits for its client, where it differs from the host's setting.
    pub linger: Option<Linger>,
    /// How long it may take to end when asked to, before it is killed.
    pub grace: Duration,
    /// An end within this time of the start says nothing about the session: with success the
    /// program handed over to another (as launchers do), otherwise it failed to launch.
    pub settle: Duration,
}

impl App {
    /// The desktop as it is, which needs no file.
    #[must_use]
    pub fn desktop() -> Self {
        Self {
            id: AppId::of_name(DESKTOP),
            name: DESKTOP.to_owned(),
            command: None,
            directory: None,
            env: BTreeMap::new(),
            prep: Vec::new(),
            image: None,
            linger: None,
            grace: entry::DEFAULT_GRACE,
            settle: entry::DEFAULT_SETTLE,
        }
    }

    /// The bytes of its picture, read now; nothing where it has none.
    ///
    /// # Errors
    /// [`AppsError::Image`] when the picture is not there, too large, or no PNG.
    pub fn image_bytes(&self) -> Result<Option<Vec<u8>>, AppsError> {
        let Some(path) = &self.image else {
            return Ok(None);
        };
        let bytes = image::read(path).map_err(|problem| AppsError::Image {
            app: self.name.clone(),
            path: path.clone(),
            problem,
        })?;
        Ok(Some(bytes))
    }
}

/// All apps, in the order in which clients are shown them. Ids and names are unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    apps: Vec<Arc<App>>,
}

impl Default for Catalogue {
    /// The desktop alone.
    fn default() -> Self {
        Self {
            apps: vec![Arc::new(App::desktop())],
        }
    }
}

impl Catalogue {
    /// Reads the file at `path`; the default where there is none.
    ///
    /// Relative paths in it count from the folder that it lies in.
    ///
    /// # Errors
    /// [`AppsError::Read`] and [`AppsError::Wrong`].
    pub fn load(path: &Path) -> Result<Self, AppsError> {
        let Some(text) = read_text(path)? else {
            return Ok(Self::default());
        };
        let mut catalogue = parse(&text).map_err(|error| match error {
            AppsError::Wrong(complaint) => AppsError::Wrong(Box::new(Complaint {
                path: Some(path.to_owned()),
                ..*complaint
            })),
            other => other,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for app in &mut catalogue.apps {
            let app = Arc::make_mut(app);
            for path in app.directory.iter_mut().chain(&mut app.image) {
                *path = folder.join(&*path);
            }
        }
        Ok(catalogue)
    }

    /// The apps in their order.
    #[must_use]
    pub fn apps(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// The app that a client calls so.
    #[must_use]
    pub fn get(&self, id: AppId) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// What is wrong with the apps' pictures now: worth a warning, since apps work without.
    #[must_use]
    pub fn image_problems(&self) -> Vec<AppsError> {
        let problems = self.apps.iter().map(|app| app.image_bytes());
        problems.filter_map(Result::err).collect()
    }
}

/// Reads what stands in a file of apps; paths stay as they are written.
///
/// # Errors
/// [`AppsError::Wrong`], which names the line, the app, the field and what is allowed.
pub fn parse(text: &str) -> Result<Catalogue, AppsError> {
    let apps = entry::apps(text).map_err(|complaint| AppsError::Wrong(Box::new(complaint)))?;
    let apps = apps.into_iter().map(Arc::new).collect();
    Ok(Catalogue { apps })
}

/// The text of a file; nothing where there is no file.
fn read_text(path: &Path) -> Result<Option<String>, AppsError> {
    let unreadable = |source| AppsError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let bytes = read_at_most(&file, MAX_FILE_BYTES).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = format!("is not UTF-8 at byte {at}");
        unreadable(io::Error::new(io::ErrorKind::InvalidData, text))
    })?;
    Ok(Some(text))
}

/// Opens a plain file; a pipe, which would make the caller wait, is refused.
fn open_file(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?;
    if !kind.is_file() {
        let kind = io::ErrorKind::InvalidInput;
        return Err(io::Error::new(kind, "is not a plain file"));
    }
    File::open(path)
}

fn read_at_most(file: &File, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let text = format!("is larger than {} KiB", max_bytes / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The file of apps and what was last read from it.
#[derive(Debug)]
pub struct AppsFile {
    path: PathBuf,
    current: Arc<Catalogue>,
}

impl AppsFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// As [`Catalogue::load`].
    pub fn open(path: PathBuf) -> Result<Self, AppsError> {
        let current = Arc::new(Catalogue::load(&path)?);
        Ok(Self { path, current })
    }

    /// What was last read without an error.
    #[must_use]
    pub const fn current(&self) -> &Arc<Catalogue> {
        &self.current
    }

    /// Reads the file again; whether anything changed. After an error the apps are what they were.
    ///
    /// # Errors
    /// As [`Catalogue::load`].
    pub fn reload(&mut self) -> Result<bool, AppsError> {
        let read = Catalogue::load(&self.path)?;
        let changed = read != *self.current;
        if changed {
            self.current = Arc::new(read);
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests;
