//! Fingers on one surface, under the numbers the host knows them by.
//!
//! Owns which finger has which number and that each begins before it moves and ends once; refuses
//! more fingers than there is room for.

use crate::event::TouchPhase;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Finger {
    slot: u8,
    place: [u16; 2],
    hovers: bool,
}

/// What the host is told of a finger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) slot: u8,
    pub(super) phase: TouchPhase,
    pub(super) place: [u16; 2],
}

/// Every finger on a surface, by whose it is and how its owner calls it.
#[derive(Debug)]
pub(super) struct Fingers<K> {
    room: u8,
    fingers: BTreeMap<(K, u32), Finger>,
}

impl<K: Ord + Copy> Fingers<K> {
    /// A surface for so many fingers at a time.
    pub(super) const fn new(room: u8) -> Self {
        Self {
            room,
            fingers: BTreeMap::new(),
        }
    }

    /// What becomes of what a finger does; nothing, when it has not begun.
    pub(super) fn step(
        &mut self,
        (owner, finger): (K, u32),
        phase: TouchPhase,
        place: [u16; 2],
    ) -> Vec<Told> {
        let key = (owner, finger);
        let known = self.fingers.get(&key).copied();
        let begins = matches!(phase, TouchPhase::Start | TouchPhase::Hover);
        let (slot, hovers) = match known {
            _ if phase == TouchPhase::CancelAll => return self.cancel(owner),
            Some(known) => (known.slot, known.hovers),
            None if begins => match self.free() {
                Some(slot) => (slot, true),
                None => return Vec::new(),
            },
            None => return Vec::new(),
        };
        let told = |phase, place| Told { slot, phase, place };
        let mut out = Vec::new();
        let phase = match (phase, hovers) {
            // Its end was never told.
            (TouchPhase::Start, false) => TouchPhase::Move,
            (TouchPhase::Hover, false) => {
                out.push(told(TouchPhase::End, place));
                TouchPhase::Hover
            }
            (TouchPhase::Move, true) => TouchPhase::Hover,
            (TouchPhase::End | TouchPhase::Cancel, true) => TouchPhase::Leave,
            (TouchPhase::Leave, false) => TouchPhase::Cancel,
            (phase, _) => phase,
        };
        // One that is no longer meant may say any place.
        let place = match (phase, known) {
            (TouchPhase::Cancel | TouchPhase::Leave, Some(known)) => known.place,
            _ => place,
        };
        out.push(told(phase, place));
        match phase {
            TouchPhase::Start | TouchPhase::Move | TouchPhase::Hover => {
                let hovers = phase == TouchPhase::Hover;
                let finger = Finger {
                    slot,
                    place,
                    hovers,
                };
                self.fingers.insert(key, finger);
            }
            _ => {
                self.fingers.remove(&key);
            }
        }
        out
    }

    /// Takes all fingers of an owner away.
    pub(super) fn cancel(&mut self, owner: K) -> Vec<Told> {
        let (theirs, others): (BTreeMap<_, _>, _) = std::mem::take(&mut self.fingers)
            .into_iter()
            .partition(|(key, _)| key.0 == owner);
        self.fingers = others;
        let told = theirs.into_values().map(|finger| Told {
            slot: finger.slot,
            phase: match finger.hovers {
                true => TouchPhase::Leave,
                false => TouchPhase::Cancel,
            },
            place: finger.place,
        });
        told.collect()
    }

    fn free(&self) -> Option<u8> {
        let used = |slot| self.fingers.values().any(|finger| finger.slot == slot);
        (0..self.room).find(|slot| !used(*slot))
    }
}
