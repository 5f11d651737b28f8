//! The JetKVM wire protocol as values and state machines, so that clients made for that device can
//! talk to this host. No sockets, no threads, no clock; what a client may do is decided elsewhere.

mod error;
pub mod hidrpc;
pub mod http;
mod keyboard;
mod pointer;
pub mod rpc;
pub mod signalling;

pub use error::Error;
pub use keyboard::{KeyEvent, Keyboard, Output};
pub use pointer::{Pointer, PointerEvent};
