//! From a bandwidth estimate to an encoder target: down at once, up with patience.

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

/// Below this share of the target, what is sent says nothing about what the link could carry.
const TELLING_PERCENT: u64 = 50;
/// Shortest time between two tests of a doubted estimate.
const TEST_EVERY: Duration = Duration::from_secs(2);

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

    /// All bytes so far.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total_bytes
    }
}

/// What to do about an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Give the encoder this target.
    Change(Bitrate),
    /// The estimate fell while next to nothing was sent: have it tested by a probe.
    Test,
}

/// Follows the estimate of one viewer. Pure.
#[derive(Clone, Copy, Debug)]
pub struct RateFollower {
    ceiling: Bitrate,
    target: Bitrate,
    last_up: MonoTime,
    last_test: MonoTime,
}

impl RateFollower {
    /// A follower that never exceeds `ceiling` and starts from `initial`.
    #[must_use]
    pub fn new(ceiling: Bitrate, initial: Bitrate) -> Self {
        let (last_up, last_test) = (MonoTime::ZERO, MonoTime::ZERO);
        let mut follower = Self {
            ceiling,
            target: ceiling,
            last_up,
            last_test,
        };
        follower.target = follower.wanted(u64::from(initial.bps()));
        follower
    }

    /// The encoder target now.
    #[must_use]
    pub const fn target(&self) -> Bitrate {
        self.target
    }

    fn wanted(&self, estimate_bps: u64) -> Bitrate {
        let wire = (estimate_bps * USED_PERCENT / 100).min(self.ceiling.bps().into());
        Bitrate::clamped(wire * (100 - OVERHEAD_PERCENT) / 100)
    }

    /// Takes a new estimate, together with what was sent lately.
    ///
    /// The estimator takes what arrives for what can arrive: on a quiet screen a hiccup would
    /// leave it, and the next burst of motion, with next to nothing.
    pub fn estimate(&mut self, estimate_bps: u64, sent_bps: u64, now: MonoTime) -> Step {
        let wanted = self.wanted(estimate_bps);
        let (old, new) = (u64::from(self.target.bps()), u64::from(wanted.bps()));
        if old.abs_diff(new) * 100 < old * MIN_STEP_PERCENT {
            return Step::Keep;
        }
        if new < old && sent_bps * 100 < old * TELLING_PERCENT {
            if now.since(self.last_test) < TEST_EVERY && self.last_test != MonoTime::ZERO {
                return Step::Keep;
            }
            self.last_test = now;
            return Step::Test;
        }
        if new > old {
            if now.since(self.last_up) < UP_EVERY && self.last_up != MonoTime::ZERO {
                return Step::Keep;
            }
            self.last_up = now;
        }
        self.target = wanted;
        Step::Change(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mbps(value: u64) -> Bitrate {
        Bitrate::new(value * 1_000_000).unwrap()
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::ZERO + Duration::from_millis(1000 + ms)
    }

    const BUSY: u64 = 8_000_000;

    #[test]
    fn a_cut_is_followed_at_once() {
        let mut rate = RateFollower::new(mbps(10), mbps(10));
        let Step::Change(target) = rate.estimate(4_000_000, BUSY, at(0)) else {
            panic!("no change");
        };
        assert!(
            target.bps() < 4_000_000 * 9 / 10,
            "{target} leaves room on a 4 Mb/s link"
        );
        assert!(matches!(
            rate.estimate(2_000_000, BUSY, at(1)),
            Step::Change(_)
        ));
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
        assert!(matches!(
            rate.estimate(400_000, BUSY, at(2600)),
            Step::Change(_)
        ));
    }
}
