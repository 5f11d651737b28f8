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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session;
    use std::net::SocketAddr;

    fn registry() -> Registry {
        let registry = Registry::new(Alarm::new().unwrap());
        for number in [1, 2] {
            registry.add(Arc::new(session(number)));
        }
        registry
    }

    fn route(number: u8, port: u16) -> Route {
        Route {
            remote: SocketAddr::from(([192, 0, 2, number], port)),
            local: SocketAddr::from(([192, 0, 2, 99], 47998)),
        }
    }

    fn ping(number: u8) -> [u8; PING_BYTES] {
        let mut ping = [number; PING_BYTES];
        ping[PING_PAYLOAD_BYTES..].copy_from_slice(&7_u32.to_be_bytes());
        ping
    }

    fn video(registry: &Registry, number: u8) -> Option<Route> {
        registry.get(ViewerId(number.into())).unwrap().video.route()
    }

    #[test]
    fn only_its_owner_with_its_payload_says_where_video_goes() {
        let registry = registry();
        // Somebody else's address, somebody else's payload, the old four bytes, and too many.
        registry.ping(Kind::Video, route(2, 5000), &ping(1));
        registry.ping(Kind::Video, route(1, 5000), &ping(2));
        registry.ping(Kind::Video, route(1, 5000), b"PING");
        registry.ping(Kind::Video, route(1, 5000), &[1; 64]);
        assert_eq!((video(&registry, 1), video(&registry, 2)), (None, None));
        registry.ping(Kind::Video, route(1, 5000), &ping(1));
        assert_eq!(video(&registry, 1), Some(route(1, 5000)));
        assert_eq!(registry.get(ViewerId(1)).unwrap().audio.route(), None);
        // A client behind a router that forgot it comes from another port.
        registry.ping(Kind::Video, route(1, 5001), &ping(1));
        assert_eq!(video(&registry, 1), Some(route(1, 5001)));
        assert_eq!(video(&registry, 2), None);
    }

    #[test]
    fn a_control_connection_is_its_owners_alone() {
        let registry = registry();
        let found = |data, number: u8| {
            let from = IpAddr::from([192, 0, 2, number]);
            registry
                .by_connect_data(data, from)
                .map(|session| session.viewer())
        };
        assert_eq!(found(1000, 1), Some(ViewerId(1)));
        assert_eq!(
            (found(1000, 2), found(1001, 1), found(0, 1)),
            (None, None, None)
        );
    }

    #[test]
    fn strangers_are_known_by_their_address_and_forgotten_with_their_session() {
        let registry = registry();
        let address = IpAddr::from([192, 0, 2, 1]);
        assert!(registry.knows_address(address));
        registry.remove(ViewerId(1));
        assert!(!registry.knows_address(address));
        assert_eq!(registry.all().len(), 1);
    }
}
