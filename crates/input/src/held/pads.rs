//! The pads of all viewers under the numbers the host knows them by.
//!
//! Owns which viewer's pad has which number; refuses a seventeenth.

use crate::event::{InputEvent, PadEvent, PadState};
use crate::held::{SILENCE, is_after};
use crate::wire::MAX_PADS;
use events::ViewerId;
use media::MonoTime;
use std::collections::BTreeMap;

#[derive(Debug)]
struct Pad {
    name: String,
    /// Its number at the host; absent while its viewer may not play.
    slot: Option<u8>,
    newest: Option<u16>,
    state: PadState,
    heard: MonoTime,
}

/// Every pad, by viewer and the viewer's own number.
#[derive(Debug, Default)]
pub(super) struct Pads(BTreeMap<(ViewerId, u8), Pad>);

fn told(event: PadEvent) -> InputEvent {
    InputEvent::Pad(event)
}

impl Pads {
    pub(super) fn event(
        &mut self,
        id: ViewerId,
        event: PadEvent,
        allowed: bool,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        match event {
            PadEvent::Connected { index, name } => {
                self.remove((id, index), out);
                if index < MAX_PADS {
                    let pad = Pad {
                        name,
                        slot: None,
                        newest: None,
                        state: PadState::default(),
                        heard: now,
                    };
                    self.0.insert((id, index), pad);
                    self.permit(id, allowed, out);
                }
            }
            PadEvent::State { index, state } => self.state(id, index, state, now, out),
            PadEvent::Gone { index } => self.remove((id, index), out),
        }
    }

    /// Whether a state overtook none that came before it.
    pub(super) fn is_newest(&mut self, id: ViewerId, index: u8, seq: u16) -> bool {
        let Some(pad) = self.0.get_mut(&(id, index)) else {
            return false;
        };
        let is_newest = pad.newest.is_none_or(|newest| is_after(seq, newest));
        if is_newest {
            pad.newest = Some(seq);
        }
        is_newest
    }

    pub(super) fn state(
        &mut self,
        id: ViewerId,
        index: u8,
        state: PadState,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        let Some(pad) = self.0.get_mut(&(id, index)) else {
            return;
        };
        pad.heard = now;
        if let Some(slot) = pad.slot.filter(|_| pad.state != state) {
            pad.state = state;
            out.push(told(PadEvent::State { index: slot, state }));
        }
    }

    /// Gives a viewer's pads numbers at the host, or takes them away.
    pub(super) fn permit(&mut self, id: ViewerId, allowed: bool, out: &mut Vec<InputEvent>) {
        let keys: Vec<_> = self.0.keys().filter(|key| key.0 == id).copied().collect();
        for key in keys {
            let free = (0..MAX_PADS).find(|slot| self.owner(*slot).is_none());
            let Some(pad) = self.0.get_mut(&key) else {
                continue;
            };
            match (allowed, pad.slot) {
                (true, None) => {
                    pad.slot = free;
                    if let Some(index) = free {
                        let name = pad.name.clone();
                        out.push(told(PadEvent::Connected { index, name }));
                    }
                }
                (false, Some(index)) => {
                    (pad.slot, pad.state) = (None, PadState::default());
                    out.push(told(PadEvent::Gone { index }));
                }
                _ => {}
            }
        }
    }

    fn remove(&mut self, key: (ViewerId, u8), out: &mut Vec<InputEvent>) {
        if let Some(index) = self.0.remove(&key).and_then(|pad| pad.slot) {
            out.push(told(PadEvent::Gone { index }));
        }
    }

    /// Lets a viewer's pads stand as if nobody touched them.
    pub(super) fn rest(&mut self, id: ViewerId, out: &mut Vec<InputEvent>) {
        let pads = self.0.iter_mut().filter(|(key, _)| key.0 == id);
        for (_, pad) in pads {
            pad.rest(out);
        }
    }

    pub(super) fn forget(&mut self, id: ViewerId) {
        self.0.retain(|key, _| key.0 != id);
    }

    pub(super) fn deadline(&self) -> Option<MonoTime> {
        let touched = self.0.values().filter(|pad| !pad.state.is_neutral());
        touched.map(|pad| pad.heard + SILENCE).min()
    }

    pub(super) fn tick(&mut self, now: MonoTime, out: &mut Vec<InputEvent>) {
        for pad in self.0.values_mut() {
            if now >= pad.heard + SILENCE {
                pad.rest(out);
            }
        }
    }

    pub(super) fn introduce(&self, out: &mut Vec<InputEvent>) {
        for pad in self.0.values() {
            if let Some(index) = pad.slot {
                let name = pad.name.clone();
                out.push(told(PadEvent::Connected { index, name }));
            }
        }
    }

    pub(super) fn owner(&self, slot: u8) -> Option<(ViewerId, u8)> {
        let mut pads = self.0.iter();
        let found = pads.find(|(_, pad)| pad.slot == Some(slot));
        found.map(|(key, _)| *key)
    }
}

impl Pad {
    fn rest(&mut self, out: &mut Vec<InputEvent>) {
        if let Some(index) = self.slot.filter(|_| !self.state.is_neutral()) {
            let state = PadState::default();
            self.state = state;
            out.push(told(PadEvent::State { index, state }));
        }
    }
}
