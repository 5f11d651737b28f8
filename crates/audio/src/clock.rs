//! The time of each captured sample, told from when samples arrived. Pure.
//!
//! Owns smoothing the jitter of arrivals; refuses to let times of following samples run backwards by
//! more than the jitter that it takes out.

use crate::layout::SAMPLE_RATE_HZ;
use media::MonoTime;
use std::time::Duration;

/// An arrival this much later than its samples say is a gap in them rather than jitter.
const GAP: Duration = Duration::from_millis(50);
/// Of a lateness, the part that is believed at each arrival: enough to follow a clock that is wrong
/// by a thousandth, too little to follow one late wake-up.
const BELIEVED: u32 = 64;

/// How long so many samples last.
pub(crate) fn time_of(samples: u64) -> Duration {
    let rate = u64::from(SAMPLE_RATE_HZ);
    let nanos_of_rest = (samples % rate) * 1_000_000_000 / rate;
    Duration::from_secs(samples / rate) + Duration::from_nanos(nanos_of_rest)
}

/// Turns counts of samples into times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SampleClock {
    /// When the first sample was captured, as far as is known.
    origin: Option<MonoTime>,
}

impl SampleClock {
    /// By `now`, `samples` have arrived in all; the last of them has just ended.
    pub(crate) fn arrived(&mut self, samples: u64, now: MonoTime) {
        let seen = now - time_of(samples);
        let origin = match self.origin {
            // Nothing arrives before it was captured: the earlier arrival is the truer one.
            Some(origin) if seen >= origin => match seen.since(origin) {
                late if late > GAP => seen,
                late => origin + late / BELIEVED,
            },
            _ => seen,
        };
        self.origin = Some(origin);
    }

    /// When the sample with this number (the first is 0) was captured.
    pub(crate) fn at(&self, sample: u64) -> MonoTime {
        self.origin.unwrap_or(MonoTime::ZERO) + time_of(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: MonoTime = MonoTime::from_nanos(3_600_000_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_late_wake_up_hardly_moves_the_time_of_samples() {
        let mut clock = SampleClock::default();
        clock.arrived(240, START + ms(5));
        assert_eq!(clock.at(0), START);
        clock.arrived(480, START + ms(30));
        let moved = clock.at(0).since(START);
        assert!(moved > Duration::ZERO && moved < ms(1), "{moved:?}");
    }

    #[test]
    fn after_a_gap_time_goes_on_from_the_arrival() {
        let mut clock = SampleClock::default();
        clock.arrived(240, START + ms(5));
        clock.arrived(480, START + ms(1_010));
        assert_eq!(clock.at(240), START + ms(1_005));
    }

    #[test]
    fn long_streams_keep_their_precision() {
        let week = 7 * 24 * 3600 * u64::from(SAMPLE_RATE_HZ);
        assert_eq!(
            time_of(week + 48),
            Duration::from_secs(7 * 24 * 3600) + ms(1)
        );
        assert_eq!(time_of(u64::MAX).as_secs(), u64::MAX / 48_000);
    }

    proptest! {
        #[test]
        fn times_stay_within_the_jitter_of_a_source_whose_clock_is_off_by_a_little(
            jitter_us in prop::collection::vec(0_u64..8_000, 400..800),
            off_ppm in -500_i64..500,
        ) {
            let mut clock = SampleClock::default();
            let worst = ms(8) + Duration::from_micros(500);
            for (index, jitter_us) in (1_u64..).zip(jitter_us) {
                let nominal_us = index * 5_000;
                let drift_us = i64::try_from(nominal_us).unwrap() * off_ppm / 1_000_000;
                let true_end = START
                    + Duration::from_micros(nominal_us.saturating_add_signed(drift_us));
                clock.arrived(index * 240, true_end + Duration::from_micros(jitter_us));
                let told = clock.at(index * 240);
                prop_assert!(told.since(true_end) < worst, "late by {:?}", told.since(true_end));
                prop_assert!(true_end.since(told) < ms(1), "early by {:?}", true_end.since(told));
            }
        }
    }
}
