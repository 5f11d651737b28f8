//! What the front door needs from the media engine, and the words they share.

use crate::protocol::{HostState, VideoInputState};
use events::ViewerId;
use serde::Serialize;
use std::net::{SocketAddr, TcpStream};
use tokio::sync::{oneshot, watch};

/// The media engine. Every call comes from the one thread that serves all clients, so it must hand
/// its work over and return at once.
pub trait Engine: Send + Sync + 'static {
    /// Answers an SDP offer with a new session, through [`Offer::reply`].
    fn offer(&self, offer: Offer);

    /// Adds a candidate (`candidate:…`, well-formed, without `a=`) of the client's.
    fn candidate(&self, viewer: ViewerId, candidate: String);

    /// Ends a session. Unknown and already ended ones are ignored.
    fn close(&self, viewer: ViewerId, reason: EndReason);

    /// Takes over an ICE-TCP connection (RFC 4571 framing) that arrived on the HTTP port. Nothing has
    /// been read from it; it is non-blocking. It comes from anybody: it has to be dropped unless its
    /// first message is a STUN request for one of the engine's sessions, and soon.
    fn accept_ice_tcp(&self, connection: TcpStream);

    /// The host's state, now and whenever it changes.
    fn host_state(&self) -> watch::Receiver<HostState>;

    /// The source's state, now and whenever it changes.
    fn video_input(&self) -> watch::Receiver<VideoInputState>;
}

/// How a client talks to the front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalling {
    /// WebSocket: the page.
    WebSocket,
    /// WHEP: a player.
    Whep,
}

/// An SDP offer on its way to the engine.
#[derive(Debug)]
pub struct Offer {
    /// The offer.
    pub sdp: String,
    /// How it came.
    pub via: Signalling,
    /// Who sent it.
    pub client: SocketAddr,
    /// The address of this host that the client reached, and so can reach again.
    pub reached_at: SocketAddr,
    /// Where the answer goes. Dropped without one: [`OfferError::Stopped`].
    pub reply: oneshot::Sender<Result<Answer, OfferError>>,
    /// Where the end of the session goes, whoever ends it. Dropped without a reason:
    /// [`EndReason::Error`].
    pub ended: oneshot::Sender<EndReason>,
}

/// A new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its number.
    pub viewer: ViewerId,
    /// The SDP answer.
    pub sdp: String,
}

/// Why an offer was not answered with a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is no usable SDP offer.
    #[error("the offer is no usable session description: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// It offers no codec that the host has.
    #[error("the offer has no video codec in common with this host")]
    NoCommonCodec,
    /// As many viewers as the host takes.
    #[error("the host has as many viewers as it takes")]
    Busy,
    /// The stream cannot be started.
    #[error("the stream cannot be started: {why}")]
    Unavailable {
        /// What is missing.
        why: String,
    },
    /// The engine did not answer in time.
    #[error("the host did not answer the offer in time")]
    TimedOut,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopped,
}

/// Why a session ended. The first reason wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The client left.
    Quit,
    /// The client's connection broke off without a goodbye.
    Lost,
    /// Nothing was heard from the client for too long.
    Timeout,
    /// The same client started another session.
    Replaced,
    /// The source is gone for good.
    SourceEnded,
    /// The host stops.
    HostStopped,
    /// An operator ended it.
    Operator,
    /// Something failed.
    Error,
}
