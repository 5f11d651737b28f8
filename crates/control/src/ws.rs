//! The page's WebSocket: one conversation with its one session, its statistics and its heartbeat.
//!
//! A bad message is answered and forgotten; only one that is too long ends the conversation.

use crate::access::Role;
use crate::app::{App, Connection, MAX_MESSAGE_BYTES};
use crate::engine::EndReason;
use crate::headers::{self, Sender};
use crate::jsonrpc::{self, RpcError};
use crate::lanes::{Lanes, Reply};
use crate::protocol::{HostState, SessionEnded, StatsFrames, StatsSecond, VideoInputState};
use crate::session::{Ends, LiveSession};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use events::ViewerId;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// Messages up to this are read whole, so that one which is too long can be answered properly. Beyond
/// it the connection just ends.
const MAX_READ_BYTES: usize = 1024 * 1024;
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Answers that wait for the writer.
const OUTGOING_DEPTH: usize = 64;
/// How often frames are sent to a subscriber, and how often only seconds are.
const FRAMES_PERIOD: Duration = Duration::from_millis(200);
const SECONDS_PERIOD: Duration = Duration::from_secs(1);
/// How long the other side gets to answer our close.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// `GET /api/ws`
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Extension(role): Extension<Role>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Browsers let every page open a WebSocket to everywhere, and send its origin along.
    if headers::sender(&headers, app.gate.uses_tls()) != Sender::OwnPage {
        let why = "the Origin of a WebSocket must be this host\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    upgrade
        .max_message_size(MAX_READ_BYTES)
        .max_frame_size(MAX_READ_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(move |socket| async move {
            let mut conversation = Conversation::new(app, socket, connection.ends, role);
            let ending = conversation.run().await;
            conversation.finish(ending).await;
            drop(connection);
        })
}

/// The connection that delivered a call, as its handler sees it.
pub(crate) struct Caller {
    app: Arc<App>,
    role: Role,
    ends: Ends,
    slot: Mutex<Slot>,
    subscription: Mutex<Option<Subscription>>,
    outgoing: mpsc::Sender<String>,
}

/// The connection's one session.
enum Slot {
    Empty,
    Live(LiveSession),
    /// The connection is over: a session that comes late is closed at once.
    Closed,
}

struct Subscription {
    frames: bool,
    cursor: u64,
    second: u64,
    _demand: stats::Activity,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one assignment, so a panic leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn ends(&self) -> Ends {
        self.ends
    }

    pub(crate) fn outgoing(&self) -> mpsc::Sender<String> {
        self.outgoing.clone()
    }

    pub(crate) fn has_session(&self) -> bool {
        self.viewer().is_some()
    }

    fn viewer(&self) -> Option<ViewerId> {
        match &*lock(&self.slot) {
            Slot::Live(session) => Some(session.viewer()),
            Slot::Empty | Slot::Closed => None,
        }
    }

    /// Makes `session` the connection's session. The one before is closed only now, so that the
    /// encoder keeps running in between.
    pub(crate) fn adopt(
        self: &Arc<Self>,
        session: LiveSession,
        ended: oneshot::Receiver<EndReason>,
    ) {
        let viewer = session.viewer();
        {
            let mut slot = lock(&self.slot);
            if matches!(*slot, Slot::Closed) {
                return;
            }
            if let Slot::Live(before) = std::mem::replace(&mut *slot, Slot::Live(session)) {
                before.close(EndReason::Replaced);
            }
        }
        let caller = Arc::clone(self);
        tokio::spawn(async move {
            let reason = ended.await.unwrap_or(EndReason::Error);
            if caller.forget_session(viewer) {
                caller
                    .notify("session.ended", &SessionEnded { reason })
                    .await;
            }
        });
    }

    /// Forgets a session that the engine ended; false when it is not the present one.
    fn forget_session(&self, viewer: ViewerId) -> bool {
        let mut slot = lock(&self.slot);
        match &*slot {
            Slot::Live(session) if session.viewer() == viewer => {}
            _ => return false,
        }
        if let Slot::Live(session) = std::mem::replace(&mut *slot, Slot::Empty) {
            session.forget();
        }
        true
    }

    /// Ends the session, if there is one.
    pub(crate) fn close_session(&self, reason: EndReason) -> bool {
        let mut slot = lock(&self.slot);
        if !matches!(*slot, Slot::Live(_)) {
            return false;
        }
        if let Slot::Live(session) = std::mem::replace(&mut *slot, Slot::Empty) {
            session.close(reason);
        }
        true
    }

    /// Ends the session and takes no other.
    fn close_for_good(&self, reason: EndReason) {
        if let Slot::Live(session) = std::mem::replace(&mut *lock(&self.slot), Slot::Closed) {
            session.close(reason);
        }
        self.unsubscribe();
    }

    pub(crate) fn candidate(&self, candidate: &str) -> Result<(), RpcError> {
        match &*lock(&self.slot) {
            Slot::Live(session) => {
                session.candidate(candidate);
                Ok(())
            }
            Slot::Empty | Slot::Closed => Err(RpcError::no_session()),
        }
    }

    pub(crate) fn subscribe(&self, frames: bool) {
        let stats = &self.app.stats;
        let demand = if frames {
            stats.watch()
        } else {
            stats.activity()
        };
        *lock(&self.subscription) = Some(Subscription {
            frames,
            cursor: 0,
            second: 0,
            _demand: demand,
        });
    }

    pub(crate) fn unsubscribe(&self) {
        *lock(&self.subscription) = None;
    }

    fn stats_period(&self) -> Option<Duration> {
        let subscription = lock(&self.subscription);
        let period = |s: &Subscription| {
            if s.frames {
                FRAMES_PERIOD
            } else {
                SECONDS_PERIOD
            }
        };
        subscription.as_ref().map(period)
    }

    /// The notifications that are due for a subscriber.
    fn new_stats(&self) -> Vec<String> {
        let mut subscription = lock(&self.subscription);
        let (Some(subscription), Some(viewer)) = (subscription.as_mut(), self.viewer()) else {
            return Vec::new();
        };
        let mut messages = Vec::new();
        if subscription.frames {
            let new = self.app.stats.frames_since(viewer, subscription.cursor);
            subscription.cursor = new.cursor;
            if !new.records.is_empty() {
                let frames = StatsFrames {
                    frames: new.records,
                };
                messages.extend(notification("stats.frames", &frames));
            }
        }
        if let Some(second) = self.app.stats.latest()
            && second.number != subscription.second
        {
            subscription.second = second.number;
            // A viewer that is not in it was sent nothing in this second.
            let mine = second.viewers.get(&viewer.0).map(StatsSecond::from);
            messages.extend(notification("stats.second", &mine.unwrap_or_default()));
        }
        messages
    }

    async fn notify(&self, method: &str, params: &(impl Serialize + Sync)) {
        if let Some(text) = notification(method, params) {
            // The connection may be over; then nobody is left to tell.
            let _ = self.outgoing.send(text).await;
        }
    }
}

fn notification(method: &str, params: &impl Serialize) -> Option<String> {
    jsonrpc::write_notification(method, params)
        .inspect_err(|error| tracing::error!(%error, method, "a notification cannot be written"))
        .ok()
}

/// `text`, unless it is what was shown last.
fn unseen(shown: &mut String, text: Option<String>) -> Option<String> {
    let text = text.filter(|text| text != shown)?;
    shown.clone_from(&text);
    Some(text)
}

/// Why a conversation ends.
enum Ending {
    /// The other side closed it.
    Left,
    /// The other side is gone, or talks nonsense.
    Broken,
    /// We close it, with a code and a reason.
    Close(u16, &'static str),
    /// The host stops.
    HostStops,
}

struct Conversation {
    socket: WebSocket,
    caller: Arc<Caller>,
    lanes: Lanes,
    outgoing: mpsc::Receiver<String>,
    host_state: watch::Receiver<HostState>,
    video_input: watch::Receiver<VideoInputState>,
    shown: Shown,
    heard: Instant,
    stats_sent: Instant,
}

/// What the page was told last: a state that was written anew but is the same is not sent again.
#[derive(Default)]
struct Shown {
    host_state: String,
    video_input: String,
}

impl Conversation {
    fn new(app: Arc<App>, socket: WebSocket, ends: Ends, role: Role) -> Self {
        let (outgoing, outgoing_queue) = mpsc::channel(OUTGOING_DEPTH);
        let mut host_state = app.engine.host_state();
        let mut video_input = app.engine.video_input();
        // The first turn of the loop sends both.
        host_state.mark_changed();
        video_input.mark_changed();
        let caller = Arc::new(Caller {
            app,
            role,
            ends,
            slot: Mutex::new(Slot::Empty),
            subscription: Mutex::new(None),
            outgoing,
        });
        Self {
            socket,
            lanes: Lanes::new(Arc::clone(&caller)),
            caller,
            outgoing: outgoing_queue,
            host_state,
            video_input,
            shown: Shown::default(),
            heard: Instant::now(),
            stats_sent: Instant::now(),
        }
    }

    async fn run(&mut self) -> Ending {
        let app = Arc::clone(&self.caller.app);
        loop {
            let silent_at = self.heard + self.silence_limit();
            let stats_at = self
                .caller
                .stats_period()
                .map(|period| self.stats_sent + period);
            let stats_due = async {
                match stats_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // In this order: what waits to be sent goes before the next message is read, so answers
            // cannot pile up; what was received counts before silence does.
            let turn = tokio::select! {
                biased;
                () = app.stopped() => return Ending::HostStops,
                Some(text) = self.outgoing.recv() => self.send(text).await,
                Ok(()) = self.host_state.changed() => self.send_host_state().await,
                Ok(()) = self.video_input.changed() => self.send_video_input().await,
                () = stats_due => self.send_stats().await,
                message = self.socket.recv() => self.received(message).await,
                () = sleep_until(silent_at) => self.silent(),
            };
            if let Err(ending) = turn {
                return ending;
            }
        }
    }

    fn silence_limit(&self) -> Duration {
        let limits = &self.caller.app.limits;
        if self.caller.has_session() {
            limits.session_silence
        } else {
            limits.connection_silence
        }
    }

    async fn received(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Ending> {
        self.heard = Instant::now();
        let message = match message {
            None | Some(Ok(Message::Close(_))) => return Err(Ending::Left),
            Some(Err(error)) => {
                tracing::debug!(%error, client = %self.caller.ends.client, "WebSocket broke");
                return Err(Ending::Broken);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message.into_data(),
        };
        if message.len() > MAX_MESSAGE_BYTES {
            let error = RpcError::invalid_request("the message is longer than 65536 bytes");
            let id = jsonrpc::Id::null();
            let outcome = Err(error);
            self.send(jsonrpc::write_response(&jsonrpc::Response { id, outcome }))
                .await?;
            return Err(Ending::Close(
                close_code::SIZE,
                "message longer than 65536 bytes",
            ));
        }
        match self.lanes.take(jsonrpc::parse(&message)) {
            // Sent before the next message is read, so that a flood of bad ones fills no queue.
            Reply::Now(text) => self.send(text).await,
            Reply::Nothing | Reply::Later => Ok(()),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Ending> {
        let sent = timeout(
            self.caller.app.limits.write,
            self.socket.send(Message::text(text)),
        )
        .await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ending::Broken),
        }
    }

    async fn send_host_state(&mut self) -> Result<(), Ending> {
        let text = notification("host.state", &*self.host_state.borrow_and_update());
        match unseen(&mut self.shown.host_state, text) {
            Some(text) => self.send(text).await,
            None => Ok(()),
        }
    }

    async fn send_video_input(&mut self) -> Result<(), Ending> {
        let text = notification("videoInputState", &*self.video_input.borrow_and_update());
        match unseen(&mut self.shown.video_input, text) {
            Some(text) => self.send(text).await,
            None => Ok(()),
        }
    }

    async fn send_stats(&mut self) -> Result<(), Ending> {
        self.stats_sent = Instant::now();
        for text in self.caller.new_stats() {
            self.send(text).await?;
        }
        Ok(())
    }

    /// Nothing was heard for too long: first the session goes, then the connection.
    fn silent(&mut self) -> Result<(), Ending> {
        if !self.caller.close_session(EndReason::Timeout) {
            return Err(Ending::Close(close_code::POLICY, "silent for too long"));
        }
        let reason = EndReason::Timeout;
        if let Some(text) = notification("session.ended", &SessionEnded { reason }) {
            // A page that reads nothing either learns of it when it asks again.
            let _ = self.caller.outgoing.try_send(text);
        }
        Ok(())
    }

    /// Tears down in order: no more calls, those that wait run, then the session goes.
    async fn finish(mut self, ending: Ending) {
        let app = Arc::clone(&self.caller.app);
        let (reason, close) = match ending {
            Ending::Left => (EndReason::Quit, None),
            Ending::Broken => {
                let words = "not a WebSocket message, or far too long";
                (EndReason::Lost, Some((close_code::PROTOCOL, words)))
            }
            Ending::Close(code, words) => (EndReason::Error, Some((code, words))),
            Ending::HostStops => (
                EndReason::HostStopped,
                Some((close_code::AWAY, "the host stops")),
            ),
        };
        self.lanes.close(app.limits.teardown).await;
        let told = self.caller.has_session();
        self.caller.close_for_good(reason);
        let Some((code, words)) = close else {
            return;
        };
        let farewell = async {
            if told && let Some(text) = notification("session.ended", &SessionEnded { reason }) {
                self.socket.send(Message::text(text)).await?;
            }
            let frame = CloseFrame {
                code,
                reason: words.into(),
            };
            self.socket.send(Message::Close(Some(frame))).await?;
            // What the other side still sends is read, because closing on unread bytes resets the
            // connection, and the close frame would be lost with it.
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<(), axum::Error>(())
        };
        // The other side may be gone or in no hurry; either way it is over after this.
        let _ = timeout(CLOSE_GRACE, farewell).await;
    }
}
