//! The host's one pen, and whose it is.
//!
//! Owns that a pen comes near before it touches and goes away once; refuses a second pen while the
//! first touches.

use crate::event::{InputEvent, PenEvent, PenPhase, PenTool};
use events::ViewerId;

/// The pen, while one is there: whose, and what was last told of it.
#[derive(Debug, Default)]
pub(super) struct Pen(Option<(ViewerId, PenEvent)>);

const fn hovers(event: &PenEvent) -> bool {
    matches!(event.phase, PenPhase::Hover)
}

impl Pen {
    pub(super) fn step(&mut self, id: ViewerId, mut event: PenEvent, out: &mut Vec<InputEvent>) {
        let begins = matches!(event.phase, PenPhase::Start | PenPhase::Hover);
        if let Some((holder, held)) = &self.0
            && *holder != id
        {
            if !hovers(held) || event.phase != PenPhase::Start {
                return;
            }
            let holder = *holder;
            self.cancel(holder, out);
        }
        let held = self.0.map(|(_, held)| held);
        if held.is_none() && !begins {
            return;
        }
        if event.tool == PenTool::Unknown {
            event.tool = held.map_or(PenTool::Pen, |held| held.tool);
        }
        let says_no_place = matches!(
            event.phase,
            PenPhase::Buttons | PenPhase::Cancel | PenPhase::Leave
        );
        if let Some(held) = held.filter(|_| says_no_place) {
            event = PenEvent {
                phase: event.phase,
                tool: event.tool,
                buttons: event.buttons,
                ..held
            };
        }
        let near = held.is_none_or(|held| hovers(&held));
        event.phase = match (event.phase, near) {
            // Its end was never told.
            (PenPhase::Start, false) => PenPhase::Move,
            (PenPhase::Hover, false) => {
                let phase = PenPhase::End;
                out.push(InputEvent::Pen(PenEvent { phase, ..event }));
                PenPhase::Hover
            }
            (PenPhase::Move | PenPhase::Buttons, true) => PenPhase::Hover,
            (PenPhase::Buttons, false) => PenPhase::Move,
            (PenPhase::End | PenPhase::Cancel, true) => PenPhase::Leave,
            (PenPhase::Leave, false) => PenPhase::Cancel,
            (phase, _) => phase,
        };
        self.tell(id, event, out);
    }

    fn tell(&mut self, id: ViewerId, event: PenEvent, out: &mut Vec<InputEvent>) {
        let stays = !matches!(
            event.phase,
            PenPhase::End | PenPhase::Leave | PenPhase::Cancel
        );
        self.0 = stays.then_some((id, event));
        out.push(InputEvent::Pen(event));
    }

    /// Takes a viewer's pen away.
    pub(super) fn cancel(&mut self, id: ViewerId, out: &mut Vec<InputEvent>) {
        if let Some((_, held)) = self.0.filter(|(holder, _)| *holder == id) {
            let phase = match hovers(&held) {
                true => PenPhase::Leave,
                false => PenPhase::Cancel,
            };
            let event = PenEvent {
                phase,
                buttons: 0,
                ..held
            };
            self.tell(id, event, out);
        }
    }
}
