//! Exact percentiles by nearest rank: each is a value that was measured, none is interpolated.

use serde::Serialize;

/// The distribution of one measure, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many were measured.
    pub count: usize,
    /// Half are not above this.
    pub p50_ms: f64,
    /// 95 of 100 are not above this.
    pub p95_ms: f64,
    /// 99 of 100 are not above this.
    pub p99_ms: f64,
    /// The largest.
    pub max_ms: f64,
    /// The arithmetic mean.
    pub mean_ms: f64,
}

/// Index of a percentile among `count` sorted values: the smallest that covers its share.
pub(crate) fn rank(percent: f64, count: usize) -> usize {
    let covering = (percent / 100.0 * count as f64).ceil() as usize;
    covering.clamp(1, count.max(1)) - 1
}

impl Summary {
    /// Summarises; absent where nothing was measured.
    #[must_use]
    pub fn of(values_ms: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values_ms.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let max_ms = *sorted.last()?;
        let at = |percent| sorted[rank(percent, sorted.len())];
        Some(Self {
            count: sorted.len(),
            p50_ms: at(50.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms,
            mean_ms: sorted.iter().sum::<f64>() / sorted.len() as f64,
        })
    }
}

/// Wholes around a percentile, with the means of their parts. Unlike percentiles of the parts, these
/// add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Around<const PARTS: usize> {
    pub(crate) percent: f64,
    pub(crate) count: usize,
    pub(crate) parts_ms: [f64; PARTS],
}

impl<const PARTS: usize> Around<PARTS> {
    /// Those within `reach_percent` around each of `percents`; nothing where nothing was measured.
    pub(crate) fn each(
        percents: &[f64],
        reach_percent: f64,
        mut wholes: Vec<(f64, [f64; PARTS])>,
    ) -> Vec<Self> {
        wholes.sort_by(|a, b| a.0.total_cmp(&b.0));
        if wholes.is_empty() {
            return Vec::new();
        }
        let around = |percent: f64| {
            let first = rank(percent - reach_percent, wholes.len());
            let last = rank(percent + reach_percent, wholes.len());
            let around = &wholes[first..=last];
            let mut parts_ms = [0.0; PARTS];
            for (_, parts) in around {
                for (sum, ms) in parts_ms.iter_mut().zip(parts) {
                    *sum += ms / around.len() as f64;
                }
            }
            Self {
                percent,
                count: around.len(),
                parts_ms,
            }
        };
        percents.iter().copied().map(around).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_values_have_the_percentiles_of_their_names() {
        let summary = Summary::of((1..=100).rev().map(f64::from)).unwrap();
        let Summary {
            count,
            p50_ms,
            p95_ms,
            p99_ms,
            max_ms,
            mean_ms,
        } = summary;
        assert_eq!(
            (count, p50_ms, p95_ms, p99_ms, max_ms),
            (100, 50.0, 95.0, 99.0, 100.0)
        );
        assert_eq!(mean_ms, 50.5);
    }

    #[test]
    fn few_values_give_measured_ones_too() {
        assert_eq!(Summary::of([]), None);
        let one = Summary::of([7.0]).unwrap();
        assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (7.0, 7.0, 7.0));
        let two = Summary::of([1.0, 2.0]).unwrap();
        assert_eq!((two.p50_ms, two.p95_ms), (1.0, 2.0));
    }

    #[test]
    fn the_rank_covers_its_share_and_no_more() {
        for count in 1..500 {
            for percent in [0.0, 1.0, 50.0, 95.0, 99.0, 100.0] {
                let rank = rank(percent, count);
                assert!(rank < count);
                let share = |values: usize| 100.0 * values as f64 / count as f64;
                assert!(share(rank + 1) + 1e-9 >= percent);
                assert!(rank == 0 || share(rank) < percent + 1e-9);
            }
        }
    }
}
