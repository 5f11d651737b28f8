//! Data channels of sessions: who gets what arrives on which label.
//!
//! Everything here runs on the network thread and waits for nothing: input goes straight to the desk,
//! `rpc` into a bounded queue, and a front's channels to that front.

use crate::conversation::{Out, Peer, Taken};
use crate::desk::{InputChannel, InputRefused};
use crate::hub::{Hub, lock};
use crate::limits::MAX_MESSAGE_BYTES;
use crate::session::SessionHandle;
use control_api::EndReason;
use events::ViewerId;
use media::{ChannelEvent, ChannelId, Message};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Takes all channels of the sessions that it started. Called on the network thread: it must not wait.
pub trait ChannelFront: Send + Sync + 'static {
    /// Something happened to a data channel.
    fn channel_event(&self, viewer: ViewerId, event: ChannelEvent<'_>);
}

/// Messages that may wait on an `rpc` channel, and their bytes. A session that sends more before they
/// are read ends.
const RPC_DEPTH: usize = 1024;
const RPC_BYTES: usize = 1024 * 1024;

/// Where the messages of one channel go.
enum Route {
    Rpc(Inbox),
    Input(InputChannel),
}

/// The way into a conversation over `rpc`.
struct Inbox {
    queue: mpsc::Sender<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Every channel that the hub serves itself.
#[derive(Default)]
pub(crate) struct Channels(HashMap<(ViewerId, ChannelId), Route>);

impl Hub {
    /// Something happened to a data channel of a session. Waits for nothing.
    pub fn channel_event(&self, viewer: ViewerId, event: ChannelEvent<'_>) {
        let Some(session) = self.session(viewer) else {
            tracing::debug!(viewer = viewer.0, "a channel of no session");
            return;
        };
        if let Some(front) = session.front() {
            front.channel_event(viewer, event);
            return;
        }
        match event {
            ChannelEvent::Opened { id, label } => self.channel_opened(&session, id, label),
            ChannelEvent::Message { id, binary, data } => {
                self.channel_message(&session, id, binary, data);
            }
            ChannelEvent::Closed { id } => self.channel_closed(viewer, id),
        }
    }

    /// Sends a session what its keyboard lights or pads shall do, on its `input` channel.
    pub fn send_input_feedback(&self, viewer: ViewerId, bytes: Vec<u8>) {
        let reliable = |route: &Route| matches!(route, Route::Input(InputChannel::Reliable));
        let channel = {
            let channels = lock(&self.shared.channels);
            let mut all = channels.0.iter();
            all.find(|((of, _), route)| *of == viewer && reliable(route))
                .map(|((_, id), _)| *id)
        };
        if let Some(id) = channel {
            self.engine().send(viewer, id, Message::Binary(bytes));
        }
    }

    fn channel_opened(&self, session: &SessionHandle, id: ChannelId, label: &str) {
        let route = match label {
            "input" => Route::Input(InputChannel::Reliable),
            "motion" => Route::Input(InputChannel::Motion),
            "rpc" => {
                let (queue, waiting) = mpsc::channel(RPC_DEPTH);
                let waiting_bytes = Arc::new(AtomicUsize::new(0));
                let line = Line {
                    session: session.clone(),
                    id,
                    waiting,
                    waiting_bytes: Arc::clone(&waiting_bytes),
                };
                self.runtime().spawn(self.clone().converse_over(line));
                Route::Rpc(Inbox {
                    queue,
                    waiting_bytes,
                })
            }
            _ => {
                tracing::debug!(viewer = session.viewer().0, label, "a channel for nobody");
                return;
            }
        };
        lock(&self.shared.channels)
            .0
            .insert((session.viewer(), id), route);
    }

    fn channel_message(&self, session: &SessionHandle, id: ChannelId, binary: bool, data: &[u8]) {
        let viewer = session.viewer();
        let channel = {
            let channels = lock(&self.shared.channels);
            match channels.0.get(&(viewer, id)) {
                None => return,
                Some(Route::Input(channel)) => *channel,
                Some(Route::Rpc(inbox)) => {
                    let fits = inbox.put(data);
                    drop(channels);
                    if !fits {
                        tracing::warn!(viewer = viewer.0, "calls come faster than they are read");
                        session.end(EndReason::Error);
                    }
                    return;
                }
            }
        };
        // What does not drive is not even looked at: the desk is the second to check it.
        if !binary || !session.controls() {
            return;
        }
        match self.desk().push(viewer, channel, data) {
            Ok(()) | Err(InputRefused::Unavailable(_)) => {}
            Err(InputRefused::Malformed(why)) => {
                tracing::debug!(viewer = viewer.0, why, "a message that is no input");
            }
            Err(InputRefused::Full) if channel == InputChannel::Motion => {}
            Err(InputRefused::Full) => {
                tracing::warn!(viewer = viewer.0, "input comes faster than it can be taken");
                session.end(EndReason::Error);
            }
        }
    }

    fn channel_closed(&self, viewer: ViewerId, id: ChannelId) {
        let route = lock(&self.shared.channels).0.remove(&(viewer, id));
        if let Some(Route::Input(_)) = route {
            self.desk().release_all(viewer);
        }
    }

    /// Forgets the channels of a session that is over.
    pub(crate) fn forget_channels(&self, viewer: ViewerId) {
        lock(&self.shared.channels)
            .0
            .retain(|(of, _), _| *of != viewer);
    }

    async fn converse_over(self, mut line: Line) {
        let viewer = line.session.viewer();
        let peer = Peer::of_session(line.session.clone());
        let Some(mut conversation) = self.converse(peer) else {
            return;
        };
        let send = |text: String| self.engine().send(viewer, line.id, Message::Text(text));
        loop {
            tokio::select! {
                biased;
                () = self.stopped() => break,
                out = conversation.next() => match out {
                    Out::Text(text) => send(text),
                    Out::End(_) => break,
                },
                message = line.waiting.recv() => {
                    let Some(message) = message else { break };
                    line.waiting_bytes.fetch_sub(message.len(), Ordering::Relaxed);
                    match conversation.take(&message) {
                        Taken::Nothing => {}
                        // The channel's own limit is the same, so one that is too long is answered
                        // like any other mistake.
                        Taken::Reply(text) | Taken::TooLong(text) => send(text),
                    }
                }
            }
        }
        for text in conversation.finish(EndReason::Quit).await {
            send(text);
        }
    }
}

/// The hub's end of an `rpc` channel.
struct Line {
    session: SessionHandle,
    id: ChannelId,
    waiting: mpsc::Receiver<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Inbox {
    /// Whether there was room for `data`.
    fn put(&self, data: &[u8]) -> bool {
        // One that is too long is cut so that it is still seen to be too long, and costs no more.
        let data = &data[..data.len().min(MAX_MESSAGE_BYTES + 1)];
        let before = self.waiting_bytes.fetch_add(data.len(), Ordering::Relaxed);
        before + data.len() <= RPC_BYTES && self.queue.try_send(data.to_vec()).is_ok()
    }
}
