//! What a connection is told by itself: the full state first, then what changes.

use crate::caller::{Caller, notification};
use crate::engine::CursorState;
use crate::hub::Hub;
use crate::moonlight::MoonlightClients;
use crate::room::RoomView;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control_api::{
    ClipboardChanged, CursorMoved, CursorShape, HostState, InputState, LostReason,
    MoonlightClientList, Nothing, PairingList, Role, SignalLost, VideoInputState, notifications,
};
use events::ViewerId;
use media::MonoTime;
use std::sync::Arc;
use tokio::sync::watch;

/// The states that a connection is told of, and what it was told last.
pub(crate) struct Feed {
    host: Topic<HostState>,
    video: Topic<VideoInputState>,
    room: Topic<Arc<RoomView>>,
    input: Topic<InputState>,
    cursor: Topic<CursorState>,
    clipboard: Topic<Option<Arc<str>>>,
    present: Topic<Option<ViewerId>>,
    /// For administrators, where Moonlight clients are served.
    moonlight: Option<Moonlight>,
    lost: Option<LostReason>,
    shown: Shown,
}

/// The Moonlight clients: who waits, and who is paired.
struct Moonlight {
    clients: Arc<dyn MoonlightClients>,
    waiting: Topic<()>,
    paired: Topic<()>,
}

impl Moonlight {
    fn of(caller: &Caller) -> Option<Self> {
        let admin = caller.identity.role == Role::Admin;
        let clients = Arc::clone(caller.hub.moonlight().filter(|_| admin)?);
        Some(Self {
            waiting: Topic::new(clients.pairings_changed()),
            paired: Topic::new(clients.clients_changed()),
            clients,
        })
    }

    /// Waits for a change; for ever where there is nothing that could change.
    async fn changed(moonlight: &mut Option<Self>) {
        let Some(Self {
            waiting, paired, ..
        }) = moonlight
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            Ok(()) = waiting.source.changed() => waiting.due = true,
            Ok(()) = paired.source.changed() => paired.due = true,
            else => std::future::pending().await,
        }
    }
}

/// One state: where it is found, and whether it is to be looked at.
struct Topic<T> {
    source: watch::Receiver<T>,
    due: bool,
}

impl<T> Topic<T> {
    fn new(source: watch::Receiver<T>) -> Self {
        Self { source, due: true }
    }

    fn is_due(&mut self) -> bool {
        std::mem::take(&mut self.due)
    }
}

/// What was told last: a state that was written anew but is the same is not told again.
#[derive(Default)]
struct Shown {
    host: String,
    video: String,
    room: String,
    input: String,
    moonlight: String,
    cursor_id: Option<u64>,
    cursor_at: Option<CursorMoved>,
    clipboard: Option<Arc<str>>,
}

impl Feed {
    pub(crate) fn new(hub: &Hub, caller: &Caller) -> Self {
        Self {
            host: Topic::new(hub.engine().host_state()),
            video: Topic::new(hub.engine().video_input()),
            room: Topic::new(hub.sessions()),
            input: Topic::new(hub.desk().state()),
            cursor: Topic::new(hub.engine().cursor()),
            clipboard: Topic::new(hub.engine().clipboard()),
            present: Topic::new(caller.present()),
            moonlight: Moonlight::of(caller),
            lost: None,
            shown: Shown::default(),
        }
    }

    /// Waits until there may be something to tell.
    pub(crate) async fn changed(&mut self) {
        if self.host.due {
            return;
        }
        tokio::select! {
            Ok(()) = self.host.source.changed() => self.host.due = true,
            Ok(()) = self.video.source.changed() => self.video.due = true,
            Ok(()) = self.room.source.changed() => self.room.due = true,
            Ok(()) = self.input.source.changed() => self.input.due = true,
            Ok(()) = self.cursor.source.changed() => self.cursor.due = true,
            Ok(()) = self.clipboard.source.changed() => self.clipboard.due = true,
            Ok(()) = self.present.source.changed() => self.present.due = true,
            () = Moonlight::changed(&mut self.moonlight) => {}
            else => std::future::pending().await,
        }
    }

    /// What is to be told now.
    pub(crate) fn collect(&mut self, caller: &Caller) -> Vec<String> {
        let mut texts = Vec::new();
        let another_session = self.present.is_due();
        if self.host.is_due() {
            let text =
                notification::<notifications::HostChanged>(&self.host.source.borrow_and_update());
            texts.extend(unseen(&mut self.shown.host, text));
        }
        if self.video.is_due() {
            self.tell_video(&mut texts);
        }
        let room_changed = self.room.is_due();
        if room_changed || another_session {
            let view = Arc::clone(&self.room.source.borrow_and_update());
            let list = view.list(caller.viewer(), caller.identity.role, MonoTime::now());
            let text = notification::<notifications::Sessions>(&list);
            texts.extend(unseen(&mut self.shown.room, text));
        }
        if self.input.is_due() {
            let text =
                notification::<notifications::InputChanged>(&self.input.source.borrow_and_update());
            texts.extend(unseen(&mut self.shown.input, text));
        }
        if self.cursor.is_due() || another_session {
            self.tell_cursor(caller, another_session, &mut texts);
        }
        if self.clipboard.is_due() || room_changed || another_session {
            self.tell_clipboard(caller, &mut texts);
        }
        self.tell_moonlight(caller, room_changed, &mut texts);
        texts
    }

    /// Moonlight clients are for administrators alone.
    fn tell_moonlight(&mut self, caller: &Caller, room_changed: bool, texts: &mut Vec<String>) {
        let Some(moonlight) = &mut self.moonlight else {
            return;
        };
        if moonlight.waiting.is_due() {
            let pairings = moonlight.clients.pairings();
            let list = PairingList { pairings };
            texts.extend(notification::<notifications::PairingsChanged>(&list));
        }
        if moonlight.paired.is_due() || room_changed {
            let clients = caller.hub.moonlight_clients();
            let list = MoonlightClientList { clients };
            let text = notification::<notifications::MoonlightClientsChanged>(&list);
            texts.extend(unseen(&mut self.shown.moonlight, text));
        }
    }

    fn tell_video(&mut self, texts: &mut Vec<String>) {
        let state = self.video.source.borrow_and_update().clone();
        let text = notification::<notifications::VideoInputChanged>(&state);
        texts.extend(unseen(&mut self.shown.video, text));
        let before = std::mem::replace(&mut self.lost, state.reason);
        match (before, state.reason) {
            (before, Some(reason)) if before != Some(reason) => {
                let why = state.why.unwrap_or_default();
                let lost = SignalLost { reason, why };
                texts.extend(notification::<notifications::SignalWasLost>(&lost));
            }
            (Some(_), None) => {
                texts.extend(notification::<notifications::SignalRestored>(&Nothing {}));
            }
            _ => {}
        }
    }

    /// The pointer is for those who see the picture that it belongs to.
    fn tell_cursor(&mut self, caller: &Caller, from_start: bool, texts: &mut Vec<String>) {
        let state = self.cursor.source.borrow_and_update().clone();
        if from_start {
            (self.shown.cursor_id, self.shown.cursor_at) = (None, None);
        }
        if caller.viewer().is_none() {
            return;
        }
        let Some(image) = state.image else {
            // It has become part of the picture: a second one must not stay beside it.
            if self.shown.cursor_id.take().is_some() {
                let (x, y) = state.at;
                let visible = false;
                let gone = CursorMoved { x, y, visible };
                self.shown.cursor_at = None;
                texts.extend(notification::<notifications::CursorMove>(&gone));
            }
            return;
        };
        if self.shown.cursor_id.replace(image.id) != Some(image.id) {
            let shape = CursorShape {
                id: image.id,
                png: STANDARD.encode(&image.png),
                hot_x: image.hot.0,
                hot_y: image.hot.1,
            };
            texts.extend(notification::<notifications::Cursor>(&shape));
        }
        let at = CursorMoved {
            x: state.at.0,
            y: state.at.1,
            visible: state.visible,
        };
        if self.shown.cursor_at.replace(at) != Some(at) {
            texts.extend(notification::<notifications::CursorMove>(&at));
        }
    }

    /// The clipboard is for the driver alone.
    fn tell_clipboard(&mut self, caller: &Caller, texts: &mut Vec<String>) {
        let text = self.clipboard.source.borrow_and_update().clone();
        if !caller.controls() {
            self.shown.clipboard = None;
        } else if self.shown.clipboard != text {
            self.shown.clipboard.clone_from(&text);
            let text = text.map(|text| text.to_string()).unwrap_or_default();
            let changed = ClipboardChanged { text };
            texts.extend(notification::<notifications::Clipboard>(&changed));
        }
    }
}

/// `text`, unless it is what was shown last.
fn unseen(shown: &mut String, text: Option<String>) -> Option<String> {
    let text = text.filter(|text| text != shown)?;
    shown.clone_from(&text);
    Some(text)
}
