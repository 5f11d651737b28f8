//! A whole pipeline on real threads, with a scripted screen and encoder, and readers of its units.

use super::coder::Coder;
use super::screen::Screen;
use super::watch::Watch;
use crate::{Lease, LostReason, Pipeline, PipelineParts, PipelineStatus, SourceState, UnitQueue};
use events::{EventRing, ViewerId};
use media::{AccessUnit, Bitrate, Codec, FrameKind, FrameRate, QualityProfile, StreamParams};
use std::sync::Arc;

pub(crate) fn params(fps: u32) -> StreamParams {
    StreamParams {
        size: None,
        rate: FrameRate::new(fps).unwrap(),
        bitrate: Bitrate::new(8_000_000).unwrap(),
        codec: Codec::H264,
        profile: QualityProfile::Latency,
        slices: 1,
    }
}

pub(crate) struct Stage {
    pub(crate) pipeline: Pipeline,
    pub(crate) screen: Screen,
    pub(crate) coder: Coder,
    pub(crate) status: Watch<PipelineStatus>,
    pub(crate) events: EventRing,
}

impl Stage {
    /// `number` also names the pipeline's threads.
    pub(crate) fn new(number: u32) -> Self {
        Self::at_rate(number, 60)
    }

    pub(crate) fn at_rate(number: u32, fps: u32) -> Self {
        let (sink, events) = EventRing::new(1 << 10);
        let (screen, coder) = (Screen::new(), Coder::able());
        let status = Watch::new(PipelineStatus::default());
        let told = status.clone();
        let parts = PipelineParts {
            number,
            params: params(fps),
            encoder_threads: 1,
            reference_pictures: 16,
            keep_alive: None,
            open_source: screen.opener(),
            open_encoder: coder.opener(),
            events: sink,
            on_status: Box::new(move |now| told.change(|status| status.clone_from(now))),
        };
        let pipeline = Pipeline::start(parts).unwrap();
        Self {
            pipeline,
            screen,
            coder,
            status,
            events,
        }
    }

    pub(crate) fn watch(&self, viewer: u32) -> Reader {
        let reader = Reader::new();
        let lease = self.pipeline.acquire(ViewerId(viewer), reader.queue());
        Reader {
            lease: Some(lease.unwrap()),
            ..reader
        }
    }

    /// Sleeps until the status says so.
    pub(crate) fn until(&self, what: &str, reached: impl Fn(&PipelineStatus) -> bool) {
        let reached = |status: &mut PipelineStatus| reached(status).then_some(());
        self.status.until(what, reached);
    }

    pub(crate) fn until_idle(&self) {
        let idle = |status: &PipelineStatus| {
            status.consumers == 0 && status.source == SourceState::Idle && status.encoder.is_none()
        };
        self.until("it is idle", idle);
    }

    /// Sleeps until the source is called so.
    pub(crate) fn until_lost(&self, wanted: LostReason) {
        self.until("the source is lost", |status| {
            matches!(status.source, SourceState::Absent { reason, .. } if reason == wanted)
        });
    }

    pub(crate) fn until_present(&self) {
        self.until("pictures come", |status| {
            matches!(status.source, SourceState::Present(_))
        });
    }

    pub(crate) fn until_absent(&self, part_of_reason: &str) {
        self.until(part_of_reason, |status| match &status.source {
            SourceState::Absent { why, .. } => why.contains(part_of_reason),
            _ => false,
        });
    }
}

/// A viewer's end of a queue.
pub(crate) struct Reader {
    pub(crate) lease: Option<Lease>,
    queue: Arc<UnitQueue>,
    bell: Watch<()>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let bell = Watch::new(());
        let rings = bell.clone();
        let queue = UnitQueue::new(params(60).rate.interval(), move || rings.change(|()| ()));
        Self {
            lease: None,
            queue,
            bell,
        }
    }

    pub(crate) fn queue(&self) -> Arc<UnitQueue> {
        Arc::clone(&self.queue)
    }

    /// Sleeps until there is a unit.
    pub(crate) fn next(&self) -> Arc<AccessUnit> {
        self.bell.until("a unit comes", |()| self.queue.pop())
    }

    /// Sleeps until there is a unit like this one.
    pub(crate) fn next_such(&self, wanted: impl Fn(&AccessUnit) -> bool) -> Arc<AccessUnit> {
        std::iter::repeat_with(|| self.next())
            .find(|unit| wanted(unit))
            .unwrap()
    }

    /// Sleeps until there is a unit of a slate.
    pub(crate) fn next_slate(&self) -> Arc<AccessUnit> {
        self.next_such(|unit| unit.kind == FrameKind::Placeholder)
    }

    /// Sleeps until there is a unit of a new picture.
    pub(crate) fn next_fresh(&self) -> Arc<AccessUnit> {
        self.next_such(|unit| unit.kind == FrameKind::Fresh)
    }

    /// Sleeps until the pipeline has ended the queue.
    pub(crate) fn until_closed(&self) {
        self.bell
            .until("the queue ends", |()| self.queue.is_closed().then_some(()));
    }
}
