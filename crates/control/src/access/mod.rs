//! Who may come in: one-time links, share links, session cookies, the players' token, and a brake on
//! guessing.

mod attempts;
mod cookie;
mod gate;
mod secret;
mod share;

pub use cookie::values as cookie_values;
pub(crate) use gate::{Denied, Gate, GateConfig, LoginRefused, Password};
pub(crate) use secret::{Secret, SecretDigest};
pub(crate) use share::ShareLinks;
pub use share::check as check_share_link;
