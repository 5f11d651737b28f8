//! One running session, as its threads share it: who it is, where its packets go, what it asks of the
//! encoder, and how it ended. The first end counts.

use control_api::EndReason;
use events::ViewerId;
use gamestream_proto::StreamKey;
use gamestream_proto::rtsp::StreamRequest;
use gamestream_proto::video::FrameFecStatus;
use net::{Alarm, Route};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::paired::PairedClient;

/// Requests that may wait for the video thread, which takes them before each picture.
const WAITING_REQUESTS: usize = 256;

/// What the client asks of its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoRequest {
    /// A picture that decoding can start at.
    Keyframe,
    /// These frames, by the client's numbers, are lost.
    Lost { first: u32, last: u32 },
    /// How a frame arrived.
    Arrived(FrameFecStatus),
    /// The round trip, as the control connection measures it.
    RoundTrip(std::time::Duration),
}

/// What is said to the client over the control connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// Something for its devices.
    Feedback(input::Feedback),
}

/// Who a session is for, and what was agreed.
pub(crate) struct Agreed {
    pub(crate) viewer: ViewerId,
    pub(crate) client: PairedClient,
    pub(crate) address: IpAddr,
    pub(crate) key: StreamKey,
    pub(crate) key_id: i32,
    pub(crate) stream: StreamRequest,
    /// What its pings begin with.
    pub(crate) ping: [u8; 16],
    /// What its control connection begins with.
    pub(crate) connect_data: u32,
}

/// A session.
pub(crate) struct Session {
    pub(crate) agreed: Agreed,
    pub(crate) video: Lane,
    pub(crate) audio: Lane,
    requests: Mutex<VecDeque<VideoRequest>>,
    said: Mutex<VecDeque<Said>>,
    end: OnceLock<EndReason>,
    /// Rung when there is something to say, or the session is over.
    control: Alarm,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("viewer", &self.agreed.viewer)
            .field("client", &self.agreed.client.name)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session whose control thread wakes by `control`.
    pub(crate) fn new(agreed: Agreed, control: Alarm) -> io::Result<Self> {
        Ok(Self {
            agreed,
            video: Lane::new()?,
            audio: Lane::new()?,
            requests: Mutex::default(),
            said: Mutex::default(),
            end: OnceLock::new(),
            control,
        })
    }

    pub(crate) const fn viewer(&self) -> ViewerId {
        self.agreed.viewer
    }

    /// Asks something of the video thread. What finds no room is old by the time there is some: a
    /// client asks again.
    pub(crate) fn request(&self, request: VideoRequest) {
        let mut requests = lock(&self.requests);
        if requests.len() < WAITING_REQUESTS {
            requests.push_back(request);
            drop(requests);
            self.video.alarm.ring();
        }
    }

    pub(crate) fn next_request(&self) -> Option<VideoRequest> {
        lock(&self.requests).pop_front()
    }

    /// Says something to the client. What finds no room is dropped.
    pub(crate) fn say(&self, what: Said) {
        let mut said = lock(&self.said);
        if said.len() < WAITING_REQUESTS {
            said.push_back(what);
            drop(said);
            self.control.ring();
        }
    }

    pub(crate) fn next_said(&self) -> Option<Said> {
        lock(&self.said).pop_front()
    }

    /// Ends it, unless it has ended. Whether this was its end.
    pub(crate) fn end(&self, reason: EndReason) -> bool {
        let first = self.end.set(reason).is_ok();
        for alarm in [&self.control, &self.video.alarm, &self.audio.alarm] {
            alarm.ring();
        }
        first
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&self) -> Option<EndReason> {
        self.end.get().copied()
    }
}

/// Where one kind of packets goes, and what wakes the thread that sends them.
pub(crate) struct Lane {
    pub(crate) alarm: Alarm,
    route: Mutex<Option<Route>>,
}

impl Lane {
    fn new() -> io::Result<Self> {
        Ok(Self {
            alarm: Alarm::new()?,
            route: Mutex::default(),
        })
    }

    /// The client can be reached there, as its ping says.
    pub(crate) fn heard_from(&self, route: Route) {
        if lock(&self.route).replace(route) != Some(route) {
            self.alarm.ring();
        }
    }

    /// Where to send.
    pub(crate) fn route(&self) -> Option<Route> {
        *lock(&self.route)
    }
}

/// Every change under these locks leaves nothing half-done, so a panic elsewhere does no harm.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
