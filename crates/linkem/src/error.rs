//! Why a link could not be made or has ended.

use std::io;

/// Everything that can go wrong with a link, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// `ip` or `tc` could not be started.
    #[error("cannot run `{program}`: {source}; install iproute2")]
    NoIproute {
        /// Which of them.
        program: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// `ip` or `tc` ran and refused.
    #[error("`{command}` failed: {stderr}; network namespaces need root and CAP_SYS_ADMIN")]
    Refused {
        /// What it was asked.
        command: String,
        /// What it answered.
        stderr: String,
    },
    /// A namespace exists by name but cannot be entered.
    #[error("cannot enter network namespace {name}: {source}; this needs root")]
    Enter {
        /// The namespace.
        name: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No TUN device could be made.
    #[error("cannot make TUN device: {0}; this needs root and /dev/net/tun")]
    Tun(#[source] io::Error),
    /// The link's thread or its wake-up could not be made, or waiting failed.
    #[error("the link's thread failed: {0}")]
    Thread(#[source] io::Error),
    /// The log could not be written.
    #[error("cannot write the link's log: {0}")]
    Log(#[source] io::Error),
    /// The profile has no phase, so there are no conditions to start from.
    #[error("the profile has no phase")]
    EmptyProfile,
    /// The link has ended: it was dropped, or its thread failed (`Link::stop` tells why).
    #[error("the link has ended")]
    Ended,
}
