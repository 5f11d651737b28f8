//! What the hub needs from the media engine, and the words they share.

use crate::session::Ends;
use control_api::{
    Choice, EndReason, HostState, StreamChange, StreamParameters, Via, VideoInputState,
};
use events::ViewerId;
use media::{ChannelId, Message};
use std::net::TcpStream;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Hears how something went that takes time; `false`: there is no such session.
pub type Done = Box<dyn FnOnce(bool) + Send>;

/// The media engine. Unless a call says otherwise, it comes from a thread that serves all clients, so
/// it must hand its work over and return at once. What is asked for one session happens in the order
/// in which it was asked.
pub trait Engine: Send + Sync + 'static {
    /// Answers an SDP offer with a new session, through [`Offer::reply`].
    fn offer(&self, offer: Offer);

    /// Adds a candidate (`candidate:…`, well-formed, without `a=`) of the client's.
    fn candidate(&self, viewer: ViewerId, candidate: String);

    /// Ends a session. Unknown and already ended ones are ignored.
    fn close(&self, viewer: ViewerId, reason: EndReason);

    /// Gives a session's leases back; nothing more is sent to it than keeps it alive. Idempotent.
    fn pause(&self, viewer: ViewerId, done: Done);

    /// Takes a lease for a session again; it starts with a keyframe. Idempotent.
    fn resume(&self, viewer: ViewerId, done: Done);

    /// Stops a session's sound, or has it again while it is not paused. Idempotent.
    fn set_muted(&self, viewer: ViewerId, muted: bool, done: Done);

    /// Sends on one of a session's data channels. Dropped when either is gone.
    fn send(&self, viewer: ViewerId, channel: ChannelId, message: Message);

    /// Asks for a keyframe on behalf of a session.
    fn request_keyframe(&self, viewer: ViewerId);

    /// Whose connection decides the bitrate.
    fn lead(&self, viewer: Option<ViewerId>);

    /// Takes over an ICE-TCP connection (RFC 4571 framing) that arrived on the HTTP port. Nothing has
    /// been read from it; it is non-blocking. It comes from anybody: it has to be dropped unless its
    /// first message is a STUN request for one of the engine's sessions, and soon.
    fn accept_ice_tcp(&self, connection: TcpStream);

    /// The host's state, now and whenever it changes.
    fn host_state(&self) -> watch::Receiver<HostState>;

    /// The source's state, now and whenever it changes.
    fn video_input(&self) -> watch::Receiver<VideoInputState>;

    /// The pointer, now and whenever it changes.
    fn cursor(&self) -> watch::Receiver<CursorState>;

    /// The clipboard's text, now and whenever it changes.
    fn clipboard(&self) -> watch::Receiver<Option<Arc<str>>>;

    /// The clipboard's text now.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] where there is no clipboard to share.
    fn clipboard_text(&self) -> Result<Option<Arc<str>>, EngineError> {
        Ok(self.clipboard().borrow().clone())
    }

    /// Sets the clipboard's text.
    ///
    /// # Errors
    /// [`EngineError`].
    fn set_clipboard(&self, text: &str) -> Result<(), EngineError>;

    /// The parameters of the stream.
    fn stream_parameters(&self) -> StreamParameters;

    /// Changes parameters of the stream and answers with all of them. May wait.
    ///
    /// # Errors
    /// [`EngineError::Parameter`]; nothing was changed then.
    fn set_stream_parameters(&self, change: &StreamChange)
    -> Result<StreamParameters, EngineError>;

    /// What can be streamed. May wait.
    fn list_sources(&self) -> Vec<Choice>;

    /// Streams another source. May wait.
    ///
    /// # Errors
    /// [`EngineError`]; the old one stays then.
    fn select_source(&self, name: &str) -> Result<(), EngineError>;

    /// What can encode. May wait.
    fn list_encoders(&self) -> Vec<Choice>;

    /// Encodes with another encoder. May wait.
    ///
    /// # Errors
    /// [`EngineError`]; the old one stays then.
    fn select_encoder(&self, name: &str) -> Result<(), EngineError>;

    /// Stops the host, soon.
    fn quit(&self);
}

/// Why the engine did not do as it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A value cannot be used.
    #[error("{field}: {message}")]
    Parameter {
        /// Which one, as it is called on the wire.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// This host cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

/// The pointer as the source shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorState {
    /// Its image; nothing when it is part of the picture.
    pub image: Option<Arc<CursorImage>>,
    /// Where it is: 0 to 65535 over the picture.
    pub at: (u16, u16),
    /// Whether it is shown.
    pub visible: bool,
}

/// The image of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorImage {
    /// The same image has the same number.
    pub id: u64,
    /// As a PNG.
    pub png: Vec<u8>,
    /// The pixel that points.
    pub hot: (u32, u32),
}

/// An SDP offer on its way to the engine.
#[derive(Debug)]
pub struct Offer {
    /// The offer.
    pub sdp: String,
    /// How it came, which tells what kind of client it is.
    pub via: Via,
    /// Both ends of the connection it came over, where it came over the network.
    pub ends: Option<Ends>,
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
    /// The login ended while the offer was on its way.
    #[error("the login has ended")]
    LoggedOut,
    /// The engine did not answer in time.
    #[error("the host did not answer the offer in time")]
    TimedOut,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopped,
}
