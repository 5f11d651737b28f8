//! When the next frame may be encoded: a rate cap that adds no tick and never bursts.

use crate::{FrameRate, MonoTime};
use std::time::Duration;

/// Part of an interval by which credit comes early. Without it a source that runs at just the
/// rate would keep, for good, whatever delay one late frame once caused.
const CREDIT_LEAD: u32 = 64;

/// Lets frames through the moment they arrive, up to a rate (and a sixty-fourth). A credit of a
/// quarter frame absorbs the jitter of a source that runs at just that rate.
#[derive(Clone, Copy, Debug)]
pub struct FrameClock {
    interval: Duration,
    /// The time at which a whole frame of credit is there.
    ready_at: MonoTime,
}

impl FrameClock {
    /// A clock for `rate` frames a second, ready at once.
    #[must_use]
    pub fn new(rate: FrameRate) -> Self {
        Self {
            interval: rate.interval(),
            ready_at: MonoTime::ZERO,
        }
    }

    /// Time between two frames at the full rate.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The earliest time for the next frame.
    #[must_use]
    pub const fn earliest(&self) -> MonoTime {
        self.ready_at
    }

    /// Spends one frame of credit on a frame that arrived at `arrival`; when it was let through
    /// does not matter, so that a busy encoder costs the next frame nothing. A late frame does not
    /// earn a burst: at most a quarter frame of credit is carried over.
    pub fn spend(&mut self, arrival: MonoTime) {
        let oldest_credit = arrival - self.interval / 4;
        let period = self.interval - self.interval / CREDIT_LEAD;
        self.ready_at = self.ready_at.max(oldest_credit) + period;
    }

    /// Changes the rate from the next frame on.
    pub fn set_rate(&mut self, rate: FrameRate) {
        self.interval = rate.interval();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays ten seconds of a source that stages a frame every `period_us`; a frame that may not
    /// leave yet waits (and may be displaced). Returns how many were let through.
    fn admitted(fps: u32, period_us: u64) -> usize {
        let mut clock = FrameClock::new(FrameRate::new(fps).unwrap());
        let (mut staged, mut next_arrival_us, mut passed) = (false, 0, 0);
        for now_us in (0..10_000_000).step_by(50) {
            if now_us >= next_arrival_us {
                staged = true;
                next_arrival_us += period_us;
            }
            let now = MonoTime::from_nanos(1_000_000_000 + now_us * 1000);
            if staged && now >= clock.earliest() {
                clock.spend(now);
                staged = false;
                passed += 1;
            }
        }
        passed
    }

    #[test]
    fn a_source_at_the_stream_rate_loses_nothing() {
        assert_eq!(admitted(60, 16_667), 600);
        assert_eq!(admitted(60, 17_544), 570, "57 Hz into 60");
    }

    #[test]
    fn a_faster_source_is_held_to_the_rate() {
        let passed = admitted(60, 6_944);
        assert!((590..=611).contains(&passed), "{passed} of 10 s at 144 Hz");
    }

    #[test]
    fn jitter_of_a_quarter_frame_passes() {
        let mut clock = FrameClock::new(FrameRate::new(60).unwrap());
        let base = 1_000_000_000_u64;
        for n in 0..600_u64 {
            let early = if n % 2 == 1 { 4_000_000 } else { 0 };
            let now = MonoTime::from_nanos(base + n * 16_666_667 - early);
            assert!(now >= clock.earliest(), "frame {n} came too early");
            clock.spend(now);
        }
    }

    #[test]
    fn a_delay_that_one_late_frame_caused_goes_away() {
        let mut clock = FrameClock::new(FrameRate::new(60).unwrap());
        let interval = clock.interval();
        let start = MonoTime::from_nanos(1_000_000_000);
        let mut waits = Vec::new();
        for n in 0..120 {
            let late = if n == 10 {
                interval * 3 / 4
            } else {
                Duration::ZERO
            };
            let arrival = start + interval * n + late;
            waits.push(clock.earliest().since(arrival));
            clock.spend(arrival);
        }
        assert!(
            waits[11] > Duration::ZERO,
            "the frame after the late one waits"
        );
        assert_eq!(waits[60..].iter().max(), Some(&Duration::ZERO), "{waits:?}");
    }

    #[test]
    fn a_stall_earns_no_burst() {
        let mut clock = FrameClock::new(FrameRate::new(60).unwrap());
        clock.spend(MonoTime::from_nanos(1_000_000_000));
        let after_stall = MonoTime::from_nanos(3_000_000_000);
        let mut passed = 0;
        while clock.earliest() <= after_stall {
            clock.spend(after_stall);
            passed += 1;
        }
        assert_eq!(passed, 1);
    }
}
