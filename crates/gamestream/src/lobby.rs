//! Launches on their way to a stream: each has its RTSP, and a short time to come through it.

use crate::paired::PairedClient;
use crate::session::lock;
use events::ViewerId;
use gamestream_proto::http::SessionParameters;
use gamestream_proto::pairing::Fingerprint;
use gamestream_proto::rtsp::{PendingAnnounce, RtspSession, StreamRequest, Turn};
use media::MonoTime;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// From the launch to the end of RTSP. Clients take a second; a stopped one gets its time.
pub(crate) const STREAM_WITHIN: Duration = Duration::from_secs(30);
/// A launch that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) viewer: ViewerId,
    pub(crate) client: PairedClient,
    /// Where the client is.
    pub(crate) address: IpAddr,
    /// What it said about sound, controllers and keys.
    pub(crate) parameters: SessionParameters,
}

/// What a piece of RTSP belongs to, and what follows.
pub(crate) enum Heard {
    /// It is whole, and answered; then the connection ends.
    Answer(Vec<u8>),
    /// A stream is asked for.
    Announced(Box<Announced>),
    /// More has to come.
    Incomplete,
    /// It is nobody's: the connection ends without an answer.
    Nobodys,
}

/// A stream that is asked for.
pub(crate) struct Announced {
    pub(crate) launch: Launch,
    pub(crate) request: StreamRequest,
    pub(crate) ping: [u8; 16],
    pub(crate) connect_data: u32,
    pub(crate) pending: PendingAnnounce,
}

struct Waiting {
    launch: Launch,
    rtsp: RtspSession,
    until: MonoTime,
}

/// The launches that wait for their stream.
#[derive(Default)]
pub(crate) struct Lobby {
    waiting: Mutex<Vec<Arc<Mutex<Waiting>>>>,
}

impl Lobby {
    /// Lets a launch in, which was granted a place: there are no more of them than places.
    pub(crate) fn enter(&self, launch: Launch, rtsp: RtspSession, now: MonoTime) {
        let until = now + STREAM_WITHIN;
        lock(&self.waiting).push(Arc::new(Mutex::new(Waiting {
            launch,
            rtsp,
            until,
        })));
    }

    /// A launch will not become a stream, or its stream is over. `false` when it was not here.
    pub(crate) fn leave(&self, viewer: ViewerId) -> bool {
        let mut waiting = lock(&self.waiting);
        let before = waiting.len();
        waiting.retain(|known| lock(known).launch.viewer != viewer);
        waiting.len() < before
    }

    /// The launches of a client.
    pub(crate) fn of_client(&self, client: Fingerprint) -> Vec<ViewerId> {
        let waiting = lock(&self.waiting).clone();
        let launches = waiting.iter().map(|known| lock(known).launch.clone());
        let own = launches.filter(|launch| launch.client.fingerprint() == client);
        own.map(|launch| launch.viewer).collect()
    }

    /// Takes what has come on a connection from `address`. Which launch it belongs to shows only by
    /// whose key opens it, or by the address where nothing is encrypted.
    pub(crate) fn hear(&self, address: IpAddr, received: &[u8], now: MonoTime) -> Heard {
        let mut candidates = lock(&self.waiting).clone();
        candidates.retain(|known| {
            let known = lock(known);
            known.until > now && known.launch.address == address
        });
        let mut incomplete = false;
        for candidate in candidates.iter().rev() {
            let mut waiting = lock(candidate);
            match waiting.rtsp.message_length(received) {
                Ok(Some(length)) => {
                    if let Ok(turn) = waiting.rtsp.take(&received[..length]) {
                        return waiting.heard(turn);
                    }
                }
                Ok(None) => incomplete = true,
                Err(_) => {}
            }
        }
        match incomplete {
            true => Heard::Incomplete,
            false => Heard::Nobodys,
        }
    }

    /// Answers an announced stream.
    pub(crate) fn answer(
        &self,
        viewer: ViewerId,
        pending: PendingAnnounce,
        status: gamestream_proto::rtsp::Status,
    ) -> Option<Vec<u8>> {
        let waiting = lock(&self.waiting).clone();
        let mut waiting = waiting.iter();
        let entry = waiting.find(|known| lock(known).launch.viewer == viewer)?;
        lock(entry).rtsp.answer(pending, status).ok()
    }
}

impl Waiting {
    fn heard(&self, turn: Turn) -> Heard {
        match turn {
            Turn::Reply(bytes) | Turn::Playing(bytes) => Heard::Answer(bytes),
            Turn::Refused { reply, why } => {
                let client = &self.launch.client.name;
                tracing::warn!(%client, %why, "a Moonlight client asks for what cannot be");
                Heard::Answer(reply)
            }
            Turn::Announced { request, pending } => Heard::Announced(Box::new(Announced {
                launch: self.launch.clone(),
                request: *request,
                ping: self.rtsp.ping_payload(),
                connect_data: self.rtsp.connect_data(),
                pending,
            })),
        }
    }
}
