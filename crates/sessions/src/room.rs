//! Who is in the room and who drives: a pure state machine of (state, command, now).
//!
//! It performs nothing. Each command answers with effects, to be performed in their order: what one
//! session loses always stands before what another one gains.

use crate::identity::Identity;
use control_api::{
    AskResult, ControlPolicy, ControlRequest, ControlState, EndReason, InputRights, Role,
    SessionId, SessionInfo, SessionList, Via,
};
use events::ViewerId;
use media::MonoTime;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The driver's time to answer who asks for control.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Something that happened, or that somebody wants.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// A session began.
    Enter(ViewerId, Newcomer),
    /// A session ended.
    Leave(ViewerId),
    /// Whose session it is may do something else from now on, or is called something else.
    Identify(ViewerId, Identity),
    /// It wants to drive, now.
    Take(ViewerId),
    /// It drives no more.
    Release(ViewerId),
    /// Somebody makes `to` the driver.
    Give { by: Actor, to: ViewerId },
    /// It asks the driver for control.
    Ask(ViewerId),
    /// The driver's answer.
    Answer {
        by: Actor,
        asker: ViewerId,
        grant: bool,
    },
    /// Somebody throws a session out.
    Kick(ViewerId),
    /// It wants pictures, or none.
    Paused(ViewerId, bool),
    /// Who may drive at a time.
    Policy(ControlPolicy),
    /// Time passed; the driver last did something at `driver_active`.
    Tick { driver_active: Option<MonoTime> },
}

/// Who gives a command, where that matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(crate) viewer: Option<ViewerId>,
    pub(crate) role: Role,
}

/// A session at its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) identity: Identity,
    pub(crate) via: Via,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) since_ms: u64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The session drives: its input counts, as far as [`Room::rights`] says.
    Permit(ViewerId),
    /// The session drives no more; what it holds is released, and what [`Room::rights`] leaves it
    /// counts from then on.
    Revoke(ViewerId),
    /// Whether the session drives stays as it is; what [`Room::rights`] says counts from then on, and
    /// what it holds of anything else is released.
    Allow(ViewerId),
    /// What the session holds is released.
    ReleaseAll(ViewerId),
    /// The session's connection decides the bitrate.
    Lead(Option<ViewerId>),
    /// The session is told.
    Tell(ViewerId, Notice),
    /// The session ends.
    End(ViewerId, EndReason),
    /// Everybody is told who is here and who drives.
    Changed,
}

/// What one session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Somebody asks it for control.
    ControlRequested(ControlRequest),
    /// It drives now, as it asked or as somebody wished.
    ControlGranted,
    /// It does not get control.
    ControlRefused,
    /// The same person drives from another session now.
    OtherSessionConnected,
    /// It is over.
    Ended(EndReason),
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such session.
    #[error("there is no such session")]
    Unknown,
    /// Its role or kind does not allow it.
    #[error("this session may not drive")]
    MayNotDrive,
    /// Another person drives.
    #[error("another person drives: ask with askControl")]
    Held,
    /// It does not drive itself.
    #[error("only the driver or an administrator may do this")]
    NotDriver,
    /// Nobody asked, or somebody else did.
    #[error("that session does not ask for control")]
    NotAsking,
    /// Another one asks already.
    #[error("another session is asking for control already")]
    AnotherAsks,
}

#[derive(Clone, Debug)]
struct Member {
    newcomer: Newcomer,
    paused: bool,
}

impl Member {
    fn can_control(&self) -> bool {
        let identity = &self.newcomer.identity;
        identity.role >= Role::Controller
            && identity.rights != InputRights::NONE
            && self.newcomer.via != Via::Whep
    }

    /// What counts of its input while it does not drive: whoever plays along at a Moonlight client
    /// has a pad, which is no struggle over the pointer.
    fn beside_the_driver(&self) -> InputRights {
        match self.newcomer.via {
            Via::Moonlight if self.can_control() => {
                self.newcomer.identity.rights.and(InputRights::PADS)
            }
            _ => InputRights::NONE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Request {
    asker: ViewerId,
    since: MonoTime,
    until: MonoTime,
}

/// The room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    policy: ControlPolicy,
    members: BTreeMap<ViewerId, Member>,
    /// With one driver at a time: who it is.
    driver: Option<ViewerId>,
    request: Option<Request>,
}

type Effects = Vec<Effect>;

impl Room {
    pub(crate) fn new(policy: ControlPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Does what a command asks for; a refused one changes nothing.
    pub(crate) fn apply(&mut self, command: Command, now: MonoTime) -> Result<Effects, Refusal> {
        match command {
            Command::Enter(viewer, newcomer) => Ok(self.enter(viewer, newcomer)),
            Command::Leave(viewer) => Ok(self.leave(viewer)),
            Command::Identify(viewer, identity) => self.identify(viewer, identity),
            Command::Take(viewer) => self.take(viewer),
            Command::Release(viewer) => self.release(viewer),
            Command::Give { by, to } => self.give(by, to),
            Command::Ask(viewer) => self.ask(viewer, now),
            Command::Answer { by, asker, grant } => self.answer(by, asker, grant),
            Command::Kick(viewer) => {
                self.member(viewer)?;
                Ok(vec![Effect::End(viewer, EndReason::Operator)])
            }
            Command::Paused(viewer, paused) => self.pause(viewer, paused),
            Command::Policy(policy) => Ok(self.set_policy(policy)),
            Command::Tick { driver_active } => Ok(self.tick(driver_active, now)),
        }
    }

    /// When [`Command::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.request.map(|request| request.until)
    }

    pub(crate) fn driver(&self) -> Option<ViewerId> {
        self.driver
    }

    /// Whether the session's input counts.
    pub(crate) fn controls(&self, viewer: ViewerId) -> bool {
        match self.policy {
            ControlPolicy::Single => self.driver == Some(viewer),
            ControlPolicy::Shared => self.members.get(&viewer).is_some_and(Member::can_control),
        }
    }

    /// Which of the session's input counts.
    pub(crate) fn rights(&self, viewer: ViewerId) -> InputRights {
        match self.members.get(&viewer) {
            Some(member) if self.controls(viewer) => member.newcomer.identity.rights,
            Some(member) => member.beside_the_driver(),
            None => InputRights::NONE,
        }
    }

    /// What came of [`Command::Ask`].
    pub(crate) fn asked(&self, viewer: ViewerId, now: MonoTime) -> AskResult {
        let waiting = self.request.filter(|request| request.asker == viewer);
        AskResult {
            granted: self.controls(viewer),
            expires_in_ms: waiting.map(|request| millis(request.until.since(now))),
        }
    }

    fn member(&self, viewer: ViewerId) -> Result<&Member, Refusal> {
        self.members.get(&viewer).ok_or(Refusal::Unknown)
    }

    fn eligible(&self, viewer: ViewerId) -> Result<(), Refusal> {
        if self.member(viewer)?.can_control() {
            Ok(())
        } else {
            Err(Refusal::MayNotDrive)
        }
    }

    fn same_person(&self, one: ViewerId, other: ViewerId) -> bool {
        let login = |viewer| self.members.get(&viewer).map(|m| m.newcomer.identity.login);
        login(one).is_some() && login(one) == login(other)
    }

    fn enter(&mut self, viewer: ViewerId, newcomer: Newcomer) -> Effects {
        let member = Member {
            newcomer,
            paused: false,
        };
        let can_control = member.can_control();
        let plays_along = member.beside_the_driver() != InputRights::NONE;
        self.members.insert(viewer, member);
        match (self.policy, self.driver) {
            _ if !can_control => vec![Effect::Changed],
            (ControlPolicy::Shared, _) => vec![Effect::Permit(viewer), Effect::Changed],
            (ControlPolicy::Single, None) => self.hand_over(Some(viewer)),
            (ControlPolicy::Single, Some(driver)) if self.same_person(driver, viewer) => {
                self.take_over(driver, viewer)
            }
            (ControlPolicy::Single, Some(_)) if plays_along => {
                vec![Effect::Allow(viewer), Effect::Changed]
            }
            (ControlPolicy::Single, Some(_)) => vec![Effect::Changed],
        }
    }

    /// Nobody gains control by it: who may drive from now on takes it, or asks.
    fn identify(&mut self, viewer: ViewerId, identity: Identity) -> Result<Effects, Refusal> {
        let member = self.member(viewer)?;
        if member.newcomer.identity == identity {
            return Ok(Vec::new());
        }
        let (controlled, had) = (self.controls(viewer), self.rights(viewer));
        if let Some(member) = self.members.get_mut(&viewer) {
            member.newcomer.identity = identity;
        }
        let can_control = self.eligible(viewer).is_ok();
        if self.driver == Some(viewer) && !can_control {
            let asker = self.request.map(|request| request.asker);
            return Ok(self.hand_over(asker));
        }
        let mut effects = Vec::new();
        match (controlled, self.controls(viewer)) {
            (true, false) => effects.push(Effect::Revoke(viewer)),
            (false, true) => effects.push(Effect::Permit(viewer)),
            _ if had != self.rights(viewer) => effects.push(Effect::Allow(viewer)),
            _ => {}
        }
        let asks = self.request.is_some_and(|request| request.asker == viewer);
        match asks && !can_control {
            true => effects.extend(self.refuse()),
            false => effects.push(Effect::Changed),
        }
        Ok(effects)
    }

    fn leave(&mut self, viewer: ViewerId) -> Effects {
        let controlled = self.controls(viewer);
        let heirs = self.members.iter().rev();
        let mut heirs = heirs.filter(|(heir, member)| **heir != viewer && member.can_control());
        let heir = heirs.find(|(heir, _)| self.same_person(**heir, viewer));
        let heir = heir.map(|(heir, _)| *heir);
        if self.members.remove(&viewer).is_none() {
            return Vec::new();
        }
        if self.request.is_some_and(|request| request.asker == viewer) {
            self.request = None;
        }
        if self.driver == Some(viewer) {
            let asker = self.request.map(|request| request.asker);
            return self.hand_over(asker.or(heir));
        }
        let mut effects = Vec::new();
        if controlled {
            effects.push(Effect::Revoke(viewer));
        }
        effects.push(Effect::Changed);
        effects
    }

    fn take(&mut self, viewer: ViewerId) -> Result<Effects, Refusal> {
        self.eligible(viewer)?;
        if self.controls(viewer) {
            return Ok(Vec::new());
        }
        match self.driver {
            None => Ok(self.hand_over(Some(viewer))),
            Some(driver) if self.same_person(driver, viewer) => Ok(self.take_over(driver, viewer)),
            Some(_) if self.member(viewer)?.newcomer.identity.role == Role::Admin => {
                Ok(self.hand_over(Some(viewer)))
            }
            Some(_) => Err(Refusal::Held),
        }
    }

    fn release(&mut self, viewer: ViewerId) -> Result<Effects, Refusal> {
        self.member(viewer)?;
        if self.driver != Some(viewer) {
            return Ok(Vec::new());
        }
        let asker = self.request.map(|request| request.asker);
        Ok(self.hand_over(asker))
    }

    fn give(&mut self, by: Actor, to: ViewerId) -> Result<Effects, Refusal> {
        self.eligible(to)?;
        self.may_decide(by)?;
        if self.controls(to) {
            return Ok(Vec::new());
        }
        let asked = self.request.is_some_and(|request| request.asker == to);
        let mut effects = self.hand_over(Some(to));
        if !asked {
            effects.push(Effect::Tell(to, Notice::ControlGranted));
        }
        Ok(effects)
    }

    fn ask(&mut self, viewer: ViewerId, now: MonoTime) -> Result<Effects, Refusal> {
        self.eligible(viewer)?;
        match (self.driver, self.request) {
            _ if self.controls(viewer) => Ok(Vec::new()),
            (None, _) => Ok(self.hand_over(Some(viewer))),
            (Some(driver), _) if self.same_person(driver, viewer) => {
                Ok(self.take_over(driver, viewer))
            }
            (Some(_), Some(request)) if request.asker == viewer => Ok(Vec::new()),
            (Some(_), Some(_)) => Err(Refusal::AnotherAsks),
            (Some(driver), None) => {
                self.request = Some(Request {
                    asker: viewer,
                    since: now,
                    until: now + ANSWER_WITHIN,
                });
                let shown = self.shown_request(now).map(Notice::ControlRequested);
                let told = shown.map(|notice| Effect::Tell(driver, notice));
                Ok(told.into_iter().chain([Effect::Changed]).collect())
            }
        }
    }

    fn answer(&mut self, by: Actor, asker: ViewerId, grant: bool) -> Result<Effects, Refusal> {
        self.may_decide(by)?;
        match self.request {
            Some(request) if request.asker == asker && grant => Ok(self.hand_over(Some(asker))),
            Some(request) if request.asker == asker => Ok(self.refuse()),
            _ => Err(Refusal::NotAsking),
        }
    }

    fn may_decide(&self, by: Actor) -> Result<(), Refusal> {
        let drives = by.viewer.is_some_and(|viewer| self.controls(viewer));
        if drives || by.role == Role::Admin {
            Ok(())
        } else {
            Err(Refusal::NotDriver)
        }
    }

    fn pause(&mut self, viewer: ViewerId, paused: bool) -> Result<Effects, Refusal> {
        let member = self.members.get_mut(&viewer).ok_or(Refusal::Unknown)?;
        let before = std::mem::replace(&mut member.paused, paused);
        let mut effects = Vec::new();
        if paused {
            effects.push(Effect::ReleaseAll(viewer));
        }
        if before != paused {
            effects.push(Effect::Changed);
        }
        Ok(effects)
    }

    fn set_policy(&mut self, policy: ControlPolicy) -> Effects {
        if policy == self.policy {
            return Vec::new();
        }
        let able = self
            .members
            .iter()
            .filter(|(_, member)| member.can_control());
        let able: Vec<ViewerId> = able.map(|(viewer, _)| *viewer).collect();
        let mut effects = Vec::new();
        match policy {
            ControlPolicy::Shared => {
                effects.extend(self.request.take().map(|request| {
                    // With shared control, whoever asked has it.
                    Effect::Tell(request.asker, Notice::ControlGranted)
                }));
                let driver = self.driver.take();
                let others = able.iter().filter(|viewer| Some(**viewer) != driver);
                effects.extend(others.map(|viewer| Effect::Permit(*viewer)));
                if driver.is_some() {
                    effects.push(Effect::Lead(None));
                }
                self.policy = policy;
                effects.push(Effect::Changed);
            }
            ControlPolicy::Single => {
                self.policy = policy;
                effects.extend(able.iter().map(|viewer| Effect::Revoke(*viewer)));
                // Who of several shall drive is for them to say.
                let only = (able.len() == 1).then(|| able[0]);
                effects.extend(self.hand_over(only));
            }
        }
        effects
    }

    fn tick(&mut self, driver_active: Option<MonoTime>, now: MonoTime) -> Effects {
        match self.request {
            Some(request) if request.until <= now => {
                if driver_active.is_some_and(|active| active >= request.since) {
                    self.refuse()
                } else {
                    self.hand_over(Some(request.asker))
                }
            }
            _ => Vec::new(),
        }
    }

    fn refuse(&mut self) -> Effects {
        let asker = self.request.take().map(|request| request.asker);
        let told = asker.map(|asker| Effect::Tell(asker, Notice::ControlRefused));
        told.into_iter().chain([Effect::Changed]).collect()
    }

    /// The same person drives from another session: the old one may stay and watch.
    fn take_over(&mut self, from: ViewerId, to: ViewerId) -> Effects {
        let mut effects = self.hand_over(Some(to));
        effects.push(Effect::Tell(from, Notice::OtherSessionConnected));
        effects
    }

    /// The one way in which control changes hands.
    fn hand_over(&mut self, to: Option<ViewerId>) -> Effects {
        let mut effects = Vec::new();
        effects.extend(self.driver.map(Effect::Revoke));
        self.driver = to;
        effects.extend(to.map(Effect::Permit));
        effects.push(Effect::Lead(to));
        if let Some(request) = self.request.take() {
            let notice = if to == Some(request.asker) {
                Notice::ControlGranted
            } else {
                Notice::ControlRefused
            };
            effects.push(Effect::Tell(request.asker, notice));
        }
        effects.push(Effect::Changed);
        effects
    }

    fn shown_request(&self, now: MonoTime) -> Option<ControlRequest> {
        let request = self.request?;
        let member = self.members.get(&request.asker)?;
        Some(ControlRequest {
            session: SessionId(request.asker.0),
            name: member.newcomer.identity.shown_name(),
            expires_in_ms: millis(request.until.since(now)),
        })
    }

    /// What everybody is told.
    pub(crate) fn view(&self, now: MonoTime) -> RoomView {
        let sessions = self.members.iter().map(|(viewer, member)| SessionInfo {
            id: SessionId(viewer.0),
            name: member.newcomer.identity.shown_name(),
            role: member.newcomer.identity.role,
            address: member.newcomer.address.map(|address| address.to_string()),
            via: member.newcomer.via,
            since: member.newcomer.since_ms,
            paused: member.paused,
            controls: self.controls(*viewer),
            can_control: member.can_control(),
        });
        RoomView {
            sessions: sessions.collect(),
            control: ControlState {
                control: self.policy,
                driver: self.driver.map(|driver| SessionId(driver.0)),
                request: self.shown_request(now),
            },
            made: now,
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Who is here and who drives, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomView {
    sessions: Vec<SessionInfo>,
    control: ControlState,
    made: MonoTime,
}

impl RoomView {
    /// All sessions, oldest first.
    #[must_use]
    pub fn sessions(&self) -> &[SessionInfo] {
        &self.sessions
    }

    /// Whether the session's input counts.
    #[must_use]
    pub fn controls(&self, viewer: ViewerId) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.any(|session| session.id.0 == viewer.0 && session.controls)
    }

    /// As somebody is told who has the session `you` and may do what `role` may.
    #[must_use]
    pub fn list(&self, you: Option<ViewerId>, role: Role, now: MonoTime) -> SessionList {
        let mut list = SessionList {
            you: you.map(|viewer| SessionId(viewer.0)),
            sessions: self.sessions.clone(),
            control: self.control.clone(),
        };
        if role < Role::Admin {
            for session in &mut list.sessions {
                session.address = None;
            }
        }
        if let Some(request) = &mut list.control.request {
            let passed = millis(now.since(self.made));
            request.expires_in_ms = request.expires_in_ms.saturating_sub(passed);
        }
        list
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
