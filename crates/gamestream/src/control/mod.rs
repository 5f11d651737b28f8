//! The control connections of all sessions: one ENet host, one thread. It opens what clients say,
//! hands it to whom it concerns, and notices when a client falls silent.

mod peers;
mod socket;

use crate::host::Host;
use crate::registry::Registry;
use control_api::EndReason;
use gamestream_proto::control::CHANNELS;
use media::MonoTime;
use net::{Alarm, Port, readable, sleep};
use peers::Peers;
use rusty_enet::{EventNoRef, HostSettings};
use socket::Guarded;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Connections at a time, those included that have not said yet whose they are.
const MAX_PEERS: usize = 64;
/// ENet resends and pings by its own clock, which is looked at this often.
const TURN: Duration = Duration::from_millis(10);
/// The longest message a client may send, in however many fragments.
const MAX_MESSAGE_BYTES: usize = 4096;
/// What may wait for the rest of its fragments.
const MAX_WAITING_BYTES: usize = 64 * 1024;
/// After the host's end clients have this long to hear of it.
const FAREWELL: Duration = Duration::from_millis(300);

/// What the thread works with.
pub(crate) struct ControlParts {
    pub(crate) port: Arc<Port>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) host: Arc<dyn Host>,
    /// Rung when a session has something to say, begins or ends.
    pub(crate) alarm: Alarm,
    /// A client that is silent for this long is gone.
    pub(crate) idle_timeout: Duration,
}

/// The thread. Dropping it ends every session and then it.
#[derive(Debug)]
pub(crate) struct Control {
    stop: Arc<AtomicBool>,
    alarm: Alarm,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    pub(crate) fn start(parts: ControlParts) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, alarm) = (Arc::clone(&stop), parts.alarm.clone());
        let socket = Guarded::new(Arc::clone(&parts.port), Arc::clone(&parts.registry));
        let settings = HostSettings {
            peer_limit: MAX_PEERS,
            channel_limit: CHANNELS,
            ..HostSettings::default()
        };
        let mut enet = rusty_enet::Host::new(socket, settings).map_err(io::Error::other)?;
        for bounded in [
            enet.set_maximum_packet_size(MAX_MESSAGE_BYTES),
            enet.set_maximum_waiting_data(MAX_WAITING_BYTES),
        ] {
            bounded.map_err(io::Error::other)?;
        }
        let thread = thread::Builder::new()
            .name("moonlight-control".to_owned())
            .spawn(move || {
                let peers = Peers::new(Arc::clone(&parts.registry), Arc::clone(&parts.host));
                Turns { enet, peers, parts }.run(&seen);
            })?;
        Ok(Self {
            stop,
            alarm,
            thread: Some(thread),
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.alarm.ring();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the control thread of Moonlight clients panicked");
        }
    }
}

struct Turns {
    enet: rusty_enet::Host<Guarded>,
    peers: Peers,
    parts: ControlParts,
}

impl Turns {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if !self.turn(None) {
                break;
            }
        }
        for session in self.parts.registry.all() {
            session.end(EndReason::HostStopped);
        }
        let until = MonoTime::now() + FAREWELL;
        while !self.peers.is_empty() && MonoTime::now() < until && self.turn(Some(until)) {}
    }

    /// Sleeps until something happens, and deals with it. `false` when it cannot go on.
    fn turn(&mut self, until: Option<MonoTime>) -> bool {
        let busy = !self.peers.is_empty() || !self.parts.registry.all().is_empty();
        let deadline = busy.then(|| MonoTime::now() + TURN);
        let deadline = deadline.into_iter().chain(until).min();
        let mut fds = [readable(&self.parts.alarm), readable(&*self.parts.port)];
        if let Err(error) = sleep(&mut fds, deadline) {
            tracing::error!(%error, "Moonlight's control port cannot be waited for");
            return false;
        }
        self.parts.alarm.hush();
        let now = MonoTime::now();
        loop {
            match self
                .enet
                .service()
                .map(|event| event.map(|event| event.no_ref()))
            {
                Ok(Some(event)) => self.take(event, now),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "Moonlight's control port broke");
                    return false;
                }
            }
        }
        self.peers
            .tend(&mut self.enet, self.parts.idle_timeout, now);
        self.enet.flush();
        true
    }

    fn take(&mut self, event: EventNoRef, now: MonoTime) {
        match event {
            EventNoRef::Connect { peer, data } => {
                self.peers.connected(&mut self.enet, peer, data, now);
            }
            EventNoRef::Disconnect { peer, .. } => self.peers.disconnected(peer),
            EventNoRef::Receive { peer, packet, .. } => {
                self.peers.received(peer, packet.data(), now);
            }
        }
    }
}
