//! `xtest`: into an X display, through its XTEST extension.
//!
//! Owns coming back after the server went away; refuses gamepads, which X does not know.

mod keyboard;
mod pointer;
mod text;

use crate::backends::{OpenRequest, XDisplay};
use crate::error::InputError;
use crate::event::InputEvent;
use crate::injector::{Capabilities, Feedback, FeedbackSink, Injector, Next};
use crate::x11::{Link, Place, XResult};
use keyboard::Keyboard;
use media::MonoTime;
use pointer::Pointer;
use std::time::Duration;
use text::Typist;
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::protocol::xtest::{self, ConnectionExt as _};

/// Name of the backend.
pub(crate) const NAME: &str = "xtest";

/// Time between two attempts to reach a server that is away.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// What lives as long as one connection.
struct Session {
    link: Link,
    keyboard: Keyboard,
    pointer: Pointer,
    typist: Typist,
}

/// An X display that is injected into.
pub(crate) struct Xtest {
    place: Place,
    request: OpenRequest,
    session: Option<Session>,
    retry_at: MonoTime,
}

impl Xtest {
    /// The display named, else the one captured, else the user's own. One that is away is tried
    /// again later.
    pub(crate) fn open(request: &OpenRequest) -> Result<Self, InputError> {
        let captured = request.x.clone().unwrap_or_default();
        let XDisplay { name } = match &request.target {
            // As for a source, a monitor may follow.
            Some(target) => XDisplay {
                name: target.split('/').next().map(ToOwned::to_owned),
            },
            None => captured,
        };
        let name = name.filter(|name| !name.is_empty());
        let mut xtest = Self {
            place: Place::named(name.as_deref())?,
            request: request.clone(),
            session: None,
            retry_at: MonoTime::ZERO,
        };
        match xtest.connect() {
            Err(error) if !error.is_temporary() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "the X display for input is away; it is tried again");
                Ok(xtest)
            }
            Ok(()) => Ok(xtest),
        }
    }

    fn connect(&mut self) -> Result<(), InputError> {
        self.retry_at = MonoTime::now() + RETRY_EVERY;
        let link = self.place.connect()?;
        let found = link
            .connection
            .extension_information(xtest::X11_EXTENSION_NAME);
        if found.map_err(|error| self.place.absent(error))?.is_none() {
            return Err(self
                .place
                .unsupported("its X server lacks the XTEST extension"));
        }
        let prepare = || -> XResult<Keyboard> {
            link.connection.xtest_get_version(2, 2)?.reply()?;
            // Programs that grab the server, as menus may, do not stop the injection.
            link.connection.xtest_grab_control(true)?;
            Keyboard::new(&link)
        };
        let keyboard = prepare().map_err(|error| self.place.absent(error))?;
        let session = Session {
            link,
            keyboard,
            pointer: Pointer::new(self.request.area.clone()),
            typist: Typist::default(),
        };
        session.keyboard.tell_leds(&self.request.feedback);
        self.session = Some(session);
        Ok(())
    }

    /// A server that went away unnoticed may be back already: then nothing is lost on the old one.
    fn come_back(&mut self) {
        if self
            .session
            .as_ref()
            .is_some_and(|old| old.drain().is_err())
        {
            self.session = None;
            // Why it is away is what the caller finds out next.
            let _ = self.connect();
        }
    }

    /// Does something with a server that is there, and notes when it no longer is.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Session, &FeedbackSink) -> XResult<T>,
    ) -> Result<T, InputError> {
        let Some(session) = &mut self.session else {
            return Err(self.place.absent("no X server answers there"));
        };
        let acted = act(session, &self.request.feedback).and_then(|value| {
            session.link.connection.flush()?;
            session.drain()?;
            Ok(value)
        });
        acted.map_err(|error| {
            self.session = None;
            self.retry_at = MonoTime::now() + RETRY_EVERY;
            self.place
                .absent(format_args!("the X server went away ({error})"))
        })
    }
}

impl Session {
    /// Reads what the server tells everybody, so that it does not pile up.
    fn drain(&self) -> XResult<()> {
        while let Some(event) = self.link.connection.poll_for_event()? {
            if let Event::Error(error) = event {
                tracing::debug!(?error, "the X server refused an injection");
            }
        }
        Ok(())
    }
}

impl Injector for Xtest {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        match self.session {
            None => Capabilities::NONE,
            Some(_) => Capabilities {
                pads: false,
                ..Capabilities::ALL
            },
        }
    }

    fn inject(&mut self, event: &InputEvent) -> Result<(), InputError> {
        self.come_back();
        match event {
            InputEvent::Pad(_) => Err(self.place.unsupported("X has no gamepads")),
            InputEvent::Key { code, .. } if code.x_keycode().is_none() => {
                Err(self.place.unsupported(format!("X has no key {code}")))
            }
            InputEvent::Key { code, down } => self.with(|session, feedback| {
                session.keyboard.key(&session.link, *code, *down)?;
                if session.keyboard.may_change_leds(*code, *down) {
                    session.keyboard.read_leds(&session.link)?;
                    session.keyboard.tell_leds(feedback);
                }
                Ok(())
            }),
            InputEvent::Text(text) => self.with(|session, _| {
                session.typist.take(text);
                Ok(())
            }),
            pointing => self.with(|session, _| session.pointer.inject(&session.link, pointing)),
        }
    }

    fn tick(&mut self, now: MonoTime) -> Result<Next, InputError> {
        if self.session.is_none() {
            if now >= self.retry_at {
                // Why it is away is told with the next event that cannot be injected.
                let _ = self.connect();
            }
            let away = self.session.is_none();
            return Ok(Next {
                busy: false,
                at: away.then_some(self.retry_at),
            });
        }
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.typist.rests())
        {
            return Ok(Next::default());
        }
        self.with(|session, _| session.typist.go_on(&session.link, &session.keyboard, now))
    }
}

impl Drop for Xtest {
    fn drop(&mut self) {
        if self.session.is_some() {
            // A server forgets what it has not read of a client that hangs up, releases of keys
            // included: it has to answer first.
            let _ = self.with(|session, _| {
                session.typist.restore(&session.link)?;
                session.link.connection.get_input_focus()?.reply()?;
                Ok(())
            });
        }
    }
}

/// Sends one event as from a device.
fn fake(link: &Link, kind: u8, detail: u8, place: [i16; 2]) -> XResult<()> {
    let (root, [x, y]) = (link.root(), place);
    link.connection
        .xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, root, x, y, 0)?;
    Ok(())
}

/// The lights as the page wants them.
const fn leds(bits: u8) -> Feedback {
    Feedback::KeyboardLeds { bits }
}
