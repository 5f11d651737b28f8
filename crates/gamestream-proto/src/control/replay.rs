//! Which sequence numbers were taken: each once, and in each lane only rising ones.

use crate::Error;
use crate::input::Lane;

/// How far back numbers are remembered. A reliable message may be that much late: at a thousand a
/// second over a minute, while ENet gives a peer up after ten seconds.
const WINDOW: u32 = 65_536;
const WORD_BITS: u32 = 64;

/// The numbers taken in the last [`WINDOW`], a bit each.
#[derive(Debug)]
pub(super) struct Taken {
    highest: Option<u32>,
    bits: Box<[u64]>,
    lanes: [Option<u32>; Lane::COUNT],
}

fn replayed(sequence: u32) -> Error {
    Error::Replayed {
        what: "control message",
        sequence,
    }
}

impl Taken {
    pub(super) fn new() -> Self {
        Self {
            highest: None,
            bits: vec![0; (WINDOW / WORD_BITS) as usize].into_boxed_slice(),
            lanes: [None; Lane::COUNT],
        }
    }

    fn place(sequence: u32) -> (usize, u64) {
        let within = sequence % WINDOW;
        ((within / WORD_BITS) as usize, 1 << (within % WORD_BITS))
    }

    /// Refuses a number that was taken, or that is too old to know. Changes nothing, so that it may be
    /// asked before the seal is opened.
    pub(super) fn check(&self, sequence: u32) -> Result<(), Error> {
        let Some(highest) = self.highest else {
            return Ok(());
        };
        if sequence > highest {
            return Ok(());
        }
        let (word, bit) = Self::place(sequence);
        if highest - sequence >= WINDOW || self.bits[word] & bit != 0 {
            return Err(replayed(sequence));
        }
        Ok(())
    }

    /// Takes a number that [`Taken::check`] let pass, of a message whose seal has opened.
    pub(super) fn take(&mut self, sequence: u32) {
        match self.highest {
            Some(highest) if sequence <= highest => {}
            Some(highest) if sequence - highest < WINDOW => {
                for between in highest + 1..=sequence {
                    let (word, bit) = Self::place(between);
                    self.bits[word] &= !bit;
                }
                self.highest = Some(sequence);
            }
            _ => {
                self.bits.fill(0);
                self.highest = Some(sequence);
            }
        }
        let (word, bit) = Self::place(sequence);
        self.bits[word] |= bit;
    }

    /// Refuses what later messages of its lane have overtaken.
    pub(super) fn follow(&mut self, lane: Lane, sequence: u32) -> Result<(), Error> {
        let last = &mut self.lanes[lane.index()];
        if last.is_some_and(|last| sequence <= last) {
            return Err(replayed(sequence));
        }
        *last = Some(sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The model remembers every number it took.
        #[test]
        fn each_number_is_taken_once(steps in proptest::collection::vec(
            prop_oneof![0..300_u32, 65_000..66_500_u32, 200_000..200_100_u32, any::<u32>()], 1..200,
        )) {
            let mut taken = Taken::new();
            let mut model = BTreeSet::new();
            for sequence in steps {
                let too_old = model.last().is_some_and(|last: &u32| {
                    last.saturating_sub(sequence) >= WINDOW
                });
                let new = !too_old && !model.contains(&sequence);
                prop_assert_eq!(taken.check(sequence).is_ok(), new, "{}", sequence);
                if new {
                    taken.take(sequence);
                    model.insert(sequence);
                }
            }
        }

        #[test]
        fn a_lane_only_rises(steps in proptest::collection::vec((0..3_u8, 0..50_u32), 1..100)) {
            let mut taken = Taken::new();
            let mut last = [None; 3];
            for (number, sequence) in steps {
                let rises = last[usize::from(number)].is_none_or(|last| sequence > last);
                prop_assert_eq!(taken.follow(Lane::Sensors(number), sequence).is_ok(), rises);
                if rises {
                    last[usize::from(number)] = Some(sequence);
                }
            }
        }
    }

    #[test]
    fn the_last_number_of_all_is_taken_too() {
        let mut taken = Taken::new();
        for sequence in [0, u32::MAX - 1, u32::MAX] {
            taken.check(sequence).unwrap();
            taken.take(sequence);
            assert!(taken.check(sequence).is_err());
        }
    }
}
