//! Who may come in: one-time links, session cookies, the players' token, and a brake on guessing.

mod attempts;
mod cookie;
mod gate;
mod secret;

pub use cookie::values as cookie_values;
pub(crate) use gate::{Denied, Gate, GateConfig, LoginRefused};
pub(crate) use secret::Secret;

/// What a caller may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A player that came with the players' token: watches through WHEP.
    Player,
    /// Somebody who logged in: uses the page.
    Viewer,
}
