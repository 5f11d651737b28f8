//! Who may do what, and which calls a call waits for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a caller may do. Each role may do what the ones before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A player that came with the players' token: watches through WHEP.
    Player,
    /// Watches, and sees who else does.
    Viewer,
    /// May drive: keyboard, pointer, pads, clipboard and the stream's parameters.
    Controller,
    /// Owns the host: invites, throws out, switches sources, stops it.
    Admin,
}

/// Which classes of input a caller may use, besides what its [`Role`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputRights {
    /// Keys and text.
    pub keyboard: bool,
    /// Mouse, wheel, touch and pen.
    pub pointer: bool,
    /// Game pads.
    pub pads: bool,
}

impl InputRights {
    /// Every class.
    pub const ALL: Self = Self {
        keyboard: true,
        pointer: true,
        pads: true,
    };
    /// No class.
    pub const NONE: Self = Self {
        keyboard: false,
        pointer: false,
        pads: false,
    };
    /// Game pads and nothing else.
    pub const PADS: Self = Self {
        pads: true,
        ..Self::NONE
    };

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            keyboard: self.keyboard && other.keyboard,
            pointer: self.pointer && other.pointer,
            pads: self.pads && other.pads,
        }
    }
}

impl Default for InputRights {
    fn default() -> Self {
        Self::ALL
    }
}

/// Which calls a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Calls of this lane run one after the other, in the order in which they arrived.
    Ordered,
    /// Runs at once, beside everything else.
    Concurrent,
}
