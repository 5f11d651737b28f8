//! Who holds what down, and when it is let go: a pure function of (state, step, now).
//!
//! Owns the order of presses and releases, the rules against stuck keys, and the places of fingers
//! and pads among several viewers; refuses to press what no viewer pressed.

mod fingers;
mod pads;
mod pen;
#[cfg(test)]
mod pointing;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rules;

use crate::event::{Button, Contact, InputEvent, PadCapabilities, PadEvent, PadKind, Permissions};
use crate::key::KeyCode;
use crate::wire::{Motion, Reliable};
use events::ViewerId;
use fingers::{Fingers, Told};
use media::MonoTime;
use pads::Pads;
use pen::Pen;
use std::collections::BTreeMap;
use std::time::Duration;

/// A page that holds something says so this often at least, or it is let go.
pub(crate) const SILENCE: Duration = Duration::from_millis(300);
/// Time between the two messages that press again what was let go for silence. Pages send them
/// 50 ms apart; closer ones were held up together and say only what was true then.
const APART: Duration = Duration::from_millis(30);
/// Fingers on the host's touch screen.
const FINGERS: u8 = 10;

/// What can be held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Thing {
    Key(KeyCode),
    Button(Button),
}

impl Thing {
    const fn event(self, down: bool) -> InputEvent {
        match self {
            Self::Key(code) => InputEvent::Key { code, down },
            Self::Button(button) => InputEvent::Button { button, down },
        }
    }

    /// Whether it only changes what others mean: it neither types nor repeats.
    fn is_modifier(self) -> bool {
        matches!(self, Self::Key(code) if code.is_modifier())
    }

    const fn is_allowed(self, may: Permissions) -> bool {
        match self {
            Self::Key(_) => may.keyboard,
            Self::Button(_) => may.pointer,
        }
    }
}

/// One thing that concerns a viewer, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Reliable(Reliable),
    Motion(Motion),
    /// From elsewhere than the page's input channels.
    Event(InputEvent),
    Permit(Permissions),
    ReleaseAll,
    /// Lets go of what came as [`Step::Event`] at that time.
    HoldUntil(Option<MonoTime>),
    Gone,
}

/// A thing that one viewer holds.
#[derive(Clone, Copy, Debug)]
struct Hold {
    /// Number of the page's message; absent for what came another way.
    seq: Option<u16>,
    /// False after it was let go for silence.
    down: bool,
    /// When the page first said again that it holds it.
    confirmed: Option<MonoTime>,
}

#[derive(Debug, Default)]
struct Viewer {
    may: Permissions,
    holds: BTreeMap<Thing, Hold>,
    /// Number of the last key or button message.
    last_seq: Option<u16>,
    /// When the page last said what it holds, or began to hold something.
    heard: MonoTime,
    hold_until: Option<MonoTime>,
    newest_motion: Option<u16>,
    total: [i32; 2],
}

impl Viewer {
    /// When something of it is due.
    fn deadline(&self) -> Option<MonoTime> {
        let down = |paged: bool| {
            let mut holds = self.holds.values();
            holds.any(|hold| hold.down && hold.seq.is_some() == paged)
        };
        let silent = down(true).then(|| self.heard + SILENCE);
        let over = self.hold_until.filter(|_| down(false));
        silent.into_iter().chain(over).min()
    }
}

/// Whether `newer` comes after `older` in a series that wraps.
pub(crate) const fn is_after(newer: u16, older: u16) -> bool {
    (newer.wrapping_sub(older) as i16) > 0
}

/// What every viewer holds.
#[derive(Debug)]
pub(crate) struct Held {
    viewers: BTreeMap<ViewerId, Viewer>,
    fingers: Fingers<ViewerId>,
    pen: Pen,
    pads: Pads,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            viewers: BTreeMap::new(),
            fingers: Fingers::new(FINGERS),
            pen: Pen::default(),
            pads: Pads::default(),
        }
    }
}

fn touched(told: Told, contact: Contact) -> InputEvent {
    let [x, y] = told.place;
    InputEvent::Touch {
        id: told.slot.into(),
        phase: told.phase,
        x,
        y,
        contact,
    }
}

impl Held {
    /// Takes a step; what is to be injected for it goes to `out`, in order.
    pub(crate) fn step(
        &mut self,
        id: ViewerId,
        step: Step,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        match step {
            Step::Reliable(message) => self.reliable(id, message, now, out),
            Step::Motion(message) => self.motion(id, message, now, out),
            Step::Event(event) => self.event(id, event, now, out),
            Step::Permit(may) => self.permit(id, may, out),
            Step::ReleaseAll => self.release_all(id, out),
            Step::HoldUntil(until) => self.viewer(id).hold_until = until,
            Step::Gone => {
                self.permit(id, Permissions::NONE, out);
                self.pads.forget(id);
                self.viewers.remove(&id);
            }
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        let viewers = self.viewers.values().filter_map(Viewer::deadline);
        viewers.chain(self.pads.deadline()).min()
    }

    /// Lets go of what nobody speaks of any more.
    pub(crate) fn tick(&mut self, now: MonoTime, out: &mut Vec<InputEvent>) {
        let ids: Vec<ViewerId> = self.viewers.keys().copied().collect();
        for id in ids {
            let viewer = self.viewer(id);
            if now >= viewer.heard + SILENCE {
                self.silence(id, out);
            }
            let viewer = self.viewer(id);
            if viewer.hold_until.is_some_and(|until| now >= until) {
                viewer.hold_until = None;
                self.release_where(id, out, |_, hold| hold.seq.is_none());
            }
        }
        self.pads.tick(now, out);
    }

    /// Lets go of everything of everybody, as before another injector takes over.
    pub(crate) fn release_everything(&mut self, out: &mut Vec<InputEvent>) {
        let ids: Vec<ViewerId> = self.viewers.keys().copied().collect();
        for id in ids {
            self.release_all(id, out);
        }
    }

    /// What another injector must know before it is used.
    pub(crate) fn introduce(&self, out: &mut Vec<InputEvent>) {
        self.pads.introduce(out);
    }

    /// Whose pad the host knows by that number, and by which number he knows it.
    pub(crate) fn pad_owner(&self, slot: u8) -> Option<(ViewerId, u8)> {
        self.pads.owner(slot)
    }

    /// Everybody who may type.
    pub(crate) fn typists(&self) -> impl Iterator<Item = ViewerId> {
        let viewers = self.viewers.iter();
        viewers
            .filter(|(_, viewer)| viewer.may.keyboard)
            .map(|(id, _)| *id)
    }

    fn viewer(&mut self, id: ViewerId) -> &mut Viewer {
        self.viewers.entry(id).or_default()
    }

    fn is_down(&self, thing: Thing) -> bool {
        let holds = self.viewers.values();
        let mut holds = holds.filter_map(|viewer| viewer.holds.get(&thing));
        holds.any(|hold| hold.down)
    }

    fn reliable(
        &mut self,
        id: ViewerId,
        message: Reliable,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        match message {
            Reliable::Key { seq, code, down } => {
                self.viewer(id).last_seq = Some(seq);
                if let Some(code) = code {
                    if down && !code.is_modifier() {
                        self.press_modifiers_again(id, now, out);
                    }
                    self.press_or_release(id, (Thing::Key(code), down), Some(seq), now, out);
                }
            }
            Reliable::Button {
                seq,
                button,
                down,
                place,
            } => {
                self.viewer(id).last_seq = Some(seq);
                if let Some([x, y]) = place {
                    self.event(id, InputEvent::MoveTo { x, y }, now, out);
                }
                if let Some(button) = button {
                    if down {
                        self.press_modifiers_again(id, now, out);
                    }
                    let thing = Thing::Button(button);
                    self.press_or_release(id, (thing, down), Some(seq), now, out);
                }
            }
            Reliable::Text(text) => self.event(id, InputEvent::Text(text), now, out),
            Reliable::Wheel { dx, dy } => {
                let (dx, dy) = (dx.into(), dy.into());
                self.press_modifiers_again(id, now, out);
                self.event(id, InputEvent::Wheel { dx, dy }, now, out);
            }
            Reliable::ReleaseAll => self.release_all(id, out),
            Reliable::Touch {
                id: finger,
                phase,
                place: [x, y],
            } => {
                let event = InputEvent::Touch {
                    id: finger.into(),
                    phase,
                    x,
                    y,
                    contact: Contact::default(),
                };
                self.event(id, event, now, out);
            }
            Reliable::PadConnected { index, name } => {
                let event = InputEvent::Pad(PadEvent::Connected {
                    index,
                    name,
                    kind: PadKind::Unknown,
                    capabilities: PadCapabilities::default(),
                });
                self.event(id, event, now, out);
            }
            Reliable::PadGone { index } => {
                self.event(id, InputEvent::Pad(PadEvent::Gone { index }), now, out);
            }
        }
    }

    fn motion(&mut self, id: ViewerId, message: Motion, now: MonoTime, out: &mut Vec<InputEvent>) {
        match message {
            Motion::MoveTo { seq, place: [x, y] } => {
                if self.is_newest_motion(id, seq) {
                    self.event(id, InputEvent::MoveTo { x, y }, now, out);
                }
            }
            Motion::MoveBy { seq, total } => {
                if self.is_newest_motion(id, seq) {
                    let viewer = self.viewer(id);
                    let [dx, dy] = [0, 1].map(|at| total[at].wrapping_sub(viewer.total[at]));
                    viewer.total = total;
                    if (dx, dy) != (0, 0) {
                        self.event(id, InputEvent::MoveBy { dx, dy }, now, out);
                    }
                }
            }
            Motion::Held { last_seq, seqs } => self.held(id, last_seq, &seqs, now, out),
            Motion::PadState { index, seq, state } => {
                if self.pads.is_newest(id, index, seq) {
                    self.pads.state((id, index), state, Some(now), out);
                }
            }
        }
    }

    fn is_newest_motion(&mut self, id: ViewerId, seq: u16) -> bool {
        let newest = &mut self.viewer(id).newest_motion;
        let is_newest = newest.is_none_or(|newest| is_after(seq, newest));
        if is_newest {
            *newest = Some(seq);
        }
        is_newest
    }

    fn event(&mut self, id: ViewerId, event: InputEvent, now: MonoTime, out: &mut Vec<InputEvent>) {
        match event {
            InputEvent::Key { code, down } => {
                self.press_or_release(id, (Thing::Key(code), down), None, now, out);
            }
            InputEvent::Button { button, down } => {
                self.press_or_release(id, (Thing::Button(button), down), None, now, out);
            }
            InputEvent::Touch {
                id: finger,
                phase,
                x,
                y,
                contact,
            } => {
                if self.viewer(id).may.pointer {
                    let told = self.fingers.step((id, finger), phase, [x, y]);
                    out.extend(told.into_iter().map(|told| touched(told, contact)));
                }
            }
            InputEvent::Pen(event) => {
                if self.viewer(id).may.pointer {
                    self.pen.step(id, event, out);
                }
            }
            InputEvent::Pad(event) => {
                let allowed = self.viewer(id).may.pads;
                self.pads.event(id, event, allowed, out);
            }
            event @ (InputEvent::Text(_)
            | InputEvent::MoveTo { .. }
            | InputEvent::MoveBy { .. }
            | InputEvent::Wheel { .. }) => {
                if self.viewer(id).may.allow(&event) {
                    out.push(event);
                }
            }
        }
    }

    fn press_or_release(
        &mut self,
        id: ViewerId,
        (thing, down): (Thing, bool),
        seq: Option<u16>,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        if down {
            self.press(id, thing, seq, now, out);
        } else {
            self.release(id, thing, out);
        }
    }

    fn press(
        &mut self,
        id: ViewerId,
        thing: Thing,
        seq: Option<u16>,
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        let was_down = self.is_down(thing);
        let viewer = self.viewer(id);
        if !thing.is_allowed(viewer.may) {
            return;
        }
        let mut holds = viewer.holds.values();
        if seq.is_some() && !holds.any(|hold| hold.down && hold.seq.is_some()) {
            viewer.heard = now;
        }
        let hold = Hold {
            seq,
            down: true,
            confirmed: None,
        };
        viewer.holds.insert(thing, hold);
        if !was_down {
            out.push(thing.event(true));
        }
    }

    /// What comes in order was done with the modifiers that were pressed before it and not released
    /// since, also if the page fell silent in between: a capital letter stays one.
    fn press_modifiers_again(&mut self, id: ViewerId, now: MonoTime, out: &mut Vec<InputEvent>) {
        let holds = self.viewer(id).holds.iter();
        let silent = holds.filter(|(thing, hold)| !hold.down && thing.is_modifier());
        let again: Vec<_> = silent.map(|(thing, hold)| (*thing, hold.seq)).collect();
        for (thing, seq) in again {
            self.press(id, thing, seq, now, out);
        }
    }

    fn release(&mut self, id: ViewerId, thing: Thing, out: &mut Vec<InputEvent>) {
        let hold = self.viewer(id).holds.remove(&thing);
        if hold.is_some_and(|hold| hold.down) && !self.is_down(thing) {
            out.push(thing.event(false));
        }
    }

    fn release_where(
        &mut self,
        id: ViewerId,
        out: &mut Vec<InputEvent>,
        mut which: impl FnMut(Thing, Hold) -> bool,
    ) {
        let holds = self.viewer(id).holds.iter();
        let things = holds.filter(|(thing, hold)| which(**thing, **hold));
        let things: Vec<Thing> = things.map(|(thing, _)| *thing).collect();
        for thing in things {
            self.release(id, thing, out);
        }
    }

    /// Lets go of what a page holds, but remembers it: the page may only have been cut off.
    fn silence(&mut self, id: ViewerId, out: &mut Vec<InputEvent>) {
        let holds = self.viewer(id).holds.iter_mut();
        let silent = holds.filter(|(_, hold)| hold.down && hold.seq.is_some());
        let things: Vec<Thing> = silent
            .map(|(thing, hold)| {
                (hold.down, hold.confirmed) = (false, None);
                *thing
            })
            .collect();
        for thing in things {
            if !self.is_down(thing) {
                out.push(thing.event(false));
            }
        }
    }

    /// What the page says it holds. It knows every message up to `last_seq`, so that what was
    /// pressed by then and is not listed was released, even if that message is still on its way.
    fn held(
        &mut self,
        id: ViewerId,
        last_seq: u16,
        listed: &[u16],
        now: MonoTime,
        out: &mut Vec<InputEvent>,
    ) {
        let viewer = self.viewer(id);
        viewer.heard = now;
        let up_to_date = viewer.last_seq == Some(last_seq);
        let mut again = Vec::new();
        for (thing, hold) in &mut viewer.holds {
            let Some(seq) = hold.seq.filter(|_| !hold.down) else {
                continue;
            };
            if !up_to_date || !listed.contains(&seq) {
                hold.confirmed = None;
                continue;
            }
            let since = *hold.confirmed.get_or_insert(now);
            if now.since(since) >= APART {
                again.push((*thing, seq));
            }
        }
        self.release_where(id, out, |thing, hold| {
            // What is on its way may need the modifier, whose release comes after it.
            let waits = thing.is_modifier() && !up_to_date;
            let known = hold.seq.filter(|seq| !waits && !is_after(*seq, last_seq));
            known.is_some_and(|seq| !listed.contains(&seq))
        });
        for (thing, seq) in again {
            self.press(id, thing, Some(seq), now, out);
        }
    }

    /// Takes a viewer's fingers and pen off the glass.
    fn lift(&mut self, id: ViewerId, out: &mut Vec<InputEvent>) {
        let told = self.fingers.cancel(id);
        out.extend(
            told.into_iter()
                .map(|told| touched(told, Contact::default())),
        );
        self.pen.cancel(id, out);
    }

    fn permit(&mut self, id: ViewerId, may: Permissions, out: &mut Vec<InputEvent>) {
        self.viewer(id).may = may;
        self.release_where(id, out, |thing, _| !thing.is_allowed(may));
        if !may.pointer {
            self.lift(id, out);
        }
        self.pads.permit(id, may.pads, out);
    }

    fn release_all(&mut self, id: ViewerId, out: &mut Vec<InputEvent>) {
        self.release_where(id, out, |_, _| true);
        self.lift(id, out);
        self.pads.rest(id, out);
    }
}
