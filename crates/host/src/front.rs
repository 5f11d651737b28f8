//! The media engine as the front door sees it: offers, ends and state between two threads.

use capture::SourceSpec;
use control::{EncoderInfo, HostState, Offer, SourceInfo, SourceProblem, VideoInputState};
use events::ViewerId;
use pipeline::{PipelineStatus, SourceState};
use std::collections::HashMap;
use std::fmt;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};
use webrtc::{Engine, OfferError, SessionOptions};

/// Who waits for the end of which session.
#[derive(Clone, Default)]
pub(crate) struct Endings(Arc<Mutex<HashMap<ViewerId, oneshot::Sender<control::EndReason>>>>);

impl Endings {
    fn lock(&self) -> MutexGuard<'_, HashMap<ViewerId, oneshot::Sender<control::EndReason>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits that a session ended.
    pub(crate) fn ended(&self, viewer: ViewerId, reason: webrtc::EndReason) {
        if let Some(waiting) = self.lock().remove(&viewer) {
            // Nobody listens any more: then nobody needs to be told.
            let _ = waiting.send(to_control(reason));
        }
    }
}

/// What the page shows about the host.
pub(crate) struct StateBoard {
    host: watch::Sender<HostState>,
    video: watch::Sender<VideoInputState>,
    fps: u32,
}

impl fmt::Debug for StateBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateBoard")
            .field("host", &*self.host.borrow())
            .finish_non_exhaustive()
    }
}

impl StateBoard {
    pub(crate) fn new(version: &str, fps: u32, spec: &SourceSpec, detail: &str) -> Self {
        let source = SourceInfo {
            name: spec.to_string(),
            detail: detail.to_owned(),
        };
        let host = HostState {
            version: version.to_owned(),
            source: Some(source),
            fps: Some(fps),
            ..HostState::default()
        };
        let (host, _) = watch::channel(host);
        let (video, _) = watch::channel(VideoInputState::default());
        Self { host, video, fps }
    }

    /// Takes over what a pipeline says about itself.
    pub(crate) fn show(&self, status: &PipelineStatus) {
        let size = status.size;
        self.host.send_modify(|host| {
            if let SourceState::Present(info) = &status.source {
                let (name, detail) = (info.name.to_owned(), info.detail.clone());
                host.source = Some(SourceInfo { name, detail });
            }
            host.encoder = status.encoder.as_ref().map(|(name, reason)| EncoderInfo {
                name: (*name).to_owned(),
                reason: reason.clone(),
            });
            host.codec = status
                .encoder
                .as_ref()
                .map(|_| media::Codec::H264.to_string());
            host.width = size.map(|size| size.width);
            host.height = size.map(|size| size.height);
            host.bitrate_bps = status.bitrate.map(media::Bitrate::bps);
            host.viewers = u32::try_from(status.consumers).unwrap_or(u32::MAX);
        });
        let absent = matches!(status.source, SourceState::Absent { .. });
        self.video.send_modify(|video| {
            video.ready = matches!(status.source, SourceState::Present(_));
            video.streaming = video.ready && size.is_some();
            video.error = absent.then_some(SourceProblem::NoSignal);
            video.width = size.map(|size| size.width);
            video.height = size.map(|size| size.height);
            video.fps = size.map(|_| self.fps);
        });
    }
}

/// Implements what the front door asks for.
pub(crate) struct Front {
    pub(crate) engine: Arc<Engine>,
    pub(crate) endings: Endings,
    pub(crate) board: Arc<StateBoard>,
}

impl control::Engine for Front {
    fn offer(&self, offer: Offer) {
        let (endings, engine) = (self.endings.clone(), Arc::downgrade(&self.engine));
        let Offer {
            sdp, reply, ended, ..
        } = offer;
        self.engine.offer(
            sdp,
            SessionOptions::default(),
            Box::new(move |outcome| match outcome {
                Ok(answer) => {
                    let viewer = answer.viewer;
                    endings.lock().insert(viewer, ended);
                    let answer = control::Answer {
                        viewer,
                        sdp: answer.sdp,
                    };
                    if reply.send(Ok(answer)).is_err()
                        && let Some(engine) = engine.upgrade()
                    {
                        // The client went away before its answer came.
                        engine.close(viewer, webrtc::EndReason::Left);
                    }
                }
                Err(error) => {
                    // Nobody waits for the refusal any more: then nobody needs it.
                    let _ = reply.send(Err(refusal(error)));
                }
            }),
        );
    }

    fn candidate(&self, viewer: ViewerId, candidate: String) {
        self.engine.candidate(viewer, candidate);
    }

    fn close(&self, viewer: ViewerId, reason: control::EndReason) {
        let reason = match reason {
            control::EndReason::Timeout => webrtc::EndReason::Timeout,
            control::EndReason::HostStopped => webrtc::EndReason::HostStopped,
            control::EndReason::Lost => webrtc::EndReason::Lost,
            control::EndReason::Replaced => webrtc::EndReason::Replaced,
            control::EndReason::Operator => webrtc::EndReason::Operator,
            control::EndReason::Error => webrtc::EndReason::Error,
            _ => webrtc::EndReason::Left,
        };
        self.engine.close(viewer, reason);
    }

    fn accept_ice_tcp(&self, connection: TcpStream) {
        self.engine.accept_tcp(connection);
    }

    fn host_state(&self) -> watch::Receiver<HostState> {
        self.board.host.subscribe()
    }

    fn video_input(&self) -> watch::Receiver<VideoInputState> {
        self.board.video.subscribe()
    }
}

fn to_control(reason: webrtc::EndReason) -> control::EndReason {
    match reason {
        webrtc::EndReason::Left => control::EndReason::Quit,
        webrtc::EndReason::Timeout => control::EndReason::Timeout,
        webrtc::EndReason::HostStopped => control::EndReason::HostStopped,
        webrtc::EndReason::StreamEnded => control::EndReason::SourceEnded,
        webrtc::EndReason::Replaced => control::EndReason::Replaced,
        webrtc::EndReason::Operator => control::EndReason::Operator,
        webrtc::EndReason::Lost => control::EndReason::Lost,
        webrtc::EndReason::Error => control::EndReason::Error,
    }
}

fn refusal(error: OfferError) -> control::OfferError {
    match error {
        OfferError::Malformed(why) => control::OfferError::Malformed { why },
        OfferError::NoCommonCodec => control::OfferError::NoCommonCodec,
        OfferError::Busy(why) => control::OfferError::Unavailable { why },
    }
}
