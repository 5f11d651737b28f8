//! WebRTC straight from the host: one socket and one thread for all viewers.
//!
//! Owns packetising, sending, loss recovery and rate; refuses to know about logins or pages.

mod addresses;
pub mod dependency;
mod engine;
mod negotiation;
mod net;
pub mod packetise;
pub mod queue_watch;
pub mod rate;
pub mod recovery;
mod sender;
mod session;
pub mod tcp;
mod twins;
mod udp;
mod wake;
mod wire;

pub use addresses::reachable as reachable_addresses;
pub use engine::{
    Answer, EndReason, Engine, EngineConfig, EngineParts, FindPipeline, MAX_SDP_BYTES,
    MAX_SESSIONS, OfferError, OnAnswer, OnEnd,
};
pub use negotiation::answer_offline;
