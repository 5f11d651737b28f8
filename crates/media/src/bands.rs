//! Rows of a picture as a few bands: what of it has changed.
//!
//! Owns merging; refuses exactness: bands that are close, or too many, become one.

/// Most bands in a set: to whoever copies them, each costs something of its own.
pub const MAX_BANDS: usize = 4;
/// Rows between two bands that cost less to copy than a band of their own.
const NEAR_ROWS: u32 = 32;

/// Rows from `top` up to, not including, `bottom`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Band {
    /// The first row.
    pub top: u32,
    /// The row behind the last.
    pub bottom: u32,
}

impl Band {
    /// Number of rows.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.bottom.saturating_sub(self.top)
    }

    const fn is_near(self, other: Self) -> bool {
        self.top <= other.bottom + NEAR_ROWS && other.top <= self.bottom + NEAR_ROWS
    }

    fn around(self, other: Self) -> Self {
        Self {
            top: self.top.min(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// Disjoint bands from top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bands {
    bands: [Band; MAX_BANDS],
    count: usize,
}

impl Bands {
    /// All rows of a picture.
    #[must_use]
    pub fn whole(height: u32) -> Self {
        let mut bands = Self::default();
        bands.insert(Band {
            top: 0,
            bottom: height,
        });
        bands
    }

    /// Whether there is no row in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bands from top to bottom.
    pub fn iter(&self) -> impl Iterator<Item = Band> {
        self.bands.into_iter().take(self.count)
    }

    /// Adds rows.
    pub fn insert(&mut self, band: Band) {
        if band.height() == 0 {
            return;
        }
        let mut merged = band;
        let mut all = [Band::default(); MAX_BANDS + 1];
        let mut count = 0;
        for band in self.iter() {
            if band.is_near(merged) {
                merged = merged.around(band);
            } else {
                all[count] = band;
                count += 1;
            }
        }
        all[count] = merged;
        count += 1;
        all[..count].sort_unstable_by_key(|band| band.top);
        if count > MAX_BANDS {
            let gap = |at: &usize| all[at + 1].top - all[*at].bottom;
            let closest = (0..MAX_BANDS).min_by_key(gap).unwrap_or(0);
            all[closest] = all[closest].around(all[closest + 1]);
            all.copy_within(closest + 2.., closest + 1);
            count = MAX_BANDS;
        }
        self.bands.copy_from_slice(&all[..MAX_BANDS]);
        self.count = count;
    }

    /// Adds the rows of another set.
    pub fn extend(&mut self, other: &Self) {
        for band in other.iter() {
            self.insert(band);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn band(top: u32, bottom: u32) -> Band {
        Band { top, bottom }
    }

    fn bands(list: &[Band]) -> Vec<Band> {
        let mut bands = Bands::default();
        list.iter().for_each(|band| bands.insert(*band));
        bands.iter().collect()
    }

    #[test]
    fn close_bands_become_one_and_others_stay_apart() {
        assert_eq!(
            bands(&[band(300, 310), band(0, 10)]),
            [band(0, 10), band(300, 310)]
        );
        assert_eq!(bands(&[band(0, 10), band(20, 30)]), [band(0, 30)]);
        let bridged = [band(0, 10), band(80, 90), band(12, 70)];
        assert_eq!(bands(&bridged), [band(0, 90)]);
        assert_eq!(bands(&[band(5, 5), band(9, 3)]), []);
    }

    #[test]
    fn of_too_many_the_closest_two_are_joined() {
        let five = [
            band(0, 1),
            band(100, 101),
            band(150, 151),
            band(300, 301),
            band(400, 401),
        ];
        let four = [band(0, 1), band(100, 151), band(300, 301), band(400, 401)];
        assert_eq!(bands(&five), four);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_row_that_went_in_is_covered(
            list in proptest::collection::vec((0_u32..2000, 0_u32..100), 0..40),
        ) {
            let list: Vec<_> = list.iter().map(|(top, rows)| band(*top, top + rows)).collect();
            let merged = bands(&list);
            prop_assert!(merged.len() <= MAX_BANDS);
            for pair in merged.windows(2) {
                prop_assert!(pair[0].bottom + NEAR_ROWS < pair[1].top, "{merged:?}");
            }
            for row in list.iter().flat_map(|band| band.top..band.bottom) {
                let covers = |band: &&Band| (band.top..band.bottom).contains(&row);
                prop_assert_eq!(merged.iter().filter(covers).count(), 1);
            }
        }
    }
}
