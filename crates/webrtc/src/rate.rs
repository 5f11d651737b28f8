//! From what is known of the link to an encoder target: down at once when the link jams, up with
//! patience, and not at all on the word of an estimator that saw too little.

use crate::queue_watch::WayReport;
use media::{Bitrate, MonoTime};
use std::time::Duration;

/// Share of the wire that headers, crypto and resends take.
const OVERHEAD_PERCENT: u64 = 8;
/// Part of the estimate that is used, so that the queue on the way drains.
const USED_PERCENT: u64 = 92;
/// Changes smaller than this are not worth an encoder's attention.
const MIN_STEP_PERCENT: u64 = 4;
/// Shortest time between two steps up.
const UP_EVERY: Duration = Duration::from_millis(250);
/// A step up that the link itself is asked about, by sending that much more.
const UP_PERCENT: u64 = 105;
/// Below this share of the target, what is sent says nothing about what the link could carry.
const TELLING_PERCENT: u64 = 50;
/// From this share of the target on, sending more is a test of the link.
const TESTING_PERCENT: u64 = 75;
/// Shortest time between two tests of a doubted estimate.
const TEST_EVERY: Duration = Duration::from_secs(2);
/// A queue that stands this long is a jam.
const JAM_STANDING: Duration = Duration::from_millis(45);
/// Losses, in thousandths, that are a jam even without a standing queue.
const JAM_LOST_PERMILLE: u32 = 150;
/// Reports in a row that make a jam: one alone may be a viewer's hiccup.
const JAM_REPORTS: u32 = 2;
/// What is left of the rate of arrival after a jam, so that the queue drains.
const AFTER_JAM_PERCENT: u64 = 80;
/// Shortest time between two cuts: the first one needs a round trip to show.
const CUT_EVERY: Duration = Duration::from_millis(250);
/// No step up for this long after a cut.
const HOLD_AFTER_CUT: Duration = Duration::from_millis(1500);
/// A queue shorter than this is none.
const CALM_STANDING: Duration = Duration::from_millis(15);
/// Losses, in thousandths, that a calm link may have.
const CALM_LOST_PERMILLE: u32 = 20;

/// Measures what was sent lately. Pure.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentMeter {
    total_bytes: u64,
    window_bytes: u64,
    window_since: MonoTime,
    last_bps: u64,
}

/// What was sent is averaged over this time.
const METER_WINDOW: Duration = Duration::from_millis(400);

impl SentMeter {
    /// Takes note of bytes handed to the wire.
    pub fn add(&mut self, bytes: u64, now: MonoTime) {
        self.roll(now);
        self.total_bytes += bytes;
        self.window_bytes += bytes;
    }

    fn roll(&mut self, now: MonoTime) {
        let passed = now.since(self.window_since);
        if passed >= METER_WINDOW {
            let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).max(1);
            self.last_bps = self.window_bytes.saturating_mul(8_000_000) / micros;
            self.window_bytes = 0;
            self.window_since = now;
        }
    }

    /// Bits a second over the last complete window.
    pub fn bps(&mut self, now: MonoTime) -> u64 {
        self.roll(now);
        self.last_bps
    }

    /// Measures the rate from now on; the total goes on.
    pub fn restart(&mut self, now: MonoTime) {
        self.window_bytes = 0;
        self.window_since = now;
        self.last_bps = 0;
    }

    /// All bytes so far.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total_bytes
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Give the encoder this target.
    Change(Bitrate),
    /// The estimate fell while next to nothing was sent: have it tested by a probe.
    Test,
}

/// Decides the encoder target for one viewer. Pure.
#[derive(Clone, Copy, Debug)]
pub struct RateFollower {
    ceiling: Bitrate,
    target: Bitrate,
    last_up: MonoTime,
    last_test: MonoTime,
    last_cut: MonoTime,
    jams: u32,
    way: Option<WayReport>,
}

impl RateFollower {
    /// A follower that never exceeds `ceiling` and starts from `initial`.
    #[must_use]
    pub fn new(ceiling: Bitrate, initial: Bitrate) -> Self {
        let never = MonoTime::ZERO;
        let mut follower = Self {
            ceiling,
            target: ceiling,
            last_up: never,
            last_test: never,
            last_cut: never,
            jams: 0,
            way: None,
        };
        follower.target = follower.wanted(u64::from(initial.bps()));
        follower
    }

    /// The encoder target now.
    #[must_use]
    pub const fn target(&self) -> Bitrate {
        self.target
    }

    /// Allows more or less from now on. What is allowed now but was not before is earned step by
    /// step.
    pub fn set_ceiling(&mut self, ceiling: Bitrate) -> Step {
        self.ceiling = ceiling;
        let most = self.payload(ceiling.bps().into());
        if self.target > most {
            return self.change(most);
        }
        Step::Keep
    }

    fn target_bps(&self) -> u64 {
        self.target.bps().into()
    }

    fn wanted(&self, estimate_bps: u64) -> Bitrate {
        self.payload(estimate_bps * USED_PERCENT / 100)
    }

    /// The encoder's part of a rate on the wire.
    fn payload(&self, wire_bps: u64) -> Bitrate {
        let wire = wire_bps.min(self.ceiling.bps().into());
        Bitrate::clamped(wire * (100 - OVERHEAD_PERCENT) / 100)
    }

    fn change(&mut self, target: Bitrate) -> Step {
        self.target = target;
        Step::Change(target)
    }

    fn may_rise(&self, now: MonoTime) -> bool {
        let after = |at: MonoTime, pause| at == MonoTime::ZERO || now.since(at) >= pause;
        after(self.last_up, UP_EVERY) && after(self.last_cut, HOLD_AFTER_CUT)
    }

    /// Takes a new estimate, together with what was sent lately.
    ///
    /// The estimator takes what arrives for what can arrive, so a fall is followed only if the way
    /// shows signs of a jam, and never below what the way carries without one.
    pub fn estimate(&mut self, estimate_bps: u64, sent_bps: u64, now: MonoTime) -> Step {
        let wanted = self.wanted(estimate_bps);
        let (old, new) = (self.target_bps(), u64::from(wanted.bps()));
        if old.abs_diff(new) * 100 < old * MIN_STEP_PERCENT {
            return Step::Keep;
        }
        if new > old {
            if !self.may_rise(now) {
                return Step::Keep;
            }
            self.last_up = now;
            return self.change(wanted);
        }
        if sent_bps * 100 < old * TELLING_PERCENT {
            if now.since(self.last_test) < TEST_EVERY && self.last_test != MonoTime::ZERO {
                return Step::Keep;
            }
            self.last_test = now;
            return Step::Test;
        }
        match self.way {
            Some(way) if is_calm(&way) => Step::Keep,
            Some(way) if way.standing < JAM_STANDING => {
                let carried = self.payload(way.arrived_bps * AFTER_JAM_PERCENT / 100);
                self.change(wanted.max(carried).min(self.target))
            }
            _ => self.change(wanted),
        }
    }

    /// Takes what the last feedback said about the way, together with what was sent lately.
    pub fn way(&mut self, way: WayReport, sent_bps: u64, now: MonoTime) -> Step {
        self.way = Some(way);
        let jammed = way.standing >= JAM_STANDING || way.lost_permille >= JAM_LOST_PERMILLE;
        self.jams = if jammed { self.jams + 1 } else { 0 };
        if self.jams >= JAM_REPORTS {
            let carried = self.payload(way.arrived_bps * AFTER_JAM_PERCENT / 100);
            if now.since(self.last_cut) < CUT_EVERY || carried >= self.target {
                return Step::Keep;
            }
            self.last_cut = now;
            return self.change(carried);
        }
        let busy = sent_bps * 100 >= self.target_bps() * TESTING_PERCENT;
        let most = self.payload(self.ceiling.bps().into());
        if !busy || !is_calm(&way) || self.target >= most || !self.may_rise(now) {
            return Step::Keep;
        }
        self.last_up = now;
        let more = Bitrate::clamped(self.target_bps() * UP_PERCENT / 100);
        self.change(more.min(most))
    }
}

fn is_calm(way: &WayReport) -> bool {
    way.standing < CALM_STANDING && way.lost_permille < CALM_LOST_PERMILLE
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: u64 = 8_000_000;

    fn mbps(value: u64) -> Bitrate {
        Bitrate::new(value * 1_000_000).unwrap()
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::ZERO + Duration::from_millis(10_000 + ms)
    }

    fn way(standing_ms: u64, arrived_mbps: u64) -> WayReport {
        WayReport {
            standing: Duration::from_millis(standing_ms),
            arrived_bps: arrived_mbps * 1_000_000,
            lost_permille: 0,
            round_trip: None,
        }
    }

    fn changed(step: Step) -> u32 {
        let Step::Change(target) = step else {
            panic!("{step:?}")
        };
        target.bps()
    }

    #[test]
    fn a_jam_cuts_below_what_arrives_within_two_reports() {
        let mut rate = RateFollower::new(mbps(10), mbps(10));
        assert_eq!(
            rate.way(way(60, 4), BUSY, at(0)),
            Step::Keep,
            "one report may be a hiccup"
        );
        let target = changed(rate.way(way(80, 4), BUSY, at(60)));
        assert!(target < 3_400_000, "{target} lets the queue drain");
        assert_eq!(
            rate.way(way(90, 4), BUSY, at(100)),
            Step::Keep,
            "the cut has to show first"
        );
    }

    #[test]
    fn nothing_rises_right_after_a_cut() {
        let mut rate = RateFollower::new(mbps(10), mbps(10));
        rate.way(way(60, 4), BUSY, at(0));
        rate.way(way(60, 4), BUSY, at(50));
        assert_eq!(rate.estimate(9_000_000, BUSY, at(500)), Step::Keep);
        assert_eq!(rate.way(way(0, 3), BUSY, at(900)), Step::Keep);
        assert!(matches!(
            rate.estimate(9_000_000, BUSY, at(1600)),
            Step::Change(_)
        ));
    }

    #[test]
    fn a_calm_busy_link_is_asked_for_more_step_by_step() {
        let mut rate = RateFollower::new(mbps(10), mbps(4));
        let before = rate.target().bps();
        let mut now = 0;
        for _ in 0..8 {
            rate.way(way(2, 4), BUSY, at(now));
            now += 125;
        }
        let after = rate.target().bps();
        assert!(
            after > before * 115 / 100 && after < before * 130 / 100,
            "{before} {after}"
        );
    }

    #[test]
    fn an_estimate_falls_alone_in_vain_on_a_calm_link() {
        let mut rate = RateFollower::new(mbps(10), mbps(8));
        rate.way(way(3, 7), BUSY, at(0));
        assert_eq!(rate.estimate(500_000, BUSY, at(10)), Step::Keep);
        rate.way(way(30, 5), BUSY, at(50));
        let target = changed(rate.estimate(500_000, BUSY, at(60)));
        assert!(target >= 3_000_000, "{target}: five megabits did arrive");
    }

    #[test]
    fn without_feedback_the_estimate_decides() {
        let mut rate = RateFollower::new(mbps(10), mbps(10));
        let target = changed(rate.estimate(4_000_000, BUSY, at(0)));
        assert!(target < 4_000_000 * 9 / 10);
    }

    #[test]
    fn steps_up_are_spaced() {
        let mut rate = RateFollower::new(mbps(20), mbps(2));
        assert!(matches!(
            rate.estimate(4_000_000, BUSY, at(0)),
            Step::Change(_)
        ));
        assert_eq!(rate.estimate(8_000_000, BUSY, at(100)), Step::Keep);
        assert!(matches!(
            rate.estimate(8_000_000, BUSY, at(260)),
            Step::Change(_)
        ));
    }

    #[test]
    fn the_ceiling_is_the_whole_wire_budget() {
        let mut rate = RateFollower::new(mbps(8), mbps(1));
        rate.estimate(1_000_000_000, BUSY, at(0));
        assert!(rate.target().bps() <= 8_000_000 * 92 / 100);
        assert!(rate.target().bps() >= 7_000_000);
    }

    #[test]
    fn a_lower_ceiling_holds_at_once_and_a_higher_one_is_earned() {
        let mut rate = RateFollower::new(mbps(8), mbps(8));
        let target = changed(rate.set_ceiling(mbps(2)));
        assert!(target <= 2_000_000, "{target}");
        assert_eq!(rate.set_ceiling(mbps(20)), Step::Keep);
        let step = rate.estimate(18_000_000, BUSY, at(0));
        assert!(changed(step) > 10_000_000);
    }

    #[test]
    fn noise_is_not_passed_on() {
        let mut rate = RateFollower::new(mbps(8), mbps(4));
        assert_eq!(rate.estimate(4_050_000, BUSY, at(300)), Step::Keep);
    }

    #[test]
    fn a_drop_on_a_quiet_stream_is_tested_not_followed() {
        let mut rate = RateFollower::new(mbps(8), mbps(8));
        let before = rate.target();
        assert_eq!(rate.estimate(500_000, 300_000, at(0)), Step::Test);
        assert_eq!(
            rate.estimate(400_000, 300_000, at(500)),
            Step::Keep,
            "tests are spaced"
        );
        assert_eq!(rate.estimate(400_000, 300_000, at(2500)), Step::Test);
        assert_eq!(rate.target(), before);
    }

    #[test]
    fn the_meter_tells_the_rate_of_the_last_window() {
        let mut meter = SentMeter::default();
        for ms in 0..2000 {
            meter.add(1000, at(ms));
        }
        let bps = meter.bps(at(2000));
        assert!((7_500_000..=8_500_000).contains(&bps), "{bps}");
        assert_eq!(meter.total(), 2_000_000);
    }
}
