//! The sessions that run, for the threads that serve them all, and which of them a stranger's bytes
//! belong to.

use crate::session::{Session, lock};
use events::ViewerId;
use gamestream_proto::pairing::Fingerprint;
use net::{Alarm, Route};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// Bytes of a ping: what the client was told to begin it with, and a count (`SS_PING` in Video.h).
const PING_BYTES: usize = 20;
const PING_PAYLOAD_BYTES: usize = 16;

/// Which packets a ping asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Audio,
}

/// The sessions that run.
#[derive(Debug)]
pub(crate) struct Registry {
    sessions: Mutex<Vec<Arc<Session>>>,
    /// Told when one is gone.
    gone: Condvar,
    /// Rung when there are others.
    changed: Alarm,
}

impl Registry {
    /// No session; `changed` is rung whenever there are others.
    pub(crate) fn new(changed: Alarm) -> Self {
        Self {
            sessions: Mutex::default(),
            gone: Condvar::new(),
            changed,
        }
    }

    pub(crate) fn add(&self, session: Arc<Session>) {
        lock(&self.sessions).push(session);
        self.changed.ring();
    }

    pub(crate) fn remove(&self, viewer: ViewerId) {
        lock(&self.sessions).retain(|session| session.viewer() != viewer);
        self.gone.notify_all();
        self.changed.ring();
    }

    /// Waits until there is no session, for `limit` at most.
    pub(crate) fn wait_empty(&self, limit: Duration) {
        let sessions = lock(&self.sessions);
        let waited = self
            .gone
            .wait_timeout_while(sessions, limit, |sessions| !sessions.is_empty());
        let (sessions, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !sessions.is_empty() {
            tracing::error!(
                count = sessions.len(),
                "streams are stuck; their threads are left behind"
            );
        }
    }

    pub(crate) fn get(&self, viewer: ViewerId) -> Option<Arc<Session>> {
        self.find(|session| session.viewer() == viewer)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).clone()
    }

    pub(crate) fn of_client(&self, client: Fingerprint) -> Vec<Arc<Session>> {
        let mut sessions = self.all();
        sessions.retain(|session| session.agreed.client.fingerprint() == client);
        sessions
    }

    /// Whose control connection begins with `data`, from its owner's address.
    pub(crate) fn by_connect_data(&self, data: u32, from: IpAddr) -> Option<Arc<Session>> {
        self.find(|session| {
            let own = session.agreed.connect_data.to_le_bytes();
            bool::from(own.ct_eq(&data.to_le_bytes())) && session.agreed.address == from
        })
    }

    /// Whether a session's client is there.
    pub(crate) fn knows_address(&self, address: IpAddr) -> bool {
        self.find(|session| session.agreed.address == address)
            .is_some()
    }

    /// Takes a ping: only its owner, with what it was told, says where its packets go.
    pub(crate) fn ping(&self, kind: Kind, route: Route, bytes: &[u8]) {
        if bytes.len() != PING_BYTES {
            return;
        }
        let payload = &bytes[..PING_PAYLOAD_BYTES];
        let owner = self.find(|session| {
            let own = bool::from(session.agreed.ping[..].ct_eq(payload));
            own && session.agreed.address == route.remote.ip()
        });
        if let Some(session) = owner {
            let lane = match kind {
                Kind::Video => &session.video,
                Kind::Audio => &session.audio,
            };
            lane.heard_from(route);
        }
    }

    fn find(&self, which: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        let sessions = lock(&self.sessions);
        sessions.iter().find(|session| which(session)).cloned()
    }
}
