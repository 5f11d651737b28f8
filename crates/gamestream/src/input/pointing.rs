//! Fingers and pens on the client's screen.

use gamestream_proto::input::{ContactArea, Pen, PenTool, Touch, TouchPhase};
use input::{Contact, InputEvent, PenEvent, PenPhase};

pub(super) fn finger(touch: &Touch) -> Option<InputEvent> {
    let about = About {
        phase: touch.phase,
        pressure_or_distance: touch.pressure_or_distance,
        area: touch.area,
        rotation_degrees: touch.rotation_degrees,
    };
    Some(InputEvent::Touch {
        id: touch.id,
        phase: phase(touch.phase)?,
        x: share(touch.x),
        y: share(touch.y),
        contact: about.contact(),
    })
}

pub(super) fn pen(pen: &Pen) -> InputEvent {
    let about = About {
        phase: pen.phase,
        pressure_or_distance: pen.pressure_or_distance,
        area: pen.area,
        rotation_degrees: pen.rotation_degrees,
    };
    let buttons = [
        pen.buttons.primary(),
        pen.buttons.secondary(),
        pen.buttons.tertiary(),
    ];
    InputEvent::Pen(PenEvent {
        phase: match pen.phase {
            TouchPhase::Hover => PenPhase::Hover,
            TouchPhase::Down => PenPhase::Start,
            TouchPhase::Up => PenPhase::End,
            TouchPhase::Move => PenPhase::Move,
            TouchPhase::Cancel | TouchPhase::CancelAll => PenPhase::Cancel,
            TouchPhase::ButtonOnly => PenPhase::Buttons,
            TouchPhase::HoverLeave => PenPhase::Leave,
        },
        tool: match pen.tool {
            PenTool::Unknown => input::PenTool::Unknown,
            PenTool::Pen => input::PenTool::Pen,
            PenTool::Eraser => input::PenTool::Eraser,
        },
        buttons: (0_u8..)
            .zip(buttons)
            .fold(0, |bits, (bit, down)| bits | u8::from(down) << bit),
        x: share(pen.x),
        y: share(pen.y),
        contact: about.contact(),
        tilt_deg: pen.tilt_degrees,
    })
}

/// What a finger does. It has no buttons.
pub(super) const fn phase(phase: TouchPhase) -> Option<input::TouchPhase> {
    Some(match phase {
        TouchPhase::Hover => input::TouchPhase::Hover,
        TouchPhase::Down => input::TouchPhase::Start,
        TouchPhase::Up => input::TouchPhase::End,
        TouchPhase::Move => input::TouchPhase::Move,
        TouchPhase::Cancel => input::TouchPhase::Cancel,
        TouchPhase::HoverLeave => input::TouchPhase::Leave,
        TouchPhase::CancelAll => input::TouchPhase::CancelAll,
        TouchPhase::ButtonOnly => return None,
    })
}

/// A share of a whole, 0 to 1, as 0 to 65535.
pub(super) fn share(share: f32) -> u16 {
    // The cast rounds what is in range and clamps the rest.
    (share * f32::from(u16::MAX)).round() as u16
}

/// How something touches.
struct About {
    phase: TouchPhase,
    pressure_or_distance: f32,
    area: ContactArea,
    rotation_degrees: Option<u16>,
}

impl About {
    fn contact(&self) -> Contact {
        let value = share(self.pressure_or_distance);
        let hovers = matches!(self.phase, TouchPhase::Hover);
        let touches = matches!(self.phase, TouchPhase::Down | TouchPhase::Move);
        // 0 is what clients send where they do not know.
        let known = |axis: f32| (axis > 0.0).then(|| share(axis));
        Contact {
            pressure: (touches && value > 0).then_some(value),
            distance: hovers.then_some(value),
            major: known(self.area.major),
            minor: known(self.area.minor),
            rotation_deg: self.rotation_degrees,
        }
    }
}
