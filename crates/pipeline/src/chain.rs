//! Which of the last pictures still matter: windows of flags over frame indices.

use media::{FrameIndex, Reference};

/// How far back a loss can be repaired without a keyframe.
pub(crate) const WINDOW: u64 = 256;

/// A flag for each of the last [`WINDOW`] pictures; older ones read as unset.
#[derive(Clone, Debug)]
pub(crate) struct FrameSet {
    flags: [bool; WINDOW as usize],
    /// The index after the newest one seen.
    end: u64,
}

impl Default for FrameSet {
    fn default() -> Self {
        Self {
            flags: [false; WINDOW as usize],
            end: 0,
        }
    }
}

impl FrameSet {
    /// Sets or clears the flag of the newest picture; pictures skipped over read as unset.
    pub(crate) fn push(&mut self, index: FrameIndex, flag: bool) {
        let skipped_from = self.end.max(index.0.saturating_sub(WINDOW - 1));
        for skipped in skipped_from..index.0 {
            self.flags[(skipped % WINDOW) as usize] = false;
        }
        self.flags[(index.0 % WINDOW) as usize] = flag;
        self.end = self.end.max(index.0 + 1);
    }

    /// Whether the flag of a picture is set.
    pub(crate) fn contains(&self, index: FrameIndex) -> bool {
        index.0 < self.end
            && index.0 + WINDOW >= self.end
            && self.flags[(index.0 % WINDOW) as usize]
    }

    /// Clears the flags of `from` and everything after it.
    pub(crate) fn clear_from(&mut self, from: FrameIndex) {
        let start = from.0.max(self.end.saturating_sub(WINDOW));
        for index in start..self.end {
            self.flags[(index % WINDOW) as usize] = false;
        }
    }

    /// The oldest flagged picture in `first..=last`.
    pub(crate) fn oldest_in(&self, first: FrameIndex, last: FrameIndex) -> Option<FrameIndex> {
        let start = first.0.max(self.end.saturating_sub(WINDOW));
        (start..=last.0.min(self.end.saturating_sub(1)))
            .map(FrameIndex)
            .find(|&index| self.contains(index))
    }
}

/// The pictures that the newest one depends on, directly or through others.
///
/// A lost picture outside the chain needs no repair: nothing later refers to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReferenceChain(FrameSet);

impl ReferenceChain {
    /// Takes note of a coded picture.
    pub(crate) fn push(&mut self, index: FrameIndex, reference: Reference) {
        match reference {
            Reference::None => self.0.clear_from(FrameIndex(0)),
            Reference::Frame(referred) => self.0.clear_from(referred.next()),
        }
        self.0.push(index, true);
    }

    /// The oldest picture of the chain in `first..=last`.
    pub(crate) fn oldest_in(&self, first: FrameIndex, last: FrameIndex) -> Option<FrameIndex> {
        self.0.oldest_in(first, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(index: u64) -> Reference {
        Reference::Frame(FrameIndex(index))
    }

    #[test]
    fn pictures_that_nothing_refers_to_leave_the_chain() {
        let mut chain = ReferenceChain::default();
        chain.push(FrameIndex(0), Reference::None);
        for index in 1..=5 {
            chain.push(FrameIndex(index), frame(index - 1));
        }
        chain.push(FrameIndex(6), frame(2));
        let all = |first, last| chain.oldest_in(FrameIndex(first), FrameIndex(last));
        assert_eq!(all(3, 5), None, "3 to 5 are dead");
        assert_eq!(all(1, 5), Some(FrameIndex(1)));
        assert_eq!(all(4, 6), Some(FrameIndex(6)));
    }

    #[test]
    fn a_keyframe_ends_the_chain() {
        let mut chain = ReferenceChain::default();
        chain.push(FrameIndex(0), Reference::None);
        chain.push(FrameIndex(1), frame(0));
        chain.push(FrameIndex(2), Reference::None);
        assert_eq!(chain.oldest_in(FrameIndex(0), FrameIndex(1)), None);
    }

    #[test]
    fn pictures_beyond_the_window_are_forgotten() {
        let mut set = FrameSet::default();
        set.push(FrameIndex(0), true);
        set.push(FrameIndex(WINDOW - 1), true);
        assert!(set.contains(FrameIndex(0)));
        assert!(!set.contains(FrameIndex(5)), "skipped over");
        set.push(FrameIndex(WINDOW), true);
        assert!(!set.contains(FrameIndex(0)));
        set.push(FrameIndex(10 * WINDOW), true);
        assert!(!set.contains(FrameIndex(WINDOW)));
        assert!(set.contains(FrameIndex(10 * WINDOW)));
    }
}
