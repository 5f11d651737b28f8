//! The input desk as sessions see it: their words for events and states, on the input thread's.

use control_api::InputEvent as Said;
use events::ViewerId;
use input::{Button, Channel, Contact, InputError, InputEvent, KeyCode, Permissions, TouchPhase};
use media::MonoTime;
use sessions::{InputChannel, InputRefused};
use tokio::sync::watch;

/// What input reaches the host, for those who want to know.
#[derive(Debug)]
pub(crate) struct InputBoard(watch::Sender<control_api::InputState>);

impl Default for InputBoard {
    fn default() -> Self {
        Self(watch::channel(control_api::InputState::default()).0)
    }
}

impl InputBoard {
    /// Takes over what the desk says about itself.
    pub(crate) fn show(&self, state: &input::InputState) {
        let can = state.capabilities;
        self.0.send_replace(control_api::InputState {
            keyboard: can.keyboard,
            pointer: can.pointer,
            touch: can.touch,
            pads: can.pads,
            text: can.text,
            backend: state.backend.to_owned(),
            reason: Some(state.reason.clone()),
        });
    }

    fn watch(&self) -> watch::Receiver<control_api::InputState> {
        self.0.subscribe()
    }
}

/// The desk behind the trait that sessions ask for.
pub(crate) struct SessionDesk {
    pub(crate) desk: input::Desk,
    pub(crate) board: std::sync::Arc<InputBoard>,
}

impl sessions::Desk for SessionDesk {
    fn push(
        &self,
        viewer: ViewerId,
        channel: InputChannel,
        bytes: &[u8],
    ) -> Result<(), InputRefused> {
        let channel = match channel {
            InputChannel::Reliable => Channel::Reliable,
            InputChannel::Motion => Channel::Motion,
        };
        let pushed = self.desk.push(viewer, channel, bytes);
        pushed.map_err(|error| refused(&error))
    }

    fn inject(&self, viewer: ViewerId, event: &Said) -> Result<(), InputRefused> {
        let injected = self.desk.inject(viewer, understood(event)?);
        injected.map_err(|error| refused(&error))
    }

    fn permit(&self, viewer: ViewerId) {
        self.desk.permit(viewer, Permissions::ALL);
    }

    fn revoke(&self, viewer: ViewerId) {
        self.desk.revoke(viewer);
    }

    fn release_all(&self, viewer: ViewerId) {
        self.desk.release_all(viewer);
    }

    fn last_active(&self, viewer: ViewerId) -> Option<MonoTime> {
        self.desk.last_active(viewer)
    }

    fn state(&self) -> watch::Receiver<control_api::InputState> {
        self.board.watch()
    }
}

fn refused(error: &InputError) -> InputRefused {
    match error {
        InputError::Full => InputRefused::Full,
        InputError::Malformed { .. } | InputError::TooLong { .. } => {
            InputRefused::Malformed(error.to_string())
        }
        _ => InputRefused::Unavailable(error.to_string()),
    }
}

fn understood(event: &Said) -> Result<InputEvent, InputRefused> {
    Ok(match event {
        Said::Key { code, down } => InputEvent::Key {
            code: KeyCode::from_code(code).ok_or_else(|| {
                InputRefused::Malformed(format!("code: there is no key {code:?}"))
            })?,
            down: *down,
        },
        Said::Text { text } => InputEvent::Text(text.clone()),
        Said::Button { button, down } => InputEvent::Button {
            button: Button::from_dom(*button).ok_or_else(|| {
                InputRefused::Malformed(format!("button: {button} is not in 0 to 4"))
            })?,
            down: *down,
        },
        Said::MoveTo { x, y } => InputEvent::MoveTo { x: *x, y: *y },
        Said::MoveBy { dx, dy } => InputEvent::MoveBy { dx: *dx, dy: *dy },
        Said::Wheel { dx, dy } => InputEvent::Wheel {
            dx: (*dx).into(),
            dy: (*dy).into(),
        },
        Said::Touch { id, phase, x, y } => InputEvent::Touch {
            id: (*id).into(),
            phase: match phase {
                control_api::TouchPhase::Start => TouchPhase::Start,
                control_api::TouchPhase::Move => TouchPhase::Move,
                control_api::TouchPhase::End => TouchPhase::End,
                control_api::TouchPhase::Cancel => TouchPhase::Cancel,
            },
            x: *x,
            y: *y,
            contact: Contact::default(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_and_no_button_is_named() {
        let key = Said::Key {
            code: "KeyNo".to_owned(),
            down: true,
        };
        assert!(understood(&key).unwrap_err().to_string().contains("KeyNo"));
        let button = Said::Button {
            button: 9,
            down: true,
        };
        let error = understood(&button).unwrap_err().to_string();
        assert!(error.contains("9 is not in 0 to 4"), "{error}");
    }
}
