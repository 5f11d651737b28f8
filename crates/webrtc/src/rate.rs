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

/// Follows the estimate of one viewer. Pure.
#[derive(Clone, Copy, Debug)]
pub struct RateFollower {
    ceiling: Bitrate,
    target: Bitrate,
    last_up: MonoTime,
}

impl RateFollower {
    /// A follower that never exceeds `ceiling` and starts from `initial`.
    #[must_use]
    pub fn new(ceiling: Bitrate, initial: Bitrate) -> Self {
        let mut follower = Self {
            ceiling,
            target: ceiling,
            last_up: MonoTime::ZERO,
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

    /// Takes a new estimate; a new target, if it changed enough.
    pub fn estimate(&mut self, estimate_bps: u64, now: MonoTime) -> Option<Bitrate> {
        let wanted = self.wanted(estimate_bps);
        let (old, new) = (u64::from(self.target.bps()), u64::from(wanted.bps()));
        if old.abs_diff(new) * 100 < old * MIN_STEP_PERCENT {
            return None;
        }
        if new > old {
            if now.since(self.last_up) < UP_EVERY && self.last_up != MonoTime::ZERO {
                return None;
            }
            self.last_up = now;
        }
        self.target = wanted;
        Some(wanted)
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

    #[test]
    fn a_cut_is_followed_at_once() {
        let mut rate = RateFollower::new(mbps(10), mbps(10));
        let target = rate.estimate(4_000_000, at(0)).unwrap();
        assert!(
            target.bps() < 4_000_000 * 9 / 10,
            "{target} leaves room on a 4 Mb/s link"
        );
        assert!(rate.estimate(2_000_000, at(1)).is_some());
    }

    #[test]
    fn steps_up_are_spaced() {
        let mut rate = RateFollower::new(mbps(20), mbps(2));
        assert!(rate.estimate(4_000_000, at(0)).is_some());
        assert!(rate.estimate(8_000_000, at(100)).is_none());
        assert!(rate.estimate(8_000_000, at(260)).is_some());
    }

    #[test]
    fn the_ceiling_is_the_whole_wire_budget() {
        let mut rate = RateFollower::new(mbps(8), mbps(1));
        rate.estimate(1_000_000_000, at(0));
        assert!(rate.target().bps() <= 8_000_000 * 92 / 100);
        assert!(rate.target().bps() >= 7_000_000);
    }

    #[test]
    fn noise_is_not_passed_on() {
        let mut rate = RateFollower::new(mbps(8), mbps(4));
        assert_eq!(rate.estimate(4_050_000, at(300)), None);
    }
}
