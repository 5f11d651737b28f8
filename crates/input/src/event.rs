//! What a viewer does, and which of it he may do.
//!
//! Owns the values and their JSON form; refuses to know how they came or what becomes of them.

mod pad;
mod touch;

use crate::key::KeyCode;
pub use pad::{BatteryState, MotionKind, PadCapabilities, PadEvent, PadKind, PadState};
use serde::{Deserialize, Serialize};
pub use touch::{Contact, PenEvent, PenPhase, PenTool, TouchPhase};

/// Longest text that one event types.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// One thing that a viewer does.
///
/// Places are 0..=65535 over the picture, from its left and top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum InputEvent {
    /// A physical key goes down or up.
    Key {
        /// Which.
        code: KeyCode,
        /// Down, else up.
        down: bool,
    },
    /// Characters, whatever the layout: as if pasted.
    Text(String),
    /// A mouse button goes down or up.
    Button {
        /// Which.
        button: Button,
        /// Down, else up.
        down: bool,
    },
    /// The pointer goes to a place.
    MoveTo {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// The pointer moves by so many pixels.
    MoveBy {
        /// To the right.
        dx: i32,
        /// Downwards.
        dy: i32,
    },
    /// The wheel turns, in 1/120 of a notch.
    Wheel {
        /// To the right.
        dx: i32,
        /// Downwards.
        dy: i32,
    },
    /// A finger on a touch screen, or above it.
    Touch {
        /// Tells fingers apart.
        id: u32,
        /// What it does.
        phase: TouchPhase,
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
        /// How it touches, as far as that is known.
        #[serde(default, skip_serializing_if = "Contact::is_unknown")]
        contact: Contact,
    },
    /// A pen on a tablet, or above it.
    Pen(PenEvent),
    /// A gamepad.
    Pad(PadEvent),
}

/// A mouse button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Button {
    /// The first.
    Left,
    /// The wheel's.
    Middle,
    /// The one that opens menus.
    Right,
    /// The first at the side.
    Back,
    /// The second at the side.
    Forward,
}

impl Button {
    /// Every button, in the order of the DOM's numbers.
    pub const ALL: [Self; 5] = [
        Self::Left,
        Self::Middle,
        Self::Right,
        Self::Back,
        Self::Forward,
    ];

    /// The button of a DOM number.
    #[must_use]
    pub fn from_dom(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its DOM number.
    #[must_use]
    pub const fn dom(self) -> u8 {
        self as u8
    }
}

/// What a viewer may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    /// Keys and text.
    pub keyboard: bool,
    /// Mouse, wheel, touch and pen.
    pub pointer: bool,
    /// Gamepads.
    pub pads: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        keyboard: true,
        pointer: true,
        pads: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        keyboard: false,
        pointer: false,
        pads: false,
    };

    /// Whether an event is among what is allowed.
    #[must_use]
    pub const fn allow(self, event: &InputEvent) -> bool {
        match event {
            InputEvent::Key { .. } | InputEvent::Text(_) => self.keyboard,
            InputEvent::Button { .. }
            | InputEvent::MoveTo { .. }
            | InputEvent::MoveBy { .. }
            | InputEvent::Wheel { .. }
            | InputEvent::Touch { .. }
            | InputEvent::Pen(_) => self.pointer,
            InputEvent::Pad(_) => self.pads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_a_plain_json_form() {
        for (text, event) in [
            (
                r#"{"key":{"code":"KeyA","down":true}}"#,
                InputEvent::Key {
                    code: KeyCode::from_code("KeyA").unwrap(),
                    down: true,
                },
            ),
            (
                r#"{"text":"grüße 🙂"}"#,
                InputEvent::Text("grüße 🙂".into()),
            ),
            (
                r#"{"button":{"button":"back","down":false}}"#,
                InputEvent::Button {
                    button: Button::Back,
                    down: false,
                },
            ),
            (
                r#"{"moveTo":{"x":1,"y":65535}}"#,
                InputEvent::MoveTo { x: 1, y: 65535 },
            ),
            (
                r#"{"touch":{"id":1,"phase":"start","x":2,"y":3}}"#,
                InputEvent::Touch {
                    id: 1,
                    phase: TouchPhase::Start,
                    x: 2,
                    y: 3,
                    contact: Contact::default(),
                },
            ),
            (
                r#"{"pad":{"gone":{"index":3}}}"#,
                InputEvent::Pad(PadEvent::Gone { index: 3 }),
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<InputEvent>(text).unwrap(), event);
        }
        let extra = r#"{"moveTo":{"x":1,"y":2,"z":3}}"#;
        assert!(serde_json::from_str::<InputEvent>(extra).is_err());
    }

    #[test]
    fn buttons_have_the_numbers_of_the_dom() {
        for (number, button) in Button::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(button.dom()), number);
            assert_eq!(Button::from_dom(button.dom()), Some(button));
        }
        assert_eq!(Button::from_dom(5), None);
    }
}
