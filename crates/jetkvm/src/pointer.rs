//! The mouse of one client: full reports in, changes out. Coordinates come out as 0..=65535 over the
//! picture, wheels in 1/120 of a notch.

/// The right and bottom edge in absolute reports.
const EDGE: i32 = 32767;
/// One notch of a wheel.
const NOTCH: f64 = 120.0;
/// Notches that one report can turn a wheel by.
const MAX_NOTCHES: f64 = 127.0;
/// Buttons by bit of the mask (left, right, middle, back, forward), as browsers number them.
const BUTTONS: [u8; 5] = [0, 2, 1, 3, 4];

/// What a report changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerEvent {
    /// The pointer is there.
    MoveTo {
        /// From the left edge.
        x: u16,
        /// From the top edge.
        y: u16,
    },
    /// The pointer moved by so much.
    MoveBy {
        /// To the right.
        dx: i32,
        /// Downwards.
        dy: i32,
    },
    /// A button went down or up: 0 left, 1 middle, 2 right, 3 back, 4 forward.
    Button {
        /// Which.
        button: u8,
        /// Down rather than up.
        down: bool,
    },
    /// The wheel turned.
    Wheel {
        /// To the right.
        dx: i16,
        /// Downwards.
        dy: i16,
    },
}

/// What is known of the client's mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pointer {
    buttons: u8,
}

impl Pointer {
    /// A report with a place. Places outside the picture are moved to its edge.
    pub fn absolute(&mut self, x: i32, y: i32, buttons: u8) -> Vec<PointerEvent> {
        let (x, y) = (scale(x), scale(y));
        self.report(PointerEvent::MoveTo { x, y }, buttons)
    }

    /// A report with a movement.
    pub fn relative(&mut self, dx: i8, dy: i8, buttons: u8) -> Vec<PointerEvent> {
        let (dx, dy) = (i32::from(dx), i32::from(dy));
        if (dx, dy) == (0, 0) {
            return self.press(buttons).collect();
        }
        self.report(PointerEvent::MoveBy { dx, dy }, buttons)
    }

    /// A report of the wheels, in notches: up and to the right are positive, as on a mouse.
    #[must_use]
    pub fn wheel(wheel_y: f64, wheel_x: f64) -> Option<PointerEvent> {
        let (dx, dy) = (turn(wheel_x), turn(-wheel_y));
        ((dx, dy) != (0, 0)).then_some(PointerEvent::Wheel { dx, dy })
    }

    fn report(&mut self, movement: PointerEvent, buttons: u8) -> Vec<PointerEvent> {
        // The place comes first, so that a click hits where the client saw the pointer.
        std::iter::once(movement)
            .chain(self.press(buttons))
            .collect()
    }

    fn press(&mut self, buttons: u8) -> impl Iterator<Item = PointerEvent> + use<> {
        let changed = self.buttons ^ buttons;
        self.buttons = buttons;
        let bits = BUTTONS.into_iter().enumerate();
        bits.filter(move |(bit, _)| changed >> bit & 1 == 1)
            .map(move |(bit, button)| PointerEvent::Button {
                button,
                down: buttons >> bit & 1 == 1,
            })
    }
}

fn scale(place: i32) -> u16 {
    let scaled = i64::from(place.clamp(0, EDGE)) * i64::from(u16::MAX) / i64::from(EDGE);
    u16::try_from(scaled).unwrap_or(u16::MAX)
}

fn turn(notches: f64) -> i16 {
    // A float that is no number, or too large, saturates.
    #[allow(clippy::cast_possible_truncation)]
    let turned = (notches.clamp(-MAX_NOTCHES, MAX_NOTCHES) * NOTCH).round() as i16;
    turned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEFT_DOWN: PointerEvent = PointerEvent::Button {
        button: 0,
        down: true,
    };

    #[test]
    fn the_edges_of_the_picture_are_reached_and_not_left() {
        let mut pointer = Pointer::default();
        let at = |x, y| vec![PointerEvent::MoveTo { x, y }];
        assert_eq!(pointer.absolute(0, 32767, 0), at(0, 65535));
        assert_eq!(pointer.absolute(-5, i32::MAX, 0), at(0, 65535));
    }

    #[test]
    fn a_click_comes_after_the_move_and_once() {
        let mut pointer = Pointer::default();
        let events = pointer.absolute(0, 0, 0b1);
        assert_eq!(events[1..], [LEFT_DOWN]);
        assert_eq!(pointer.relative(0, 0, 0b1), []);
        let right_for_left = pointer.relative(0, 0, 0b10);
        let expected = [(0, false), (2, true)];
        assert_eq!(
            right_for_left,
            expected.map(|(button, down)| PointerEvent::Button { button, down })
        );
    }

    #[test]
    fn a_wheel_turned_up_scrolls_up_and_fractions_count() {
        let wheel = |dx, dy| Some(PointerEvent::Wheel { dx, dy });
        assert_eq!(Pointer::wheel(1.0, 0.0), wheel(0, -120));
        assert_eq!(Pointer::wheel(-0.5, 1.0), wheel(120, 60));
        assert_eq!(Pointer::wheel(0.0, 0.0), None);
        assert_eq!(Pointer::wheel(f64::NAN, f64::INFINITY), wheel(127 * 120, 0));
    }

    proptest! {
        #[test]
        fn buttons_go_down_and_up_in_turns(masks in prop::collection::vec(0_u8..32, 0..40)) {
            let mut pointer = Pointer::default();
            let mut down = [false; 5];
            for mask in masks.into_iter().chain([0]) {
                for event in pointer.relative(0, 0, mask) {
                    let PointerEvent::Button { button, down: now } = event else {
                        panic!("{event:?}");
                    };
                    let before = std::mem::replace(&mut down[usize::from(button)], now);
                    prop_assert_ne!(before, now);
                }
            }
            prop_assert_eq!(down, [false; 5]);
        }
    }
}
