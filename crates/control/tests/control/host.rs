//! A front door on a free loopback port, with everything around it.

use crate::client::{Reply, Ws, exchange};
use crate::engine::{Event, FakeDesk, FakeEngine};
use control::{AccessMode, Config, Handle, Parts, Server};
use control_api::{ControlPolicy, EndReason};
use events::{EventRing, EventSink, ViewerId};
use sessions::{Hub, HubParts, HubThread, Limits};
use stats::Collector;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Nothing that a test waits for takes this long; it only keeps a broken test from hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Host {
    pub handle: Handle,
    pub engine: Arc<FakeEngine>,
    pub desk: Arc<FakeDesk>,
    pub thread: HubThread,
    pub events: Receiver<Event>,
    pub links: Receiver<String>,
    pub sink: EventSink,
    _collector: Collector,
    _state_dir: tempfile::TempDir,
}

impl Host {
    /// With a login, as it runs by default.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// Open to everybody on this machine.
    pub fn open() -> Self {
        Self::with(|config| config.access = AccessMode::Open)
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_limits(Limits::default(), change)
    }

    /// One that may not start.
    pub fn try_with(change: impl FnOnce(&mut Config)) -> Result<Self, control::Error> {
        Self::try_with_limits(Limits::default(), change)
    }

    pub fn with_limits(limits: Limits, change: impl FnOnce(&mut Config)) -> Self {
        Self::try_with_limits(limits, change).unwrap()
    }

    fn try_with_limits(
        limits: Limits,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, control::Error> {
        let state_dir = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(listen, state_dir.path().to_owned());
        change(&mut config);
        let (on_event, events) = channel();
        let (on_link, links) = channel();
        let on_link = Mutex::new(on_link);
        let (sink, ring) = EventRing::new(1024);
        let collector = Collector::start(ring).unwrap();
        let engine = Arc::new(FakeEngine::new(on_event));
        let desk = Arc::new(FakeDesk::default());
        let thread = Hub::start(HubParts {
            engine: Arc::clone(&engine) as Arc<dyn sessions::Engine>,
            desk: Arc::clone(&desk) as Arc<dyn sessions::Desk>,
            stats: collector.reader(),
            limits,
            policy: ControlPolicy::Single,
        })
        .unwrap();
        let parts = Parts {
            hub: thread.hub().clone(),
            on_link: Box::new(move |link| {
                let _ = on_link.lock().unwrap().send(link.to_owned());
            }),
        };
        let handle = Server::start(&config, parts)?;
        Ok(Self {
            handle,
            engine,
            desk,
            thread,
            events,
            links,
            sink,
            _collector: collector,
            _state_dir: state_dir,
        })
    }

    pub fn hub(&self) -> &Hub {
        self.thread.hub()
    }

    /// A page with a session: itself, and its session's number.
    pub fn watching(&self, cookie: &str) -> (Ws, ViewerId) {
        let mut page = self.page_with(cookie);
        page.ok("offer", &serde_json::json!({"sdp": "v=0"}));
        let viewer = self.expect_offered();
        (page, viewer)
    }

    /// Logs in by a share link of that role, and returns the `Cookie` header's value.
    pub fn guest(&self, owner: &mut Ws, role: &str) -> String {
        let wanted = serde_json::json!({"role": role, "forSeconds": 600, "name": role});
        let link = owner.ok("createShareLink", &wanted);
        let reply = self.get(&self.path_of(&link["url"]), &[]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.cookie().unwrap()
    }

    /// Path and query of a link.
    pub fn path_of(&self, url: &serde_json::Value) -> String {
        let base = format!("{}/", self.handle.url());
        format!("/{}", url.as_str().unwrap().strip_prefix(&base).unwrap())
    }

    pub fn address(&self) -> SocketAddr {
        self.handle.local_addr()
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Path and query of the newest link.
    pub fn link(&self) -> String {
        let link = self.links.recv_timeout(PATIENCE).unwrap();
        let base = format!("{}/", self.handle.url());
        format!("/{}", link.strip_prefix(&base).unwrap())
    }

    /// Logs in and returns the `Cookie` header's value.
    pub fn log_in(&self) -> String {
        let reply = self.get(&self.link(), &[]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.cookie().unwrap()
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.request("GET", path, headers, b"")
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let named = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !named("host") {
            head += &format!("Host: {}\r\n", self.address());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        exchange(self.address(), &[head.as_bytes(), body].concat())
    }

    /// A WebSocket of a page that this host served and somebody logged in with.
    pub fn page(&self) -> Ws {
        let cookie = self.log_in();
        self.page_with(&cookie)
    }

    pub fn page_with(&self, cookie: &str) -> Ws {
        Ws::open(
            self.address(),
            &[("Origin", &self.origin()), ("Cookie", cookie)],
        )
        .unwrap()
    }

    pub fn next_event(&self) -> Event {
        self.events
            .recv_timeout(PATIENCE)
            .expect("the engine is called")
    }

    #[track_caller]
    pub fn expect_offered(&self) -> ViewerId {
        match self.next_event() {
            Event::Offered(viewer) => viewer,
            other => panic!("expected an offer: {other:?}"),
        }
    }

    #[track_caller]
    pub fn expect_closed(&self, viewer: ViewerId, reason: EndReason) {
        match self.next_event() {
            Event::Closed(closed, why) => assert_eq!((closed, why), (viewer, reason)),
            other => panic!("expected a close: {other:?}"),
        }
    }

    #[track_caller]
    pub fn expect_candidate(&self, viewer: ViewerId) -> String {
        match self.next_event() {
            Event::Candidate(of, candidate) => {
                assert_eq!(of, viewer);
                candidate
            }
            other => panic!("expected a candidate: {other:?}"),
        }
    }
}
