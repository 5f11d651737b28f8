//! A pen as the kernel's tablets tell of it.
//!
//! Owns which end of the pen is near and what of it is down; refuses to know whose pen it is.

use super::translate::{ABS_X, ABS_Y, BTN_TOUCH, REPORT_ENDS, Raw, SOME_PRESSURE, absolute, key};
use crate::event::{PenEvent, PenPhase, PenTool};

const BTN_TOOL_PEN: u16 = 0x140;
const BTN_TOOL_RUBBER: u16 = 0x141;
/// First, second and third.
const BUTTONS: [u16; 3] = [0x14b, 0x14c, 0x149];
/// Every key of the device.
pub(super) const KEYS: [u16; 6] = [
    BTN_TOOL_PEN,
    BTN_TOOL_RUBBER,
    BTN_TOUCH,
    BUTTONS[0],
    BUTTONS[1],
    BUTTONS[2],
];
const ABS_PRESSURE: u16 = 0x18;
const ABS_DISTANCE: u16 = 0x19;
const ABS_TILT_X: u16 = 0x1a;
const ABS_TILT_Y: u16 = 0x1b;
/// How far away something is of which nobody knows how far.
const SOME_DISTANCE: u16 = 0x4000;

/// Which end of the pen the kernel believes near.
#[derive(Debug, Default)]
pub(super) struct Pen {
    near: Option<u16>,
}

const fn end_of(tool: PenTool) -> u16 {
    match tool {
        PenTool::Unknown | PenTool::Pen => BTN_TOOL_PEN,
        PenTool::Eraser => BTN_TOOL_RUBBER,
    }
}

impl Pen {
    /// The reports for an event at a place of the device.
    pub(super) fn report(&mut self, event: &PenEvent, place: [u16; 2]) -> Vec<Raw> {
        let mut report = Vec::new();
        let touches = matches!(event.phase, PenPhase::Start | PenPhase::Move);
        let is_near = touches || event.phase == PenPhase::Hover;
        let end = end_of(event.tool);
        if let Some(near) = self.near.filter(|near| !is_near || *near != end) {
            report.extend(BUTTONS.map(|button| key(button, false)));
            report.extend([key(BTN_TOUCH, false), absolute(ABS_PRESSURE, 0)]);
            report.push(key(near, false));
            self.near = None;
            if is_near {
                report.push(REPORT_ENDS);
            }
        }
        if !is_near {
            return report;
        }
        if self.near.is_none() {
            report.push(key(end, true));
            self.near = Some(end);
        }
        let [x, y] = place.map(i32::from);
        report.extend([absolute(ABS_X, x), absolute(ABS_Y, y)]);
        let (pressure, distance) = match touches {
            true => (event.contact.pressure.unwrap_or(SOME_PRESSURE).max(1), 0),
            false => (0, event.contact.distance.unwrap_or(SOME_DISTANCE).max(1)),
        };
        report.push(absolute(ABS_PRESSURE, pressure.into()));
        report.push(absolute(ABS_DISTANCE, distance.into()));
        let [across, along] = lean(event.tilt_deg, event.contact.rotation_deg);
        report.extend([absolute(ABS_TILT_X, across), absolute(ABS_TILT_Y, along)]);
        report.push(key(BTN_TOUCH, touches));
        for (bit, button) in BUTTONS.into_iter().enumerate() {
            report.push(key(button, event.buttons >> bit & 1 == 1));
        }
        report
    }
}

/// How far a pen leans to the right and towards the player, in degrees. Its upper end leans away from
/// where its tip points.
fn lean(tilt_deg: Option<u8>, rotation_deg: Option<u16>) -> [i32; 2] {
    let (Some(tilt), Some(rotation)) = (tilt_deg, rotation_deg) else {
        return [0, 0];
    };
    let tilt = f64::from(tilt.min(90)).to_radians();
    let rotation = f64::from(rotation % 360).to_radians();
    let (across, along) = (-rotation.sin() * tilt.sin(), rotation.cos() * tilt.sin());
    // Within -90..=90, because what it is measured against is never negative.
    [across, along].map(|by| by.atan2(tilt.cos()).to_degrees().round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Contact;

    fn event(phase: PenPhase, tool: PenTool) -> PenEvent {
        PenEvent {
            phase,
            tool,
            buttons: 2,
            x: 0,
            y: 0,
            contact: Contact::default(),
            tilt_deg: None,
        }
    }

    #[test]
    fn a_pen_comes_near_touches_and_goes() {
        let mut pen = Pen::default();
        let hover = pen.report(&event(PenPhase::Hover, PenTool::Pen), [5, 6]);
        assert_eq!(hover[0], key(BTN_TOOL_PEN, true));
        assert!(hover.contains(&key(BTN_TOUCH, false)) && hover.contains(&key(BUTTONS[1], true)));
        assert!(hover.contains(&absolute(ABS_PRESSURE, 0)));
        let mut press = event(PenPhase::Start, PenTool::Pen);
        press.contact.pressure = Some(0x1234);
        let touch = pen.report(&press, [5, 6]);
        assert!(!touch.contains(&key(BTN_TOOL_PEN, true)));
        for raw in [
            key(BTN_TOUCH, true),
            absolute(ABS_PRESSURE, 0x1234),
            absolute(ABS_DISTANCE, 0),
            absolute(ABS_X, 5),
        ] {
            assert!(touch.contains(&raw), "{raw:?}");
        }
        let gone = pen.report(&event(PenPhase::End, PenTool::Pen), [5, 6]);
        assert_eq!(gone.last(), Some(&key(BTN_TOOL_PEN, false)));
        assert!(gone.contains(&key(BTN_TOUCH, false)) && gone.contains(&key(BUTTONS[1], false)));
        assert_eq!(
            pen.report(&event(PenPhase::Leave, PenTool::Pen), [5, 6]),
            []
        );
    }

    #[test]
    fn a_pen_that_is_turned_over_leaves_before_its_other_end_comes() {
        let mut pen = Pen::default();
        pen.report(&event(PenPhase::Hover, PenTool::Pen), [0, 0]);
        let turned = pen.report(&event(PenPhase::Hover, PenTool::Eraser), [0, 0]);
        let at = |raw| turned.iter().position(|found| *found == raw).unwrap();
        let gone = at(key(BTN_TOOL_PEN, false));
        assert!(gone < at(REPORT_ENDS) && at(REPORT_ENDS) < at(key(BTN_TOOL_RUBBER, true)));
    }

    #[test]
    fn a_pen_leans_away_from_where_it_points() {
        for (rotation, wanted) in [
            (0, [0, 30]),
            (90, [-30, 0]),
            (180, [0, -30]),
            (270, [30, 0]),
        ] {
            assert_eq!(lean(Some(30), Some(rotation)), wanted, "{rotation}");
        }
        assert_eq!(lean(Some(90), Some(0)), [0, 90]);
        assert_eq!(lean(None, Some(90)), [0, 0]);
        assert_eq!(lean(Some(255), Some(u16::MAX)), lean(Some(90), Some(15)));
    }
}
