//! The pointer under X: places, movements, buttons, the wheel, and a finger or a pen that acts as a
//! mouse.
//!
//! Owns parts of notches and the finger that points; refuses a second finger.

use super::fake;
use crate::area::TargetArea;
use crate::event::{Button, InputEvent, PenEvent, PenPhase, TouchPhase};
use crate::notches::Notches;
use crate::x11::{Link, XResult};
use media::Size;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, MOTION_NOTIFY_EVENT,
};

/// X's button numbers for a notch: backwards and forwards.
const VERTICAL: [u8; 2] = [4, 5];
const HORIZONTAL: [u8; 2] = [6, 7];

/// The pointer of one connection.
#[derive(Debug)]
pub(super) struct Pointer {
    area: TargetArea,
    wheels: [Notches; 2],
    finger: Option<u32>,
    pen: PenHeld,
}

/// What the pen holds down of a mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PenHeld {
    touches: bool,
    buttons: u8,
}

/// Buttons of a mouse for those of a pen, the first of the pen first.
const PEN_BUTTONS: [Button; 2] = [Button::Right, Button::Middle];

impl Pointer {
    pub(super) fn new(area: TargetArea) -> Self {
        Self {
            area,
            wheels: [Notches::default(); 2],
            finger: None,
            pen: PenHeld::default(),
        }
    }

    pub(super) fn inject(&mut self, link: &Link, event: &InputEvent) -> XResult<()> {
        match event {
            InputEvent::MoveTo { x, y } => self.move_to(link, [*x, *y]),
            InputEvent::MoveBy { dx, dy } => move_by(link, [*dx, *dy]),
            InputEvent::Button { button, down } => press(link, number(*button), *down),
            InputEvent::Wheel { dx, dy } => {
                self.turn(link, 0, *dy, VERTICAL)?;
                self.turn(link, 1, *dx, HORIZONTAL)
            }
            InputEvent::Touch {
                id, phase, x, y, ..
            } => self.touch(link, (*id, *phase), [*x, *y]),
            InputEvent::Pen(event) => self.pen(link, event),
            InputEvent::Key { .. } | InputEvent::Text(_) | InputEvent::Pad(_) => Ok(()),
        }
    }

    fn move_to(&self, link: &Link, place: [u16; 2]) -> XResult<()> {
        let whole = match self.area.is_known() {
            true => Size::default(),
            false => {
                let geometry = link.connection.get_geometry(link.root())?.reply()?;
                Size::new(geometry.width.into(), geometry.height.into())
            }
        };
        let pixel = self.area.pixel(place, whole).map(clamped);
        fake(link, MOTION_NOTIFY_EVENT, 0, pixel)
    }

    fn turn(&mut self, link: &Link, axis: usize, units: i32, buttons: [u8; 2]) -> XResult<()> {
        let notches = self.wheels[axis].turn(units);
        let button = buttons[usize::from(notches > 0)];
        for _ in 0..notches.abs() {
            press(link, button, true)?;
            press(link, button, false)?;
        }
        Ok(())
    }

    fn touch(
        &mut self,
        link: &Link,
        (id, phase): (u32, TouchPhase),
        place: [u16; 2],
    ) -> XResult<()> {
        let left = number(Button::Left);
        match phase {
            TouchPhase::Start if self.finger.is_none() => {
                self.finger = Some(id);
                self.move_to(link, place)?;
                press(link, left, true)
            }
            TouchPhase::Move if self.finger == Some(id) => self.move_to(link, place),
            TouchPhase::End | TouchPhase::Cancel if self.finger == Some(id) => {
                self.finger = None;
                self.move_to(link, place)?;
                press(link, left, false)
            }
            TouchPhase::Hover if self.finger.is_none() => self.move_to(link, place),
            _ => Ok(()),
        }
    }

    /// What it touches with is the left button.
    fn pen(&mut self, link: &Link, event: &PenEvent) -> XResult<()> {
        let near = matches!(
            event.phase,
            PenPhase::Hover | PenPhase::Start | PenPhase::Move
        );
        let wanted = PenHeld {
            touches: matches!(event.phase, PenPhase::Start | PenPhase::Move),
            buttons: if near { event.buttons } else { 0 },
        };
        self.move_to(link, [event.x, event.y])?;
        let held = std::mem::replace(&mut self.pen, wanted);
        if held.touches != wanted.touches {
            press(link, number(Button::Left), wanted.touches)?;
        }
        for (bit, button) in PEN_BUTTONS.into_iter().enumerate() {
            let down = wanted.buttons >> bit & 1 == 1;
            if down != (held.buttons >> bit & 1 == 1) {
                press(link, number(button), down)?;
            }
        }
        Ok(())
    }
}

fn clamped(at: i32) -> i16 {
    at.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Further than a request can say takes several.
fn move_by(link: &Link, [dx, dy]: [i32; 2]) -> XResult<()> {
    // Screens are smaller than 2^16: what goes further has reached an edge.
    let mut left = [dx, dy].map(|by| by.clamp(-0xffff, 0xffff));
    while left != [0, 0] {
        let step = left.map(clamped);
        fake(link, MOTION_NOTIFY_EVENT, 1, step)?;
        left = [left[0] - i32::from(step[0]), left[1] - i32::from(step[1])];
    }
    Ok(())
}

fn press(link: &Link, button: u8, down: bool) -> XResult<()> {
    let kind = match down {
        true => BUTTON_PRESS_EVENT,
        false => BUTTON_RELEASE_EVENT,
    };
    fake(link, kind, button, [0, 0])
}

const fn number(button: Button) -> u8 {
    match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
        Button::Back => 8,
        Button::Forward => 9,
    }
}
