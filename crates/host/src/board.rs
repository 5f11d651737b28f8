//! What the host tells about itself: the state of host and source, as a pipeline reports it.

use capture::SourceSpec;
use control_api::{
    EncoderInfo, HostState, LostReason, SoundInfo, SourceInfo, SourceProblem, VideoInputState,
};
use pipeline::{PipelineStatus, SourceState};
use std::fmt;
use tokio::sync::watch;

/// Holds both states and tells whoever watches them.
pub(crate) struct StateBoard {
    host: watch::Sender<HostState>,
    video: watch::Sender<VideoInputState>,
}

impl fmt::Debug for StateBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateBoard")
            .field("host", &*self.host.borrow())
            .finish_non_exhaustive()
    }
}

impl StateBoard {
    pub(crate) fn new(version: &str, fps: u32) -> Self {
        let host = HostState {
            version: version.to_owned(),
            fps: Some(fps),
            ..HostState::default()
        };
        let (host, _) = watch::channel(host);
        let (video, _) = watch::channel(VideoInputState::default());
        Self { host, video }
    }

    pub(crate) fn host(&self) -> watch::Receiver<HostState> {
        self.host.subscribe()
    }

    pub(crate) fn video(&self) -> watch::Receiver<VideoInputState> {
        self.video.subscribe()
    }

    /// Says which source is chosen, whether or not it is captured now.
    pub(crate) fn chose_source(&self, spec: &SourceSpec, detail: &str) {
        let (name, detail) = (spec.to_string(), detail.to_owned());
        self.host
            .send_modify(|host| host.source = Some(SourceInfo { name, detail }));
    }

    /// Says how many frames a second there may be.
    pub(crate) fn chose_fps(&self, fps: u32) {
        self.host.send_modify(|host| host.fps = Some(fps));
        self.video
            .send_modify(|video| video.fps = video.width.map(|_| fps));
    }

    /// Says whether there is sound, as who captures it knows.
    pub(crate) fn heard(&self, available: bool, detail: &str) {
        let detail = detail.to_owned();
        self.tell_sound(&SoundInfo { available, detail });
    }

    /// Says whether there is sound, as somebody saw who only looked.
    pub(crate) fn looked(&self, sound: &SoundInfo) {
        // Whoever captured something meanwhile knows better.
        if sound.available || !self.has_sound() {
            self.tell_sound(sound);
        }
    }

    /// Whether there was sound when somebody last looked.
    pub(crate) fn has_sound(&self) -> bool {
        let host = self.host.borrow();
        host.sound.as_ref().is_some_and(|sound| sound.available)
    }

    fn tell_sound(&self, sound: &SoundInfo) {
        self.host.send_if_modified(|host| {
            let changed = host.sound.as_ref() != Some(sound);
            host.sound = Some(sound.clone());
            changed
        });
    }

    /// Takes over what a pipeline says about itself.
    pub(crate) fn show(&self, status: &PipelineStatus) {
        let size = status.size;
        self.host.send_modify(|host| {
            if let (SourceState::Present(info), Some(source)) = (&status.source, &mut host.source) {
                source.detail.clone_from(&info.detail);
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
        let fps = self.host.borrow().fps;
        self.video.send_modify(|video| {
            video.ready = matches!(status.source, SourceState::Present(_));
            video.streaming = video.ready && size.is_some();
            let lost = match &status.source {
                SourceState::Absent { reason, why } => Some((lost_reason(*reason), why.clone())),
                SourceState::Idle | SourceState::Present(_) => None,
            };
            video.error = lost.as_ref().map(|(reason, _)| problem(*reason));
            video.reason = lost.as_ref().map(|(reason, _)| *reason);
            video.why = lost.map(|(_, why)| why);
            video.width = size.map(|size| size.width);
            video.height = size.map(|size| size.height);
            video.fps = size.and(fps);
        });
    }
}

fn lost_reason(reason: events::LostReason) -> LostReason {
    match reason {
        events::LostReason::NoSignal => LostReason::NoSignal,
        events::LostReason::NoDevice => LostReason::NoDevice,
        events::LostReason::UnsupportedMode => LostReason::UnsupportedMode,
        events::LostReason::SourceRestarting => LostReason::SourceRestarting,
    }
}

/// Video receivers know fewer reasons.
fn problem(reason: LostReason) -> SourceProblem {
    match reason {
        LostReason::UnsupportedMode => SourceProblem::OutOfRange,
        LostReason::NoSignal | LostReason::NoDevice | LostReason::SourceRestarting => {
            SourceProblem::NoSignal
        }
    }
}
