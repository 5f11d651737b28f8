//! What changed from one picture of a source to another, though some in between were never seen.

use crate::Bands;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pictures whose changes are remembered.
const KEPT: usize = 16;

/// Names one of the pictures that follow each other from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PictureId {
    series: u64,
    number: u64,
}

/// Which rows changed with each of the last pictures of a series.
#[derive(Clone, Copy, Debug)]
pub struct RowHistory {
    newest: PictureId,
    rows: [Bands; KEPT],
}

impl RowHistory {
    /// A new series. Its first picture is yet to come.
    #[must_use]
    pub fn new() -> Self {
        static SERIES: AtomicU64 = AtomicU64::new(0);
        let newest = PictureId {
            series: SERIES.fetch_add(1, Ordering::Relaxed),
            number: 0,
        };
        Self {
            newest,
            rows: [Bands::default(); KEPT],
        }
    }

    /// The newest picture.
    #[must_use]
    pub const fn newest(&self) -> PictureId {
        self.newest
    }

    /// Adds a picture that differs from the newest one in these rows.
    pub fn push(&mut self, changed: Bands) {
        self.newest.number += 1;
        self.rows[self.newest.number as usize % KEPT] = changed;
    }

    /// The rows in which the newest picture may differ from an earlier one; `None` for pictures of
    /// other series and those too long ago.
    #[must_use]
    pub fn since(&self, earlier: PictureId) -> Option<Bands> {
        let missed = self.newest.number.checked_sub(earlier.number)?;
        if earlier.series != self.newest.series || missed > KEPT as u64 {
            return None;
        }
        let mut rows = Bands::default();
        for number in earlier.number + 1..=self.newest.number {
            rows.extend(&self.rows[number as usize % KEPT]);
        }
        Some(rows)
    }
}

impl Default for RowHistory {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Band;

    fn rows(top: u32) -> Bands {
        let mut rows = Bands::default();
        let bottom = top + 1;
        rows.insert(Band { top, bottom });
        rows
    }

    #[test]
    fn what_was_missed_is_added_up() {
        let mut history = RowHistory::new();
        let before = history.newest();
        history.push(rows(0));
        let first = history.newest();
        history.push(rows(100));
        history.push(rows(200));
        assert_eq!(history.since(history.newest()), Some(Bands::default()));
        let mut missed = rows(100);
        missed.extend(&rows(200));
        assert_eq!(history.since(first), Some(missed));
        missed.extend(&rows(0));
        assert_eq!(history.since(before), Some(missed));
    }

    #[test]
    fn what_is_long_ago_is_forgotten_and_only_that() {
        let mut history = RowHistory::new();
        let before = history.newest();
        for _ in 0..KEPT {
            history.push(rows(7));
        }
        assert_eq!(history.since(before), Some(rows(7)));
        history.push(rows(7));
        assert_eq!(history.since(before), None);
    }

    #[test]
    fn pictures_of_other_series_and_of_the_future_say_nothing() {
        let (mut one, mut other) = (RowHistory::new(), RowHistory::new());
        one.push(rows(1));
        other.push(rows(2));
        assert_eq!(one.since(other.newest()), None);
        let now = one;
        one.push(rows(3));
        assert_eq!(now.since(one.newest()), None);
    }
}
