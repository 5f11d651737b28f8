//! Fingers and pens: values that a touch screen or a tablet tells of.
//!
//! Owns their JSON form; refuses to know which device of the host they become.

use serde::{Deserialize, Serialize};

/// What a finger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TouchPhase {
    /// It touches.
    Start,
    /// It moves.
    Move,
    /// It lifts.
    End,
    /// It is no longer meant.
    Cancel,
    /// None of the viewer's fingers is meant any more; number and place say nothing.
    CancelAll,
    /// It is above the glass and does not touch it.
    Hover,
    /// It was above the glass and no longer is.
    Leave,
}

/// How something touches, or how far it is from touching. Absent is what nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Contact {
    /// How hard, 0..=65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<u16>,
    /// How far away what hovers is, 0..=65535 of the furthest that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<u16>,
    /// Length of the place that is touched, 0..=65535 over the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<u16>,
    /// Its width, in the same measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<u16>,
    /// Where it points on the surface, in degrees clockwise from upwards, 0..360.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_deg: Option<u16>,
}

impl Contact {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What a pen does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PenPhase {
    /// It is above the surface and does not touch it.
    Hover,
    /// It touches.
    Start,
    /// It moves while it touches.
    Move,
    /// It lifts.
    End,
    /// It was above the surface and no longer is.
    Leave,
    /// It is no longer meant.
    Cancel,
    /// Its buttons alone changed; place and contact say nothing.
    Buttons,
}

/// Which end of a pen points down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PenTool {
    /// The one from before; at first the tip.
    #[default]
    Unknown,
    /// The tip.
    Pen,
    /// The other end.
    Eraser,
}

/// A pen on a tablet, or above it. A viewer has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PenEvent {
    /// What it does.
    pub phase: PenPhase,
    /// Which end of it.
    #[serde(default)]
    pub tool: PenTool,
    /// Bit 0 the first button, bit 1 the second, bit 2 the third.
    #[serde(default)]
    pub buttons: u8,
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
    /// How it touches, or how far away it is; `rotation_deg` is where its tip points to.
    #[serde(default, skip_serializing_if = "Contact::is_unknown")]
    pub contact: Contact,
    /// How far it leans, in degrees from upright, 0..=90.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tilt_deg: Option<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pen_says_what_it_knows_and_nothing_else() {
        let plain = r#"{"phase":"hover","tool":"eraser","buttons":2,"x":1,"y":65535}"#;
        let mut pen: PenEvent = serde_json::from_str(plain).unwrap();
        assert_eq!(serde_json::to_string(&pen).unwrap(), plain);
        pen.contact.pressure = Some(7);
        pen.contact.rotation_deg = Some(359);
        pen.tilt_deg = Some(60);
        let full = serde_json::to_string(&pen).unwrap();
        assert!(full.contains(r#""contact":{"pressure":7,"rotationDeg":359},"tiltDeg":60"#));
        assert_eq!(serde_json::from_str::<PenEvent>(&full).unwrap(), pen);
    }
}
