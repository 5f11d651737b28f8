//! What a client's keyboard and mouse do, on its way to the desk: through the session, which alone
//! knows whether they count.

use control_api::InputEvent;
use input::KeyCode;
use jetkvm::hidrpc::{FromClient, KeyReport, ToClient};
use jetkvm::{Keyboard, Output, Pointer, PointerEvent};
use sessions::{Refused, SessionHandle};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Hands {
    session: SessionHandle,
    keyboard: Keyboard,
    pointer: Pointer,
}

impl Hands {
    pub(super) fn new(session: SessionHandle) -> Self {
        Self {
            session,
            keyboard: Keyboard::default(),
            pointer: Pointer::default(),
        }
    }

    pub(super) fn down(&self) -> KeyReport {
        self.keyboard.down()
    }

    /// When [`Hands::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.keyboard.deadline()
    }

    /// Does what is due; answers with what the client is to be told.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<ToClient> {
        let output = self.keyboard.tick(now);
        self.type_keys(output)
    }

    /// Does what a report says; answers with what the client is to be told.
    pub(super) fn take(&mut self, message: FromClient, now: Instant) -> Vec<ToClient> {
        match message {
            FromClient::Pointer { x, y, buttons } => {
                let events = self.pointer.absolute(x, y, buttons);
                self.point(events);
                Vec::new()
            }
            FromClient::Mouse { dx, dy, buttons } => {
                let events = self.pointer.relative(dx, dy, buttons);
                self.point(events);
                Vec::new()
            }
            message => {
                let output = self.keyboard.take(message, now);
                self.type_keys(output)
            }
        }
    }

    /// Turns the wheels.
    pub(super) fn wheel(&self, y: f64, x: f64) {
        self.point(Pointer::wheel(y, x));
    }

    /// Lets go of everything; answers with what the client is to be told.
    pub(super) fn let_go(&mut self) -> Vec<ToClient> {
        self.session.release_all();
        let was_down = self.keyboard.down() != KeyReport::default();
        self.keyboard = Keyboard::default();
        self.pointer = Pointer::default();
        was_down
            .then_some(ToClient::KeysDown(KeyReport::default()))
            .into_iter()
            .collect()
    }

    fn type_keys(&self, output: Output) -> Vec<ToClient> {
        for key in output.keys {
            if let Some(code) = KeyCode::from_hid(key.usage) {
                self.inject(&InputEvent::Key {
                    code: code.code().to_owned(),
                    down: key.down,
                });
            }
        }
        output.tell
    }

    fn point(&self, events: impl IntoIterator<Item = PointerEvent>) {
        for event in events {
            self.inject(&match event {
                PointerEvent::MoveTo { x, y } => InputEvent::MoveTo { x, y },
                PointerEvent::MoveBy { dx, dy } => InputEvent::MoveBy { dx, dy },
                PointerEvent::Button { button, down } => InputEvent::Button { button, down },
                PointerEvent::Wheel { dx, dy } => InputEvent::Wheel { dx, dy },
            });
        }
    }

    fn inject(&self, event: &InputEvent) {
        match self.session.inject(event) {
            // Who does not drive is not told: these clients know no such state.
            Ok(()) | Err(Refused::NotDriving) => {}
            Err(Refused::Input(error)) => {
                tracing::debug!(viewer = self.session.viewer().0, %error, "input was not taken");
            }
        }
    }
}
