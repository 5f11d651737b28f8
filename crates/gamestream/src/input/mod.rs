//! What a client's input means in the host's words, and what the host says back to its devices. It
//! decides nothing: who may do what is for those who take the events.

mod keys;

use crate::session::Agreed;
use gamestream_proto::control::{HostMessage, Rumble};
use gamestream_proto::input::{AbsoluteMouse, InputPacket, MouseButton};
use input::{Button, Feedback, InputEvent};

/// Translates for one client.
#[derive(Debug)]
pub(crate) struct Translator {
    /// Whether the client wants to hear of rumble.
    haptics: bool,
}

impl Translator {
    pub(crate) fn new(_agreed: &Agreed) -> Self {
        Self { haptics: true }
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
            _ => {}
        }
    }

    /// What the client is told about a device of its.
    pub(crate) fn feedback(&self, feedback: Feedback) -> Option<HostMessage> {
        match feedback {
            Feedback::Rumble {
                index,
                strong,
                weak,
                ..
            } if self.haptics => Some(HostMessage::Rumble(Rumble {
                number: index,
                low: strong,
                high: weak,
            })),
            _ => None,
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
