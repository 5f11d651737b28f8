//! Which client has which app and stream, and for how long: a pure state machine of (state, input,
//! now), which answers with what is to be done and does nothing itself.
//!
//! A client has at most one session and at most one app. What a stock client needs to be shown
//! follows from how it behaves: it offers to resume and to quit where the host says that an app
//! runs ([`Tenancy::shown`]), asks for a launch only where none does, and takes a quit for failed
//! while one is still shown. So each client is shown its own app, from its launch until it quits,
//! and of other clients' apps only one that it could join. Only the owner's quit ends an app.

mod effect;
mod rules;
mod settle;
mod tenant;

use crate::catalogue::AppId;
use crate::{Linger, Mode};
use control_api::EndReason;
use media::MonoTime;
use tenant::{Run, Tenant, Wish};

pub use effect::{Effect, Refusal, RunId, Ticket};
pub use rules::{ModeConflict, Places, Rules};
pub use tenant::{State, TenantView};

/// Most clients that watch along with others at a time.
pub const MAX_GUESTS: usize = 16;

/// Who a client is: the SHA-256 of its certificate, or of whatever else proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub [u8; 32]);

/// Who asks, and for which stream.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub client: Client,
    /// What people call it.
    pub name: String,
    /// The stream that it wants.
    pub mode: Mode,
}

/// What a client wants to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The app.
    pub app: AppId,
    /// The app's own linger, where it has one.
    pub linger: Option<Linger>,
}

/// What a request comes to.
enum Aim {
    /// A session and an app of the client's own.
    Own(Wanted),
    /// A part in another's session.
    Along(Client, Wanted),
    /// Nothing.
    Refused(Refusal),
}

/// The state machine. Each input returns what is to be done, in that order: what ends stands
/// before what begins.
///
/// The host owes it answers: every session that was begun or joined is reported gone once, whether
/// its client ever came or not, and every app that was started is reported ended once.
#[derive(Debug)]
pub struct Tenancy {
    rules: Rules,
    tenants: Vec<Tenant>,
    last_ticket: u64,
    last_run: u64,
    stopping: bool,
}

impl Tenancy {
    /// Nobody is here.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            tenants: Vec::new(),
            last_ticket: 0,
            last_run: 0,
            stopping: false,
        }
    }

    /// What happens from now on when another client comes; nothing happens to those who are here.
    pub const fn set_conflict(&mut self, conflict: ModeConflict) {
        self.rules.conflict = conflict;
    }

    /// How long apps linger from now on; those that linger already keep their time.
    pub const fn set_linger(&mut self, linger: Linger) {
        self.rules.linger = linger;
    }

    /// A client wants to stream an app. The ticket is answered once, now or later, by
    /// [`Effect::Begin`], [`Effect::Join`] or [`Effect::Refuse`].
    #[must_use]
    pub fn launch(
        &mut self,
        request: Request,
        wanted: Wanted,
        now: MonoTime,
    ) -> (Ticket, Vec<Effect>) {
        let aim = self.aim_of_launch(&request, wanted);
        self.ask(request, aim, now)
    }

    /// A client wants to stream the app that it has, or was shown. Answered as a launch is.
    #[must_use]
    pub fn resume(&mut self, request: Request, now: MonoTime) -> (Ticket, Vec<Effect>) {
        let aim = self.aim_of_resume(&request);
        self.ask(request, aim, now)
    }

    /// The session's first picture was captured: its app may start.
    #[must_use]
    pub fn live(&mut self, ticket: Ticket, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        let run = RunId(self.last_run + 1);
        if let Some(tenant) = self.by_ticket(ticket)
            && let Some(effect) = tenant.live(run)
        {
            self.last_run += 1;
            effects.push(effect);
        }
        self.settle(now, &mut effects);
        effects
    }

    /// A session is gone, all of it, for this reason unless another came first. Its app lingers,
    /// unless the client quit: how the connection broke off does not matter.
    #[must_use]
    pub fn gone(&mut self, ticket: Ticket, reason: EndReason, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(tenant) = self.by_ticket(ticket)
            && let Some(session) = tenant.session.take()
        {
            effects.push(Effect::Ended {
                ticket,
                client: tenant.client,
                reason: session.ending.unwrap_or(reason),
            });
        }
        self.settle(now, &mut effects);
        effects
    }

    /// A client quits: its session and its app end, and it is shown none from now on. A client that
    /// has neither has quit already; one that watches along ends its own session alone.
    #[must_use]
    pub fn quit(&mut self, client: Client, now: MonoTime) -> Vec<Effect> {
        self.end(client, EndReason::Quit, now)
    }

    /// Ends a client's session and app, as an operator may.
    #[must_use]
    pub fn end(&mut self, client: Client, reason: EndReason, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(tenant) = self.tenant_mut(client) {
            tenant.leave(reason, &mut effects);
        }
        self.settle(now, &mut effects);
        effects
    }

    /// The host stops: everything ends, and nothing begins any more.
    #[must_use]
    pub fn stop_all(&mut self, now: MonoTime) -> Vec<Effect> {
        self.stopping = true;
        let mut effects = Vec::new();
        for tenant in &mut self.tenants {
            tenant.leave(EndReason::HostStopped, &mut effects);
        }
        self.settle(now, &mut effects);
        effects
    }

    /// An app ended by itself; that nothing is left of it is reported by [`Self::app_ended`] later.
    /// Those who watch it have nothing to watch any more.
    #[must_use]
    pub fn app_exited(&mut self, run: RunId, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(tenant) = self.by_run(run)
            && tenant.run == Run::Running(run)
        {
            tenant.run = Run::Stopping(run);
            tenant.leaving.get_or_insert(EndReason::SourceEnded);
        }
        self.settle(now, &mut effects);
        effects
    }

    /// Nothing is left of an app. Where it was neither stopped nor reported as exited, its launch
    /// failed: its session goes on without it.
    #[must_use]
    pub fn app_ended(&mut self, run: RunId, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(tenant) = self.by_run(run) {
            tenant.run = Run::Over;
        }
        self.settle(now, &mut effects);
        effects
    }

    /// Time passed.
    #[must_use]
    pub fn tick(&mut self, now: MonoTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.settle(now, &mut effects);
        effects
    }

    /// When [`Self::tick`] has something to do, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.tenants.iter().filter_map(Tenant::expiry).min()
    }

    /// The app that a client is shown as running: its own, or one that it could join; nothing where
    /// the host is free for it. (`currentgame`, and `SUNSHINE_SERVER_BUSY` or `_FREE`.)
    #[must_use]
    pub fn shown(&self, client: Client) -> Option<AppId> {
        let own = self.tenant(client).and_then(Tenant::app);
        own.or_else(|| {
            let join = self.rules.conflict == ModeConflict::Join && !self.stopping;
            let host = self.newest_host(client).filter(|_| join)?;
            Some(host.wanted.app)
        })
    }

    /// Everybody who has something, for people.
    pub fn tenants(&self) -> impl Iterator<Item = TenantView<'_>> {
        self.tenants.iter().map(Tenant::view)
    }

    fn tenant(&self, client: Client) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.client == client)
    }

    fn tenant_mut(&mut self, client: Client) -> Option<&mut Tenant> {
        let mut tenants = self.tenants.iter_mut();
        tenants.find(|tenant| tenant.client == client)
    }

    fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Tenant> {
        let has =
            |tenant: &&mut Tenant| tenant.session.as_ref().is_some_and(|s| s.ticket == ticket);
        self.tenants.iter_mut().find(has)
    }

    fn by_run(&mut self, run: RunId) -> Option<&mut Tenant> {
        let has = |tenant: &&mut Tenant| tenant.run.id() == Some(run);
        self.tenants.iter_mut().find(has)
    }

    /// The other clients that hold a stream, or are about to.
    fn others_streaming(&self, client: Client) -> impl Iterator<Item = &Tenant> {
        let tenants = self.tenants.iter();
        tenants.filter(move |tenant| tenant.client != client && tenant.streams())
    }

    /// The other owner of a stream who came last.
    fn newest_host(&self, client: Client) -> Option<&Tenant> {
        let owners = self
            .others_streaming(client)
            .filter(|tenant| tenant.joined.is_none());
        owners.max_by_key(|tenant| tenant.newest_ticket())
    }

    /// Why a client that would need the others' stream cannot have it.
    fn busy(&self, client: Client) -> Refusal {
        let anybody = || self.others_streaming(client).next();
        match self.newest_host(client).or_else(anybody) {
            Some(tenant) => Refusal::Busy {
                mode: tenant.mode,
                name: tenant.name.clone(),
            },
            None => Refusal::StreamEnded,
        }
    }

    fn aim_of_launch(&self, request: &Request, wanted: Wanted) -> Aim {
        let client = request.client;
        if self.others_streaming(client).next().is_none() {
            return Aim::Own(wanted);
        }
        match self.rules.conflict {
            ModeConflict::Separate | ModeConflict::Steal => Aim::Own(wanted),
            ModeConflict::Reject => Aim::Refused(self.busy(client)),
            ModeConflict::Join => {
                let own = self.tenant(client).filter(|tenant| !tenant.is_guest());
                if own.and_then(Tenant::app) == Some(wanted.app) {
                    return Aim::Own(wanted);
                }
                let mut hosts = self.others_streaming(client);
                let host = hosts.find(|t| t.joined.is_none() && t.app() == Some(wanted.app));
                host.map_or_else(
                    || Aim::Refused(self.busy(client)),
                    |host| Aim::Along(host.client, wanted),
                )
            }
        }
    }

    fn aim_of_resume(&self, request: &Request) -> Aim {
        let client = request.client;
        let conflict = self.rules.conflict;
        let taken = self.others_streaming(client).next().is_some();
        if taken && conflict == ModeConflict::Reject {
            return Aim::Refused(self.busy(client));
        }
        let own = self.tenant(client).and_then(Tenant::resumable);
        match own {
            Some((wanted, None)) => Aim::Own(wanted),
            Some((wanted, Some(host))) => Aim::Along(host, wanted),
            None => match self.newest_host(client) {
                Some(host) if conflict == ModeConflict::Join => {
                    Aim::Along(host.client, host.wanted)
                }
                _ => Aim::Refused(Refusal::NothingToResume),
            },
        }
    }

    /// Takes a request in: refused at once, or a wish that is granted as soon as it can be.
    fn ask(&mut self, request: Request, aim: Aim, now: MonoTime) -> (Ticket, Vec<Effect>) {
        let mut effects = Vec::new();
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let client = request.client;
        if let Some(older) = self
            .tenant_mut(client)
            .and_then(|tenant| tenant.next.take())
        {
            let why = Refusal::Superseded;
            effects.push(Effect::Refuse {
                ticket: older.ticket,
                why,
            });
        }
        let why = match aim {
            _ if self.stopping => Some(Refusal::Ended(EndReason::HostStopped)),
            Aim::Refused(why) => Some(why),
            Aim::Own(wanted) => self.ask_own(ticket, request, wanted, &mut effects),
            Aim::Along(host, wanted) => self.ask_along(ticket, request, (host, wanted)),
        };
        effects.extend(why.map(|why| Effect::Refuse { ticket, why }));
        self.settle(now, &mut effects);
        (ticket, effects)
    }

    fn ask_own(
        &mut self,
        ticket: Ticket,
        request: Request,
        wanted: Wanted,
        effects: &mut Vec<Effect>,
    ) -> Option<Refusal> {
        let client = request.client;
        let steals = self.rules.conflict == ModeConflict::Steal;
        if !self.make_place(client, steals, effects) {
            let max = self.rules.places.get();
            return Some(Refusal::Full { max });
        }
        let after = if steals {
            self.steal(client, effects)
        } else {
            Vec::new()
        };
        let wish = Wish {
            ticket,
            mode: request.mode,
            wanted,
            joined: None,
            after,
        };
        self.wish(request, wish);
        None
    }

    fn ask_along(
        &mut self,
        ticket: Ticket,
        request: Request,
        (host, wanted): (Client, Wanted),
    ) -> Option<Refusal> {
        let others = self
            .tenants
            .iter()
            .filter(|tenant| tenant.client != request.client);
        if others.filter(|tenant| tenant.is_guest()).count() >= MAX_GUESTS {
            return Some(Refusal::Full { max: MAX_GUESTS });
        }
        let wish = Wish {
            ticket,
            mode: request.mode,
            wanted,
            joined: Some(host),
            after: Vec::new(),
        };
        self.wish(request, wish);
        None
    }

    fn wish(&mut self, request: Request, wish: Wish) {
        match self.tenant_mut(request.client) {
            Some(tenant) => {
                tenant.name = request.name;
                tenant.next = Some(wish);
                // Where the wish comes to nothing, its app waits anew.
                tenant.rest = None;
            }
            None => self.tenants.push(Tenant::new(request, wish)),
        }
    }

    /// Sees to it that this client has a place, if need be by taking that of an app that lingers,
    /// the one nearest to its end first; pinned ones are left alone. Who steals may take the place
    /// of a stream too.
    fn make_place(&mut self, client: Client, steals: bool, effects: &mut Vec<Effect>) -> bool {
        if self.tenant(client).is_some_and(Tenant::has_place) {
            return true;
        }
        let others = || self.tenants.iter().filter(|tenant| tenant.client != client);
        if others().filter(|tenant| tenant.has_place()).count() < self.rules.places.get() {
            return true;
        }
        let watched =
            |host: &Tenant| others().any(|t| t.streams() && t.joined == Some(host.client));
        let lingering = others().filter(|tenant| !watched(tenant));
        let nearest = lingering
            .filter_map(|tenant| Some((tenant.expiry()?, tenant.client)))
            .min();
        let victim = nearest.map(|(_, client)| client).or_else(|| {
            let streams =
                others().filter(|tenant| steals && tenant.streams() && tenant.has_place());
            let oldest = streams.min_by_key(|tenant| tenant.newest_ticket());
            oldest.map(|tenant| tenant.client)
        });
        let victim = victim.and_then(|victim| self.tenant_mut(victim));
        victim.is_some_and(|victim| {
            victim.leave(EndReason::Replaced, effects);
            true
        })
    }

    /// Ends every other session, and names those to wait for: also such as end already.
    fn steal(&mut self, client: Client, effects: &mut Vec<Effect>) -> Vec<Ticket> {
        let mut after = Vec::new();
        for tenant in self
            .tenants
            .iter_mut()
            .filter(|tenant| tenant.client != client)
        {
            if let Some(wish) = tenant.next.take() {
                let why = Refusal::Ended(EndReason::Replaced);
                effects.push(Effect::Refuse {
                    ticket: wish.ticket,
                    why,
                });
            }
            tenant.end_session(EndReason::Replaced, effects);
            after.extend(tenant.session.as_ref().map(|session| session.ticket));
        }
        after
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
