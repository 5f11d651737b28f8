//! Why there is no measurement, in words that say what to do.

use std::path::PathBuf;
use std::time::Duration;

/// Why a bench did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// An option that cannot be used.
    #[error("{name}: {why}")]
    Option {
        /// The option.
        name: &'static str,
        /// What is wrong, with what is right.
        why: String,
    },
    /// A program that is needed is not installed.
    #[error("{what} is not installed: {remedy}")]
    Missing {
        /// The program.
        what: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A program was started and did not do what it must.
    #[error("{what} {why}")]
    Program {
        /// The program.
        what: String,
        /// What happened, with the last lines it wrote.
        why: String,
    },
    /// Nothing happened in time.
    #[error("{what} did not happen within {} s", after.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
    /// The page is not as it must be.
    #[error("the page in the browser: {0}")]
    Page(String),
    /// The Moonlight client failed.
    #[error("the Moonlight client: {0}")]
    Client(#[from] probe::Error),
    /// Nothing that could be measured arrived.
    #[error("no frame could be measured: {0}")]
    NothingMeasured(String),
    /// The picture source failed in the child that shows the pattern.
    #[error(transparent)]
    Source(#[from] capture::SourceError),
    /// Results could not be written.
    #[error("cannot write {path}: {error}")]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The caller wanted no more.
    #[error("interrupted")]
    Interrupted,
    /// The operating system refused something this bench needs.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        error: std::io::Error,
    },
}

impl BenchError {
    /// Wraps an error of the operating system with what was tried.
    pub(crate) fn system(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }

    pub(crate) fn program(what: &str, why: impl Into<String>) -> Self {
        Self::Program {
            what: what.to_owned(),
            why: why.into(),
        }
    }
}
