//! A session from its offer to its end, whichever way it is signalled. It begins once and ends once;
//! after its end nothing can make the engine run it again.

use crate::channels::ChannelFront;
use crate::desk::InputRefused;
use crate::engine::{Done, Engine, Offer, OfferError};
use crate::hub::{Hub, lock};
use crate::identity::Identity;
use crate::room::{Command, Newcomer, Notice, Refusal};
use control_api::{AskResult, EndReason, InputEvent, Role, Via};
use events::ViewerId;
use media::{ChannelId, Message};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Both ends of the TCP connection that something came over.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Who sent it.
    pub client: SocketAddr,
    /// The address of this host that the client reached, and so can reach again.
    pub reached_at: SocketAddr,
}

/// Somebody who wants a session.
pub struct Joining {
    /// The SDP offer.
    pub sdp: String,
    /// Who wants it.
    pub identity: Identity,
    /// How it came.
    pub via: Via,
    /// The connection it came over, where it came over the network.
    pub ends: Option<Ends>,
    /// Who takes its data channels; the hub itself when absent.
    pub channels: Option<Arc<dyn ChannelFront>>,
    /// Who is told what concerns the session.
    pub notices: Option<mpsc::Sender<(ViewerId, Notice)>>,
}

/// A session that an engine has started.
pub struct Admission {
    /// Its number.
    pub viewer: ViewerId,
    /// Whose it is.
    pub identity: Identity,
    /// What kind of client it is.
    pub via: Via,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
    /// Who takes its data channels; the hub itself when absent.
    pub channels: Option<Arc<dyn ChannelFront>>,
    /// Who is told what concerns the session.
    pub notices: Option<mpsc::Sender<(ViewerId, Notice)>>,
    /// The engine's word that it is over. Dropped without a reason: [`EndReason::Error`].
    pub engine_ended: oneshot::Receiver<EndReason>,
}

/// A session that began.
#[derive(Debug)]
pub struct Joined {
    /// The session.
    pub session: Session,
    /// The SDP answer.
    pub sdp: String,
    /// Its end, whoever ends it. Dropped without a reason: [`EndReason::Error`].
    pub ended: oneshot::Receiver<EndReason>,
}

/// A session, owned. Dropping it ends it, so none outlives whoever asked for it.
#[derive(Debug)]
pub struct Session {
    handle: SessionHandle,
    on_drop: EndReason,
}

/// A session, for whoever does not own it.
#[derive(Clone)]
pub struct SessionHandle(Arc<Inner>);

struct Inner {
    viewer: ViewerId,
    hub: Hub,
    identity: Mutex<Identity>,
    via: Via,
    front: Option<Arc<dyn ChannelFront>>,
    life: Mutex<Life>,
}

enum Life {
    Live {
        ended: oneshot::Sender<EndReason>,
        /// Numbers are collected exactly while somebody watches.
        _activity: stats::Activity,
    },
    Over,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is over")]
pub struct Ended;

/// Why input of a session was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not drive.
    #[error("another session drives, or this one may not")]
    NotDriving,
    /// The desk did not take it.
    #[error(transparent)]
    Input(#[from] InputRefused),
}

impl Session {
    /// Its number.
    #[must_use]
    pub fn viewer(&self) -> ViewerId {
        self.handle.viewer()
    }

    /// A handle that does not own it.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Adds a candidate of the client's (well-formed, without `a=`).
    pub fn candidate(&self, candidate: &str) {
        self.handle.candidate(candidate);
    }

    /// Ends it for `reason`.
    pub fn close(mut self, reason: EndReason) {
        self.on_drop = reason;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.handle.end(self.on_drop);
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionHandle")
            .field(&self.viewer())
            .finish()
    }
}

impl SessionHandle {
    /// Its number.
    #[must_use]
    pub fn viewer(&self) -> ViewerId {
        self.0.viewer
    }

    /// Who has it, and may do what at this moment.
    #[must_use]
    pub fn identity(&self) -> Identity {
        lock(&self.0.identity).clone()
    }

    /// Whose it is may do this from now on.
    pub(crate) fn identify(&self, identity: Identity) {
        lock(&self.0.identity).clone_from(&identity);
        // One that is not in the room yet is looked at again when it is.
        let _: Result<(), Refusal> = self
            .0
            .hub
            .command(Command::Identify(self.0.viewer, identity));
    }

    /// How it was signalled.
    #[must_use]
    pub fn via(&self) -> Via {
        self.0.via
    }

    pub(crate) fn front(&self) -> Option<&Arc<dyn ChannelFront>> {
        self.0.front.as_ref()
    }

    /// Whether its input counts.
    #[must_use]
    pub fn controls(&self) -> bool {
        lock(&self.0.hub.shared.driving).contains(&self.0.viewer)
    }

    /// Whether it is not over.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(*lock(&self.0.life), Life::Live { .. })
    }

    /// Adds a candidate of the client's (well-formed, without `a=`).
    pub fn candidate(&self, candidate: &str) {
        self.0
            .hub
            .engine()
            .candidate(self.0.viewer, candidate.to_owned());
    }

    /// Asks for a keyframe.
    pub fn request_keyframe(&self) {
        self.0.hub.engine().request_keyframe(self.0.viewer);
    }

    /// Sends on one of its data channels.
    pub fn send(&self, channel: ChannelId, message: Message) {
        self.0.hub.engine().send(self.0.viewer, channel, message);
    }

    /// Gives its lease back; returns once that is done. Idempotent.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn pause(&self) -> Result<(), Ended> {
        self.set_paused(true).await
    }

    /// Takes a lease again; returns once that is done. Idempotent.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn resume(&self) -> Result<(), Ended> {
        self.set_paused(false).await
    }

    /// [`Self::pause`] or [`Self::resume`].
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn set_paused(&self, paused: bool) -> Result<(), Ended> {
        let Inner { viewer, hub, .. } = &*self.0;
        hub.command(Command::Paused(*viewer, paused))
            .map_err(|_| Ended)?;
        self.tell_engine(|engine, done| match paused {
            true => engine.pause(*viewer, done),
            false => engine.resume(*viewer, done),
        })
        .await
    }

    /// Stops its sound, or has it again; returns once that is done. Idempotent.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn set_muted(&self, muted: bool) -> Result<(), Ended> {
        let viewer = self.0.viewer;
        self.tell_engine(|engine, done| engine.set_muted(viewer, muted, done))
            .await
    }

    /// Tells the engine something about a session that lives, and waits until it is done.
    async fn tell_engine(&self, tell: impl FnOnce(&dyn Engine, Done)) -> Result<(), Ended> {
        let hub = &self.0.hub;
        let (done, outcome) = oneshot::channel();
        let done: Done = Box::new(move |lives| {
            // Whoever asked may be gone; the engine did it all the same.
            let _ = done.send(lives);
        });
        {
            // Under this lock, so that a resume never comes after the close that released the lease.
            let life = lock(&self.0.life);
            match *life {
                Life::Over => return Err(Ended),
                Life::Live { .. } => tell(hub.engine(), done),
            }
        }
        match tokio::time::timeout(hub.limits().engine, outcome).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(Ended),
        }
    }

    /// Injects an event, if the session drives.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn inject(&self, event: &InputEvent) -> Result<(), Refused> {
        if !self.controls() {
            return Err(Refused::NotDriving);
        }
        Ok(self.0.hub.desk().inject(self.0.viewer, event)?)
    }

    /// All that it holds is released.
    pub fn release_all(&self) {
        self.0.hub.desk().release_all(self.0.viewer);
    }

    /// Drives from now on, if nobody does, the same person does, or it is an administrator's.
    #[must_use]
    pub fn take_control(&self) -> bool {
        self.0.hub.command(Command::Take(self.0.viewer)).is_ok()
    }

    /// Somebody at a client without words for it wants to drive: an administrator takes control,
    /// anybody else asks for it.
    pub fn reach_for_control(&self) {
        let (viewer, hub) = (self.0.viewer, &self.0.hub);
        // Refusals need no answer: whoever reaches again will be heard again.
        if self.identity().role == Role::Admin {
            let _: Result<(), Refusal> = hub.command(Command::Take(viewer));
        } else {
            let _: Result<AskResult, Refusal> = hub.ask(viewer);
        }
    }

    /// Ends it: its keys are released, then its lease, then the rest. Only the first end counts.
    pub fn end(&self, reason: EndReason) {
        if let Some(ended) = self.finish() {
            let viewer = self.0.viewer;
            tracing::info!(viewer = viewer.0, ?reason, "session closed");
            self.0.hub.left(viewer);
            self.0.hub.engine().close(viewer, reason);
            self.told(ended, reason);
        }
    }

    /// The engine ended it.
    fn ended_by_engine(&self, reason: EndReason) {
        if let Some(ended) = self.finish() {
            let viewer = self.0.viewer;
            tracing::info!(viewer = viewer.0, ?reason, "session ended");
            self.0.hub.left(viewer);
            self.told(ended, reason);
        }
    }

    fn finish(&self) -> Option<oneshot::Sender<EndReason>> {
        match std::mem::replace(&mut *lock(&self.0.life), Life::Over) {
            Life::Live { ended, .. } => Some(ended),
            Life::Over => None,
        }
    }

    fn told(&self, ended: oneshot::Sender<EndReason>, reason: EndReason) {
        self.0.hub.tell(self.0.viewer, &Notice::Ended(reason));
        self.0.hub.forget_session(self.0.viewer);
        // Whoever started it may not care.
        let _ = ended.send(reason);
    }
}

impl Hub {
    /// Asks the engine for a session and lets it into the room.
    ///
    /// # Errors
    /// [`OfferError`]; no session is left behind then.
    pub async fn join(&self, joining: Joining) -> Result<Joined, OfferError> {
        let hub = self.clone();
        let limit = self.limits().engine;
        // A task of its own: when the caller is gone or out of patience, an answer that comes all the
        // same is dropped there, and that ends its session.
        let asking = self
            .runtime()
            .spawn(async move { hub.ask_engine(joining).await });
        match tokio::time::timeout(limit, asking).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panicked)) => Err(OfferError::Stopped),
            Err(_elapsed) => Err(OfferError::TimedOut),
        }
    }

    async fn ask_engine(self, joining: Joining) -> Result<Joined, OfferError> {
        let Joining {
            sdp,
            identity,
            via,
            ends,
            channels,
            notices,
        } = joining;
        let activity = self.shared.stats.activity();
        let (reply, answer) = oneshot::channel();
        let (on_end, engine_ended) = oneshot::channel();
        self.engine().offer(Offer {
            sdp,
            via,
            ends,
            reply,
            ended: on_end,
        });
        let answer = answer.await.unwrap_or(Err(OfferError::Stopped))?;
        let admission = Admission {
            viewer: answer.viewer,
            identity,
            via,
            address: ends.map(|ends| ends.client),
            channels,
            notices,
            engine_ended,
        };
        let (session, ended) = self.let_in(admission, activity)?;
        Ok(Joined {
            session,
            sdp: answer.sdp,
            ended,
        })
    }

    /// Lets a session in that an engine has started by itself, without an offer. The second value is
    /// its end, whoever ends it.
    ///
    /// # Errors
    /// [`OfferError::LoggedOut`], or [`OfferError::Stopped`] when it has ended already.
    pub fn admit(
        &self,
        admission: Admission,
    ) -> Result<(Session, oneshot::Receiver<EndReason>), OfferError> {
        let activity = self.shared.stats.activity();
        self.let_in(admission, activity)
    }

    fn let_in(
        &self,
        admission: Admission,
        activity: stats::Activity,
    ) -> Result<(Session, oneshot::Receiver<EndReason>), OfferError> {
        let Admission {
            viewer,
            identity,
            via,
            address,
            channels,
            notices,
            engine_ended,
        } = admission;
        let (on_end, ended) = oneshot::channel();
        let handle = SessionHandle(Arc::new(Inner {
            viewer,
            hub: self.clone(),
            identity: Mutex::new(identity.clone()),
            via,
            front: channels,
            life: Mutex::new(Life::Live {
                ended: on_end,
                _activity: activity,
            }),
        }));
        // From here on, dropping it ends it.
        let session = Session {
            handle: handle.clone(),
            on_drop: EndReason::Quit,
        };
        tracing::info!(viewer = viewer.0, ?via, ?address, "session started");
        self.entered(&handle, notices);
        let newcomer = Newcomer {
            identity,
            via,
            address,
            since_ms: now_ms(),
        };
        if !self.stands(&handle.identity()) {
            return Err(OfferError::LoggedOut);
        }
        // A room refuses nobody.
        let _: Result<(), Refusal> = self.command(Command::Enter(viewer, newcomer));
        if via == Via::Moonlight {
            // What was changed about the client meanwhile found no session in the room.
            self.heed_client(&handle);
        }
        if !handle.is_live() {
            // It ended before it was let in; nobody else would lead it out.
            self.left(viewer);
            return Err(OfferError::Stopped);
        }
        self.runtime().spawn(async move {
            let reason = engine_ended.await.unwrap_or(EndReason::Error);
            handle.ended_by_engine(reason);
        });
        Ok((session, ended))
    }

    /// Ends every session and conversation of a login that stands no more.
    pub fn end_login(&self, login: crate::LoginId) {
        let all = self.all_sessions();
        for session in all
            .iter()
            .filter(|session| session.identity().login == login)
        {
            session.end(EndReason::Operator);
        }
        self.close_conversations(login);
    }

    /// Whether the login of a caller still stands. Without anybody who lets callers in, all do.
    pub(crate) fn stands(&self, identity: &Identity) -> bool {
        if identity.login >= crate::LoginId::PAIRED {
            return self.client_stands(identity);
        }
        let given_out = identity.login >= crate::LoginId::FIRST && identity.role > Role::Player;
        !given_out
            || self
                .links()
                .is_none_or(|links| links.stands(identity.login))
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
