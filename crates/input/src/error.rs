//! Why input cannot be taken or injected, by what the caller can do about it.

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The target is not there, or went away; asking again later can help.
    #[error("{what}: {why}")]
    Absent {
        /// The target in words, such as `X display :1`.
        what: String,
        /// Reason in words.
        why: String,
    },
    /// The target cannot do this; asking again does not help.
    #[error("{what} cannot be used: {why}")]
    Unsupported {
        /// The target in words.
        what: String,
        /// Reason in words, with what to do.
        why: String,
    },
    /// No backend of that name.
    #[error("input {name:?} is not known; known are {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Bytes that are no message of the page's.
    #[error("malformed input message: {why}")]
    Malformed {
        /// What is wrong with them.
        why: &'static str,
    },
    /// Text longer than allowed.
    #[error("the text has {bytes} bytes, and at most {limit} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest there may be.
        limit: usize,
    },
    /// More input waits than may; the sender goes on faster than the host can follow.
    #[error("too much input is waiting")]
    Full,
    /// The input thread has ended.
    #[error("input has ended")]
    Closed,
    /// The operating system refused something.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl InputError {
    /// Whether asking again later can help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::System(_) | Self::Full)
    }
}
