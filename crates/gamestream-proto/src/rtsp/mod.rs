//! RTSP as clients speak it between launch and stream: what the host can do, where its ports are, and
//! what the stream shall be. One request a connection; after the answer the host closes it, because
//! clients read until then (RtspConnection.c, `transactRtspMessageTcp`).
//!
//! With `corever=1` in the launch every message is sealed. Clients number sealed requests from the
//! start of their process, over connections and sessions alike: the first number of a session is any,
//! and each later one is larger.

mod announce;
mod message;
mod offer;
mod sdp;
mod sealed;
mod session;
#[cfg(test)]
mod tests;

pub use announce::{
    AudioRequest, Chroma, ClientFeatures, ColourSpace, Encryption, StreamRequest, VideoCodec,
    VideoRequest,
};
pub use message::{MAX_BODY_BYTES, MAX_HEAD_BYTES, Method, Request, Status};
pub use offer::{EncryptionPolicy, HostOffer, Want};
pub use session::{PendingAnnounce, RtspSession, RtspSetup, Turn};
