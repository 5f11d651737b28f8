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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::paired::Paired;
    use gamestream_proto::http::DisplayMode;
    use gamestream_proto::rtsp::{
        AudioRequest, Chroma, ClientFeatures, ColourSpace, Encryption, VideoCodec,
        VideoRequest as Wanted,
    };
    use media::Size;
    use std::time::SystemTime;

    /// 720p60 in H.264, stereo.
    pub(crate) fn request() -> StreamRequest {
        StreamRequest {
            video: Wanted {
                mode: DisplayMode::new(Size::new(1280, 720), 60).unwrap(),
                refresh_rate_x100: None,
                packet_bytes: 1392,
                bitrate_kbps: 10_000,
                bitrate_is_for_all: true,
                slices_per_frame: 1,
                max_reference_frames: None,
                codec: VideoCodec::H264,
                hdr: false,
                chroma: Chroma::Yuv420,
                colour_space: ColourSpace::Rec709,
                full_range: false,
                min_fec_packets: 2,
                mark_urgent: false,
                intra_refresh: false,
            },
            audio: AudioRequest {
                channels: 2,
                mask: 3,
                high_quality: false,
                packet_ms: 5,
                mark_urgent: false,
            },
            encryption: Encryption::default(),
            client: ClientFeatures::default(),
        }
    }

    /// A session of a client at 192.0.2.`number`.
    pub(crate) fn session(number: u8) -> Session {
        let folder = tempfile::tempdir().unwrap();
        let mut paired = Paired::open(folder.path()).unwrap();
        let client = paired.add(&[number], "test", SystemTime::now()).unwrap();
        let agreed = Agreed {
            viewer: ViewerId(number.into()),
            client,
            address: IpAddr::from([192, 0, 2, number]),
            key: StreamKey::new([number; 16]),
            key_id: 1,
            stream: request(),
            ping: [number; 16],
            connect_data: u32::from(number) * 1000,
        };
        Session::new(agreed, Alarm::new().unwrap()).unwrap()
    }

    #[test]
    fn the_first_end_counts() {
        let session = session(1);
        assert_eq!(session.ended(), None);
        assert!(session.end(EndReason::Operator));
        assert!(!session.end(EndReason::Lost));
        assert_eq!(session.ended(), Some(EndReason::Operator));
    }

    #[test]
    fn a_flood_of_requests_is_bounded_and_those_that_found_room_keep_their_order() {
        let session = session(1);
        for first in 0..1000 {
            session.request(VideoRequest::Lost { first, last: first });
        }
        let taken: Vec<_> = std::iter::from_fn(|| session.next_request()).collect();
        let expected =
            (0..WAITING_REQUESTS as u32).map(|first| VideoRequest::Lost { first, last: first });
        assert!(taken.into_iter().eq(expected));
    }
}
