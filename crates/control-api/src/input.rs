//! Input as a client writes it in JSON. The binary channels say the same in fewer bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing a person did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum InputEvent {
    /// A key went down or up.
    Key {
        /// Which one, by its W3C code, such as `KeyA`.
        code: String,
        /// Down, or up.
        down: bool,
    },
    /// Text to be typed, whatever keys that takes.
    Text {
        /// The text; at most 16 KiB.
        text: String,
    },
    /// A button of the pointer went down or up.
    Button {
        /// 0 left, 1 middle, 2 right, 3 back, 4 forward.
        button: u8,
        /// Down, or up.
        down: bool,
    },
    /// The pointer moved to a place in the picture.
    MoveTo {
        /// 0 is the left edge, 65535 the right one.
        x: u16,
        /// 0 is the upper edge, 65535 the lower one.
        y: u16,
    },
    /// The pointer moved by so much.
    MoveBy {
        /// Right, in pixels.
        dx: i32,
        /// Down, in pixels.
        dy: i32,
    },
    /// The wheel turned; 120 is one notch.
    Wheel {
        /// Right.
        dx: i16,
        /// Down.
        dy: i16,
    },
    /// A finger on the picture.
    Touch {
        /// Which finger.
        id: u8,
        /// What it did.
        phase: TouchPhase,
        /// 0 is the left edge, 65535 the right one.
        x: u16,
        /// 0 is the upper edge, 65535 the lower one.
        y: u16,
    },
}

/// What a finger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TouchPhase {
    /// It came down.
    Start,
    /// It moved.
    Move,
    /// It went up.
    End,
    /// It does not count.
    Cancel,
}

/// What input reaches the host, whoever drives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InputState {
    /// Keys.
    pub keyboard: bool,
    /// The pointer.
    pub pointer: bool,
    /// Fingers.
    pub touch: bool,
    /// Game pads.
    pub pads: bool,
    /// Text of any language.
    pub text: bool,
    /// What carries it, as the command line has it.
    pub backend: String,
    /// Why it is this one, or why there is none, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
