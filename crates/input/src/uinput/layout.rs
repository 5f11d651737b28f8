//! The pads that the kernel's own drivers make, number by number, so that games take ours for one of
//! them.
//!
//! Owns which button has which number on which pad; refuses to know of sensors and motors.

use super::translate::{Raw, absolute, key};
use crate::event::PadState;
use evdev::AbsoluteAxisCode as Axis;

/// How the triggers of a pad are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Triggers {
    /// As axes from 0 to this.
    Axes(i32),
    /// As two buttons.
    Buttons([u16; 2]),
}

/// A kind of pad.
#[derive(Debug)]
pub(super) struct Layout {
    /// What its driver calls it; empty where it keeps the client's name.
    pub(super) name: &'static str,
    /// Vendor, product and version.
    pub(super) id: [u16; 3],
    /// Buttons of ours, and their numbers.
    buttons: &'static [(u32, u16)],
    sticks: [i32; 2],
    triggers: Triggers,
}

const BTN_SOUTH: u16 = 0x130;
const BTN_EAST: u16 = 0x131;
const BTN_NORTH: u16 = 0x133;
const BTN_WEST: u16 = 0x134;
const BTN_Z: u16 = 0x135;
const BTN_TL: u16 = 0x136;
const BTN_TR: u16 = 0x137;
const BTN_TL2: u16 = 0x138;
const BTN_TR2: u16 = 0x139;
const BTN_SELECT: u16 = 0x13a;
const BTN_START: u16 = 0x13b;
const BTN_MODE: u16 = 0x13c;
const BTN_THUMBL: u16 = 0x13d;
const BTN_THUMBR: u16 = 0x13e;
const KEY_RECORD: u16 = 0xa7;
/// The first of the four that drivers give to paddles.
const BTN_TRIGGER_HAPPY5: u16 = 0x2c4;

/// What xpad gives to every pad: it has X and Y the other way round than their places.
const XBOX_360_BUTTONS: [(u32, u16); 11] = [
    (PadState::SOUTH, BTN_SOUTH),
    (PadState::EAST, BTN_EAST),
    (PadState::WEST, BTN_NORTH),
    (PadState::NORTH, BTN_WEST),
    (PadState::LEFT_BUMPER, BTN_TL),
    (PadState::RIGHT_BUMPER, BTN_TR),
    (PadState::BACK, BTN_SELECT),
    (PadState::START, BTN_START),
    (PadState::LEFT_STICK, BTN_THUMBL),
    (PadState::RIGHT_STICK, BTN_THUMBR),
    (PadState::GUIDE, BTN_MODE),
];

/// What games know best: the wired controller of the Xbox 360.
pub(super) static XBOX_360: Layout = Layout {
    name: "",
    id: [0x045e, 0x028e, 0x0110],
    buttons: &XBOX_360_BUTTONS,
    sticks: [-0x8000, 0x7fff],
    triggers: Triggers::Axes(255),
};

/// The Xbox One S, with the share button and the paddles that its siblings have.
pub(super) static XBOX_ONE: Layout = Layout {
    name: "Microsoft X-Box One S pad",
    id: [0x045e, 0x02ea, 0x0301],
    buttons: &[
        XBOX_360_BUTTONS[0],
        XBOX_360_BUTTONS[1],
        XBOX_360_BUTTONS[2],
        XBOX_360_BUTTONS[3],
        XBOX_360_BUTTONS[4],
        XBOX_360_BUTTONS[5],
        XBOX_360_BUTTONS[6],
        XBOX_360_BUTTONS[7],
        XBOX_360_BUTTONS[8],
        XBOX_360_BUTTONS[9],
        XBOX_360_BUTTONS[10],
        (PadState::MISC, KEY_RECORD),
        (PadState::PADDLES[0], BTN_TRIGGER_HAPPY5),
        (PadState::PADDLES[1], BTN_TRIGGER_HAPPY5 + 1),
        (PadState::PADDLES[2], BTN_TRIGGER_HAPPY5 + 2),
        (PadState::PADDLES[3], BTN_TRIGGER_HAPPY5 + 3),
    ],
    sticks: [-0x8000, 0x7fff],
    triggers: Triggers::Axes(1023),
};

/// The Switch Pro Controller, as hid-nintendo has it: buttons go by their places.
pub(super) static SWITCH_PRO: Layout = Layout {
    name: "Nintendo Switch Pro Controller",
    id: [0x057e, 0x2009, 0x8111],
    buttons: &[
        (PadState::SOUTH, BTN_SOUTH),
        (PadState::EAST, BTN_EAST),
        (PadState::WEST, BTN_WEST),
        (PadState::NORTH, BTN_NORTH),
        (PadState::LEFT_BUMPER, BTN_TL),
        (PadState::RIGHT_BUMPER, BTN_TR),
        (PadState::BACK, BTN_SELECT),
        (PadState::START, BTN_START),
        (PadState::LEFT_STICK, BTN_THUMBL),
        (PadState::RIGHT_STICK, BTN_THUMBR),
        (PadState::GUIDE, BTN_MODE),
        (PadState::MISC, BTN_Z),
    ],
    sticks: [-0x7fff, 0x7fff],
    triggers: Triggers::Buttons([BTN_TL2, BTN_TR2]),
};

/// Both triggers, 0..=255. Pads whose triggers are buttons have no way between.
pub(super) fn triggers(state: &PadState) -> [u8; 2] {
    let trigger = |value: u8, button: u32| match value {
        0 if state.has(button) => 255,
        value => value,
    };
    [
        trigger(state.left_trigger, PadState::LEFT_TRIGGER),
        trigger(state.right_trigger, PadState::RIGHT_TRIGGER),
    ]
}

/// Where the cross of directions points: to the right and downwards.
pub(super) fn directions(state: &PadState) -> [i32; 2] {
    let between = |back, forth| i32::from(state.has(forth)) - i32::from(state.has(back));
    [
        between(PadState::LEFT, PadState::RIGHT),
        between(PadState::UP, PadState::DOWN),
    ]
}

impl Layout {
    /// The numbers of all buttons.
    pub(super) fn keys(&self) -> impl Iterator<Item = u16> {
        let triggers = match self.triggers {
            Triggers::Axes(_) => None,
            Triggers::Buttons(buttons) => Some(buttons),
        };
        let buttons = self.buttons.iter().map(|(_, code)| *code);
        buttons.chain(triggers.into_iter().flatten())
    }

    /// All axes and how far each goes.
    pub(super) fn axes(&self) -> impl Iterator<Item = (Axis, [i32; 2])> {
        let sticks = [Axis::ABS_X, Axis::ABS_Y, Axis::ABS_RX, Axis::ABS_RY];
        let triggers = match self.triggers {
            Triggers::Axes(most) => Some([Axis::ABS_Z, Axis::ABS_RZ].map(|axis| (axis, [0, most]))),
            Triggers::Buttons(_) => None,
        };
        let hat = [Axis::ABS_HAT0X, Axis::ABS_HAT0Y].map(|axis| (axis, [-1, 1]));
        let sticks = sticks.map(|axis| (axis, self.sticks));
        sticks
            .into_iter()
            .chain(triggers.into_iter().flatten())
            .chain(hat)
    }

    /// All of a pad as the kernel wants it.
    pub(super) fn report(&self, state: &PadState) -> Vec<Raw> {
        let buttons = self.buttons.iter();
        let buttons = buttons.map(|(button, code)| key(*code, state.has(*button)));
        let sticks = [Axis::ABS_X, Axis::ABS_Y, Axis::ABS_RX, Axis::ABS_RY];
        let [least, most] = self.sticks;
        let sticks = sticks.into_iter().zip(state.axes);
        let sticks = sticks.map(|(axis, value)| (axis, i32::from(value).clamp(least, most)));
        let hat = [Axis::ABS_HAT0X, Axis::ABS_HAT0Y];
        let hat = hat.into_iter().zip(directions(state));
        let axes = sticks.chain(hat);
        let axes = axes.map(|(axis, value)| absolute(axis.0, value));
        let triggers = self.trigger_report(triggers(state));
        buttons.chain(axes).chain(triggers).collect()
    }

    fn trigger_report(&self, pulled: [u8; 2]) -> [Raw; 2] {
        match self.triggers {
            Triggers::Axes(most) => {
                let [left, right] = pulled.map(|pulled| i32::from(pulled) * most / 255);
                [
                    absolute(Axis::ABS_Z.0, left),
                    absolute(Axis::ABS_RZ.0, right),
                ]
            }
            Triggers::Buttons([left, right]) => {
                let [left_is_down, right_is_down] = pulled.map(|pulled| pulled > 0x7f);
                [key(left, left_is_down), key(right, right_is_down)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(report: &[Raw], kind: u16, code: u16) -> i32 {
        let mut found = report
            .iter()
            .filter(|raw| (raw.kind, raw.code) == (kind, code));
        let value = found.next().unwrap().value;
        assert!(found.next().is_none(), "{code} is told twice");
        value
    }

    #[test]
    fn the_standard_mapping_lands_on_the_buttons_games_know() {
        let state = PadState {
            buttons: 1 << 2 | 1 << 16 | 1 << 12 | 1 << 15 | 1 << 7,
            left_trigger: 40,
            right_trigger: 0,
            axes: [-32768, 5, 0, 32767],
        };
        let report = XBOX_360.report(&state);
        assert_eq!(value(&report, 1, 0x133), 1);
        assert_eq!(value(&report, 1, 0x13c), 1);
        assert_eq!(value(&report, 1, 0x130), 0);
        let axes = [0, 1, 3, 4, 2, 5, 0x10, 0x11].map(|code| value(&report, 3, code));
        assert_eq!(axes, [-32768, 5, 0, 32767, 40, 255, 1, -1]);
    }

    #[test]
    fn each_pad_has_its_own_numbers() {
        let state = PadState {
            buttons: PadState::WEST | PadState::MISC | PadState::PADDLES[3],
            left_trigger: 255,
            right_trigger: 100,
            axes: [-32768, 0, 0, 0],
        };
        let xbox = XBOX_ONE.report(&state);
        assert_eq!(value(&xbox, 1, 0x133), 1);
        assert_eq!(value(&xbox, 1, 0xa7), 1);
        assert_eq!(value(&xbox, 1, 0x2c7), 1);
        assert_eq!([value(&xbox, 3, 2), value(&xbox, 3, 5)], [1023, 401]);
        let nintendo = SWITCH_PRO.report(&state);
        assert_eq!(value(&nintendo, 1, 0x134), 1);
        assert_eq!(value(&nintendo, 1, 0x135), 1);
        let pulled = [value(&nintendo, 1, 0x138), value(&nintendo, 1, 0x139)];
        assert_eq!(pulled, [1, 0]);
        assert_eq!(value(&nintendo, 3, 0), -32767);
        for layout in [&XBOX_360, &XBOX_ONE, &SWITCH_PRO] {
            let told = layout.report(&PadState::default()).len();
            assert_eq!(told, layout.keys().count() + layout.axes().count());
        }
    }
}
