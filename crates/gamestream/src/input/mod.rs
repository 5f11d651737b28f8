//! What a client's input means in the host's words, and what the host says back to its devices. It
//! decides nothing: who may do what is for those who take the events.

mod keys;
mod pads;
mod pointing;

use gamestream_proto::control::HostMessage;
use gamestream_proto::input::{AbsoluteMouse, InputPacket, MouseButton};
use input::{Button, Feedback, InputEvent};
use pads::Pads;

/// Translates for one client.
#[derive(Debug)]
pub(crate) struct Translator {
    /// Whether the client wants to hear of rumble.
    haptics: bool,
    pads: Pads,
}

impl Translator {
    pub(crate) fn new() -> Self {
        Self {
            haptics: true,
            pads: Pads::default(),
        }
    }

    /// Hands what a packet means to `each`, in order.
    pub(crate) fn events(&mut self, packet: &InputPacket, each: &mut dyn FnMut(InputEvent)) {
        match packet {
            InputPacket::EnableHaptics(wanted) => self.haptics = *wanted,
            InputPacket::KeyDown(key) | InputPacket::KeyUp(key) => {
                if let Some(code) = keys::key(key.virtual_key) {
                    let down = matches!(packet, InputPacket::KeyDown(_));
                    each(InputEvent::Key { code, down });
                }
            }
            InputPacket::Text(text) => each(InputEvent::Text(text.as_str().to_owned())),
            InputPacket::MouseMove(by) => each(InputEvent::MoveBy {
                dx: by.dx.into(),
                dy: by.dy.into(),
            }),
            InputPacket::MouseTo(place) => each(moved_to(place)),
            InputPacket::MouseDown(button) => each(InputEvent::Button {
                button: pressed(*button),
                down: true,
            }),
            InputPacket::MouseUp(button) => each(InputEvent::Button {
                button: pressed(*button),
                down: false,
            }),
            // Away from the person is up, and up is negative here.
            InputPacket::Scroll(amount) => each(InputEvent::Wheel {
                dx: 0,
                dy: -i32::from(*amount),
            }),
            InputPacket::ScrollSideways(amount) => each(InputEvent::Wheel {
                dx: i32::from(*amount),
                dy: 0,
            }),
            InputPacket::Touch(touch) => {
                if let Some(event) = pointing::finger(touch) {
                    each(event);
                }
            }
            InputPacket::Pen(pen) => each(pointing::pen(pen)),
            InputPacket::Controller(state) => self.pads.state(state, each),
            InputPacket::ControllerArrival(arrival) => self.pads.arrived(arrival, each),
            InputPacket::ControllerTouch(touch) => self.pads.touched(touch, each),
            InputPacket::ControllerMotion(motion) => self.pads.moved(motion, each),
            InputPacket::ControllerBattery(battery) => self.pads.battery(battery, each),
        }
    }

    /// What the client is told about a device of its.
    pub(crate) fn feedback(&self, feedback: Feedback) -> Option<HostMessage> {
        let shakes = matches!(
            feedback,
            Feedback::Rumble { .. } | Feedback::TriggerRumble { .. }
        );
        match shakes && !self.haptics {
            true => None,
            false => pads::told(feedback),
        }
    }
}

fn moved_to(place: &AbsoluteMouse) -> InputEvent {
    let share = |at: u16, largest: u16| {
        let largest = u32::from(largest.max(1));
        // Inside 0..=65535, because no place is beyond the largest.
        (u32::from(at) * u32::from(u16::MAX) / largest) as u16
    };
    InputEvent::MoveTo {
        x: share(place.x, place.max_x),
        y: share(place.y, place.max_y),
    }
}

const fn pressed(button: MouseButton) -> Button {
    match button {
        MouseButton::Left => Button::Left,
        MouseButton::Middle => Button::Middle,
        MouseButton::Right => Button::Right,
        MouseButton::X1 => Button::Back,
        MouseButton::X2 => Button::Forward,
    }
}
