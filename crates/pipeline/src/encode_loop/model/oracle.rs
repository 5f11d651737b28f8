//! What the loop has to do, told from what its encoder did: the reference model, without the loop.

use crate::chain::WINDOW;
use crate::gate::KEYFRAME_SPACING;
use crate::signal::SLATE_EVERY;
use crate::support::coder::{Abilities, Coded, Did};
use encode::Invalidation;
use media::{Bitrate, FrameKind, MonoTime, StreamParams};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Pictures whose rate is looked at together.
const PASSED: usize = 50;

/// A command as the model understands it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Join {
        viewer: u32,
        token: u64,
    },
    Leave {
        viewer: u32,
        token: u64,
    },
    Keyframe,
    Lost {
        first: u64,
        last: u64,
    },
    Rate {
        viewer: u32,
        bitrate: Bitrate,
    },
    Lead {
        viewer: Option<u32>,
    },
    Params(StreamParams),
    Switch,
    /// The source went away.
    Away,
    /// A picture came.
    Picture,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) viewer: u32,
    pub(super) token: u64,
    pub(super) rate: Option<Bitrate>,
}

/// What there is to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sight {
    /// Nothing came yet.
    Opening(MonoTime),
    Picture,
    /// Nothing, since then.
    Away(MonoTime),
}

#[derive(Debug)]
pub(super) struct Oracle {
    pub(super) params: StreamParams,
    /// With these an encoder opened.
    proven: Option<StreamParams>,
    lead: Option<u32>,
    /// The parameters for which other encoders are tried because somebody asked.
    switches: VecDeque<StreamParams>,
    sight: Sight,
    /// When the last slate was coded as a keyframe.
    slate_at: Option<MonoTime>,
    interval: Duration,
    spacing: Duration,
    decided: Option<Duration>,
    /// Of the encoder that was opened last.
    pub(super) abilities: Abilities,
    /// Encoders that were opened and coded something.
    pub(super) openings: u64,
    /// Consumers in the order in which they came.
    pub(super) members: Vec<Member>,
    /// Starts so far; frames carry the number of the run they were shown in.
    pub(super) runs: u64,
    /// Every coded picture and what it refers to.
    history: BTreeMap<u64, Option<u64>>,
    /// The newest picture of the encoder that is open now.
    pub(super) newest: Option<Coded>,
    keyframe_at: Option<MonoTime>,
    /// Since when a keyframe is owed.
    pub(super) owed_since: Option<MonoTime>,
    losses: Vec<(u64, u64)>,
    /// A queue refused a unit since the last keyframe, which may need another.
    pub(super) refused: bool,
    failures: u32,
    no_attempt_before: MonoTime,
    /// The encoder failed for good in this turn.
    pub(super) ended: bool,
    pub(super) bitrate: Option<Bitrate>,
    /// When the latest pictures were coded.
    passed: VecDeque<MonoTime>,
    /// The credit of one rate says nothing about another: the next picture is not counted.
    new_rate: bool,
    /// What a slower rate before this one may still hold up.
    held_until: MonoTime,
    /// A pause after a failure may let the frame that waited and a new one through together.
    paused: bool,
}

impl Oracle {
    pub(super) fn new(params: StreamParams, abilities: Abilities) -> Self {
        let interval = params.rate.interval();
        Self {
            params,
            proven: None,
            lead: None,
            switches: VecDeque::new(),
            sight: Sight::Opening(MonoTime::ZERO),
            slate_at: None,
            interval,
            spacing: KEYFRAME_SPACING.max(interval * 2),
            decided: None,
            abilities,
            openings: 0,
            members: Vec::new(),
            runs: 0,
            history: BTreeMap::new(),
            newest: None,
            keyframe_at: None,
            owed_since: None,
            losses: Vec::new(),
            refused: false,
            failures: 0,
            no_attempt_before: MonoTime::ZERO,
            ended: false,
            bitrate: None,
            passed: VecDeque::new(),
            new_rate: false,
            held_until: MonoTime::ZERO,
            paused: false,
        }
    }

    pub(super) fn running(&self) -> bool {
        !self.members.is_empty()
    }

    fn owe(&mut self, now: MonoTime) {
        self.owed_since.get_or_insert(now);
    }

    /// What the link of the lead carries.
    pub(super) fn lead_rate(&self) -> Option<Bitrate> {
        let named = |member: &&Member| Some(member.viewer) == self.lead;
        let lead = self.members.iter().find(named);
        lead.or(self.members.first())?.rate
    }

    fn set_params(&mut self, params: StreamParams, now: MonoTime) {
        self.params = params;
        if self.interval != params.rate.interval() {
            self.held_until = self.held_until.max(now + self.interval * 2);
            self.interval = params.rate.interval();
            self.spacing = KEYFRAME_SPACING.max(self.interval * 2);
            self.passed.clear();
            self.new_rate = true;
        }
    }

    /// A new encoder starts with a keyframe, which settles everything.
    fn forget(&mut self) {
        self.newest = None;
        self.owed_since = None;
        self.losses.clear();
        self.refused = false;
    }

    fn stop(&mut self) {
        self.members.clear();
        self.forget();
        self.keyframe_at = None;
        self.slate_at = None;
        self.failures = 0;
        self.no_attempt_before = MonoTime::ZERO;
    }

    pub(super) fn tell(&mut self, told: Told, now: MonoTime) {
        match told {
            Told::Join { viewer, token } => {
                let member = Member {
                    viewer,
                    token,
                    rate: None,
                };
                if !self.running() {
                    self.runs += 1;
                    self.sight = Sight::Opening(now);
                }
                match self.members.iter_mut().find(|known| known.viewer == viewer) {
                    Some(known) => *known = member,
                    None => self.members.push(member),
                }
                self.owe(now);
            }
            Told::Leave { viewer, token } => {
                let before = self.members.len();
                self.members
                    .retain(|known| (known.viewer, known.token) != (viewer, token));
                if before > 0 && self.members.is_empty() {
                    self.stop();
                }
            }
            Told::Keyframe if self.running() => self.owe(now),
            Told::Keyframe => {}
            Told::Lost { first, last } => self.lost(first, last, now),
            Told::Rate { viewer, bitrate } => {
                let known = self.members.iter_mut().find(|known| known.viewer == viewer);
                if let Some(known) = known {
                    known.rate = Some(bitrate);
                }
            }
            Told::Lead { viewer } => self.lead = viewer,
            Told::Params(params) => self.set_params(params, now),
            Told::Switch => self.switches.push_back(self.params),
            Told::Away if matches!(self.sight, Sight::Away(_)) => {}
            Told::Away => self.sight = Sight::Away(now),
            Told::Picture => {
                if matches!(self.sight, Sight::Away(_)) {
                    self.owe(now);
                }
                (self.sight, self.slate_at) = (Sight::Picture, None);
            }
        }
    }

    /// The pictures that one depends on, itself included.
    fn chain(&self, index: u64) -> BTreeSet<u64> {
        let refers = |index: &u64| self.history.get(index).copied().flatten();
        std::iter::successors(Some(index), refers).collect()
    }

    fn lost(&mut self, first: u64, last: u64, now: MonoTime) {
        let Some(newest) = self.newest else { return };
        let next = newest.index + 1;
        let sound = first <= last && last < next;
        if !sound
            || self
                .chain(newest.index)
                .range(first..=last)
                .next()
                .is_none()
        {
            return;
        }
        let known = last - first < WINDOW && first + WINDOW >= next;
        if known && self.abilities.invalidates {
            self.losses.push((first, last));
        } else {
            self.owe(now);
        }
    }

    /// Checks what the encoder did in one turn.
    pub(super) fn observe(&mut self, log: &[Did], now: MonoTime) {
        self.ended = false;
        let mut cannot_invalidate = false;
        for did in log {
            match *did {
                Did::Opened { config, abilities } => {
                    self.abilities = abilities;
                    let asked = self.switches.pop_front();
                    if asked.is_some() {
                        (self.failures, self.no_attempt_before) = (0, MonoTime::ZERO);
                        self.held_until = self.held_until.max(now);
                    }
                    assert!(
                        self.running() || asked.is_some(),
                        "an encoder without a consumer"
                    );
                    let params = asked.unwrap_or(self.params);
                    assert!(now >= self.no_attempt_before, "an attempt during a pause");
                    assert_eq!(config.rate, params.rate);
                    assert!(params.size.is_none_or(|size| size == config.size));
                    self.proven = Some(params);
                    self.bitrate = Some(config.bitrate);
                    self.forget();
                }
                Did::NotOpened if self.switches.pop_front().is_some() => {}
                Did::NotOpened => self.not_opened(now),
                Did::Failed => self.failed(now),
                Did::Dropped => self.newest = None,
                Did::Bitrate(bitrate) => self.bitrate = Some(bitrate),
                Did::Invalidated { result, .. } => {
                    cannot_invalidate = result == Invalidation::NeedsKeyframe;
                }
                Did::Coded(coded) => self.coded(coded, cannot_invalidate, now),
            }
        }
    }

    /// What was asked for last is taken back, if there is something to go back to.
    fn not_opened(&mut self, now: MonoTime) {
        let bitrate = self.params.bitrate;
        let proven = self.proven.map(|proven| StreamParams { bitrate, ..proven });
        match proven.filter(|proven| *proven != self.params) {
            Some(proven) => {
                // What was decided before it was taken back holds for one picture.
                self.decided = Some(self.spacing);
                self.set_params(proven, now);
            }
            None => self.failed(now),
        }
    }

    fn failed(&mut self, now: MonoTime) {
        assert!(now >= self.no_attempt_before, "an attempt during a pause");
        self.failures += 1;
        if self.failures > 5 {
            self.ended = true;
            return self.stop();
        }
        let pause_ms = (100 << (self.failures - 1)).min(1600);
        self.no_attempt_before = now + Duration::from_millis(pause_ms);
        self.paused = true;
    }

    fn coded(&mut self, coded: Coded, cannot_invalidate: bool, now: MonoTime) {
        let index = coded.index;
        let before = self.history.last_key_value();
        assert!(
            before.is_none_or(|(last, _)| index > *last),
            "{index} was spent"
        );
        self.check_sight(&coded, now);
        assert_eq!(self.params.size.unwrap_or(coded.size), coded.size, "scaled");
        assert!(now >= self.no_attempt_before, "an attempt during a pause");
        self.history.insert(index, coded.reference);
        let spacing = self.decided.take().unwrap_or(self.spacing);
        let since = self.keyframe_at.map(|at| now.since(at));
        let may_keyframe = since.is_none_or(|since| since >= spacing);
        if coded.reference.is_none() {
            assert!(may_keyframe, "keyframe {index} came too soon");
            let slate = coded.kind == FrameKind::Placeholder;
            let asked = self.owed_since.is_some() || self.refused || cannot_invalidate || slate;
            assert!(
                self.newest.is_none() || asked,
                "keyframe {index} without a cause"
            );
            self.openings += u64::from(self.newest.is_none());
            self.forget();
            self.keyframe_at = Some(now);
        } else {
            let owed = self.owed_since.is_some();
            assert!(!(owed && may_keyframe), "{index} should be a keyframe");
            self.check_repairs(index, cannot_invalidate, now);
        }
        self.newest = Some(coded);
        self.check_rate(now);
        (self.failures, self.no_attempt_before) = (0, MonoTime::ZERO);
    }

    /// A picture of this run while there is one, a slate while there is none.
    fn check_sight(&mut self, coded: &Coded, now: MonoTime) {
        if coded.kind != FrameKind::Placeholder {
            assert_eq!(self.sight, Sight::Picture, "an old picture");
            assert_eq!(coded.content >> 32, self.runs, "a picture of another run");
            return;
        }
        if let Sight::Opening(since) = self.sight {
            assert!(now.since(since) >= SLATE_EVERY, "a slate too soon");
            self.sight = Sight::Away(now);
        }
        assert_ne!(self.sight, Sight::Picture, "a slate over a picture");
        if coded.reference.is_none() {
            self.slate_at = Some(now);
        }
    }

    /// Whoever watches sees a slate as soon as a keyframe may come, and once a second.
    pub(super) fn check_slates(&self, now: MonoTime) {
        let due = match (self.sight, self.slate_at) {
            _ if !self.running() || self.failures > 0 => return,
            (Sight::Picture, _) => return,
            (Sight::Opening(since), _) => since + SLATE_EVERY,
            (Sight::Away(since), None) => since,
            (Sight::Away(_), Some(at)) => at + SLATE_EVERY,
        };
        let late = now.since(due.max(self.held_until));
        let allowed = self.spacing + self.interval * 2;
        assert!(late <= allowed, "a slate is late by {late:?}");
    }

    /// No window holds more pictures than the rate (a sixty-fourth faster) allows and a quarter.
    fn check_rate(&mut self, now: MonoTime) {
        if std::mem::take(&mut self.new_rate) {
            return;
        }
        let period = self.interval - self.interval / 64;
        let credit = self.interval / 4 + if self.paused { period } else { Duration::ZERO };
        for (count, from) in (1..).zip(self.passed.iter().rev()) {
            let allowed = now.since(*from) + credit;
            assert!(
                period * count <= allowed,
                "{count} pictures in {:?}",
                now.since(*from)
            );
        }
        self.passed.push_back(now);
        if self.passed.len() > PASSED {
            self.passed.pop_front();
        }
    }

    /// Picture `index` depends on nothing that was lost, or a keyframe is owed instead.
    fn check_repairs(&mut self, index: u64, cannot_invalidate: bool, now: MonoTime) {
        let chain = self.chain(index);
        for (first, last) in std::mem::take(&mut self.losses) {
            let depends = chain.range(first..=last).next();
            if cannot_invalidate {
                self.owe(now);
            } else {
                assert_eq!(
                    depends, None,
                    "{index} depends on a loss in {first}..={last}"
                );
            }
        }
        if cannot_invalidate {
            self.owe(now);
        }
    }

    /// A keyframe that may come has come, at most two intervals late.
    pub(super) fn check_owed(&self, now: MonoTime) {
        let (Some(since), Some(at)) = (self.owed_since, self.keyframe_at) else {
            return;
        };
        if self.newest.is_some() {
            let due = since.max(at + self.spacing).max(self.held_until);
            let late = now.since(due);
            assert!(late <= self.interval * 2, "a keyframe is owed for {late:?}");
        }
    }
}
