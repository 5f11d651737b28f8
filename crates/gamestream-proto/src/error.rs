//! What can be wrong with what a client sends, by what the one who receives it can do about it.

use std::time::Duration;

/// Why something was not understood, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field that must be there is not: the request is refused.
    #[error("the field {field} is missing")]
    Missing {
        /// Its name on the wire.
        field: &'static str,
    },
    /// A field that no stream can have: the request is refused, and the range is told.
    #[error("the field {field} must be {range}")]
    OutOfRange {
        /// Its name on the wire.
        field: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// A size or a frame rate that no stream can have.
    #[error("the field {field} cannot be served: {why}")]
    Mode {
        /// Its name on the wire.
        field: &'static str,
        /// What is wrong with it.
        why: media::ModeError,
    },
    /// A path that no client asks for: the answer is 404.
    #[error("there is no such path")]
    NoSuchPath,
    /// More bytes than any client sends: the connection is closed.
    #[error("the {what} is longer than {limit_bytes} bytes")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// The most it may have.
        limit_bytes: usize,
    },
    /// Bytes that are no message of their kind.
    #[error("the {what} cannot be read: {why}")]
    Malformed {
        /// What it should have been.
        what: &'static str,
        /// Where it differs.
        why: &'static str,
    },
    /// A message that the session's key does not open: made by somebody else, or for another session.
    /// Nothing has changed by it.
    #[error("the {what} was not sealed with this session's key")]
    Forged {
        /// What it claims to be.
        what: &'static str,
    },
    /// A message that was taken before, or one that later ones have overtaken.
    #[error("the {what} with sequence number {sequence} comes too late or again")]
    Replayed {
        /// What it is.
        what: &'static str,
        /// Its sequence number.
        sequence: u32,
    },
    /// Plain text where only sealed messages are taken.
    #[error("the {what} is not encrypted")]
    Unencrypted {
        /// What it is.
        what: &'static str,
    },
    /// A message of a kind that is not known here; it can be left out.
    #[error("{what} {kind:#x} is not known")]
    Unknown {
        /// Of what it is a kind.
        what: &'static str,
        /// Its number on the wire.
        kind: u32,
    },
    /// A request that does not come next: what was begun has ended.
    #[error("{what} does not come next")]
    OutOfOrder {
        /// What was asked for.
        what: &'static str,
    },
    /// A certificate or a key that cannot be used.
    #[error("the {what} cannot be used: {why}")]
    Certificate {
        /// Whose.
        what: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// A PIN for nobody: no client waits for one, or not this one.
    #[error("no client waits for a PIN")]
    NoPairing,
    /// A PIN that does not say for whom, while several wait.
    #[error("several clients wait for a PIN: say which one it is for")]
    SeveralPairings,
    /// A pairing that has to wait for another: the same certificate is being paired from elsewhere, or
    /// another client at the same address is in the middle of it.
    #[error("another pairing has to end first")]
    PairingBusy,
    /// Asked for too often.
    #[error("too many attempts: the next one is taken in {} s", .wait.as_secs() + 1)]
    TooOften {
        /// How long none is taken.
        wait: Duration,
    },
    /// The cryptographic library would not do what it always does.
    #[error("cryptography failed while {doing}")]
    Crypto {
        /// What it was for.
        doing: &'static str,
    },
    /// A certificate could not be made.
    #[error("no certificate could be made: {0}")]
    Generate(#[from] rcgen::Error),
}

impl Error {
    /// Whether the message can be left out and the conversation go on as if it had not come.
    #[must_use]
    pub fn is_ignorable(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Replayed { .. })
    }
}
