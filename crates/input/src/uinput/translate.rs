//! Events as the kernel's numbers: a function of what was sent before.
//!
//! Owns which device a button belongs to and which fingers are down; refuses text and pads.

use super::pen::Pen;
use crate::area::TargetArea;
use crate::event::{Button, Contact, InputEvent, TouchPhase};
use crate::notches::Notches;
use std::collections::{BTreeMap, BTreeSet};

const EV_KEY: u16 = 1;
const EV_REL: u16 = 2;
const EV_ABS: u16 = 3;
const REL_X: u16 = 0;
const REL_Y: u16 = 1;
const REL_HWHEEL: u16 = 6;
const REL_WHEEL: u16 = 8;
const REL_WHEEL_HI_RES: u16 = 11;
const REL_HWHEEL_HI_RES: u16 = 12;
pub(super) const ABS_X: u16 = 0;
pub(super) const ABS_Y: u16 = 1;
const ABS_MT_SLOT: u16 = 0x2f;
const ABS_MT_TOUCH_MAJOR: u16 = 0x30;
const ABS_MT_TOUCH_MINOR: u16 = 0x31;
const ABS_MT_ORIENTATION: u16 = 0x34;
const ABS_MT_POSITION_X: u16 = 0x35;
const ABS_MT_POSITION_Y: u16 = 0x36;
const ABS_MT_TRACKING_ID: u16 = 0x39;
const ABS_MT_PRESSURE: u16 = 0x3a;
/// A finger on the glass.
pub(super) const BTN_TOUCH: u16 = 0x14a;
/// Left, right, middle, side, extra.
pub(super) const BUTTONS: [u16; 5] = [0x110, 0x111, 0x112, 0x113, 0x114];
/// The last finger there is room for.
pub(super) const LAST_SLOT: i32 = 9;
/// How hard something touches of which nobody knows how hard.
pub(super) const SOME_PRESSURE: u16 = 0x8000;

/// Where a report goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    Keyboard,
    Mouse,
    Tablet,
    Screen,
    Pen,
}

/// One number of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) kind: u16,
    pub(super) code: u16,
    pub(super) value: i32,
}

/// What stands between two reports.
pub(super) const REPORT_ENDS: Raw = Raw {
    kind: 0,
    code: 0,
    value: 0,
};

pub(super) const fn key(code: u16, down: bool) -> Raw {
    Raw {
        kind: EV_KEY,
        code,
        value: down as i32,
    }
}

pub(super) const fn absolute(code: u16, value: i32) -> Raw {
    Raw {
        kind: EV_ABS,
        code,
        value,
    }
}

const fn relative(code: u16, value: i32) -> Raw {
    Raw {
        kind: EV_REL,
        code,
        value,
    }
}

/// Makes reports of events.
#[derive(Debug)]
pub(super) struct Translator {
    area: TargetArea,
    /// The device that moved the pointer last; a click belongs to it.
    pointer: Device,
    /// Buttons that are down, and where: a release must come from where the press came.
    pressed: BTreeMap<Button, Device>,
    wheels: [Notches; 2],
    fingers: BTreeSet<u32>,
    touches: u16,
    pen: Pen,
}

impl Translator {
    pub(super) fn new(area: TargetArea) -> Self {
        Self {
            area,
            pointer: Device::Tablet,
            pressed: BTreeMap::new(),
            wheels: [Notches::default(); 2],
            fingers: BTreeSet::new(),
            touches: 0,
            pen: Pen::default(),
        }
    }

    /// The report of an event; `None` when the kernel has no number for it.
    pub(super) fn translate(&mut self, event: &InputEvent) -> Option<(Device, Vec<Raw>)> {
        match event {
            InputEvent::Key { code, down } => {
                Some((Device::Keyboard, vec![key(code.evdev()?, *down)]))
            }
            InputEvent::Button { button, down } => Some(self.button(*button, *down)),
            InputEvent::MoveTo { x, y } => Some((Device::Tablet, self.move_to([*x, *y]))),
            InputEvent::MoveBy { dx, dy } => {
                self.pointer = Device::Mouse;
                let by = vec![relative(REL_X, *dx), relative(REL_Y, *dy)];
                Some((Device::Mouse, by))
            }
            InputEvent::Wheel { dx, dy } => Some((Device::Mouse, self.wheel(*dx, *dy))),
            // A finger above the glass does what a mouse does whose buttons are up.
            InputEvent::Touch {
                phase: TouchPhase::Hover,
                x,
                y,
                ..
            } => Some((Device::Tablet, self.move_to([*x, *y]))),
            InputEvent::Touch {
                phase: TouchPhase::Leave,
                ..
            } => Some((Device::Screen, Vec::new())),
            InputEvent::Touch {
                id,
                phase,
                x,
                y,
                contact,
            } => {
                let report = self.touch(*id, *phase, [*x, *y], contact);
                Some((Device::Screen, report))
            }
            InputEvent::Pen(event) => {
                let place = self.area.unboxed([event.x, event.y]);
                Some((Device::Pen, self.pen.report(event, place)))
            }
            InputEvent::Text(_) | InputEvent::Pad(_) => None,
        }
    }

    fn move_to(&mut self, place: [u16; 2]) -> Vec<Raw> {
        self.pointer = Device::Tablet;
        let [x, y] = self.area.unboxed(place);
        vec![absolute(ABS_X, x.into()), absolute(ABS_Y, y.into())]
    }

    fn button(&mut self, button: Button, down: bool) -> (Device, Vec<Raw>) {
        let device = match down {
            true => *self.pressed.entry(button).or_insert(self.pointer),
            false => self.pressed.remove(&button).unwrap_or(self.pointer),
        };
        let [left, right, middle, side, extra] = BUTTONS;
        let code = match button {
            Button::Left => left,
            Button::Middle => middle,
            Button::Right => right,
            Button::Back => side,
            Button::Forward => extra,
        };
        (device, vec![key(code, down)])
    }

    /// The kernel counts upwards, the page downwards.
    fn wheel(&mut self, dx: i32, dy: i32) -> Vec<Raw> {
        let mut report = Vec::new();
        let axes = [
            (dy.saturating_neg(), REL_WHEEL_HI_RES, REL_WHEEL),
            (dx, REL_HWHEEL_HI_RES, REL_HWHEEL),
        ];
        for (wheel, (units, fine, coarse)) in self.wheels.iter_mut().zip(axes) {
            if units != 0 {
                report.push(relative(fine, units));
                let notches = wheel.turn(units);
                report.extend((notches != 0).then(|| relative(coarse, notches)));
            }
        }
        report
    }

    fn touch(
        &mut self,
        slot: u32,
        phase: TouchPhase,
        place: [u16; 2],
        contact: &Contact,
    ) -> Vec<Raw> {
        let [x, y] = self.area.unboxed(place).map(i32::from);
        // Below the number of fingers by the rules of who holds what.
        let mut report = vec![absolute(ABS_MT_SLOT, slot.min(LAST_SLOT as u32) as i32)];
        let (was_touched, first) = (!self.fingers.is_empty(), self.fingers.first().copied());
        match phase {
            TouchPhase::Start => {
                self.touches = self.touches.wrapping_add(1);
                self.fingers.insert(slot);
                report.push(absolute(ABS_MT_TRACKING_ID, self.touches.into()));
            }
            TouchPhase::Move | TouchPhase::Hover => {}
            TouchPhase::End | TouchPhase::Cancel | TouchPhase::CancelAll | TouchPhase::Leave => {
                self.fingers.remove(&slot);
                report.push(absolute(ABS_MT_TRACKING_ID, -1));
            }
        }
        if matches!(phase, TouchPhase::Start | TouchPhase::Move) {
            report.push(absolute(ABS_MT_POSITION_X, x));
            report.push(absolute(ABS_MT_POSITION_Y, y));
            report.extend(pressed(contact));
            // Programs that know one finger only follow the first.
            if first.is_none_or(|first| first == slot) {
                report.push(absolute(ABS_X, x));
                report.push(absolute(ABS_Y, y));
            }
        }
        let is_touched = !self.fingers.is_empty();
        report.extend((is_touched != was_touched).then(|| key(BTN_TOUCH, is_touched)));
        report
    }
}

/// How a finger touches. What nobody knows of this touch must not be left as the one before had it.
fn pressed(contact: &Contact) -> [Raw; 4] {
    let pressure = contact.pressure.unwrap_or(SOME_PRESSURE);
    let major = contact.major.unwrap_or(0);
    let minor = contact.minor.unwrap_or(major);
    [
        absolute(ABS_MT_PRESSURE, pressure.into()),
        absolute(ABS_MT_TOUCH_MAJOR, major.into()),
        absolute(ABS_MT_TOUCH_MINOR, minor.into()),
        absolute(ABS_MT_ORIENTATION, orientation(contact.rotation_deg)),
    ]
}

/// An ellipse looks the same after half a turn, so that -90..=90 degrees clockwise say everything.
fn orientation(rotation_deg: Option<u16>) -> i32 {
    let half_turn = i32::from(rotation_deg.unwrap_or(0) % 180);
    match half_turn > 90 {
        true => half_turn - 180,
        false => half_turn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyCode;

    fn translator() -> Translator {
        Translator::new(TargetArea::default())
    }

    #[test]
    fn keys_are_the_kernels_numbers() {
        let key_of = |name: &str| InputEvent::Key {
            code: KeyCode::from_code(name).unwrap(),
            down: true,
        };
        let mut translator = translator();
        let report = translator.translate(&key_of("KeyQ"));
        assert_eq!(report, Some((Device::Keyboard, vec![key(16, true)])));
        assert_eq!(translator.translate(&key_of("NumpadMemoryAdd")), None);
    }

    #[test]
    fn a_button_goes_up_where_it_went_down() {
        let mut translator = translator();
        let mut device = |event: InputEvent| translator.translate(&event).unwrap().0;
        let button = |down| InputEvent::Button {
            button: Button::Right,
            down,
        };
        device(InputEvent::MoveTo { x: 1, y: 1 });
        assert_eq!(device(button(true)), Device::Tablet);
        device(InputEvent::MoveBy { dx: 1, dy: 1 });
        assert_eq!(device(button(false)), Device::Tablet);
        assert_eq!(device(button(true)), Device::Mouse);
    }

    #[test]
    fn the_wheel_turns_finely_and_by_notches() {
        let mut translator = translator();
        let mut turn = |dx, dy| {
            let event = InputEvent::Wheel { dx, dy };
            translator.translate(&event).unwrap().1
        };
        assert_eq!(turn(0, 60), [relative(REL_WHEEL_HI_RES, -60)]);
        let second = [relative(REL_WHEEL_HI_RES, -60), relative(REL_WHEEL, -1)];
        assert_eq!(turn(0, 60), second);
        let sideways = [relative(REL_HWHEEL_HI_RES, 120), relative(REL_HWHEEL, 1)];
        assert_eq!(turn(120, 0), sideways);
    }

    #[test]
    fn fingers_have_slots_and_numbers_that_do_not_come_again() {
        let mut translator = translator();
        let mut touch = |id, phase, x| {
            let y = 7;
            let contact = Contact::default();
            let event = InputEvent::Touch {
                id,
                phase,
                x,
                y,
                contact,
            };
            translator.translate(&event).unwrap().1
        };
        let begun = touch(3, TouchPhase::Start, 5);
        assert!(begun.contains(&absolute(ABS_MT_SLOT, 3)));
        assert!(begun.contains(&absolute(ABS_MT_TRACKING_ID, 1)));
        assert!(begun.contains(&absolute(ABS_X, 5)) && begun.contains(&key(BTN_TOUCH, true)));
        let second = touch(4, TouchPhase::Start, 9);
        assert!(second.contains(&absolute(ABS_MT_TRACKING_ID, 2)));
        assert!(!second.contains(&absolute(ABS_X, 9)) && second.len() == 8);
        let lifted = touch(3, TouchPhase::End, 5);
        assert_eq!(
            lifted,
            [absolute(ABS_MT_SLOT, 3), absolute(ABS_MT_TRACKING_ID, -1)]
        );
        let last = touch(4, TouchPhase::Cancel, 9);
        assert_eq!(last.last(), Some(&key(BTN_TOUCH, false)));
    }

    #[test]
    fn a_finger_says_how_it_touches() {
        let mut translator = translator();
        let contact = Contact {
            pressure: Some(9),
            major: Some(300),
            minor: None,
            rotation_deg: Some(170),
            distance: None,
        };
        let touch = InputEvent::Touch {
            id: 0,
            phase: TouchPhase::Start,
            x: 1,
            y: 2,
            contact,
        };
        let (_, report) = translator.translate(&touch).unwrap();
        for raw in [
            absolute(ABS_MT_PRESSURE, 9),
            absolute(ABS_MT_TOUCH_MAJOR, 300),
            absolute(ABS_MT_TOUCH_MINOR, 300),
            absolute(ABS_MT_ORIENTATION, -10),
        ] {
            assert!(report.contains(&raw), "{raw:?}");
        }
        assert_eq!(
            [0, 90, 91, 180, 359].map(|at| orientation(Some(at))),
            [0, 90, -89, 0, -1]
        );
    }
}
