//! What a client's input means in the host's words, and what the host says back to its devices. It
//! decides nothing: who may do what is for those who take the events.

mod keys;
mod pads;
mod pointing;

use gamestream_proto::control::HostMessage;
use gamestream_proto::input::{AbsoluteMouse, InputPacket, MouseButton};
use input::{Button, Feedback, InputEvent};
use keys::Keyboard;
use pads::Pads;

/// Translates for one client.
#[derive(Debug)]
pub(crate) struct Translator {
    /// Whether the client wants to hear of rumble.
    haptics: bool,
    keyboard: Keyboard,
    pads: Pads,
}

impl Translator {
    pub(crate) fn new() -> Self {
        Self {
            haptics: true,
            keyboard: Keyboard::default(),
            pads: Pads::default(),
        }
    }

    /// Hands what a packet means to `each`, in order.
    pub(crate) fn events(&mut self, packet: &InputPacket, each: &mut dyn FnMut(InputEvent)) {
        match packet {
            InputPacket::EnableHaptics(wanted) => self.haptics = *wanted,
            InputPacket::KeyDown(key) => self.keyboard.down(key, each),
            InputPacket::KeyUp(key) => self.keyboard.up(key, each),
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

#[cfg(test)]
mod tests {
    use super::*;
    use gamestream_proto::input::{Buttons, ControllerState, RelativeMouse};
    use input::{PadEvent, PadState};

    fn events(translator: &mut Translator, packet: InputPacket) -> Vec<InputEvent> {
        let mut events = Vec::new();
        translator.events(&packet, &mut |event| events.push(event));
        events
    }

    fn controller(number: u8, plugged_in: u16, buttons: Buttons) -> InputPacket {
        InputPacket::Controller(ControllerState {
            number,
            plugged_in,
            buttons,
            left_trigger: 255,
            right_trigger: 0,
            left_x: 100,
            left_y: i16::MIN,
            right_x: 0,
            right_y: 5,
        })
    }

    #[test]
    fn the_corners_of_the_clients_picture_are_those_of_the_hosts() {
        let mut translator = Translator::new();
        for (x, y, expected) in [(0, 0, (0, 0)), (1279, 719, (65535, 65535))] {
            let place = AbsoluteMouse {
                x,
                y,
                max_x: 1279,
                max_y: 719,
            };
            let (x, y) = expected;
            let moved = events(&mut translator, InputPacket::MouseTo(place));
            assert_eq!(moved, [InputEvent::MoveTo { x, y }]);
        }
        let by = RelativeMouse { dx: -3, dy: 4 };
        let moved = events(&mut translator, InputPacket::MouseMove(by));
        assert_eq!(moved, [InputEvent::MoveBy { dx: -3, dy: 4 }]);
    }

    #[test]
    fn a_wheel_turned_away_from_the_person_scrolls_up() {
        let mut translator = Translator::new();
        let scrolled = events(&mut translator, InputPacket::Scroll(120));
        assert_eq!(scrolled, [InputEvent::Wheel { dx: 0, dy: -120 }]);
        let scrolled = events(&mut translator, InputPacket::ScrollSideways(-60));
        assert_eq!(scrolled, [InputEvent::Wheel { dx: -60, dy: 0 }]);
    }

    #[test]
    fn a_controller_that_was_not_announced_is_introduced_and_one_unplugged_is_gone() {
        let mut translator = Translator::new();
        let first = events(&mut translator, controller(3, 0b1000, Buttons::A));
        assert!(matches!(
            first[0],
            InputEvent::Pad(PadEvent::Connected { index: 3, .. })
        ));
        let state = PadState {
            buttons: PadState::SOUTH,
            left_trigger: 255,
            right_trigger: 0,
            axes: [100, i16::MAX, 0, -5],
        };
        assert_eq!(
            first[1],
            InputEvent::Pad(PadEvent::State { index: 3, state })
        );
        let again = events(&mut translator, controller(3, 0b1000, Buttons::A));
        assert_eq!(again.len(), 1, "introduced once");
        let gone = events(&mut translator, controller(3, 0, Buttons::A));
        assert_eq!(gone, [InputEvent::Pad(PadEvent::Gone { index: 3 })]);
    }

    #[test]
    fn a_client_that_wants_no_haptics_hears_of_no_rumble() {
        let mut translator = Translator::new();
        let rumble = Feedback::Rumble {
            index: 1,
            strong: 2,
            weak: 3,
            duration_ms: 4,
        };
        let expected = gamestream_proto::control::Rumble {
            number: 1,
            low: 2,
            high: 3,
        };
        assert_eq!(
            translator.feedback(rumble),
            Some(HostMessage::Rumble(expected))
        );
        events(&mut translator, InputPacket::EnableHaptics(false));
        assert_eq!(translator.feedback(rumble), None);
        let light = Feedback::Led {
            index: 1,
            rgb: [1, 2, 3],
        };
        assert!(translator.feedback(light).is_some());
    }
}
