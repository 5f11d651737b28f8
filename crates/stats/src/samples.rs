//! Durations of one stage within one window, and their exact percentiles.

use serde::Serialize;
use std::time::Duration;

/// Exact percentiles (nearest rank) of the durations measured in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many were measured; never zero.
    pub count: u32,
    /// Half of them took at most this.
    pub p50_us: u32,
    /// 95 of 100 took at most this.
    pub p95_us: u32,
    /// 99 of 100 took at most this.
    pub p99_us: u32,
    /// The longest.
    pub max_us: u32,
}

/// Microseconds of `duration`, at most `u32::MAX`.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// All durations of one stage in the current window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    pub(crate) fn push(&mut self, duration: Duration) {
        self.0.push(micros(duration));
    }

    /// The percentiles; nothing when nothing was measured.
    pub(crate) fn summary(&mut self) -> Option<Summary> {
        self.0.sort_unstable();
        let count = self.0.len();
        // Nearest rank: the smallest sample with at least `percent` of all at or below it.
        let rank = |percent: usize| {
            let at = (count * percent).div_ceil(100).max(1) - 1;
            self.0.get(at).copied()
        };
        Some(Summary {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            p50_us: rank(50)?,
            p95_us: rank(95)?,
            p99_us: rank(99)?,
            max_us: rank(100)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary_of(values_us: impl IntoIterator<Item = u64>) -> Option<Summary> {
        let mut samples = Samples::default();
        for value_us in values_us {
            samples.push(Duration::from_micros(value_us));
        }
        samples.summary()
    }

    #[test]
    fn nothing_measured_is_absent() {
        assert_eq!(summary_of([]), None);
    }

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let shuffled = (0..100).map(|i| (i * 37) % 100 + 1);
        let summary = summary_of(shuffled).unwrap();
        let expected = Summary {
            count: 100,
            p50_us: 50,
            p95_us: 95,
            p99_us: 99,
            max_us: 100,
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn one_sample_is_every_percentile() {
        let summary = summary_of([7]).unwrap();
        assert_eq!(
            [
                summary.p50_us,
                summary.p95_us,
                summary.p99_us,
                summary.max_us
            ],
            [7; 4]
        );
    }

    #[test]
    fn few_samples_round_up_to_the_worse_one() {
        let summary = summary_of([10, 20, 30]).unwrap();
        assert_eq!((summary.p50_us, summary.p95_us), (20, 30));
    }

    #[test]
    fn an_endless_duration_saturates() {
        assert_eq!(summary_of([u64::MAX]).unwrap().max_us, u32::MAX);
    }
}
