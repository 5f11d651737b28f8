//! The pads of all viewers under the numbers the host knows them by.
//!
//! Owns which viewer's pad has which number, and what of it must be let go; refuses a seventeenth.

use super::fingers::Fingers;
use crate::event::{
    BatteryState, InputEvent, MotionKind, PadCapabilities, PadEvent, PadKind, PadState,
};
use crate::held::{SILENCE, is_after};
use crate::wire::MAX_PADS;
use events::ViewerId;
use media::MonoTime;
use std::collections::BTreeMap;

/// Touchpads of one pad.
const TOUCHPADS: usize = 2;
/// Fingers on each, as many as the pads that have one can tell apart.
const FINGERS: u8 = 2;

/// A viewer, and how he numbers his pads.
type Key = (ViewerId, u8);

#[derive(Debug)]
struct Pad {
    name: String,
    kind: PadKind,
    capabilities: PadCapabilities,
    /// Its number at the host; absent while its viewer may not play.
    slot: Option<u8>,
    newest: Option<u16>,
    state: PadState,
    /// When a page last told its state, which pages do again and again. Others tell only changes.
    heard: Option<MonoTime>,
    turns: bool,
    battery: Option<(BatteryState, Option<u8>)>,
    touchpads: [Fingers<()>; TOUCHPADS],
}

/// Every pad, by viewer and the viewer's own number.
#[derive(Debug, Default)]
pub(super) struct Pads(BTreeMap<Key, Pad>);

fn told(event: PadEvent) -> InputEvent {
    InputEvent::Pad(event)
}

impl Pads {
    pub(super) fn event(
        &mut self,
        id: ViewerId,
        event: PadEvent,
        allowed: bool,
        out: &mut Vec<InputEvent>,
    ) {
        match event {
            PadEvent::Connected {
                index,
                name,
                kind,
                capabilities,
            } => {
                self.remove((id, index), out);
                if index < MAX_PADS {
                    let pad = Pad::new(name, kind, capabilities);
                    self.0.insert((id, index), pad);
                    self.permit(id, allowed, out);
                }
            }
            PadEvent::State { index, state } => self.state((id, index), state, None, out),
            PadEvent::Gone { index } => self.remove((id, index), out),
            PadEvent::Motion { index, .. }
            | PadEvent::Battery { index, .. }
            | PadEvent::Touchpad { index, .. } => {
                if let Some(pad) = self.0.get_mut(&(id, index)) {
                    pad.feel(&event, out);
                }
            }
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

    /// Puts a pad into a state; `heard` when a page said so.
    pub(super) fn state(
        &mut self,
        key: Key,
        state: PadState,
        heard: Option<MonoTime>,
        out: &mut Vec<InputEvent>,
    ) {
        let Some(pad) = self.0.get_mut(&key) else {
            return;
        };
        pad.heard = heard;
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
                    pad.introduce(out);
                }
                (false, Some(index)) => {
                    pad.forget_hands();
                    pad.slot = None;
                    out.push(told(PadEvent::Gone { index }));
                }
                _ => {}
            }
        }
    }

    fn remove(&mut self, key: Key, out: &mut Vec<InputEvent>) {
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
        touched.filter_map(Pad::deadline).min()
    }

    pub(super) fn tick(&mut self, now: MonoTime, out: &mut Vec<InputEvent>) {
        for pad in self.0.values_mut() {
            if pad.deadline().is_some_and(|deadline| now >= deadline) {
                pad.rest(out);
            }
        }
    }

    pub(super) fn introduce(&self, out: &mut Vec<InputEvent>) {
        for pad in self.0.values() {
            pad.introduce(out);
        }
    }

    pub(super) fn owner(&self, slot: u8) -> Option<Key> {
        let mut pads = self.0.iter();
        let found = pads.find(|(_, pad)| pad.slot == Some(slot));
        found.map(|(key, _)| *key)
    }
}

impl Pad {
    fn new(name: String, kind: PadKind, capabilities: PadCapabilities) -> Self {
        Self {
            name,
            kind,
            capabilities,
            slot: None,
            newest: None,
            state: PadState::default(),
            heard: None,
            turns: false,
            battery: None,
            touchpads: [const { Fingers::new(FINGERS) }; TOUCHPADS],
        }
    }

    fn deadline(&self) -> Option<MonoTime> {
        self.heard.map(|heard| heard + SILENCE)
    }

    /// What the host must know of a pad before it is played.
    fn introduce(&self, out: &mut Vec<InputEvent>) {
        let Some(index) = self.slot else {
            return;
        };
        out.push(told(PadEvent::Connected {
            index,
            name: self.name.clone(),
            kind: self.kind,
            capabilities: self.capabilities,
        }));
        if let Some((state, percent)) = self.battery {
            out.push(told(PadEvent::Battery {
                index,
                state,
                percent,
            }));
        }
    }

    /// Takes what comes besides buttons and sticks.
    fn feel(&mut self, event: &PadEvent, out: &mut Vec<InputEvent>) {
        match *event {
            PadEvent::Motion { kind, x, y, z, .. } => {
                let is_number = [x, y, z].into_iter().all(f32::is_finite);
                let Some(index) = self.slot.filter(|_| is_number) else {
                    return;
                };
                if kind == MotionKind::Gyroscope {
                    self.turns = [x, y, z] != [0.0; 3];
                }
                out.push(told(PadEvent::Motion {
                    index,
                    kind,
                    x,
                    y,
                    z,
                }));
            }
            PadEvent::Battery { state, percent, .. } => {
                let percent = percent.map(|percent| percent.min(100));
                let battery = Some((state, percent));
                if self.battery == battery {
                    return;
                }
                self.battery = battery;
                if let Some(index) = self.slot {
                    out.push(told(PadEvent::Battery {
                        index,
                        state,
                        percent,
                    }));
                }
            }
            PadEvent::Touchpad {
                pad,
                finger,
                phase,
                x,
                y,
                pressure,
                ..
            } => {
                let touchpad = self.touchpads.get_mut(usize::from(pad));
                let Some((index, touchpad)) = self.slot.zip(touchpad) else {
                    return;
                };
                for finger in touchpad.step(((), finger), phase, [x, y]) {
                    let [x, y] = finger.place;
                    out.push(told(PadEvent::Touchpad {
                        index,
                        pad,
                        finger: finger.slot.into(),
                        phase: finger.phase,
                        x,
                        y,
                        pressure,
                    }));
                }
            }
            PadEvent::Connected { .. } | PadEvent::State { .. } | PadEvent::Gone { .. } => {}
        }
    }

    /// Forgets how it was held; the battery stays as it was.
    fn forget_hands(&mut self) {
        self.state = PadState::default();
        self.turns = false;
        self.touchpads = [const { Fingers::new(FINGERS) }; TOUCHPADS];
    }

    fn rest(&mut self, out: &mut Vec<InputEvent>) {
        let Some(index) = self.slot else {
            return;
        };
        for (pad, touchpad) in (0..).zip(&mut self.touchpads) {
            for finger in touchpad.cancel(()) {
                let [x, y] = finger.place;
                out.push(told(PadEvent::Touchpad {
                    index,
                    pad,
                    finger: finger.slot.into(),
                    phase: finger.phase,
                    x,
                    y,
                    pressure: None,
                }));
            }
        }
        if std::mem::take(&mut self.turns) {
            out.push(told(PadEvent::Motion {
                index,
                kind: MotionKind::Gyroscope,
                x: 0.0,
                y: 0.0,
                z: 0.0,
            }));
        }
        if !self.state.is_neutral() {
            let state = PadState::default();
            self.state = state;
            out.push(told(PadEvent::State { index, state }));
        }
    }
}
