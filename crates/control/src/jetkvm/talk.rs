//! One session of a JetKVM client, from its first data channel to its end: what it asks for and what
//! it is told. The session is the hub's like any other; here it only speaks another language.

use super::hands::Hands;
use super::inlet::Event;
use control_api::{EndReason, InputState, SourceProblem, VideoInputState};
use jetkvm::hidrpc::{FromClient, ToClient};
use jetkvm::rpc::{self, Call, Facts, Question, Request, Streaming, VideoError, VideoState};
use serde_json::Value;
use sessions::{ChannelId, Hub, Joined, Message, RoomView, Session};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long a session that was replaced lives on: clients expect the word before the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Calls to pause and resume that may wait.
const LANE_DEPTH: usize = 256;

/// What a session works with.
pub(super) struct Parts {
    pub(super) hub: Hub,
    pub(super) device_id: String,
    pub(super) version: String,
    pub(super) joined: Joined,
    pub(super) events: mpsc::Receiver<Event>,
    /// Fires when another client takes over.
    pub(super) replaced: oneshot::Receiver<()>,
}

/// A client that takes part.
struct Talk {
    facts: Facts,
    hands: Hands,
    session: Session,
    rpc: Option<ChannelId>,
    hid: Option<ChannelId>,
    hid_open: bool,
    hub: Hub,
    room: watch::Receiver<Arc<RoomView>>,
    video: watch::Receiver<VideoInputState>,
    input: watch::Receiver<InputState>,
    events: mpsc::Receiver<Event>,
    controls: bool,
    paused: bool,
    /// Pauses and resumes that were done.
    pauses: mpsc::Receiver<bool>,
    shown: Option<VideoState>,
    lane: mpsc::Sender<Job>,
    /// When a session that was replaced ends.
    leave_at: Option<Instant>,
}

/// A call to pause or resume. They are done one after the other, and nothing else waits for them.
struct Job {
    paused: bool,
    answer_to: Option<(ChannelId, Value)>,
}

/// Serves a session until it ends.
pub(super) async fn serve(parts: Parts) {
    let Parts {
        hub,
        device_id,
        version,
        joined: Joined { session, ended, .. },
        events,
        replaced,
    } = parts;
    let facts = Facts {
        device_id,
        version,
        ..Facts::default()
    };
    let mut talk = Talk::new(hub, facts, session, events);
    let reason = tokio::select! {
        biased;
        // Somebody else ended it.
        _ = ended => return,
        reason = talk.run(replaced) => reason,
    };
    talk.session.close(reason);
}

fn takes_input(state: &InputState) -> bool {
    state.keyboard || state.pointer
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The ordered lane of a session.
async fn work(
    session: sessions::SessionHandle,
    mut jobs: mpsc::Receiver<Job>,
    done: mpsc::Sender<bool>,
) {
    while let Some(Job { paused, answer_to }) = jobs.recv().await {
        let outcome = session.set_paused(paused).await;
        if outcome.is_ok() {
            // The session's task may be gone: then nobody is left to be told.
            let _ = done.send(paused).await;
        }
        if let Some((channel, id)) = answer_to {
            let text = match outcome {
                Ok(()) => rpc::result(&id, &Value::Null),
                Err(error) => rpc::failure(&id, &error.to_string()),
            };
            session.send(channel, Message::Text(text));
        }
    }
}

impl Talk {
    fn new(hub: Hub, facts: Facts, session: Session, events: mpsc::Receiver<Event>) -> Self {
        let (lane, jobs) = mpsc::channel(LANE_DEPTH);
        let (done, pauses) = mpsc::channel(1);
        tokio::spawn(work(session.handle(), jobs, done));
        let mut input = hub.desk().state();
        let takes_input = takes_input(&input.borrow_and_update());
        Self {
            facts: Facts {
                input: takes_input,
                ..facts
            },
            hands: Hands::new(session.handle()),
            controls: session.handle().controls(),
            session,
            rpc: None,
            hid: None,
            hid_open: false,
            room: hub.sessions(),
            video: hub.video_input(),
            input,
            hub,
            events,
            paused: false,
            pauses,
            shown: None,
            lane,
            leave_at: None,
        }
    }

    /// Takes part until there is a reason to end.
    async fn run(&mut self, replaced: oneshot::Receiver<()>) -> EndReason {
        let mut replaced = std::pin::pin!(replaced);
        loop {
            tokio::select! {
                biased;
                () = self.hub.stopped() => return EndReason::HostStopped,
                _ = &mut replaced, if self.leave_at.is_none() => {
                    self.leave_at = Some(Instant::now() + FAREWELL);
                    self.notify(rpc::Event::OtherSessionConnected);
                }
                () = until(self.leave_at) => return EndReason::Replaced,
                () = until(self.hands.deadline()) => {
                    let tell = self.hands.tick(Instant::now());
                    self.tell(tell);
                }
                event = self.events.recv() => match event {
                    Some(event) => self.take(event),
                    // Too much came at once.
                    None => return EndReason::Error,
                },
                Some(paused) = self.pauses.recv() => self.paused_now(paused),
                Ok(()) = self.room.changed() => self.room_changed(),
                Ok(()) = self.video.changed() => self.show_video(),
                Ok(()) = self.input.changed() => self.input_changed(),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Opened(channel, label) => self.opened(channel, &label),
            Event::Message {
                channel,
                binary: true,
                data,
            } => self.take_bytes(channel, &data),
            Event::Message { channel, data, .. } => {
                if Some(channel) == self.rpc
                    && let Ok(text) = std::str::from_utf8(&data)
                {
                    self.take_call(channel, text);
                }
            }
            Event::Closed(channel) => {
                if Some(channel) == self.rpc {
                    self.rpc = None;
                } else if Some(channel) == self.hid {
                    (self.hid, self.hid_open) = (None, false);
                    let tell = self.hands.let_go();
                    self.tell(tell);
                }
            }
        }
    }

    /// Channels that nothing comes from are kept open as well: a client whose `serial` is closed
    /// takes itself for disconnected.
    fn opened(&mut self, channel: ChannelId, label: &str) {
        match label {
            "rpc" => {
                self.rpc = Some(channel);
                self.shown = None;
                self.show_video();
                let input = self.facts.input;
                self.notify(rpc::Event::UsbState { input });
                self.notify(rpc::Event::KeyboardLeds(self.facts.leds));
            }
            "hidrpc" => self.hid = Some(channel),
            _ => {}
        }
    }

    fn take_bytes(&mut self, channel: ChannelId, data: &[u8]) {
        if Some(channel) == self.rpc {
            return;
        }
        match FromClient::parse(data) {
            // A client repeats it until it is echoed, and sends no input before.
            Ok(FromClient::Handshake { .. }) if Some(channel) == self.hid => {
                self.hid_open = true;
                self.send_hid(ToClient::Handshake);
                self.send_hid(ToClient::Leds(self.facts.leds));
                self.send_hid(ToClient::KeysDown(self.hands.down()));
            }
            Ok(message) => {
                let tell = self.hands.take(message, Instant::now());
                self.tell(tell);
            }
            Err(error) => {
                let viewer = self.session.viewer().0;
                tracing::debug!(viewer, %error, "a message that is no input");
            }
        }
    }

    fn take_call(&mut self, channel: ChannelId, text: &str) {
        let Request { id, call } = match rpc::parse(text) {
            Ok(request) => request,
            Err(refusal) => {
                if let Some(refusal) = refusal {
                    self.send(channel, refusal);
                }
                return;
            }
        };
        let result = match call {
            Call::Tell(question) => self.answer(question),
            Call::Ignore => Value::Null,
            Call::Input(report) => {
                let tell = self.hands.take(report, Instant::now());
                self.tell(tell);
                Value::Null
            }
            Call::Wheel { y, x } => {
                self.hands.wheel(y, x);
                Value::Null
            }
            Call::Pause(paused) => {
                let answer_to = id.map(|id| (channel, id));
                if let Err(full) = self.lane.try_send(Job { paused, answer_to })
                    && let Some((channel, id)) = full.into_inner().answer_to
                {
                    self.send(channel, rpc::failure(&id, "too many calls wait"));
                }
                return;
            }
        };
        if let Some(id) = id {
            self.send(channel, rpc::result(&id, &result));
        }
    }

    fn answer(&mut self, question: Question) -> Value {
        self.facts.keys = self.hands.down();
        self.facts.video = self.video_state();
        self.facts.answer(question)
    }

    fn paused_now(&mut self, paused: bool) {
        self.paused = paused;
        if paused {
            // With the pictures the desk lets go of what was held.
            let tell = self.hands.let_go();
            self.tell(tell);
        }
        self.show_video();
    }

    fn room_changed(&mut self) {
        let controls = self.session.handle().controls();
        if std::mem::replace(&mut self.controls, controls) && !controls {
            let tell = self.hands.let_go();
            self.tell(tell);
        }
    }

    fn input_changed(&mut self) {
        let input = takes_input(&self.input.borrow_and_update());
        if std::mem::replace(&mut self.facts.input, input) != input {
            self.notify(rpc::Event::UsbState { input });
        }
    }

    fn video_state(&self) -> VideoState {
        let state = self.video.borrow();
        let error = state.error.map(|problem| match problem {
            SourceProblem::NoSignal => VideoError::NoSignal,
            SourceProblem::NoLock => VideoError::NoLock,
            SourceProblem::OutOfRange => VideoError::OutOfRange,
        });
        let streams = state.streaming && !self.paused;
        VideoState {
            ready: state.ready,
            streaming: if streams {
                Streaming::Active
            } else {
                Streaming::Inactive
            },
            error,
            width: state.width.unwrap_or_default(),
            height: state.height.unwrap_or_default(),
            fps: state.fps.map(f64::from).unwrap_or_default(),
        }
    }

    fn show_video(&mut self) {
        let state = self.video_state();
        if self.rpc.is_some() && self.shown != Some(state) {
            self.shown = Some(state);
            self.notify(rpc::Event::VideoInputState(state));
        }
    }

    /// Tells what happened to the keyboard, over HID-RPC if the client speaks it.
    fn tell(&self, messages: Vec<ToClient>) {
        for message in messages {
            if self.hid_open {
                self.send_hid(message);
                continue;
            }
            match message {
                ToClient::KeysDown(report) => self.notify(rpc::Event::KeysDown(report)),
                ToClient::Leds(mask) => self.notify(rpc::Event::KeyboardLeds(mask)),
                ToClient::MacroState { running, is_paste } => {
                    self.notify(rpc::Event::MacroState { running, is_paste });
                }
                ToClient::Handshake => {}
            }
        }
    }

    fn send_hid(&self, message: ToClient) {
        if let Some(channel) = self.hid {
            let message = Message::Binary(message.to_bytes());
            self.session.handle().send(channel, message);
        }
    }

    fn notify(&self, event: rpc::Event) {
        if let Some(channel) = self.rpc {
            self.send(channel, event.to_text());
        }
    }

    fn send(&self, channel: ChannelId, text: String) {
        self.session.handle().send(channel, Message::Text(text));
    }
}
