//! A conversation in JSON-RPC, whatever carries it: text in, text out.
//!
//! The transport hands each message to [`Conversation::take`], sends what [`Conversation::next`] gives
//! it, and calls [`Conversation::finish`] at the end. A bad message is answered and forgotten.

use crate::caller::{Caller, CallerParts, ended};
use crate::dispatch::Weigh;
use crate::feed::Feed;
use crate::hub::{Hub, lock};
use crate::identity::Identity;
use crate::jsonrpc::{self, Call, Id, Incoming, Item, Response, RpcError};
use crate::lanes::{Job, Lanes, NotNow, OnRuntime};
use crate::limits::MAX_MESSAGE_BYTES;
use crate::methods::{Handler, Outcome, find};
use crate::room::Notice;
use crate::session::{Ends, SessionHandle};
use control_api::{EndReason, Lane, Via};
use events::ViewerId;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// Answers and notices that wait for the transport.
const OUTGOING_DEPTH: usize = 64;
/// Requests that one waiting call may stand for.
const MAX_MERGED: usize = 64;

/// Who talks.
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// How its sessions are signalled.
    pub via: Via,
    /// The connection it came over, where it came over the network.
    pub ends: Option<Ends>,
    carrier: Option<SessionHandle>,
}

impl Peer {
    /// Somebody who can have a session of their own.
    #[must_use]
    pub fn new(identity: Identity, via: Via, ends: Option<Ends>) -> Self {
        Self {
            identity,
            via,
            ends,
            carrier: None,
        }
    }

    /// Somebody who talks over a data channel of `session`.
    #[must_use]
    pub fn of_session(session: SessionHandle) -> Self {
        Self {
            identity: session.identity(),
            via: session.via(),
            ends: None,
            carrier: Some(session),
        }
    }
}

/// What the transport is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// Send this.
    Text(String),
    /// End the conversation.
    End(Farewell),
}

/// Why the hub ends a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The login has ended.
    LoggedOut,
}

/// What the transport is to do about a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing: the answer comes later, or there is none.
    Nothing,
    /// Send this.
    Reply(String),
    /// Send this; the message was longer than [`MAX_MESSAGE_BYTES`].
    TooLong(String),
}

/// One conversation.
pub struct Conversation {
    number: u64,
    caller: Arc<Caller>,
    lanes: Lanes<Running, OnRuntime>,
    outgoing: mpsc::Receiver<String>,
    notices: mpsc::Receiver<(ViewerId, Notice)>,
    logged_out: oneshot::Receiver<()>,
    feed: Feed,
    pending: VecDeque<String>,
    stats_sent: Instant,
}

impl Hub {
    /// Begins a conversation; nothing when the peer's login has ended. What it does runs on the hub's
    /// runtime, where [`Conversation`] has to be used.
    #[must_use]
    pub fn converse(&self, peer: Peer) -> Option<Conversation> {
        let (number, logged_out) = self.conversation_began(&peer.identity)?;
        let (outgoing, outgoing_queue) = mpsc::channel(OUTGOING_DEPTH);
        let (notices, notices_queue) = mpsc::channel(OUTGOING_DEPTH);
        let caller = Arc::new(Caller::new(CallerParts {
            hub: self.clone(),
            identity: peer.identity,
            via: peer.via,
            ends: peer.ends,
            carrier: peer.carrier,
            outgoing,
            notices,
        }));
        Some(Conversation {
            number,
            lanes: Lanes::new(OnRuntime),
            feed: Feed::new(self, &caller),
            caller,
            outgoing: outgoing_queue,
            notices: notices_queue,
            logged_out,
            pending: VecDeque::new(),
            stats_sent: Instant::now(),
        })
    }
}

impl Conversation {
    /// Waits for what is to be done next. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Out {
        loop {
            if let Some(text) = self.pending.pop_front() {
                return Out::Text(text);
            }
            let period = self.caller.stats_period();
            let stats_at = period.map(|period| self.stats_sent + period);
            let stats_due = async {
                match stats_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Ok(()) = &mut self.logged_out => return Out::End(Farewell::LoggedOut),
                Some(text) = self.outgoing.recv() => return Out::Text(text),
                Some((viewer, notice)) = self.notices.recv() => {
                    self.pending.extend(self.caller.heard(viewer, notice));
                }
                () = self.feed.changed() => {
                    self.pending.extend(self.feed.collect(&self.caller));
                }
                () = stats_due => {
                    self.stats_sent = Instant::now();
                    self.pending.extend(self.caller.new_stats());
                }
            }
        }
    }

    /// Takes one message and starts everything that it asks for.
    pub fn take(&mut self, message: &[u8]) -> Taken {
        if message.len() > MAX_MESSAGE_BYTES {
            let why = format!("the message is longer than {MAX_MESSAGE_BYTES} bytes");
            let response = Response {
                id: Id::null(),
                outcome: Err(RpcError::invalid_request(&why)),
            };
            return Taken::TooLong(jsonrpc::write_response(&response));
        }
        let answer = match jsonrpc::parse(message) {
            Incoming::Single(item) => self.take_single(item, message.len()),
            Incoming::Batch(items) => self.take_batch(items, message.len()),
        };
        answer.map_or(Taken::Nothing, Taken::Reply)
    }

    fn take_single(&self, item: Item, bytes: usize) -> Option<String> {
        match item {
            Err((id, error)) => Some(refusal(id, error)),
            Ok(call) => {
                let reply = call.id.clone().map(ReplyTo::Single);
                let (reply, error) = self.start(call, reply, bytes)?;
                reply.fill(Err(error))
            }
        }
    }

    fn take_batch(&self, items: Vec<Item>, bytes: usize) -> Option<String> {
        let answered = |item: &&Item| item.as_ref().map_or(true, |call| call.id.is_some());
        let batch = Arc::new(Batch::new(items.iter().filter(answered).count()));
        let bytes = bytes / items.len().max(1);
        let (mut place, mut complete) = (0, None);
        for item in items {
            let (id, error) = match item {
                Err((id, error)) => {
                    let reply = ReplyTo::Batched(id, Arc::clone(&batch), place);
                    place += 1;
                    (reply, error)
                }
                Ok(call) => {
                    let reply = call.id.clone().map(|id| {
                        place += 1;
                        ReplyTo::Batched(id, Arc::clone(&batch), place - 1)
                    });
                    match self.start(call, reply, bytes) {
                        None => continue,
                        Some(refused) => refused,
                    }
                }
            };
            complete = id.fill(Err(error)).or(complete);
        }
        complete
    }

    /// Starts a call. What comes back is to be answered at once.
    fn start(
        &self,
        call: Call,
        reply: Option<ReplyTo>,
        bytes: usize,
    ) -> Option<(ReplyTo, RpcError)> {
        let Some(handler) = find(&call.method) else {
            return reply.map(|reply| (reply, RpcError::unknown_method(&call.method)));
        };
        if self.caller.identity.role < handler.info.role {
            return reply.map(|reply| (reply, RpcError::not_allowed()));
        }
        let running = Running {
            pauses: handler.pauses(&call.params),
            handler,
            params: call.params,
            bytes,
            replies: reply.into_iter().collect(),
            caller: Arc::clone(&self.caller),
        };
        let started = match handler.info.lane {
            Lane::Ordered => self.lanes.ordered(running),
            Lane::Concurrent => self.lanes.concurrent(running),
        };
        let (running, error) = match started {
            Ok(()) => return None,
            Err(NotNow::Busy(running)) => {
                let error = RpcError::busy("busy: too many calls are waiting for their answers");
                (running, error)
            }
            Err(NotNow::Closed(running)) => (running, RpcError::busy("the connection is ending")),
        };
        // It was refused before it could stand for others, so there is at most one.
        running
            .replies
            .into_iter()
            .next()
            .map(|reply| (reply, error))
    }

    /// Whether the connection has a session.
    #[must_use]
    pub fn has_session(&self) -> bool {
        self.caller.session().is_some()
    }

    /// Ends the connection's session, if there is one, and tells the other side.
    pub fn end_session(&mut self, reason: EndReason) -> bool {
        let ended_now = self.caller.close_session(reason);
        if ended_now {
            self.pending.extend(ended(reason));
        }
        ended_now
    }

    /// Tears down in order: no more calls, those that wait run (within a limit), then the session
    /// goes. Returns what is still to be said, to whoever still listens.
    pub async fn finish(mut self, reason: EndReason) -> Vec<String> {
        let mut rest: Vec<String> = self.pending.drain(..).collect();
        let limit = self.caller.hub.limits().drain;
        {
            let draining = timeout(limit, self.lanes.drain());
            tokio::pin!(draining);
            // What runs may be waiting for its answer to be taken.
            let in_time = loop {
                tokio::select! {
                    biased;
                    Some(text) = self.outgoing.recv() => rest.push(text),
                    drained = &mut draining => break drained.is_ok(),
                }
            };
            if !in_time {
                let given_up = self.lanes.abandon().len();
                tracing::debug!(given_up, "calls are given up that did not run in time");
            }
        }
        while let Ok(text) = self.outgoing.try_recv() {
            rest.push(text);
        }
        // A session that ended already ended for another reason.
        while let Ok((viewer, notice)) = self.notices.try_recv() {
            rest.extend(self.caller.heard(viewer, notice));
        }
        if self.caller.close_for_good(reason) {
            rest.extend(ended(reason));
        }
        rest
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.lanes.abandon();
        self.caller.close_for_good(EndReason::Lost);
        self.caller.hub.conversation_ended(self.number);
    }
}

fn refusal(id: Id, error: RpcError) -> String {
    jsonrpc::write_response(&Response {
        id,
        outcome: Err(error),
    })
}

/// A call on its way.
struct Running {
    handler: &'static Handler,
    params: Value,
    bytes: usize,
    /// Who waits for the answer: nobody, one, or all that this call stands for.
    replies: Vec<ReplyTo>,
    /// It only says whether pictures are wanted, so of several in a row the last one matters.
    pauses: bool,
    caller: Arc<Caller>,
}

impl Weigh for Running {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn merge(&mut self, newer: Self) -> Result<(), Self> {
        let room = self.replies.len() + newer.replies.len() <= MAX_MERGED;
        if !(self.pauses && newer.pauses && room) {
            return Err(newer);
        }
        self.handler = newer.handler;
        self.params = newer.params;
        self.replies.extend(newer.replies);
        Ok(())
    }
}

impl Job for Running {
    async fn run(self) {
        let info = &self.handler.info;
        let outcome = if info.needs_session && self.caller.session().is_none() {
            Err(RpcError::no_session())
        } else {
            // A task of its own, so that a panic ends the call and nothing else.
            let call = (self.handler.run)(Arc::clone(&self.caller), self.params);
            tokio::spawn(call).await.unwrap_or_else(|_panicked| {
                tracing::error!(method = info.name, "a handler panicked");
                Err(RpcError::internal("the host ran into an error").with_data(info.name))
            })
        };
        if let Err(error) = &outcome {
            let (code, message) = (error.code, &error.message);
            tracing::debug!(method = info.name, code, message, "call failed");
        }
        let worked = outcome.is_ok();
        for reply in self.replies {
            if let Some(text) = reply.fill(outcome.clone()) {
                // The connection may be gone by then, and the answer with it.
                let _ = self.caller.outgoing.send(text).await;
            }
        }
        if worked && let Some(then) = self.handler.then {
            then(&self.caller);
        }
    }
}

/// Where an answer goes.
enum ReplyTo {
    Single(Id),
    Batched(Id, Arc<Batch>, usize),
}

impl ReplyTo {
    /// The text that is to be sent now: a batch is answered with its last call.
    fn fill(self, outcome: Outcome) -> Option<String> {
        match self {
            Self::Single(id) => Some(jsonrpc::write_response(&Response { id, outcome })),
            Self::Batched(id, batch, place) => batch.fill(place, Response { id, outcome }),
        }
    }
}

/// The answers to a batch, as far as they are there.
struct Batch(Mutex<Vec<Option<Response>>>);

impl Batch {
    fn new(answers: usize) -> Self {
        Self(Mutex::new((0..answers).map(|_| None).collect()))
    }

    fn fill(&self, place: usize, response: Response) -> Option<String> {
        let mut answers = lock(&self.0);
        if let Some(answer) = answers.get_mut(place) {
            *answer = Some(response);
        }
        if answers.iter().any(Option::is_none) {
            return None;
        }
        let complete: Vec<Response> = answers.drain(..).flatten().collect();
        Some(jsonrpc::write_batch(&complete))
    }
}
