//! What one client has: a session, an app, a wish for the next session, or an app that waits for it.

use super::effect::{Effect, Refusal, RunId, Ticket};
use super::{Client, Request, Wanted};
use crate::Mode;
use crate::catalogue::AppId;
use control_api::EndReason;
use media::MonoTime;

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) mode: Mode,
    /// What it uses; for a guest, what the host of it uses.
    pub(super) wanted: Wanted,
    /// With whom it watches along; a guest has no app of its own.
    pub(super) joined: Option<Client>,
    pub(super) session: Option<Session>,
    pub(super) run: Run,
    /// What it asked for and has not got yet.
    pub(super) next: Option<Wish>,
    /// How long its app waits; set when it has neither session nor wish.
    pub(super) rest: Option<Rest>,
    /// Everything that it has ends, for this reason; a wish may follow.
    pub(super) leaving: Option<EndReason>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) ticket: Ticket,
    pub(super) live: bool,
    /// The first reason to end it.
    pub(super) ending: Option<EndReason>,
}

/// An app's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// To be started when the session is live.
    Due,
    Running(RunId),
    /// Told to stop, or ended by itself; something may be left of it.
    Stopping(RunId),
    /// Nothing runs, and nothing is to be started.
    Over,
}

impl Run {
    pub(super) const fn id(self) -> Option<RunId> {
        match self {
            Self::Running(run) | Self::Stopping(run) => Some(run),
            Self::Due | Self::Over => None,
        }
    }
}

/// A request that waits for others to be gone.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) ticket: Ticket,
    pub(super) mode: Mode,
    pub(super) wanted: Wanted,
    pub(super) joined: Option<Client>,
    /// Sessions of others that have to be gone first.
    pub(super) after: Vec<Ticket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Until(MonoTime),
    Pinned,
}

/// One who has something, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantView<'a> {
    /// Who.
    pub client: Client,
    /// What people call it.
    pub name: &'a str,
    /// Its app, or the one that it watches.
    pub app: AppId,
    /// Its stream, or its last one.
    pub mode: Mode,
    /// What it does.
    pub state: State,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for others to be gone, or for its session to be live.
    Starting,
    /// It streams.
    Active,
    /// It watches along with another.
    Watching(Client),
    /// It is away, and its app waits for it until then.
    Lingering(MonoTime),
    /// It is away, and its app waits for it for good.
    Pinned,
    /// It quit, or was made to, and something of it is left.
    Leaving,
}

impl Tenant {
    pub(super) fn new(request: Request, wish: Wish) -> Self {
        Self {
            client: request.client,
            name: request.name,
            mode: request.mode,
            wanted: wish.wanted,
            joined: wish.joined,
            session: None,
            run: Run::Over,
            next: Some(wish),
            rest: None,
            leaving: None,
        }
    }

    /// Its session is live: starts its app, unless that was started before.
    pub(super) fn live(&mut self, run: RunId) -> Option<Effect> {
        let session = self.session.as_mut()?;
        session.live = true;
        if self.run != Run::Due || session.ending.is_some() {
            return None;
        }
        self.run = Run::Running(run);
        Some(Effect::StartApp {
            run,
            client: self.client,
            app: self.wanted.app,
            mode: self.mode,
        })
    }

    /// Gives up everything it has and wants.
    pub(super) fn leave(&mut self, reason: EndReason, effects: &mut Vec<Effect>) {
        if let Some(wish) = self.next.take() {
            let why = Refusal::Ended(reason);
            effects.push(Effect::Refuse {
                ticket: wish.ticket,
                why,
            });
        }
        self.leaving.get_or_insert(reason);
    }

    /// Ends its session, unless that is under way; the first reason stays.
    pub(super) fn end_session(&mut self, reason: EndReason, effects: &mut Vec<Effect>) {
        if let Some(session) = &mut self.session
            && session.ending.is_none()
        {
            session.ending = Some(reason);
            let ticket = session.ticket;
            effects.push(Effect::EndSession { ticket, reason });
        }
    }

    /// Whether it holds a stream that is to go on, or is about to.
    pub(super) fn streams(&self) -> bool {
        let goes_on = |session: &Session| session.ending.is_none();
        let session = self.session.as_ref().is_some_and(goes_on);
        self.next.is_some() || (self.leaving.is_none() && session)
    }

    /// Whether it watches along, or wants to.
    pub(super) const fn is_guest(&self) -> bool {
        match &self.next {
            Some(wish) => wish.joined.is_some(),
            None => self.joined.is_some(),
        }
    }

    /// Whether one of the places is its own.
    pub(super) fn has_place(&self) -> bool {
        self.resumable().is_some_and(|(_, joined)| joined.is_none())
    }

    /// Whether it has, or has begun to have, a session or an app of its own that is not yet gone.
    pub(super) const fn is_here(&self) -> bool {
        self.joined.is_none() && (self.session.is_some() || self.run.id().is_some())
    }

    /// What it has or waits for, and with whom; nothing when that is ending for good.
    pub(super) fn resumable(&self) -> Option<(Wanted, Option<Client>)> {
        if let Some(wish) = &self.next {
            return Some((wish.wanted, wish.joined));
        }
        let has = self.session.is_some() || matches!(self.run, Run::Running(_));
        (has && self.leaving.is_none()).then_some((self.wanted, self.joined))
    }

    /// The app that it is shown as running.
    pub(super) fn app(&self) -> Option<AppId> {
        self.resumable().map(|(wanted, _)| wanted.app)
    }

    /// When its app is stopped, if it does not come back.
    pub(super) fn expiry(&self) -> Option<MonoTime> {
        let waits = self.next.is_none() && self.resumable().is_some();
        match self.rest {
            Some(Rest::Until(until)) if waits => Some(until),
            _ => None,
        }
    }

    pub(super) fn newest_ticket(&self) -> Option<Ticket> {
        let wish = self.next.as_ref().map(|wish| wish.ticket);
        wish.or(self.session.as_ref().map(|session| session.ticket))
    }

    pub(super) fn view(&self) -> TenantView<'_> {
        let state = match (&self.next, &self.session, self.rest) {
            (Some(_), _, _) => State::Starting,
            _ if self.leaving.is_some() => State::Leaving,
            (None, Some(session), _) => match self.joined {
                Some(host) => State::Watching(host),
                None if session.live => State::Active,
                None => State::Starting,
            },
            (None, None, Some(Rest::Until(until))) => State::Lingering(until),
            (None, None, Some(Rest::Pinned)) => State::Pinned,
            (None, None, None) => State::Leaving,
        };
        let wish = self.next.as_ref();
        let (wanted, mode) = wish.map_or((self.wanted, self.mode), |w| (w.wanted, w.mode));
        TenantView {
            client: self.client,
            name: &self.name,
            app: wanted.app,
            mode,
            state,
        }
    }
}
