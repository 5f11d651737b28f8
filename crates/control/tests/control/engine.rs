//! A media engine that follows the script in each offer and reports every call.

use control::{
    Answer, EndReason, Engine, HostState, Offer, OfferError, SourceInfo, VideoInputState,
};
use events::ViewerId;
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};

/// What the engine was asked to do.
#[derive(Debug)]
pub enum Event {
    Offered(ViewerId),
    /// An offer that is not answered until the test does.
    Held(Offer),
    Candidate(ViewerId, String),
    Closed(ViewerId, EndReason),
    IceTcp(TcpStream),
}

pub struct FakeEngine {
    events: Mutex<Sender<Event>>,
    next_viewer: AtomicU32,
    live: Mutex<HashMap<ViewerId, oneshot::Sender<EndReason>>>,
    pub host_state: watch::Sender<HostState>,
    pub video_input: watch::Sender<VideoInputState>,
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
        }
    }

    /// Ends a session from this side; without a reason its sender is just dropped.
    pub fn end(&self, viewer: ViewerId, reason: Option<EndReason>) {
        let ended = self.live.lock().unwrap().remove(&viewer).unwrap();
        if let Some(reason) = reason {
            ended.send(reason).unwrap();
        }
    }

    pub fn live(&self) -> Vec<ViewerId> {
        self.live.lock().unwrap().keys().copied().collect()
    }

    /// Answers an offer with a new session.
    pub fn accept(&self, offer: Offer) -> ViewerId {
        let viewer = ViewerId(self.next_viewer.fetch_add(1, Ordering::Relaxed));
        self.live.lock().unwrap().insert(viewer, offer.ended);
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
        if let Some(ended) = self.live.lock().unwrap().remove(&viewer) {
            let _ = ended.send(reason);
        }
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
}
