//! Who is behind each control connection, what they say and what they are told.

use super::socket::Guarded;
use crate::host::Host;
use crate::input::Translator;
use crate::registry::Registry;
use crate::session::{Said, Session, VideoRequest};
use control_api::EndReason;
use gamestream_proto::control::{
    ClientMessage, ControlOpener, ControlSealer, HOST_CHANNEL, HostMessage, Termination,
};
use media::MonoTime;
use rusty_enet::{Packet, PeerID};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

type Enet = rusty_enet::Host<Guarded>;

/// A session without a control connection ends after this; clients give up after the same time
/// (`CONTROL_STREAM_TIMEOUT_SEC` in ControlStream.c).
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Clients ping ten times a second: one that was silent for this long did not leave by itself.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often the round trip is told to the video thread.
const TELL_ROUND_TRIP_EVERY: Duration = Duration::from_secs(1);
/// Messages that cannot be opened, until a connection is cut: replays and forgeries.
const MOST_REFUSED: u32 = 64;

struct Connected {
    session: Arc<Session>,
    opener: ControlOpener,
    sealer: ControlSealer,
    translator: Translator,
    heard: MonoTime,
    told_round_trip: MonoTime,
    refused: u32,
    /// Whether it has said anything. What clients say first is a request for a keyframe
    /// (`IDX_START_A` in ControlStream.c), with which every stream begins anyway.
    begun: bool,
    /// Its end was told; what remains is ENet's farewell.
    leaving: bool,
}

/// The connections.
pub(super) struct Peers {
    registry: Arc<Registry>,
    host: Arc<dyn Host>,
    connected: HashMap<PeerID, Connected>,
    /// When sessions without a connection were first seen.
    waiting: HashMap<u32, MonoTime>,
    packet: Vec<u8>,
}

impl Peers {
    pub(super) fn new(registry: Arc<Registry>, host: Arc<dyn Host>) -> Self {
        Self {
            registry,
            host,
            connected: HashMap::new(),
            waiting: HashMap::new(),
            packet: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// A connection was made; one that is nobody's is cut at once.
    pub(super) fn connected(&mut self, enet: &mut Enet, peer: PeerID, data: u32, now: MonoTime) {
        let address = enet.peer(peer).address();
        let session = address.and_then(|place| {
            let from = place.0.remote.ip();
            self.registry.by_connect_data(data, from)
        });
        let Some(session) = session.filter(|session| session.ended().is_none()) else {
            return enet.peer_mut(peer).disconnect_now(0);
        };
        let viewer = session.viewer();
        let key = &session.agreed.key;
        let seals =
            ControlOpener::new(key).and_then(|opener| Ok((opener, ControlSealer::new(key)?)));
        let (opener, sealer) = match seals {
            Ok(seals) => seals,
            Err(error) => {
                tracing::error!(viewer = viewer.0, %error, "no cipher for control");
                session.end(EndReason::Error);
                return;
            }
        };
        // One connection a session: a second one cannot count its messages.
        let known = self.connected.values();
        if known
            .into_iter()
            .any(|known| known.session.viewer() == viewer)
        {
            return enet.peer_mut(peer).disconnect_now(0);
        }
        self.waiting.remove(&viewer.0);
        self.connected.insert(
            peer,
            Connected {
                translator: Translator::new(),
                session,
                opener,
                sealer,
                heard: now,
                told_round_trip: now,
                refused: 0,
                begun: false,
                leaving: false,
            },
        );
    }

    /// A connection is gone: the client left, or ENet gave it up.
    pub(super) fn disconnected(&mut self, peer: PeerID) {
        if let Some(gone) = self.connected.remove(&peer) {
            // A client that was heard a moment ago has said goodbye; ENet gives up a silent one.
            let goodbye = MonoTime::now().since(gone.heard) < GOODBYE;
            let reason = if goodbye {
                EndReason::Quit
            } else {
                EndReason::Lost
            };
            gone.session.end(reason);
        }
    }

    /// A client said something.
    pub(super) fn received(&mut self, peer: PeerID, packet: &[u8], now: MonoTime) {
        let Some(connected) = self.connected.get_mut(&peer) else {
            return;
        };
        match connected.opener.open(packet) {
            Ok(message) => {
                connected.heard = now;
                connected.take(message, &*self.host);
            }
            Err(error) => {
                connected.refused += 1;
                let viewer = connected.session.viewer();
                tracing::debug!(viewer = viewer.0, %error, "a control message was refused");
                if connected.refused == MOST_REFUSED {
                    tracing::warn!(viewer = viewer.0, %error, "too many refused control messages");
                    connected.session.end(EndReason::Error);
                }
            }
        }
    }

    /// What time brings: silence, things to say, ends.
    pub(super) fn tend(&mut self, enet: &mut Enet, idle_timeout: Duration, now: MonoTime) {
        self.give_up_unconnected(now);
        for (peer, connected) in &mut self.connected {
            if now.since(connected.heard) >= idle_timeout {
                connected.session.end(EndReason::Timeout);
            }
            let peer = enet.peer_mut(*peer);
            if now.since(connected.told_round_trip) >= TELL_ROUND_TRIP_EVERY {
                connected.told_round_trip = now;
                let round_trip = VideoRequest::RoundTrip(peer.round_trip_time());
                connected.session.request(round_trip);
            }
            let mut say = |sealer: &mut ControlSealer, message: &HostMessage| {
                if sealer.seal(message, &mut self.packet).is_ok() {
                    // A peer that takes nothing any more is about to be given up.
                    let _ = peer.send(HOST_CHANNEL, &Packet::reliable(self.packet.as_slice()));
                }
            };
            while let Some(Said::Feedback(feedback)) = connected.session.next_said() {
                if let Some(message) = connected.translator.feedback(feedback) {
                    say(&mut connected.sealer, &message);
                }
            }
            if let Some(reason) = connected.session.ended().filter(|_| !connected.leaving) {
                connected.leaving = true;
                let why = HostMessage::Termination(termination(reason));
                say(&mut connected.sealer, &why);
                peer.disconnect_later(0);
            }
        }
    }

    fn give_up_unconnected(&mut self, now: MonoTime) {
        let sessions = self.registry.all();
        self.waiting
            .retain(|viewer, _| sessions.iter().any(|known| known.viewer().0 == *viewer));
        for session in sessions {
            let viewer = session.viewer();
            let mut connected = self.connected.values();
            if connected.any(|known| known.session.viewer() == viewer) {
                continue;
            }
            let since = *self.waiting.entry(viewer.0).or_insert(now);
            if now.since(since) >= CONNECT_WITHIN {
                session.end(EndReason::Timeout);
            }
        }
    }
}

impl Connected {
    fn take(&mut self, message: ClientMessage, host: &dyn Host) {
        let session = &self.session;
        let begun = std::mem::replace(&mut self.begun, true);
        match message {
            ClientMessage::RequestKeyframe if begun => session.request(VideoRequest::Keyframe),
            ClientMessage::LostFrames(lost) => session.request(VideoRequest::Lost {
                first: lost.first,
                last: lost.last,
            }),
            ClientMessage::FrameFec(status) => {
                session.request(VideoRequest::Arrived(status));
            }
            ClientMessage::Input(packet) => {
                let viewer = session.viewer();
                self.translator
                    .events(&packet, &mut |event| host.input(viewer, event));
            }
            _ => {}
        }
    }
}

fn termination(reason: EndReason) -> Termination {
    match reason {
        EndReason::Error | EndReason::SourceEnded => Termination::ConversionFailed,
        _ => Termination::Graceful,
    }
}
