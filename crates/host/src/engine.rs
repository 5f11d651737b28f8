//! The media engine as sessions see it: offers, ends and state between two threads, and everything
//! that can be asked of the stream.

use crate::board::StateBoard;
use crate::clipboard::ClipboardBoard;
use crate::cursor::CursorDesk;
use crate::moonlight::MoonlightSlot;
use crate::sound::Sound;
use crate::stream::Stream;
use control_api::{
    Choice, EndReason, HostState, StreamChange, StreamParameters, Via, VideoInputState,
};
use events::ViewerId;
use media::{ChannelEvent, ChannelId, Message};
use sessions::{CursorState, Done, EngineError, Hub, Offer, OfferError, WeakHub};
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{oneshot, watch};

/// Who waits for the end of which session.
#[derive(Clone, Default)]
pub(crate) struct Endings(Arc<Mutex<HashMap<ViewerId, oneshot::Sender<EndReason>>>>);

impl Endings {
    fn lock(&self) -> MutexGuard<'_, HashMap<ViewerId, oneshot::Sender<EndReason>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits that a session ended.
    pub(crate) fn ended(&self, viewer: ViewerId, reason: EndReason) {
        if let Some(waiting) = self.lock().remove(&viewer) {
            // Nobody listens any more: then nobody needs to be told.
            let _ = waiting.send(reason);
        }
    }
}

/// The hub, once there is one: the engine is made first, and calls it later.
#[derive(Clone, Default)]
pub(crate) struct HubSlot(Arc<OnceLock<WeakHub>>);

impl HubSlot {
    pub(crate) fn fill(&self, hub: WeakHub) {
        // Only the start of the host fills it.
        let _ = self.0.set(hub);
    }

    /// Hands on what happened to a data channel. Runs on the network thread.
    pub(crate) fn channel_event(&self, viewer: ViewerId, event: ChannelEvent<'_>) {
        let Some(hub) = self.hub() else {
            return;
        };
        hub.channel_event(viewer, event);
    }

    /// The hub, while there is one.
    pub(crate) fn hub(&self) -> Option<Hub> {
        self.0.get().and_then(WeakHub::upgrade)
    }

    /// Hands a pad's rumble or the keyboard's lights to a session.
    pub(crate) fn feedback(&self, viewer: ViewerId, bytes: Vec<u8>) {
        if let Some(hub) = self.hub() {
            hub.send_input_feedback(viewer, bytes);
        }
    }
}

/// Stops the host, soon; called from any thread.
pub(crate) type OnQuit = Box<dyn Fn() + Send + Sync>;

/// Implements what sessions ask for.
pub(crate) struct MediaEngine {
    pub(crate) engine: Arc<webrtc::Engine>,
    pub(crate) moonlight: MoonlightSlot,
    pub(crate) endings: Endings,
    pub(crate) board: Arc<StateBoard>,
    pub(crate) stream: Arc<Stream>,
    pub(crate) sound: Arc<Sound>,
    pub(crate) cursor: Arc<CursorDesk>,
    pub(crate) clipboard: Arc<ClipboardBoard>,
    pub(crate) on_quit: OnQuit,
}

impl MediaEngine {
    /// The server of Moonlight clients, if the session is one of theirs.
    fn moonlight_with(&self, viewer: ViewerId) -> Option<Arc<gamestream::Server>> {
        self.moonlight.get().filter(|server| server.has(viewer))
    }
}

impl sessions::Engine for MediaEngine {
    fn offer(&self, offer: Offer) {
        let Offer {
            sdp,
            via,
            reply,
            ended,
            ..
        } = offer;
        let (endings, engine) = (self.endings.clone(), Arc::downgrade(&self.engine));
        let cursor = Arc::clone(&self.cursor);
        self.sound.look();
        let options = webrtc::SessionOptions {
            flavour: match via {
                Via::JetKvm => webrtc::Flavour::JetKvm,
                Via::WebSocket | Via::Whep | Via::Stdio | Via::Moonlight => webrtc::Flavour::Page,
            },
        };
        let on_answer = move |outcome: Result<webrtc::Answer, webrtc::OfferError>| match outcome {
            Ok(webrtc::Answer { viewer, sdp }) => {
                endings.lock().insert(viewer, ended);
                cursor.joined(viewer, via == Via::WebSocket);
                if reply.send(Ok(sessions::Answer { viewer, sdp })).is_err()
                    && let Some(engine) = engine.upgrade()
                {
                    // The client went away before its answer came.
                    engine.close(viewer, EndReason::Quit);
                }
            }
            Err(error) => {
                // Nobody waits for the refusal any more: then nobody needs it.
                let _ = reply.send(Err(refusal(error)));
            }
        };
        self.engine.offer(sdp, options, Box::new(on_answer));
    }

    fn candidate(&self, viewer: ViewerId, candidate: String) {
        self.engine.candidate(viewer, candidate);
    }

    fn close(&self, viewer: ViewerId, reason: EndReason) {
        match self.moonlight_with(viewer) {
            Some(server) => drop(server.close(viewer, reason)),
            None => self.engine.close(viewer, reason),
        }
    }

    fn pause(&self, viewer: ViewerId, done: Done) {
        self.engine.pause(viewer, done);
    }

    fn resume(&self, viewer: ViewerId, done: Done) {
        self.engine.resume(viewer, done);
    }

    fn set_muted(&self, viewer: ViewerId, muted: bool, done: Done) {
        self.engine.set_muted(viewer, muted, done);
    }

    fn send(&self, viewer: ViewerId, channel: ChannelId, message: Message) {
        self.engine.send(viewer, channel, message);
    }

    fn request_keyframe(&self, viewer: ViewerId) {
        match self.moonlight_with(viewer) {
            Some(server) => server.request_keyframe(viewer),
            None => self.engine.request_keyframe(viewer),
        }
    }

    fn lead(&self, viewer: Option<ViewerId>) {
        self.engine.lead(viewer);
    }

    fn accept_ice_tcp(&self, connection: TcpStream) {
        self.engine.accept_tcp(connection);
    }

    fn host_state(&self) -> watch::Receiver<HostState> {
        self.board.host()
    }

    fn video_input(&self) -> watch::Receiver<VideoInputState> {
        self.board.video()
    }

    fn cursor(&self) -> watch::Receiver<CursorState> {
        self.cursor.watch()
    }

    fn clipboard(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.clipboard.watch()
    }

    fn clipboard_text(&self) -> Result<Option<Arc<str>>, EngineError> {
        self.clipboard.text()
    }

    fn set_clipboard(&self, text: &str) -> Result<(), EngineError> {
        self.clipboard.set(text)
    }

    fn stream_parameters(&self) -> StreamParameters {
        self.stream.parameters()
    }

    fn set_stream_parameters(
        &self,
        change: &StreamChange,
    ) -> Result<StreamParameters, EngineError> {
        self.stream.change(change)
    }

    fn list_sources(&self) -> Vec<Choice> {
        self.stream.sources()
    }

    fn select_source(&self, name: &str) -> Result<(), EngineError> {
        self.stream.select_source(name)
    }

    fn list_encoders(&self) -> Vec<Choice> {
        self.stream.encoders()
    }

    fn select_encoder(&self, name: &str) -> Result<(), EngineError> {
        self.stream.select_encoder(name)
    }

    fn quit(&self) {
        (self.on_quit)();
    }
}

fn refusal(error: webrtc::OfferError) -> OfferError {
    match error {
        webrtc::OfferError::Malformed(why) => OfferError::Malformed { why },
        webrtc::OfferError::NoCommonCodec => OfferError::NoCommonCodec,
        webrtc::OfferError::Busy(why) => OfferError::Unavailable { why },
    }
}
