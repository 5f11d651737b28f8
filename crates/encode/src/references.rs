//! Which pictures an encoder still holds, and which of them a receiver can still have.
//!
//! The newest usable picture is what the next one refers to. Pictures leave in the order in which
//! they came, as in the sliding window of H.264.

use media::FrameIndex;
use std::collections::VecDeque;

/// A picture the encoder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its number in the pipeline.
    pub(crate) index: FrameIndex,
    /// Its number for the encoder.
    pub(crate) number: i64,
    /// Its number in the stream.
    pub(crate) frame_num: u32,
    /// Whether it may be referred to.
    pub(crate) usable: bool,
}

/// What forgetting pictures came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgotten {
    /// No held picture was touched.
    Untouched,
    /// This one and all later ones, by the encoder's number.
    From(i64),
    /// Nothing would be left: nothing was forgotten.
    Exhausted,
}

/// The pictures of one encoder, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct References {
    capacity: usize,
    held: VecDeque<Held>,
}

impl References {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            held: VecDeque::with_capacity(capacity + 1),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    pub(crate) fn push(&mut self, picture: Held) {
        self.held.push_back(picture);
        if self.held.len() > self.capacity {
            self.held.pop_front();
        }
    }

    /// What the next picture refers to, and how many pictures back that is, from 1.
    pub(crate) fn newest(&self) -> Option<(Held, usize)> {
        let back = self.held.iter().rev().position(|held| held.usable)?;
        Some((self.held[self.held.len() - 1 - back], back + 1))
    }

    /// Whether something to refer to is left when one more picture is coded and thrown away.
    #[cfg(any(feature = "x264", test))]
    pub(crate) fn can_spare_one(&self) -> bool {
        self.newest().is_some_and(|(_, back)| back < self.capacity)
    }

    /// Forgets `first_lost` and all after it, unless nothing usable would be left.
    pub(crate) fn forget(&mut self, first_lost: FrameIndex) -> Forgotten {
        let kept = |held: &Held| held.usable && held.index < first_lost;
        if !self.held.iter().any(kept) {
            return Forgotten::Exhausted;
        }
        let mut first = None;
        for held in self.held.iter_mut().filter(|held| held.index >= first_lost) {
            held.usable = false;
            first = first.or(Some(held.number));
        }
        first.map_or(Forgotten::Untouched, Forgotten::From)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(index: u64, usable: bool) -> Held {
        Held {
            index: FrameIndex(index),
            number: index as i64 * 10,
            frame_num: index as u32,
            usable,
        }
    }

    fn holding(capacity: usize, indices: std::ops::Range<u64>) -> References {
        let mut references = References::new(capacity);
        for index in indices {
            references.push(picture(index, true));
        }
        references
    }

    fn newest(references: &References) -> Option<(u64, usize)> {
        references.newest().map(|(held, back)| (held.index.0, back))
    }

    #[test]
    fn the_newest_picture_is_the_reference() {
        assert_eq!(newest(&holding(4, 0..1)), Some((0, 1)));
        assert_eq!(newest(&holding(4, 0..9)), Some((8, 1)));
        assert_eq!(newest(&holding(4, 0..0)), None);
    }

    #[test]
    fn a_loss_moves_the_reference_before_it() {
        let mut references = holding(4, 0..9); // holds 5 to 8
        assert_eq!(references.forget(FrameIndex(7)), Forgotten::From(70));
        assert_eq!(newest(&references), Some((6, 3)));
        references.push(picture(9, true));
        assert_eq!(newest(&references), Some((9, 1)));
        // The same loss again, told late, takes the repaired picture too.
        assert_eq!(references.forget(FrameIndex(7)), Forgotten::From(70));
        assert_eq!(newest(&references), Some((6, 4)));
    }

    #[test]
    fn a_loss_older_than_all_pictures_changes_nothing() {
        let mut references = holding(4, 0..9);
        assert_eq!(references.forget(FrameIndex(5)), Forgotten::Exhausted);
        assert_eq!(newest(&references), Some((8, 1)));
    }

    #[test]
    fn a_loss_in_the_future_is_none() {
        let mut references = holding(4, 0..9);
        assert_eq!(references.forget(FrameIndex(9)), Forgotten::Untouched);
        assert_eq!(newest(&references), Some((8, 1)));
    }

    #[test]
    fn thrown_away_pictures_take_room_but_are_no_reference() {
        let mut references = holding(3, 0..3);
        references.push(picture(3, false));
        assert_eq!(newest(&references), Some((2, 2)));
        assert!(references.can_spare_one());
        references.push(picture(3, false));
        assert!(!references.can_spare_one());
        assert_eq!(newest(&references), Some((2, 3)));
    }
}
