//! Gamepads: what one is, how it stands, and everything else that it tells.
//!
//! Owns the values and their JSON form; refuses numbers that are none (NaN, infinity).

use crate::event::TouchPhase;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What happens to a gamepad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PadEvent {
    /// It is there now.
    Connected {
        /// Tells pads apart.
        index: u8,
        /// As the client calls it; may be empty.
        name: String,
        /// Which family it is of.
        #[serde(default, skip_serializing_if = "is_default")]
        kind: PadKind,
        /// What it has beyond buttons and sticks.
        #[serde(default, skip_serializing_if = "is_default")]
        capabilities: PadCapabilities,
    },
    /// How it stands now.
    State {
        /// Which pad.
        index: u8,
        /// All of it.
        state: PadState,
    },
    /// How it is moved.
    Motion {
        /// Which pad.
        index: u8,
        /// Which of its sensors.
        kind: MotionKind,
        /// To the right, or about that axis.
        #[serde(deserialize_with = "finite")]
        x: f32,
        /// Upwards, or about that axis.
        #[serde(deserialize_with = "finite")]
        y: f32,
        /// Towards the player, or about that axis.
        #[serde(deserialize_with = "finite")]
        z: f32,
    },
    /// How full its battery is.
    Battery {
        /// Which pad.
        index: u8,
        /// What the battery does.
        state: BatteryState,
        /// 0..=100.
        #[serde(default)]
        percent: Option<u8>,
    },
    /// A finger on one of its touchpads.
    Touchpad {
        /// Which pad.
        index: u8,
        /// Which touchpad of it: 0 or 1.
        pad: u8,
        /// Tells fingers apart.
        finger: u32,
        /// What the finger does.
        phase: TouchPhase,
        /// From the left, 0..=65535 over the touchpad.
        x: u16,
        /// From the top.
        y: u16,
        /// How hard, 0..=65535, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pressure: Option<u16>,
    },
    /// It is gone.
    Gone {
        /// Which pad.
        index: u8,
    },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Numbers that JSON can write, and no sensor tells of more.
fn finite<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let value = f32::deserialize(from)?;
    match value.is_finite() {
        true => Ok(value),
        false => Err(D::Error::custom("the number is too large")),
    }
}

/// The family of a pad: how its buttons are labelled and what else is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PadKind {
    /// Nobody knows.
    #[default]
    Unknown,
    /// A, B, X, Y, with A at the bottom.
    Xbox,
    /// Cross, circle, square, triangle.
    PlayStation,
    /// A, B, X, Y, with B at the bottom.
    Nintendo,
    /// As Xbox, with touchpads and more.
    Steam,
}

/// What a pad has beyond buttons and sticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PadCapabilities {
    /// Triggers that are more than buttons.
    pub analog_triggers: bool,
    /// It can be shaken.
    pub rumble: bool,
    /// Its triggers can be shaken.
    pub trigger_rumble: bool,
    /// One touchpad.
    pub touchpad: bool,
    /// A second touchpad.
    pub second_touchpad: bool,
    /// It feels acceleration.
    pub accelerometer: bool,
    /// It feels being turned.
    pub gyroscope: bool,
    /// It tells how full its battery is.
    pub battery: bool,
    /// A light of any colour.
    pub rgb_led: bool,
}

/// A sensor of movement, with the axes of SDL: x to the right, y upwards, z towards the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MotionKind {
    /// m/s², gravity included: about 9.8 along y while it lies flat.
    Accelerometer,
    /// Degrees a second.
    Gyroscope,
}

/// What a battery does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BatteryState {
    /// Nobody knows.
    #[default]
    Unknown,
    /// There is none.
    NotPresent,
    /// It empties.
    Discharging,
    /// It fills.
    Charging,
    /// It has power, and does not fill.
    NotCharging,
    /// It is full.
    Full,
}

/// All of a pad, in the W3C standard mapping, which goes by places and not by labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PadState {
    /// Bit i is button i; the constants name them.
    pub buttons: u32,
    /// 0..=255.
    pub left_trigger: u8,
    /// 0..=255.
    pub right_trigger: u8,
    /// Left stick x and y, right stick x and y; right and down are positive.
    pub axes: [i16; 4],
}

impl PadState {
    /// The lowest of the four: A of Xbox, the cross.
    pub const SOUTH: u32 = 1;
    /// The rightmost of the four: B of Xbox, the circle.
    pub const EAST: u32 = 1 << 1;
    /// The leftmost of the four: X of Xbox, the square.
    pub const WEST: u32 = 1 << 2;
    /// The uppermost of the four: Y of Xbox, the triangle.
    pub const NORTH: u32 = 1 << 3;
    /// The left bumper.
    pub const LEFT_BUMPER: u32 = 1 << 4;
    /// The right bumper.
    pub const RIGHT_BUMPER: u32 = 1 << 5;
    /// The left trigger as a button; one that is more also says how far.
    pub const LEFT_TRIGGER: u32 = 1 << 6;
    /// The right trigger as a button.
    pub const RIGHT_TRIGGER: u32 = 1 << 7;
    /// The left one in the middle: back, view, create, minus.
    pub const BACK: u32 = 1 << 8;
    /// The right one in the middle: start, menu, options, plus.
    pub const START: u32 = 1 << 9;
    /// The left stick pressed.
    pub const LEFT_STICK: u32 = 1 << 10;
    /// The right stick pressed.
    pub const RIGHT_STICK: u32 = 1 << 11;
    /// The cross of directions, upwards.
    pub const UP: u32 = 1 << 12;
    /// Downwards.
    pub const DOWN: u32 = 1 << 13;
    /// To the left.
    pub const LEFT: u32 = 1 << 14;
    /// To the right.
    pub const RIGHT: u32 = 1 << 15;
    /// The maker's own: guide, PS, home.
    pub const GUIDE: u32 = 1 << 16;
    /// What else there is: share, capture, microphone.
    pub const MISC: u32 = 1 << 17;
    /// The four paddles at the back: upper right, upper left, lower right, lower left.
    pub const PADDLES: [u32; 4] = [1 << 18, 1 << 19, 1 << 20, 1 << 21];
    /// The touchpad pressed down.
    pub const TOUCHPAD: u32 = 1 << 22;

    /// Whether nobody touches it.
    #[must_use]
    pub fn is_neutral(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any of these buttons is down.
    #[must_use]
    pub const fn has(&self, buttons: u32) -> bool {
        self.buttons & buttons != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pad_of_which_nothing_is_known_reads_and_writes_as_it_always_did() {
        let text = r#"{"connected":{"index":3,"name":"pad"}}"#;
        let event: PadEvent = serde_json::from_str(text).unwrap();
        let plain = PadEvent::Connected {
            index: 3,
            name: "pad".into(),
            kind: PadKind::Unknown,
            capabilities: PadCapabilities::default(),
        };
        assert_eq!(event, plain);
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        let more = r#"{"connected":{"index":3,"name":"","kind":"playStation","capabilities":{"gyroscope":true}}}"#;
        let event: PadEvent = serde_json::from_str(more).unwrap();
        let again = serde_json::to_string(&event).unwrap();
        assert!(again.contains("playStation") && again.contains(r#""gyroscope":true"#));
        assert_eq!(serde_json::from_str::<PadEvent>(&again).unwrap(), event);
    }

    #[test]
    fn movement_is_a_number_to_the_last_bit() {
        for value in [0.1_f32, -9.806_65, f32::MAX, f32::MIN_POSITIVE, 1.0e-42] {
            let event = PadEvent::Motion {
                index: 0,
                kind: MotionKind::Gyroscope,
                x: value,
                y: -value,
                z: 0.0,
            };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<PadEvent>(&text).unwrap(), event);
        }
        for bad in ["1e40", "null", "\"NaN\""] {
            let text =
                format!(r#"{{"motion":{{"index":0,"kind":"gyroscope","x":{bad},"y":0,"z":0}}}}"#);
            assert!(serde_json::from_str::<PadEvent>(&text).is_err(), "{bad}");
        }
    }
}
