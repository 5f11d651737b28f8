//! What a client was sent and has lost: numbers its frames, and says which picture ends its waiting.
//! Pure; it refuses to decide how a loss is repaired.

use media::{AccessUnit, FrameIndex, Reference};

/// Pictures that are remembered. A client asks about what it lost within a round trip or two.
const REMEMBERED: u64 = 256;

/// What a frame is to the client (VideoDepacketizer.c: it shows nothing after a loss until one of the
/// last two comes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameRole {
    /// It goes on where the one before it stopped.
    Ordinary,
    /// Decoding can start here.
    Keyframe,
    /// It refers past everything that the client lost.
    Recovery,
}

/// One picture that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    index: u64,
    /// What it refers to; a keyframe refers to nothing.
    refers_to: Option<u64>,
    /// The client cannot show it as it was meant: it was lost, or refers to one that was.
    broken: bool,
}

/// No picture has this index.
const NOTHING: Sent = Sent {
    index: u64::MAX,
    refers_to: None,
    broken: true,
};

/// The frames of one client. Its numbers start at 1 and grow with the pipeline's, so that a picture
/// that was never sent leaves a gap which the client sees.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// Number of the next picture, while it is not known which one that is.
    next_number: u32,
    /// What the client's numbers are counted from.
    base: Option<u64>,
    newest: u64,
    sent: Box<[Sent; REMEMBERED as usize]>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            next_number: 1,
            base: None,
            newest: 0,
            sent: Box::new([NOTHING; REMEMBERED as usize]),
        }
    }
}

impl Ledger {
    /// Takes a picture that is about to be sent: its number, and what it is to the client.
    pub(crate) fn send(&mut self, unit: &AccessUnit) -> (u32, FrameRole) {
        let index = unit.index.0;
        let first = index.wrapping_sub(self.next_number.into());
        let base = *self.base.get_or_insert(first);
        let previous = index.wrapping_sub(1);
        let (role, refers_to, broken) = match unit.reference {
            Reference::None => (FrameRole::Keyframe, None, false),
            Reference::Frame(referred) => {
                let broken = !self.is_whole(referred.0);
                let goes_on = referred.0 == previous;
                let role = match broken || goes_on {
                    true => FrameRole::Ordinary,
                    false => FrameRole::Recovery,
                };
                (role, Some(referred.0), broken)
            }
        };
        self.newest = index;
        self.sent[at(index)] = Sent {
            index,
            refers_to,
            broken,
        };
        // Client and host count in 32 bits, and both wrap.
        (index.wrapping_sub(base) as u32, role)
    }

    /// The stream goes on from another pipeline, which counts its pictures by itself. The client's
    /// numbers go on.
    pub(crate) fn moved(&mut self) {
        if let Some(base) = self.base {
            let next_number = (self.newest.wrapping_sub(base) as u32).wrapping_add(1);
            *self = Self {
                next_number,
                ..Self::default()
            };
        }
    }

    /// The client lost frames `first..=last`, by its numbers. The pictures to be repaired; nothing
    /// when it can no longer be told which they are.
    pub(crate) fn lost(&mut self, first: u32, last: u32) -> Option<(FrameIndex, FrameIndex)> {
        let base = self.base?;
        let newest = self.newest.wrapping_sub(base) as u32;
        let (behind, span) = (newest.wrapping_sub(last), last.wrapping_sub(first));
        if u64::from(behind) + u64::from(span) >= REMEMBERED {
            return None;
        }
        let last = self.newest.checked_sub(behind.into())?;
        let first = last.checked_sub(span.into())?;
        for index in first..=self.newest {
            let sent = self.sent[at(index)];
            if sent.index != index {
                continue;
            }
            let lost = (first..=last).contains(&index);
            let hangs = sent
                .refers_to
                .is_some_and(|referred| !self.is_whole(referred));
            self.sent[at(index)].broken |= lost || hangs;
        }
        Some((FrameIndex(first), FrameIndex(last)))
    }

    fn is_whole(&self, index: u64) -> bool {
        let sent = self.sent[at(index)];
        sent.index == index && !sent.broken
    }
}

fn at(index: u64) -> usize {
    (index % REMEMBERED) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(index: u64, reference: Option<u64>) -> AccessUnit {
        AccessUnit {
            index: FrameIndex(index),
            reference: reference.map_or(Reference::None, |at| Reference::Frame(FrameIndex(at))),
            ..AccessUnit::default()
        }
    }

    /// A ledger that was sent a keyframe at `first` and a chain after it.
    fn running(first: u64, count: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.send(&unit(first, None));
        for index in first + 1..first + count {
            ledger.send(&unit(index, Some(index - 1)));
        }
        ledger
    }

    #[test]
    fn numbers_start_at_one_and_a_picture_never_sent_leaves_a_gap() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.send(&unit(700, None)), (1, FrameRole::Keyframe));
        assert_eq!(ledger.send(&unit(701, Some(700))), (2, FrameRole::Ordinary));
        assert_eq!(ledger.send(&unit(704, Some(701))), (5, FrameRole::Recovery));
    }

    #[test]
    fn only_a_picture_that_refers_past_all_of_the_loss_ends_the_waiting() {
        let mut ledger = running(0, 20);
        // Numbers are indices plus one here.
        assert_eq!(ledger.lost(16, 17), Some((FrameIndex(15), FrameIndex(16))));
        // Still on its way when the loss was told, for somebody else's loss: it hangs on it too.
        assert_eq!(ledger.send(&unit(20, Some(18))).1, FrameRole::Ordinary);
        assert_eq!(ledger.send(&unit(21, Some(14))).1, FrameRole::Recovery);
        assert_eq!(ledger.send(&unit(22, Some(21))).1, FrameRole::Ordinary);
    }

    #[test]
    fn pictures_that_hang_on_a_loss_are_no_reference_either() {
        let mut ledger = running(0, 20);
        ledger.lost(11, 11);
        for index in 11..20 {
            assert!(!ledger.is_whole(index), "{index}");
        }
        assert!(ledger.is_whole(9));
        assert_eq!(ledger.send(&unit(20, None)).1, FrameRole::Keyframe);
        assert!(ledger.is_whole(20));
    }

    #[test]
    fn losses_of_the_future_or_of_long_ago_are_not_guessed_at() {
        let mut ledger = running(0, 1000);
        for (first, last) in [(1001, 1001), (700, 700), (600, 1000), (990, 980), (0, 1000)] {
            assert_eq!(ledger.lost(first, last), None, "{first}..={last}");
        }
        assert!(ledger.lost(990, 1000).is_some());
    }

    #[test]
    fn numbers_go_on_when_the_stream_moves_to_another_pipeline() {
        let mut ledger = running(50, 10);
        ledger.moved();
        assert_eq!(ledger.lost(9, 10), None);
        assert_eq!(ledger.send(&unit(7, None)), (11, FrameRole::Keyframe));
        assert_eq!(ledger.send(&unit(8, Some(7))), (12, FrameRole::Ordinary));
        ledger.moved();
        ledger.moved();
        assert_eq!(ledger.send(&unit(0, None)).0, 13);
    }

    #[test]
    fn numbers_wrap_with_the_clients() {
        let mut ledger = Ledger {
            next_number: u32::MAX - 1,
            ..Ledger::default()
        };
        let numbers: Vec<u32> = (0..4)
            .map(|index| ledger.send(&unit(index, index.checked_sub(1))).0)
            .collect();
        assert_eq!(numbers, [u32::MAX - 1, u32::MAX, 0, 1]);
        assert_eq!(
            ledger.lost(u32::MAX, 0),
            Some((FrameIndex(1), FrameIndex(2)))
        );
    }
}
