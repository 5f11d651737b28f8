//! What can go wrong with apps, in words for the person who wrote the file, and the values that these
//! words are made of.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What can go wrong with apps.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// A file is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of apps says something that is not allowed; nothing of it is used.
    #[error(transparent)]
    Wrong(Box<Complaint>),
    /// An app's picture cannot be shown; the app works without.
    #[error("app {app:?}: image {}: {problem}", path.display())]
    Image {
        /// The app's name.
        app: String,
        /// The picture.
        path: PathBuf,
        /// What is wrong with it.
        problem: ImageProblem,
    },
    /// A command cannot be started, or did not do its work.
    #[error("`{command}`: {failure}")]
    Command {
        /// The command as somebody would type it.
        command: String,
        /// What happened.
        failure: Failure,
    },
    /// What is owed for apps cannot be written down or read again.
    #[error("{}: {why}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The host cannot watch over an app now: it has no thread, pipe or descriptor left.
    #[error("an app cannot be watched over: {0}")]
    Exhausted(io::Error),
}

/// Why an app's picture cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ImageProblem {
    /// It cannot be read, or is too large.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("is not a PNG picture")]
    NotPng,
    /// It is broken off before it says how large it is.
    #[error("is a PNG picture without a header")]
    NoHeader,
    /// It says that it has no pixels.
    #[error("is a PNG picture without pixels")]
    NoPixels,
}

/// Something in the file of apps that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// The line, from 1.
    pub line: usize,
    /// The app by its name, or by its place where it has none; absent for the file as a whole.
    pub app: Option<String>,
    /// The field, such as `prep[0].do`.
    pub field: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}:{}: ", path.display(), self.line)?,
            None => write!(f, "line {}: ", self.line)?,
        }
        if let Some(app) = &self.app {
            write!(f, "app {app}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Complaint {}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It left, with this code; 0 is success.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Whether the process says that all went well.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It could not be started.
    #[error("cannot be started: {0}")]
    Spawn(#[from] io::Error),
    /// Its working directory is not there.
    #[error("the directory {} is not there", .0.display())]
    NoDirectory(PathBuf),
    /// It ended, and not well.
    #[error("ended with {0}")]
    Ended(Exit),
    /// It took longer than it may, and was killed.
    #[error("took longer than {} s and was killed", .0.as_secs())]
    Late(Duration),
}
