//! How much parity and how many bits a client gets, from what it tells about losses. A function of
//! what was told and the time, decided once a second; measures and sends nothing.
//!
//! Clients answer loss with silence about the link itself: no bandwidth estimate, no round trips. So
//! parity rises at the first second with trouble, and bits go down when it lasts.

mod budget;

use std::time::Duration;

use media::MonoTime;

pub use budget::{AudioFraming, VideoFraming};

use crate::video::FrameFecStatus;

/// Decisions are so far apart.
const SECOND: Duration = Duration::from_secs(1);
/// Keyframes asked for in the first seconds are those of a client that begins.
const BEGINNING: Duration = Duration::from_secs(2);

/// Parity never rises above this, in percent, unless more was configured.
const MAX_FEC_PERCENT: u8 = 50;
/// The least step up of parity, in points; otherwise it is half of what there is.
const FEC_STEP_UP: u8 = 5;
/// The step down of parity, in points.
const FEC_STEP_DOWN: u8 = 5;
/// Clean seconds before each step down of parity.
const FEC_CLEAN_SECONDS: u32 = 8;

/// Bad seconds in a row from which on bits go down.
const BAD_SECONDS: u32 = 2;
/// What is left of the budget after a cut, in percent.
const AFTER_CUT_PERCENT: u64 = 85;
/// The budget never falls below a quarter of the limit, nor below this, unless the limit is lower.
const MIN_WIRE_BPS: u32 = 5_000_000;
const MIN_SHARE_OF_LIMIT: u32 = 4;
/// Clean seconds before each step up of the budget, and how many steps make the limit.
const WIRE_CLEAN_SECONDS: u32 = 4;
const WIRE_STEPS: u32 = 20;

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// The most bits a second on the wire, headers and parity and audio included: what the user set
    /// in the client.
    pub wire_bps: u32,
    /// Parity while all is well, in percent. It is never less.
    pub fec_percent: u8,
}

impl LinkLimits {
    const fn max_fec_percent(self) -> u8 {
        if self.fec_percent > MAX_FEC_PERCENT {
            self.fec_percent
        } else {
            MAX_FEC_PERCENT
        }
    }

    fn min_wire_bps(self) -> u32 {
        let least = (self.wire_bps / MIN_SHARE_OF_LIMIT).max(MIN_WIRE_BPS);
        least.min(self.wire_bps)
    }
}

/// What a client gets for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPlan {
    /// Parity in percent.
    pub fec_percent: u8,
    /// Bits a second on the wire; [`VideoFraming::encoder_bps`] says what the encoder gets of it.
    pub wire_bps: u32,
}

/// What the second at hand was like, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weather {
    Clean,
    /// Everything was repaired, and parity hardly sufficed for it.
    Strained,
    /// A picture was lost.
    Lost,
}

/// Decides for one client.
#[derive(Clone, Debug)]
pub struct LinkAdapter {
    limits: LinkLimits,
    plan: LinkPlan,
    started: MonoTime,
    next_decision: MonoTime,
    weather: Weather,
    /// Whether anything was sent that could have been lost.
    busy: bool,
    /// Seconds in a row.
    bad_seconds: u32,
    clean_seconds: u32,
}

impl LinkAdapter {
    /// An adapter that begins with all of the limits.
    #[must_use]
    pub fn new(limits: LinkLimits, now: MonoTime) -> Self {
        Self {
            limits,
            plan: LinkPlan {
                fec_percent: limits.fec_percent,
                wire_bps: limits.wire_bps,
            },
            started: now,
            next_decision: now + SECOND,
            weather: Weather::Clean,
            busy: false,
            bad_seconds: 0,
            clean_seconds: 0,
        }
    }

    /// What holds now.
    #[must_use]
    pub const fn plan(&self) -> LinkPlan {
        self.plan
    }

    /// When [`Self::decide`] is due.
    #[must_use]
    pub const fn next_decision(&self) -> MonoTime {
        self.next_decision
    }

    /// A picture was sent. A second without one proves nothing about the link.
    pub const fn picture_sent(&mut self) {
        self.busy = true;
    }

    /// The client told about packets that were missing.
    pub fn report(&mut self, status: &FrameFecStatus) {
        if status.is_lost() {
            self.note(Weather::Lost);
        } else if status.is_strained() {
            self.note(Weather::Strained);
        }
    }

    /// The client reported pictures as lost (control message 0x0301).
    pub fn pictures_lost(&mut self) {
        self.note(Weather::Lost);
    }

    /// The client asked for a keyframe (control message 0x0302): without reference invalidation that
    /// is its only way to report a loss.
    pub fn keyframe_requested(&mut self, now: MonoTime) {
        if now.since(self.started) >= BEGINNING {
            self.note(Weather::Lost);
        }
    }

    /// Ends the second, if it is over; tells the new plan if it changed. A late call is one second,
    /// however late it is.
    pub fn decide(&mut self, now: MonoTime) -> Option<LinkPlan> {
        if now < self.next_decision {
            return None;
        }
        self.next_decision = now + SECOND;
        let before = self.plan;
        let weather = std::mem::replace(&mut self.weather, Weather::Clean);
        let busy = std::mem::replace(&mut self.busy, false);
        match weather {
            Weather::Clean if busy => self.after_clean_second(),
            Weather::Clean => {}
            Weather::Strained | Weather::Lost => self.after_rough_second(weather),
        }
        (self.plan != before).then_some(self.plan)
    }

    fn note(&mut self, weather: Weather) {
        self.weather = self.weather.max(weather);
    }

    fn after_clean_second(&mut self) {
        self.bad_seconds = 0;
        self.clean_seconds += 1;
        if self.clean_seconds.is_multiple_of(FEC_CLEAN_SECONDS) {
            let less = self.plan.fec_percent.saturating_sub(FEC_STEP_DOWN);
            self.plan.fec_percent = less.max(self.limits.fec_percent);
        }
        if self.clean_seconds.is_multiple_of(WIRE_CLEAN_SECONDS) {
            let step = self.limits.wire_bps / WIRE_STEPS;
            let more = self.plan.wire_bps.saturating_add(step);
            self.plan.wire_bps = more.min(self.limits.wire_bps);
        }
    }

    /// What parity repairs is parity's business as long as there can be more of it.
    fn after_rough_second(&mut self, weather: Weather) {
        self.clean_seconds = 0;
        let most = self.limits.max_fec_percent();
        if weather == Weather::Lost || self.plan.fec_percent == most {
            self.bad_seconds += 1;
        } else {
            self.bad_seconds = 0;
        }
        let step = (self.plan.fec_percent / 2).max(FEC_STEP_UP);
        self.plan.fec_percent = self.plan.fec_percent.saturating_add(step).min(most);
        if self.bad_seconds >= BAD_SECONDS {
            let less = u64::from(self.plan.wire_bps) * AFTER_CUT_PERCENT / 100;
            // 85 % of 32 bits are 32 bits.
            self.plan.wire_bps = (less as u32).max(self.limits.min_wire_bps());
        }
    }
}

#[cfg(test)]
#[path = "adapt/tests.rs"]
mod tests;
