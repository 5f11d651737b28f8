//! The front door: HTTP, WebSocket JSON-RPC, WHEP, logins and TLS on one port and one thread.
//!
//! It owns no media: what it needs from the media engine is the trait [`Engine`], and an ICE-TCP
//! connection that arrives on its port is handed over untouched.

mod access;
mod app;
mod assets;
mod config;
mod engine;
mod error;
mod headers;
pub mod jsonrpc;
mod lanes;
mod methods;
pub mod origin;
mod pages;
mod protocol;
mod routes;
pub mod sdpfrag;
mod server;
mod session;
mod tls;
mod whep;
mod ws;

pub use access::{Role, cookie_values};
pub use config::{AccessMode, Config, Limits, TlsMode};
pub use engine::{Answer, EndReason, Engine, Offer, OfferError, Signalling};
pub use error::Error;
pub use methods::{Lane, MethodInfo, methods};
pub use protocol::{EncoderInfo, HostState, SourceInfo, SourceProblem, VideoInputState};
pub use routes::{RouteInfo, routes};
pub use server::{Bound, Handle, Parts, Server};
pub use tls::Fingerprint;
