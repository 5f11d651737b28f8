//! WebRTC straight from the host: one socket and one thread for all viewers.
//!
//! Owns packetising, sending, loss recovery and rate; refuses to know about logins or pages.

mod addresses;
mod bare_headers;
mod channels;
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
mod sound;
pub mod tcp;
mod twins;
mod video;
mod wire;

pub use addresses::reachable as reachable_addresses;
pub use channels::{
    MAX_BUFFERED_BYTES, MAX_CHANNELS, MAX_LABEL_BYTES, MAX_MESSAGE_BYTES, OnChannel,
};
pub use control_api::EndReason;
pub use engine::{
    Answer, Engine, EngineConfig, EngineParts, FindPipeline, Flavour, MAX_SDP_BYTES, MAX_SESSIONS,
    OfferError, OnAnswer, OnDone, OnEnd, SessionOptions,
};
pub use media::{ChannelEvent, ChannelId, Message};
pub use negotiation::answer_offline;
