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

/// Which calls a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Calls of this lane run one after the other, in the order in which they arrived.
    Ordered,
    /// Runs at once, beside everything else.
    Concurrent,
}
