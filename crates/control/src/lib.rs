//! The front door: HTTP, WebSocket, WHEP, logins and TLS on one port, and the management socket, all
//! on the hub's thread.
//!
//! It owns no media and no session: those are the hub's. An ICE-TCP connection that arrives on its port
//! is handed over untouched.

mod access;
mod app;
mod assets;
mod config;
mod error;
mod headers;
mod jetkvm;
pub mod management;
pub mod origin;
mod pages;
mod routes;
pub mod server;
mod tls;
mod whep;
mod ws;

pub use access::{check_share_link, cookie_values};
pub use config::{AccessMode, Config, JetKvm, Limits, TlsMode};
pub use control_api::Role;
pub use error::Error;
pub use routes::{RouteInfo, jetkvm_routes, routes};
pub use server::{Bound, Handle, Parts, Server};
pub use tls::Fingerprint;
