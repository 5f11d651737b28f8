//! Why the server does not start, by what can be done about it.

use crate::paired::PairedError;
use std::io;
use std::path::PathBuf;

/// Why Moonlight clients cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is taken or not ours to take.
    #[error(
        "{protocol} port {port} for Moonlight's {what} is not to be had: {source}; another GameStream \
         host may be running, or choose other ports with --moonlight-port"
    )]
    Port {
        /// TCP or UDP.
        protocol: &'static str,
        /// Its number.
        port: u16,
        /// What it is for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The list of paired clients cannot be used.
    #[error(transparent)]
    Paired(#[from] PairedError),
    /// The host's own key and certificate cannot be used or made.
    #[error("the identity that Moonlight clients know this host by, {}, cannot be used: {why}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system has no thread, descriptor or random number left.
    #[error("the system gives no {what}: {source}")]
    System {
        /// What is missing.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}
