//! A media engine and an input desk that follow the script and report every call.

use control_api::{
    Choice, EndReason, HostState, InputEvent, InputRights, InputState, SourceInfo, StreamChange,
    StreamParameters, VideoInputState,
};
use events::ViewerId;
use media::MonoTime;
use sessions::{
    Answer, ChannelId, CursorState, Desk, Done, Engine, EngineError, InputChannel, InputRefused,
    Message, Offer, OfferError,
};
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use tokio::sync::{oneshot, watch};

/// What the engine was asked to do.
pub enum Event {
    Offered(ViewerId),
    /// An offer that is not answered until the test does.
    Held(Offer),
    Candidate(ViewerId, String),
    Closed(ViewerId, EndReason),
    IceTcp(TcpStream),
    /// A pause (true) or resume that is not done until the test says so.
    HeldPause(ViewerId, bool, Done),
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offered(viewer) => write!(f, "Offered({viewer:?})"),
            Self::Held(offer) => write!(f, "Held({offer:?})"),
            Self::Candidate(viewer, candidate) => write!(f, "Candidate({viewer:?}, {candidate})"),
            Self::Closed(viewer, reason) => write!(f, "Closed({viewer:?}, {reason:?})"),
            Self::IceTcp(stream) => write!(f, "IceTcp({stream:?})"),
            Self::HeldPause(viewer, paused, _) => write!(f, "HeldPause({viewer:?}, {paused})"),
        }
    }
}

/// A session as the engine sees it.
struct Live {
    ended: oneshot::Sender<EndReason>,
    /// It holds its lease.
    leased: bool,
    muted: bool,
}

pub struct FakeEngine {
    events: Mutex<Sender<Event>>,
    next_viewer: AtomicU32,
    live: Mutex<HashMap<ViewerId, Live>>,
    pub host_state: watch::Sender<HostState>,
    pub video_input: watch::Sender<VideoInputState>,
    pub cursor: watch::Sender<CursorState>,
    pub clipboard: watch::Sender<Option<Arc<str>>>,
    /// Pauses and resumes wait for the test.
    pub hold_pauses: AtomicBool,
    /// What was sent on data channels.
    pub sent: Mutex<Vec<(ViewerId, ChannelId, Message)>>,
    pub lead: Mutex<Option<ViewerId>>,
    pub keyframes: AtomicU32,
    pub quit: AtomicBool,
}

impl FakeEngine {
    pub fn new(events: Sender<Event>) -> Self {
        let state = HostState {
            version: "1.2.3".to_owned(),
            source: Some(SourceInfo {
                name: "test-pattern".to_owned(),
                detail: "1280x720".to_owned(),
            }),
            bitrate_bps: Some(8_000_000),
            ..HostState::default()
        };
        let input = VideoInputState {
            ready: true,
            ..VideoInputState::default()
        };
        Self {
            events: Mutex::new(events),
            next_viewer: AtomicU32::new(1),
            live: Mutex::new(HashMap::new()),
            host_state: watch::Sender::new(state),
            video_input: watch::Sender::new(input),
            cursor: watch::Sender::default(),
            clipboard: watch::Sender::default(),
            hold_pauses: AtomicBool::new(false),
            sent: Mutex::default(),
            lead: Mutex::default(),
            keyframes: AtomicU32::new(0),
            quit: AtomicBool::new(false),
        }
    }

    /// Ends a session from this side; without a reason its sender is just dropped.
    pub fn end(&self, viewer: ViewerId, reason: Option<EndReason>) {
        let live = self.live.lock().unwrap().remove(&viewer).unwrap();
        if let Some(reason) = reason {
            live.ended.send(reason).unwrap();
        }
    }

    pub fn live(&self) -> Vec<ViewerId> {
        self.live.lock().unwrap().keys().copied().collect()
    }

    /// Whether a session holds its lease; nothing when it is over.
    pub fn leased(&self, viewer: ViewerId) -> Option<bool> {
        self.live
            .lock()
            .unwrap()
            .get(&viewer)
            .map(|live| live.leased)
    }

    /// Answers an offer with a new session.
    pub fn accept(&self, offer: Offer) -> ViewerId {
        let viewer = ViewerId(self.next_viewer.fetch_add(1, Ordering::Relaxed));
        let live = Live {
            ended: offer.ended,
            leased: true,
            muted: false,
        };
        self.live.lock().unwrap().insert(viewer, live);
        let sdp = format!("answer {}", viewer.0);
        self.report(Event::Offered(viewer));
        // The front door may have lost its patience; it then closes the session.
        let _ = offer.reply.send(Ok(Answer { viewer, sdp }));
        viewer
    }

    fn report(&self, event: Event) {
        // At the end of a test nobody listens any more.
        let _ = self.events.lock().unwrap().send(event);
    }

    pub fn muted(&self, viewer: ViewerId) -> Option<bool> {
        self.live
            .lock()
            .unwrap()
            .get(&viewer)
            .map(|live| live.muted)
    }

    fn set_lease(&self, viewer: ViewerId, leased: bool, done: Done) {
        let lives = self
            .live
            .lock()
            .unwrap()
            .get_mut(&viewer)
            .map(|live| live.leased = leased);
        if self.hold_pauses.load(Ordering::SeqCst) {
            self.report(Event::HeldPause(viewer, !leased, done));
        } else {
            done(lives.is_some());
        }
    }
}

impl Engine for FakeEngine {
    fn offer(&self, offer: Offer) {
        let refusal = match offer.sdp.as_str() {
            "malformed" => OfferError::Malformed {
                why: "no media line".to_owned(),
            },
            "codec" => OfferError::NoCommonCodec,
            "busy" => OfferError::Busy,
            "unavailable" => OfferError::Unavailable {
                why: "no source".to_owned(),
            },
            "hold" => return self.report(Event::Held(offer)),
            "drop" => return,
            "panic" => panic!("the script says so"),
            _ => {
                self.accept(offer);
                return;
            }
        };
        offer.reply.send(Err(refusal)).unwrap();
    }

    fn candidate(&self, viewer: ViewerId, candidate: String) {
        assert!(!candidate.contains("192.0.2.66"), "the script says so");
        self.report(Event::Candidate(viewer, candidate));
    }

    fn close(&self, viewer: ViewerId, reason: EndReason) {
        self.report(Event::Closed(viewer, reason));
        if let Some(live) = self.live.lock().unwrap().remove(&viewer) {
            let _ = live.ended.send(reason);
        }
    }

    fn pause(&self, viewer: ViewerId, done: Done) {
        self.set_lease(viewer, false, done);
    }

    fn resume(&self, viewer: ViewerId, done: Done) {
        self.set_lease(viewer, true, done);
    }

    fn set_muted(&self, viewer: ViewerId, muted: bool, done: Done) {
        let mut live = self.live.lock().unwrap();
        let lives = live.get_mut(&viewer).map(|live| live.muted = muted);
        drop(live);
        done(lives.is_some());
    }

    fn send(&self, viewer: ViewerId, channel: ChannelId, message: Message) {
        self.sent.lock().unwrap().push((viewer, channel, message));
    }

    fn request_keyframe(&self, _: ViewerId) {
        self.keyframes.fetch_add(1, Ordering::SeqCst);
    }

    fn lead(&self, viewer: Option<ViewerId>) {
        *self.lead.lock().unwrap() = viewer;
    }

    fn accept_ice_tcp(&self, connection: TcpStream) {
        self.report(Event::IceTcp(connection));
    }

    fn host_state(&self) -> watch::Receiver<HostState> {
        self.host_state.subscribe()
    }

    fn video_input(&self) -> watch::Receiver<VideoInputState> {
        self.video_input.subscribe()
    }

    fn cursor(&self) -> watch::Receiver<CursorState> {
        self.cursor.subscribe()
    }

    fn clipboard(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.clipboard.subscribe()
    }

    fn set_clipboard(&self, text: &str) -> Result<(), EngineError> {
        self.clipboard.send_replace(Some(text.into()));
        Ok(())
    }

    fn stream_parameters(&self) -> StreamParameters {
        StreamParameters {
            fps: 60,
            size: "source".to_owned(),
            ..StreamParameters::default()
        }
    }

    fn set_stream_parameters(
        &self,
        change: &StreamChange,
    ) -> Result<StreamParameters, EngineError> {
        match change.fps {
            Some(0) => Err(EngineError::Parameter {
                field: "fps",
                message: "1 to 240".to_owned(),
            }),
            fps => Ok(StreamParameters {
                fps: fps.unwrap_or(60),
                ..self.stream_parameters()
            }),
        }
    }

    fn list_sources(&self) -> Vec<Choice> {
        vec![Choice {
            name: "test-pattern".to_owned(),
            available: true,
            selected: true,
            ..Choice::default()
        }]
    }

    fn select_source(&self, name: &str) -> Result<(), EngineError> {
        match name {
            "test-pattern" => Ok(()),
            _ => Err(EngineError::Unsupported("no such source here".to_owned())),
        }
    }

    fn list_encoders(&self) -> Vec<Choice> {
        Vec::new()
    }

    fn select_encoder(&self, _: &str) -> Result<(), EngineError> {
        panic!("the script says so")
    }

    fn quit(&self) {
        self.quit.store(true, Ordering::SeqCst);
    }
}

/// A desk that keeps what reaches it.
#[derive(Default)]
pub struct FakeDesk {
    pub state: watch::Sender<InputState>,
    permitted: Mutex<HashMap<ViewerId, InputRights>>,
    /// What came from whom, in words.
    pub log: Mutex<Vec<String>>,
    pub active: Mutex<Option<MonoTime>>,
}

impl FakeDesk {
    fn note(&self, what: String) {
        self.log.lock().unwrap().push(what);
    }

    pub fn permitted(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.permitted.lock().unwrap().keys().map(|v| v.0).collect();
        all.sort_unstable();
        all
    }

    /// Which of a session's input counts.
    pub fn rights(&self, viewer: ViewerId) -> InputRights {
        let permitted = self.permitted.lock().unwrap();
        permitted.get(&viewer).copied().unwrap_or(InputRights::NONE)
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Desk for FakeDesk {
    fn push(
        &self,
        viewer: ViewerId,
        channel: InputChannel,
        bytes: &[u8],
    ) -> Result<(), InputRefused> {
        self.note(format!("{} {channel:?} {bytes:?}", viewer.0));
        match bytes.first() {
            Some(0xfe) => Err(InputRefused::Full),
            Some(0xff) => Err(InputRefused::Malformed("no such message".to_owned())),
            _ => Ok(()),
        }
    }

    fn inject(&self, viewer: ViewerId, event: &InputEvent) -> Result<(), InputRefused> {
        self.note(format!("{} {event:?}", viewer.0));
        Ok(())
    }

    fn permit(&self, viewer: ViewerId, rights: InputRights) {
        assert_ne!(rights, InputRights::NONE, "that is a revocation");
        self.permitted.lock().unwrap().insert(viewer, rights);
    }

    fn revoke(&self, viewer: ViewerId) {
        assert!(
            self.permitted.lock().unwrap().remove(&viewer).is_some(),
            "revoked for nothing"
        );
        self.note(format!("{} revoked", viewer.0));
    }

    fn release_all(&self, viewer: ViewerId) {
        self.note(format!("{} released", viewer.0));
    }

    fn last_active(&self, _: ViewerId) -> Option<MonoTime> {
        *self.active.lock().unwrap()
    }

    fn state(&self) -> watch::Receiver<InputState> {
        self.state.subscribe()
    }
}
