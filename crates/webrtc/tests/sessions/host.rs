//! The host's side: an engine, one pipeline of scripted pictures, and everything they tell.

use audio::{AudioOptions, AudioPipeline};
use capture::{Source, SourceError, SourceInfo, SourceRequest, StopSignal, Synthetic};
use encode::scripted::Scripted;
use events::{Event, EventRing, ViewerId};
use media::{Bitrate, Codec, Frame, FrameRate, QualityProfile, Size, StreamParams};
use pipeline::{OpenedEncoder, Pipeline, PipelineParts};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use webrtc::{
    ChannelEvent, ChannelId, EndReason, Engine, EngineConfig, EngineParts, Flavour, OfferError,
    SessionOptions,
};

/// Nothing takes this long, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const FPS: u32 = 30;
/// A host that gives viewers no sound.
pub(crate) const DEAF: &str = "deaf";

/// What the host heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Opened(ViewerId, ChannelId, String),
    Message(ViewerId, ChannelId, bool, Vec<u8>),
    Closed(ViewerId, ChannelId),
    Ended(ViewerId, EndReason),
}

/// Shows one picture and then nothing.
struct Still {
    inner: Synthetic,
    shown: bool,
}

impl Source for Still {
    fn info(&self) -> SourceInfo {
        self.inner.info()
    }

    fn next_frame(&mut self, stop: &StopSignal) -> Result<Option<Frame>, SourceError> {
        if !std::mem::replace(&mut self.shown, true) {
            return self.inner.next_frame(stop);
        }
        while !stop.is_raised() {
            stop.wait(None, None)?;
        }
        Ok(None)
    }
}

/// What the source shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Moving,
    Still,
}

pub(crate) struct Host {
    // Sessions end before the pipeline.
    pub(crate) engine: Engine,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) sound: Arc<AudioPipeline>,
    pub(crate) events: EventRing,
    heard: Receiver<Heard>,
}

fn start_pipeline(screen: Screen, events: events::EventSink) -> Pipeline {
    let rate = FrameRate::new(FPS).unwrap();
    let params = StreamParams {
        size: Some(Size::new(320, 240)),
        rate,
        bitrate: Bitrate::new(4_000_000).unwrap(),
        codec: Codec::H264,
        profile: QualityProfile::default(),
        slices: 1,
    };
    let request = SourceRequest {
        target: None,
        size: params.size,
        rate,
    };
    let parts = PipelineParts {
        number: 1,
        params,
        encoder_threads: 1,
        reference_pictures: 8,
        keep_alive: Some(pipeline::KEEP_ALIVE),
        open_source: Arc::new(move || {
            let inner = Synthetic::open(&request)?;
            Ok(match screen {
                Screen::Moving => Box::new(inner),
                Screen::Still => Box::new(Still {
                    inner,
                    shown: false,
                }),
            })
        }),
        open_encoder: Arc::new(|config| {
            Ok(OpenedEncoder {
                encoder: Box::new(Scripted::steady(config)),
                reason: "it is the only one".to_owned(),
            })
        }),
        events,
        on_status: Box::new(|_| {}),
    };
    Pipeline::start(parts).unwrap()
}

impl Host {
    pub(crate) fn start(screen: Screen) -> Self {
        Self::patient(screen, PATIENCE)
    }

    /// A host that gives up silent clients after this time.
    pub(crate) fn patient(screen: Screen, idle_timeout: Duration) -> Self {
        Self::with(screen, idle_timeout, "tone")
    }

    /// A host whose viewers hear this, or have nothing to hear.
    pub(crate) fn sounding(screen: Screen, sound: &str) -> Self {
        Self::with(screen, PATIENCE, sound)
    }

    fn with(screen: Screen, idle_timeout: Duration, sound: &str) -> Self {
        let for_viewers = sound != DEAF;
        let spec = if for_viewers { sound } else { "none" };
        let options = AudioOptions {
            spec: spec.parse().unwrap(),
            ..AudioOptions::default()
        };
        let sound = Arc::new(AudioPipeline::new(options, |_| {}));
        let (sink, events) = EventRing::new(1 << 16);
        let pipeline = Arc::new(start_pipeline(screen, sink.clone()));
        let (tell, heard) = channel();
        let (on_end, found): (Sender<Heard>, _) = (tell.clone(), Arc::clone(&pipeline));
        let parts = EngineParts {
            config: EngineConfig {
                udp: "127.0.0.1:0".parse().unwrap(),
                idle_timeout,
                initial_estimate: Bitrate::new(4_000_000).unwrap(),
            },
            events: sink,
            viewers: events::ViewerIds::default(),
            pipeline: Box::new(move || Ok(Arc::clone(&found))),
            sound: for_viewers.then(|| Arc::clone(&sound)),
            on_channel: Box::new(move |viewer, event| {
                // A test that heard enough hangs up.
                let _ = tell.send(match event {
                    ChannelEvent::Opened { id, label } => {
                        Heard::Opened(viewer, id, label.to_owned())
                    }
                    ChannelEvent::Message { id, binary, data } => {
                        Heard::Message(viewer, id, binary, data.to_vec())
                    }
                    ChannelEvent::Closed { id } => Heard::Closed(viewer, id),
                });
            }),
            on_end: Box::new(move |viewer, reason| {
                let _ = on_end.send(Heard::Ended(viewer, reason));
            }),
        };
        Self {
            engine: Engine::start(parts).unwrap(),
            pipeline,
            sound,
            events,
            heard,
        }
    }

    pub(crate) fn offer(
        &self,
        sdp: &str,
        flavour: Flavour,
    ) -> Result<(ViewerId, String), OfferError> {
        let (tell, told) = channel();
        let options = SessionOptions { flavour };
        let on_answer = Box::new(move |answer| tell.send(answer).unwrap());
        self.engine.offer(sdp.to_owned(), options, on_answer);
        let answer = told.recv_timeout(PATIENCE).unwrap()?;
        Ok((answer.viewer, answer.sdp))
    }

    pub(crate) fn try_hear(&self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    pub(crate) fn hear(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Pauses or resumes, and waits until that is in effect.
    pub(crate) fn set_paused(&self, viewer: ViewerId, paused: bool) -> bool {
        let (tell, told) = channel();
        let on_done = Box::new(move |known| tell.send(known).unwrap());
        if paused {
            self.engine.pause(viewer, on_done);
        } else {
            self.engine.resume(viewer, on_done);
        }
        told.recv_timeout(PATIENCE).unwrap()
    }

    /// Mutes or unmutes, and waits until the engine heard of it.
    pub(crate) fn set_muted(&self, viewer: ViewerId, muted: bool) -> bool {
        let (tell, told) = channel();
        let on_done = Box::new(move |known| tell.send(known).unwrap());
        self.engine.set_muted(viewer, muted, on_done);
        told.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until so many listen; nothing is captured when nobody does.
    pub(crate) fn expect_listeners(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let listeners = || -> usize { self.sound.status().iter().map(|s| s.consumers).sum() };
        while listeners() != count || (count == 0 && !self.sound.status().is_empty()) {
            let status = self.sound.status();
            assert!(Instant::now() < until, "{status:?}, not {count}");
            std::thread::yield_now();
        }
    }

    /// Waits until the pipeline has so many consumers.
    pub(crate) fn expect_consumers(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        while self.pipeline.status().consumers != count {
            let present = self.pipeline.status().consumers;
            assert!(Instant::now() < until, "{present} consumers, not {count}");
            std::thread::yield_now();
        }
    }

    /// Joins and leaves since the last call.
    pub(crate) fn take_changes(&self) -> (u32, u32) {
        let (mut joined, mut left) = (0, 0);
        while let Some(event) = self.events.pop() {
            match event {
                Event::ConsumerChange(change) if change.joined => joined += 1,
                Event::ConsumerChange(_) => left += 1,
                _ => {}
            }
        }
        (joined, left)
    }

    /// Waits until as many have joined and left since the last call as `done` wants.
    pub(crate) fn expect_changes(&self, done: impl Fn(u32, u32) -> bool) {
        let until = Instant::now() + PATIENCE;
        let (mut joined, mut left) = self.take_changes();
        while !done(joined, left) {
            assert!(Instant::now() < until, "{joined} joined, {left} left");
            std::thread::yield_now();
            let more = self.take_changes();
            (joined, left) = (joined + more.0, left + more.1);
        }
    }

    /// Keyframes since the last call.
    pub(crate) fn take_keyframes(&self) -> usize {
        let events = std::iter::from_fn(|| self.events.pop());
        events
            .filter(|event| matches!(event, Event::FrameEncoded(frame) if frame.keyframe.is_some()))
            .count()
    }
}
