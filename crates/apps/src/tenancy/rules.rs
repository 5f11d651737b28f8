//! The owner's settings for who may stream beside whom.

use crate::Linger;
use std::str::FromStr;

/// What happens when another client comes while one streams (`mode_conflict`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeConflict {
    /// It gets a session of its own beside the other.
    #[default]
    Separate,
    /// It watches the other's session along, if it wants the same app.
    Join,
    /// The other's session ends.
    Steal,
    /// It is refused.
    Reject,
}

/// A word that is no [`ModeConflict`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of separate, join, steal, reject")]
pub struct UnknownConflict(String);

impl FromStr for ModeConflict {
    type Err = UnknownConflict;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "separate" => Ok(Self::Separate),
            "join" => Ok(Self::Join),
            "steal" => Ok(Self::Steal),
            "reject" => Ok(Self::Reject),
            other => Err(UnknownConflict(other.to_owned())),
        }
    }
}

/// How many clients may have a session or a lingering app at a time, 1 to 16. Those who watch along
/// take no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    /// A number of places; nothing outside 1 to 16.
    #[must_use]
    pub const fn new(places: u8) -> Option<Self> {
        if places >= 1 && places <= 16 {
            Some(Self(places))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Places {
    fn default() -> Self {
        Self(4)
    }
}

/// All of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What happens when another client comes.
    pub conflict: ModeConflict,
    /// How long an app that says nothing of its own waits for its client.
    pub linger: Linger,
    /// How many may be here.
    pub places: Places,
}
