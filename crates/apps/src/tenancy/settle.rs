//! What follows from what is wanted: sessions end, apps stop, wishes are granted, apps linger, and
//! who has nothing left is forgotten. It looks again until nothing follows any more.

use super::effect::{Effect, Refusal, Ticket};
use super::tenant::{Rest, Run, Session, Tenant, Wish};
use super::{Client, Tenancy};
use crate::catalogue::AppId;
use crate::{Linger, Mode};
use control_api::EndReason;
use media::MonoTime;
use std::time::Duration;

impl Tenancy {
    pub(super) fn settle(&mut self, now: MonoTime, effects: &mut Vec<Effect>) {
        loop {
            let mut changed = false;
            // Everything ends that has to before anything begins.
            for index in 0..self.tenants.len() {
                changed |= self.end_what_lost_its_host(index, effects);
                changed |= self.tenants[index].end_what_has_to(effects);
                changed |= self.tenants[index].linger(self.rules.linger, now);
            }
            self.tenants.retain(Tenant::has_anything);
            for index in 0..self.tenants.len() {
                changed |= self.grant(index, effects);
            }
            if !changed {
                return;
            }
        }
    }

    /// Ends what a guest has or wants where there is nothing to watch along with any more.
    fn end_what_lost_its_host(&mut self, index: usize, effects: &mut Vec<Effect>) -> bool {
        let tenant = &self.tenants[index];
        let app = tenant.wanted.app;
        let gone = tenant
            .joined
            .filter(|host| !self.shows(*host, app))
            .is_some();
        let wish = tenant.next.as_ref();
        let wish_gone = wish.is_some_and(|wish| {
            let host = wish
                .joined
                .filter(|host| !self.shows(*host, wish.wanted.app));
            host.is_some()
        });
        let tenant = &mut self.tenants[index];
        let ends = gone && tenant.leaving.is_none() && tenant.session.is_some();
        if ends {
            tenant.leaving = Some(EndReason::SourceEnded);
        }
        let refused = tenant.next.take_if(|_| wish_gone).map(|wish| wish.ticket);
        let why = Refusal::StreamEnded;
        effects.extend(refused.map(|ticket| Effect::Refuse { ticket, why }));
        ends || refused.is_some()
    }

    /// Whether there is something to see of this client's app.
    fn shows(&self, host: Client, app: AppId) -> bool {
        let host = self.tenant(host);
        host.is_some_and(|host| {
            host.joined.is_none() && host.leaving.is_none() && host.app() == Some(app)
        })
    }

    /// Grants a wish, if everything is gone that has to be.
    fn grant(&mut self, index: usize, effects: &mut Vec<Effect>) -> bool {
        let tenant = &self.tenants[index];
        let Some(wish) = &tenant.next else {
            return false;
        };
        let own_gone = tenant.session.is_none() && !matches!(tenant.run, Run::Stopping(_));
        if !own_gone || wish.after.iter().any(|ticket| self.is_here(*ticket)) {
            return false;
        }
        let others = self.tenants.iter().enumerate();
        let here = others.filter(|(other, tenant)| *other != index && tenant.is_here());
        if wish.joined.is_none() && here.count() >= self.rules.places.get() {
            return false;
        }
        let host = wish.joined.and_then(|host| self.tenant(host));
        let host = host.map(|host| (host.client, host.mode));
        let tenant = &mut self.tenants[index];
        let wish = tenant.next.take();
        effects.extend(wish.map(|wish| tenant.begin(&wish, host)));
        true
    }

    fn is_here(&self, ticket: Ticket) -> bool {
        let mut sessions = self
            .tenants
            .iter()
            .filter_map(|tenant| tenant.session.as_ref());
        sessions.any(|session| session.ticket == ticket)
    }
}

impl Tenant {
    /// Begins what was wished for: with the app that runs, or one to be started.
    fn begin(&mut self, wish: &Wish, host: Option<(Client, Mode)>) -> Effect {
        let resumed = matches!(self.run, Run::Running(_));
        let (client, ticket, app) = (self.client, wish.ticket, wish.wanted.app);
        self.session = Some(Session {
            ticket,
            live: false,
            ending: None,
        });
        self.wanted = wish.wanted;
        self.joined = wish.joined;
        self.rest = None;
        self.leaving = None;
        self.mode = host.map_or(wish.mode, |(_, mode)| mode);
        let mode = self.mode;
        match host {
            Some((host, _)) => {
                self.run = Run::Over;
                Effect::Join {
                    ticket,
                    client,
                    host,
                    app,
                    mode,
                }
            }
            None => {
                if !resumed {
                    self.run = Run::Due;
                }
                Effect::Begin {
                    ticket,
                    client,
                    app,
                    mode,
                    resumed,
                }
            }
        }
    }

    /// Ends the session and the app where the client leaves, or wants something else.
    fn end_what_has_to(&mut self, effects: &mut Vec<Effect>) -> bool {
        let before = effects.len();
        let replaced = self.next.as_ref().map(|_| EndReason::Replaced);
        if let Some(reason) = self.leaving.or(replaced) {
            self.end_session(reason, effects);
        }
        let other_app = self
            .next
            .as_ref()
            .is_some_and(|wish| wish.wanted.app != self.wanted.app || wish.joined.is_some());
        if let Run::Running(run) = self.run
            && (self.leaving.is_some() || other_app)
        {
            self.run = Run::Stopping(run);
            effects.push(Effect::StopApp { run });
        }
        effects.len() > before
    }

    /// Lets the app of a client that is away wait for it, and gives it up in the end.
    fn linger(&mut self, otherwise: Linger, now: MonoTime) -> bool {
        let away = self.session.is_none() && self.next.is_none() && self.leaving.is_none();
        if !away || !matches!(self.run, Run::Running(_)) {
            return false;
        }
        match (self.rest, self.wanted.linger.unwrap_or(otherwise)) {
            (None, Linger::Seconds(seconds)) => {
                let seconds = Duration::from_secs(u64::from(seconds));
                self.rest = Some(Rest::Until(now + seconds));
            }
            (None, Linger::Forever) => self.rest = Some(Rest::Pinned),
            (None, Linger::Off) => self.leaving = Some(EndReason::Lost),
            (Some(Rest::Until(until)), _) if now >= until => {
                self.leaving = Some(EndReason::Timeout);
            }
            (Some(_), _) => return false,
        }
        true
    }

    /// Whether anything is left of it.
    fn has_anything(&self) -> bool {
        self.session.is_some() || self.next.is_some() || self.run.id().is_some()
    }
}
