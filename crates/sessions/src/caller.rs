//! The connection that delivered a call, as its handler sees it: who it is, its one session, and its
//! subscription to the statistics.

use crate::figures;
use crate::hub::{Hub, lock};
use crate::identity::Identity;
use crate::jsonrpc;
use crate::room::{Actor, Notice};
use crate::session::{Ends, Session, SessionHandle};
use control_api::{
    EndReason, Nothing, Notification, SessionEnded, StatsFrames, Via, notifications,
};
use events::ViewerId;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often frames are sent to a subscriber, and how often only seconds are.
const FRAMES_PERIOD: Duration = Duration::from_millis(200);
const SECONDS_PERIOD: Duration = Duration::from_secs(1);

pub(crate) struct Caller {
    pub(crate) hub: Hub,
    pub(crate) identity: Identity,
    pub(crate) via: Via,
    pub(crate) ends: Option<Ends>,
    pub(crate) outgoing: mpsc::Sender<String>,
    pub(crate) notices: mpsc::Sender<(ViewerId, Notice)>,
    own: Own,
    /// Which session it has, for those who wait for a change.
    present: watch::Sender<Option<ViewerId>>,
    subscription: Mutex<Option<Subscription>>,
}

/// Whose session it is.
pub(crate) enum Own {
    /// The connection's own, made by its offers.
    Slot(Mutex<Slot>),
    /// The one that carries the connection.
    Carrier(SessionHandle),
}

/// A connection's own session.
pub(crate) enum Slot {
    Empty,
    Live(Session),
    /// The connection is over: a session that comes late is closed at once.
    Closed,
}

struct Subscription {
    /// Another session than the caller's own.
    of: Option<ViewerId>,
    frames: bool,
    cursor: u64,
    second: u64,
    _demand: stats::Activity,
}

/// What a caller is made from.
pub(crate) struct CallerParts {
    pub(crate) hub: Hub,
    pub(crate) identity: Identity,
    pub(crate) via: Via,
    pub(crate) ends: Option<Ends>,
    pub(crate) carrier: Option<SessionHandle>,
    pub(crate) outgoing: mpsc::Sender<String>,
    pub(crate) notices: mpsc::Sender<(ViewerId, Notice)>,
}

impl Caller {
    pub(crate) fn new(parts: CallerParts) -> Self {
        let carried = parts.carrier.as_ref().map(SessionHandle::viewer);
        if let Some(viewer) = carried {
            parts.hub.listen(viewer, parts.notices.clone());
        }
        let own = parts
            .carrier
            .map_or_else(|| Own::Slot(Mutex::new(Slot::Empty)), Own::Carrier);
        Self {
            hub: parts.hub,
            identity: parts.identity,
            via: parts.via,
            ends: parts.ends,
            outgoing: parts.outgoing,
            notices: parts.notices,
            own,
            present: watch::Sender::new(carried),
            subscription: Mutex::new(None),
        }
    }

    /// The session of this connection.
    pub(crate) fn session(&self) -> Option<SessionHandle> {
        match &self.own {
            Own::Carrier(session) => Some(session.clone()).filter(SessionHandle::is_live),
            Own::Slot(slot) => match &*lock(slot) {
                Slot::Live(session) => Some(session.handle()),
                Slot::Empty | Slot::Closed => None,
            },
        }
    }

    pub(crate) fn viewer(&self) -> Option<ViewerId> {
        self.session().map(|session| session.viewer())
    }

    pub(crate) fn controls(&self) -> bool {
        self.session().is_some_and(|session| session.controls())
    }

    pub(crate) fn present(&self) -> watch::Receiver<Option<ViewerId>> {
        self.present.subscribe()
    }

    /// As the room sees it.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            viewer: self.viewer(),
            role: self.identity.role,
        }
    }

    /// Whether the connection can have a session of its own.
    pub(crate) fn may_offer(&self) -> bool {
        matches!(self.own, Own::Slot(_))
    }

    /// Makes `session` the connection's session. The one before is closed only now, so that the
    /// encoder keeps running in between.
    pub(crate) fn adopt(&self, session: Session) {
        let Own::Slot(slot) = &self.own else { return };
        let viewer = session.viewer();
        let before = {
            let mut slot = lock(slot);
            if matches!(*slot, Slot::Closed) {
                return;
            }
            std::mem::replace(&mut *slot, Slot::Live(session))
        };
        self.present.send_replace(Some(viewer));
        if let Slot::Live(before) = before {
            before.close(EndReason::Replaced);
        }
    }

    /// Ends the session, if there is one.
    pub(crate) fn close_session(&self, reason: EndReason) -> bool {
        match &self.own {
            Own::Carrier(session) => {
                let lived = session.is_live();
                session.end(reason);
                lived
            }
            Own::Slot(slot) => self.take(slot, Slot::Empty, reason),
        }
    }

    /// Ends the connection's own session and takes no other; whether there was one.
    pub(crate) fn close_for_good(&self, reason: EndReason) -> bool {
        self.unsubscribe();
        match &self.own {
            Own::Carrier(_) => false,
            Own::Slot(slot) => self.take(slot, Slot::Closed, reason),
        }
    }

    fn take(&self, slot: &Mutex<Slot>, then: Slot, reason: EndReason) -> bool {
        let before = {
            let mut slot = lock(slot);
            if matches!(*slot, Slot::Closed) {
                return false;
            }
            std::mem::replace(&mut *slot, then)
        };
        let Slot::Live(session) = before else {
            return false;
        };
        self.present.send_replace(None);
        session.close(reason);
        true
    }

    /// What the other side is told of a notice.
    pub(crate) fn heard(&self, viewer: ViewerId, notice: Notice) -> Option<String> {
        if let Notice::Ended(reason) = notice {
            return self.forget(viewer).then(|| ended(reason)).flatten();
        }
        if self.viewer() != Some(viewer) {
            return None;
        }
        match notice {
            Notice::ControlRequested(request) => {
                notification::<notifications::ControlRequested>(&request)
            }
            Notice::ControlGranted => notification::<notifications::ControlGranted>(&Nothing {}),
            Notice::ControlRefused => notification::<notifications::ControlRefused>(&Nothing {}),
            Notice::OtherSessionConnected => {
                notification::<notifications::OtherSessionConnected>(&Nothing {})
            }
            Notice::Ended(_) => None,
        }
    }

    /// Forgets a session that ended; false when it is not the present one.
    fn forget(&self, viewer: ViewerId) -> bool {
        let Own::Slot(slot) = &self.own else {
            return true;
        };
        let ended = {
            let mut slot = lock(slot);
            match &*slot {
                Slot::Live(session) if session.viewer() == viewer => {}
                _ => return false,
            }
            std::mem::replace(&mut *slot, Slot::Empty)
        };
        self.present.send_replace(None);
        drop(ended);
        true
    }

    pub(crate) fn subscribe(&self, of: Option<ViewerId>, frames: bool) {
        let stats = &self.hub.shared.stats;
        let demand = if frames {
            stats.watch()
        } else {
            stats.activity()
        };
        *lock(&self.subscription) = Some(Subscription {
            of,
            frames,
            cursor: 0,
            second: 0,
            _demand: demand,
        });
    }

    pub(crate) fn unsubscribe(&self) {
        *lock(&self.subscription) = None;
    }

    pub(crate) fn stats_period(&self) -> Option<Duration> {
        let subscription = lock(&self.subscription);
        let period = |s: &Subscription| {
            if s.frames {
                FRAMES_PERIOD
            } else {
                SECONDS_PERIOD
            }
        };
        subscription.as_ref().map(period)
    }

    /// The notifications that are due for a subscriber.
    pub(crate) fn new_stats(&self) -> Vec<String> {
        let own = self.viewer();
        let mut subscription = lock(&self.subscription);
        let Some(subscription) = subscription.as_mut() else {
            return Vec::new();
        };
        let Some(viewer) = subscription.of.or(own) else {
            return Vec::new();
        };
        let stats = &self.hub.shared.stats;
        let mut messages = Vec::new();
        if subscription.frames {
            let new = stats.frames_since(viewer, subscription.cursor);
            subscription.cursor = new.cursor;
            if !new.records.is_empty() {
                let frames = new.records.iter().map(figures::frame).collect();
                messages.extend(notification::<notifications::Frames>(&StatsFrames {
                    frames,
                }));
            }
        }
        if let Some(second) = stats.latest()
            && second.number != subscription.second
        {
            subscription.second = second.number;
            // A viewer that is not in it was sent nothing in this second.
            let mine = second.viewers.get(&viewer.0).map(figures::second);
            messages.extend(notification::<notifications::Second>(
                &mine.unwrap_or_default(),
            ));
        }
        messages
    }
}

/// The last that a connection hears of its session.
pub(crate) fn ended(reason: EndReason) -> Option<String> {
    notification::<notifications::Ended>(&SessionEnded { reason })
}

/// Writes a notification.
pub(crate) fn notification<N: Notification>(params: &N::Params) -> Option<String> {
    let name = N::INFO.name;
    jsonrpc::write_notification(name, params)
        .inspect_err(|error| tracing::error!(%error, name, "a notification cannot be written"))
        .ok()
}
