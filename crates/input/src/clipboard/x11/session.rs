//! The clipboard over one connection: asking its owner for text, and being its owner.
//!
//! Owns the protocol between X clients (ICCCM 2); refuses everything that is not text.

use super::super::transfer::{Incoming, Outgoing, PATIENCE, PIECE_BYTES, text};
use super::super::{CLIPBOARD_LIMIT_BYTES, ClipboardChange};
use crate::error::InputError;
use crate::x11::{Link, Place, XResult};
use media::MonoTime;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::Event;
use x11rb::protocol::xfixes::{self, ConnectionExt as _, SelectionEventMask};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, EventMask,
    PropMode, Property, PropertyNotifyEvent, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent,
    SelectionRequestEvent, Timestamp, Window, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;

/// Clients that may take text in pieces at a time.
const MAX_OUTGOING: usize = 16;

x11rb::atom_manager! {
    /// The names the protocol needs.
    Atoms: AtomsCookie {
        CLIPBOARD,
        TARGETS,
        TIMESTAMP,
        INCR,
        UTF8_STRING,
        TEXT,
        TEXT_PLAIN_UTF8: b"text/plain;charset=utf-8",
        TEXT_PLAIN: b"text/plain",
        HELIOSTAT_TEXT,
        HELIOSTAT_TIME,
    }
}

/// What the owner was asked for.
#[derive(Debug)]
enum Asked {
    Nothing,
    /// For the text; its answer must come by then.
    Text {
        deadline: MonoTime,
    },
    Pieces(Incoming),
}

/// What was read of a property.
struct Taken {
    kind: Atom,
    /// As much as anybody may want.
    bytes: Vec<u8>,
    /// How many there were.
    total: usize,
}

/// One connection.
pub(super) struct Session {
    link: Link,
    place: Place,
    atoms: Atoms,
    window: Window,
    /// What is served, and since when, while this is the owner.
    owned: Option<(Arc<str>, Timestamp)>,
    asked: Asked,
    outgoing: Vec<Outgoing>,
    /// What was told or set last: telling it again would go round in circles.
    last: Option<Arc<str>>,
}

impl Session {
    pub(super) fn open(place: &Place) -> Result<Self, InputError> {
        let link = place.connect()?;
        let absent = |error| place.absent(error);
        let found = link
            .connection
            .extension_information(xfixes::X11_EXTENSION_NAME);
        if found.map_err(|error| place.absent(error))?.is_none() {
            return Err(place.unsupported("its X server lacks the XFIXES extension"));
        }
        let prepare = || -> XResult<(Atoms, Window)> {
            let connection = &link.connection;
            connection.xfixes_query_version(5, 0)?.reply()?;
            let atoms = Atoms::new(connection)?.reply()?;
            let window = connection.generate_id()?;
            let aux = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
            let (parent, kind) = (link.root(), WindowClass::INPUT_ONLY);
            connection.create_window(0, window, parent, 0, 0, 1, 1, 0, kind, 0, &aux)?;
            let mask = SelectionEventMask::SET_SELECTION_OWNER;
            connection.xfixes_select_selection_input(window, atoms.CLIPBOARD, mask)?;
            connection.flush()?;
            Ok((atoms, window))
        };
        let (atoms, window) = prepare().map_err(absent)?;
        Ok(Self {
            link,
            place: place.clone(),
            atoms,
            window,
            owned: None,
            asked: Asked::Nothing,
            outgoing: Vec::new(),
            last: None,
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.connection.stream().as_fd()
    }

    /// When a client that does not go on is given up.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        let asked = match &self.asked {
            Asked::Nothing => None,
            Asked::Text { deadline } => Some(*deadline),
            Asked::Pieces(incoming) => Some(incoming.deadline),
        };
        let outgoing = self.outgoing.iter().map(|outgoing| outgoing.deadline);
        outgoing.chain(asked).min()
    }

    fn lost<T>(&self, result: XResult<T>) -> Result<T, InputError> {
        result.map_err(|error| {
            self.place
                .absent(format_args!("the X server went away ({error})"))
        })
    }

    /// Makes text the clipboard's. The server's time is told with an event, since the clipboard
    /// must be taken with the time at which it was.
    pub(super) fn own(&mut self, text: Arc<str>) -> Result<(), InputError> {
        self.last = Some(Arc::clone(&text));
        self.owned = Some((text, x11rb::CURRENT_TIME));
        self.asked = Asked::Nothing;
        let touch = || -> XResult<()> {
            let connection = &self.link.connection;
            let (name, kind) = (self.atoms.HELIOSTAT_TIME, AtomEnum::STRING);
            connection.change_property8(PropMode::APPEND, self.window, name, kind, &[])?;
            connection.flush()?;
            Ok(())
        };
        self.lost(touch())
    }

    /// Asks the owner for its text.
    pub(super) fn ask(&mut self) -> Result<(), InputError> {
        let deadline = MonoTime::now() + PATIENCE;
        self.asked = Asked::Text { deadline };
        let ask = || -> XResult<()> {
            let (connection, atoms) = (&self.link.connection, &self.atoms);
            connection.delete_property(self.window, atoms.HELIOSTAT_TEXT)?;
            connection.convert_selection(
                self.window,
                atoms.CLIPBOARD,
                atoms.UTF8_STRING,
                atoms.HELIOSTAT_TEXT,
                x11rb::CURRENT_TIME,
            )?;
            connection.flush()?;
            Ok(())
        };
        self.lost(ask())
    }

    /// Does what has arrived; returns what there is to tell, until nothing is left.
    pub(super) fn next_change(&mut self) -> Result<Option<ClipboardChange>, InputError> {
        loop {
            let event = self.link.connection.poll_for_event();
            let Some(event) = self.lost(event.map_err(Into::into))? else {
                break;
            };
            let done = self.handle(&event);
            if let Some(told) = self.lost(done)?
                && let Some(change) = self.news(told)
            {
                return Ok(Some(change));
            }
        }
        self.give_up(MonoTime::now());
        let flushed = self.link.connection.flush();
        self.lost(flushed.map_err(Into::into))?;
        Ok(None)
    }

    /// What is worth telling of a text that was read.
    fn news(&mut self, read: Result<String, InputError>) -> Option<ClipboardChange> {
        match read {
            Err(error) => Some(ClipboardChange::Refused(error)),
            Ok(text) if self.last.as_deref() == Some(&text) => None,
            Ok(text) => {
                self.last = Some(text.as_str().into());
                Some(ClipboardChange::Text(text))
            }
        }
    }

    fn give_up(&mut self, now: MonoTime) {
        self.outgoing.retain(|outgoing| now < outgoing.deadline);
        if let Asked::Text { deadline } | Asked::Pieces(Incoming { deadline, .. }) = &self.asked
            && now >= *deadline
        {
            tracing::debug!("the clipboard's owner does not answer");
            self.asked = Asked::Nothing;
        }
    }

    fn handle(&mut self, event: &Event) -> XResult<Option<Result<String, InputError>>> {
        match event {
            Event::XfixesSelectionNotify(notify) if notify.owner != self.window => {
                self.owned = None;
                if notify.owner == x11rb::NONE {
                    self.asked = Asked::Nothing;
                    return Ok(None);
                }
                // Only the server's end is an error that matters here, and it comes again.
                let _ = self.ask();
            }
            Event::SelectionNotify(notify) if notify.requestor == self.window => {
                return self.answered(notify.property);
            }
            Event::PropertyNotify(notify) if notify.window == self.window => {
                return self.own_property(*notify);
            }
            Event::PropertyNotify(notify) if notify.state == Property::DELETE => {
                self.send_piece(notify.window, notify.atom)?;
            }
            Event::SelectionRequest(request) => self.serve(request)?,
            Event::Error(error) => tracing::debug!(?error, "a clipboard request was refused"),
            _ => {}
        }
        Ok(None)
    }

    /// The owner has answered, with nothing if it has no text.
    fn answered(&mut self, property: Atom) -> XResult<Option<Result<String, InputError>>> {
        if !matches!(self.asked, Asked::Text { .. }) {
            return Ok(None);
        }
        self.asked = Asked::Nothing;
        if property == x11rb::NONE {
            return Ok(None);
        }
        let answer = self.take_text()?;
        if answer.kind == self.atoms.INCR {
            self.asked = Asked::Pieces(Incoming::new(MonoTime::now()));
            return Ok(None);
        }
        Ok(Some(text(answer.bytes, answer.total)))
    }

    /// What the owner has put at our window. Taking it asks for more.
    fn take_text(&self) -> XResult<Taken> {
        let (window, name) = (self.window, self.atoms.HELIOSTAT_TEXT);
        let connection = &self.link.connection;
        let length = (CLIPBOARD_LIMIT_BYTES / 4 + 1) as u32;
        let property = connection.get_property(true, window, name, AtomEnum::ANY, 0, length)?;
        let property = property.reply()?;
        if property.bytes_after > 0 {
            // The server deletes only what was read to its end.
            connection.delete_property(window, name)?;
        }
        Ok(Taken {
            kind: property.type_,
            total: property.value.len() + property.bytes_after as usize,
            bytes: property.value,
        })
    }

    fn own_property(
        &mut self,
        notify: PropertyNotifyEvent,
    ) -> XResult<Option<Result<String, InputError>>> {
        if notify.state != Property::NEW_VALUE {
            return Ok(None);
        }
        if notify.atom == self.atoms.HELIOSTAT_TIME {
            if let Some((_, since)) = &mut self.owned {
                *since = notify.time;
                let (window, name) = (self.window, self.atoms.CLIPBOARD);
                let connection = &self.link.connection;
                connection.set_selection_owner(window, name, notify.time)?;
            }
            return Ok(None);
        }
        if notify.atom != self.atoms.HELIOSTAT_TEXT || !matches!(self.asked, Asked::Pieces(_)) {
            return Ok(None);
        }
        let taken = self.take_text()?;
        let Asked::Pieces(incoming) = &mut self.asked else {
            return Ok(None);
        };
        let whole = incoming.piece(&taken.bytes, taken.total, MonoTime::now());
        if whole.is_some() {
            self.asked = Asked::Nothing;
        }
        Ok(whole)
    }

    /// Answers a client that wants the text.
    fn serve(&mut self, request: &SelectionRequestEvent) -> XResult<()> {
        // Clients of old leave the property out.
        let property = match request.property {
            x11rb::NONE => request.target,
            property => property,
        };
        let served = self.put(request, property)?;
        let notify = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if served { property } else { x11rb::NONE },
        };
        let (requestor, mask) = (request.requestor, EventMask::NO_EVENT);
        self.link
            .connection
            .send_event(false, requestor, mask, notify)?;
        Ok(())
    }

    /// Puts what a client wants at its window; `false` if it cannot have that.
    fn put(&mut self, request: &SelectionRequestEvent, property: Atom) -> XResult<bool> {
        let (connection, atoms) = (&self.link.connection, &self.atoms);
        let Some((text, since)) = &self.owned else {
            return Ok(false);
        };
        let (window, replace) = (request.requestor, PropMode::REPLACE);
        let texts = [
            atoms.UTF8_STRING,
            atoms.TEXT_PLAIN_UTF8,
            atoms.TEXT_PLAIN,
            atoms.TEXT,
        ];
        let target = request.target;
        if target == atoms.TARGETS {
            let mut targets = vec![atoms.TARGETS, atoms.TIMESTAMP];
            targets.extend(texts);
            connection.change_property32(replace, window, property, AtomEnum::ATOM, &targets)?;
        } else if target == atoms.TIMESTAMP {
            let since = [*since];
            connection.change_property32(replace, window, property, AtomEnum::INTEGER, &since)?;
        } else if !texts.contains(&target) {
            return Ok(false);
        } else {
            let kind = match target {
                target if target == atoms.TEXT => atoms.UTF8_STRING,
                target => target,
            };
            if text.len() <= PIECE_BYTES {
                connection.change_property8(replace, window, property, kind, text.as_bytes())?;
            } else if self.outgoing.len() < MAX_OUTGOING {
                let wanted =
                    ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
                connection.change_window_attributes(window, &wanted)?;
                // At most the clipboard's limit, far below 2^32.
                let length = [text.len() as u32];
                connection.change_property32(replace, window, property, atoms.INCR, &length)?;
                let to = (window, property, kind);
                let outgoing = Outgoing::new(to, Arc::clone(text), MonoTime::now());
                self.outgoing.push(outgoing);
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A client has taken a piece: it gets the next.
    fn send_piece(&mut self, window: Window, property: Atom) -> XResult<()> {
        let mut outgoing = self.outgoing.iter_mut();
        let Some(at) = outgoing.position(|to| (to.requestor, to.property) == (window, property))
        else {
            return Ok(());
        };
        let to = &mut self.outgoing[at];
        let kind = to.kind;
        let piece = to.piece(MonoTime::now());
        let connection = &self.link.connection;
        connection.change_property8(PropMode::REPLACE, window, property, kind, piece)?;
        if piece.is_empty() {
            self.outgoing.remove(at);
            let nothing = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
            connection.change_window_attributes(window, &nothing)?;
        }
        Ok(())
    }
}
