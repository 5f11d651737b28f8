//! The pure part: events go in with the time, windows and frame records come out.
//!
//! It reads no clock and owns no thread, so a simulation can drive it.

use crate::samples::{Samples, micros};
use crate::second::{
    LinkSecond, PipelineSecond, PipelineStages, Second, SoundSecond, ViewerSecond, ViewerStages,
};
use events::{
    Event, FrameEncoded, FrameSent, KeyframeCause, LinkSample, LossRepair, RepairKind, SoundSample,
    UnitRefused, ViewerId,
};
use media::{FrameKind, MonoTime};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(1);
/// How long a frame record is kept for readers.
const FRAMES_KEPT: Duration = Duration::from_secs(2);
/// Records kept for one viewer: two seconds at the highest frame rate.
const MAX_FRAMES: usize = 2 * media::MAX_FPS as usize;
/// A link sample speaks for a second when it is no older than this at the second's end. Samples come
/// about once a second, so a window between two of them must not look unmeasured.
const LINK_FRESH: Duration = Duration::from_millis(1500);

/// One reading of the clock, on both scales.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The data path's clock.
    pub now: MonoTime,
    /// The same moment in microseconds since the Unix epoch.
    pub wall_us: u64,
}

impl Clock {
    /// Reads the clock.
    #[must_use]
    pub fn read() -> Self {
        let now = MonoTime::now();
        Self {
            now,
            wall_us: now.wall_us(),
        }
    }

    fn wall_us_at(self, at: MonoTime) -> u64 {
        let ago = u64::try_from(self.now.since(at).as_micros()).unwrap_or(u64::MAX);
        let ahead = u64::try_from(at.since(self.now).as_micros()).unwrap_or(u64::MAX);
        self.wall_us.saturating_sub(ago).saturating_add(ahead)
    }
}

/// The host's times of one frame that was sent to one viewer. Its stages tile the way from
/// `captured_us` to the last packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameRecord {
    /// RTP timestamp: the name under which the viewer knows the frame.
    pub rtp: u32,
    /// Host wall clock when the picture's change was noticed (or when it was repeated).
    pub captured_us: u64,
    /// Change noticed to pixels copied; absent unless newly captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grab_us: Option<u32>,
    /// Pixels copied to taken by the encode loop.
    pub queue_us: u32,
    /// Taken by the encode loop to complete access unit.
    pub encode_us: u32,
    /// Complete access unit to last packet in the kernel.
    pub send_us: u32,
    /// Bytes of the picture.
    pub bytes: u32,
    /// Whether it was a keyframe.
    pub keyframe: bool,
    /// Whether nothing new was on the screen.
    pub repeated: bool,
    #[serde(skip)]
    number: u64,
    #[serde(skip)]
    sent: MonoTime,
}

/// Frames that a reader has not seen yet, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// The frames.
    pub records: Vec<FrameRecord>,
    /// Ask with this the next time.
    pub cursor: u64,
}

/// Folds events into windows.
#[derive(Debug, Default)]
pub struct Fold {
    began: MonoTime,
    window_start: MonoTime,
    window: Window,
    links: BTreeMap<ViewerId, Link>,
    /// When the sound of each viewer was sampled last.
    sounds: BTreeMap<ViewerId, MonoTime>,
    frames: BTreeMap<ViewerId, VecDeque<FrameRecord>>,
    frames_seen: u64,
    dropped_before: u64,
    latest: Option<Arc<Second>>,
    windows_closed: u64,
}

#[derive(Debug, Default)]
struct Window {
    pipelines: BTreeMap<u32, PipelineWindow>,
    viewers: BTreeMap<ViewerId, ViewerWindow>,
}

#[derive(Debug, Default)]
struct PipelineWindow {
    counts: PipelineSecond,
    quantisers: (u32, u32),
    grab: Samples,
    queue: Samples,
    encode: Samples,
}

#[derive(Debug, Default)]
struct ViewerWindow {
    counts: ViewerSecond,
    grab: Samples,
    queue: Samples,
    encode: Samples,
    packetise: Samples,
    release: Samples,
    send: Samples,
    total: Samples,
}

/// The newest sample of one viewer's link, and the wire rate since the one before.
#[derive(Clone, Copy, Debug)]
struct Link {
    sample: LinkSample,
    sent_bps: Option<u64>,
}

impl Fold {
    /// Starts afresh at `now`: what was open is forgotten, so that a pause never shows as a slow
    /// second. `dropped` is the ring's count so far.
    pub fn begin(&mut self, now: MonoTime, dropped: u64) {
        self.began = now;
        self.window_start = now;
        self.window = Window::default();
        self.links.clear();
        self.sounds.clear();
        self.frames.clear();
        self.latest = None;
        self.dropped_before = dropped;
    }

    /// Takes one event in. Call [`Self::advance`] after the ring is empty.
    pub fn apply(&mut self, event: &Event, clock: Clock) {
        let at = time_of(event);
        // Left over from a time when nobody collected: it belongs to no second that is reported.
        if at < self.began {
            return;
        }
        self.close_windows_before(at, clock, self.dropped_before);
        match event {
            Event::FrameEncoded(encoded) => self.encoded(encoded),
            Event::FrameSent(sent) => self.sent(sent, clock),
            Event::FrameSuperseded(frame) => self.pipeline(frame.pipeline).counts.superseded += 1,
            Event::UnitRefused(refused) => self.refused(refused),
            Event::LossRepair(repair) => self.repaired(repair),
            Event::LinkSample(sample) => self.link(sample),
            Event::SoundSample(sample) => self.sound(sample),
            Event::ConsumerChange(change) if !change.joined => {
                self.frames.remove(&change.viewer);
                self.links.remove(&change.viewer);
                self.sounds.remove(&change.viewer);
            }
            Event::ConsumerChange(_)
            | Event::PipelineChange(_)
            | Event::EncoderOpened(_)
            | Event::SourceChange(_) => {}
        }
    }

    /// Closes the window when its second is over, and forgets frames that are too old. `dropped` is
    /// the ring's count.
    pub fn advance(&mut self, clock: Clock, dropped: u64) {
        self.close_windows_before(clock.now, clock, dropped);
        for frames in self.frames.values_mut() {
            while frames
                .front()
                .is_some_and(|f| f.sent + FRAMES_KEPT < clock.now)
            {
                frames.pop_front();
            }
        }
        self.frames.retain(|_, frames| !frames.is_empty());
    }

    /// The last complete second since the start; absent before the first one is over.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Second>> {
        self.latest.clone()
    }

    /// The frames sent to `viewer` after `cursor` (0 for all that are kept).
    #[must_use]
    pub fn frames_since(&self, viewer: ViewerId, cursor: u64) -> Frames {
        let kept = self.frames.get(&viewer).into_iter().flatten();
        let records: Vec<_> = kept.filter(|f| f.number > cursor).copied().collect();
        let cursor = records.last().map_or(cursor, |f| f.number);
        Frames { records, cursor }
    }

    fn close_windows_before(&mut self, at: MonoTime, clock: Clock, dropped: u64) {
        let mut end = self.window_start + WINDOW;
        if at < end {
            return;
        }
        let window = std::mem::take(&mut self.window);
        self.windows_closed += 1;
        self.latest = Some(Arc::new(Second {
            number: self.windows_closed,
            ended_us: clock.wall_us_at(end),
            events_dropped: dropped - self.dropped_before,
            pipelines: window
                .pipelines
                .into_iter()
                .map(|(id, w)| (id, w.close()))
                .collect(),
            viewers: window
                .viewers
                .into_iter()
                .map(|(viewer, w)| (viewer.0, w.close(self.links.get(&viewer), end)))
                .collect(),
        }));
        self.dropped_before = dropped;
        // Empty seconds, such as after a suspend, are skipped rather than reported one by one.
        while end + WINDOW <= at {
            end = end + WINDOW;
        }
        self.window_start = end;
    }

    fn pipeline(&mut self, pipeline: u32) -> &mut PipelineWindow {
        self.window.pipelines.entry(pipeline).or_default()
    }

    fn viewer(&mut self, viewer: ViewerId) -> &mut ViewerWindow {
        self.window.viewers.entry(viewer).or_default()
    }

    fn encoded(&mut self, event: &FrameEncoded) {
        let window = self.pipeline(event.pipeline);
        let counts = &mut window.counts;
        counts.encoded += 1;
        counts.bytes += u64::from(event.bytes);
        counts.recoveries += u32::from(event.recovers);
        if let Some(cause) = event.keyframe {
            *counts.keyframes.entry(cause_name(cause)).or_default() += 1;
        }
        if let Some(quantiser) = event.quantiser {
            window.quantisers.0 += u32::from(quantiser);
            window.quantisers.1 += 1;
        }
        match event.kind {
            FrameKind::Fresh => {
                counts.unique += 1;
                let capture = event.times.capture;
                window.grab.push(capture.grabbed.since(capture.noticed));
                window
                    .queue
                    .push(event.times.dequeued.since(capture.grabbed));
            }
            FrameKind::Repeat => counts.repeated += 1,
            FrameKind::Placeholder => counts.placeholders += 1,
        }
        window
            .encode
            .push(event.times.encoded.since(event.times.dequeued));
    }

    fn sent(&mut self, event: &FrameSent, clock: Clock) {
        self.viewer(event.viewer).sent(event);
        self.frames_seen += 1;
        let record = FrameRecord::new(event, clock, self.frames_seen);
        let frames = self.frames.entry(event.viewer).or_default();
        if frames.len() == MAX_FRAMES {
            frames.pop_front();
        }
        frames.push_back(record);
    }

    fn refused(&mut self, event: &UnitRefused) {
        self.pipeline(event.pipeline).counts.refused += 1;
        self.viewer(event.viewer).counts.refused += 1;
    }

    fn repaired(&mut self, event: &LossRepair) {
        let repairs = &mut self.viewer(event.viewer).counts.repairs;
        match event.kind {
            RepairKind::Resend => repairs.resent += event.packets,
            RepairKind::Invalidate => repairs.invalidations += 1,
            RepairKind::Keyframe => repairs.keyframes += 1,
        }
    }

    fn link(&mut self, sample: &LinkSample) {
        let before = self.links.get(&sample.viewer).map(|link| link.sample.at);
        let sent_bps = before.and_then(|at| {
            let span_us = u64::try_from(sample.at.since(at).as_micros()).unwrap_or(u64::MAX);
            (sample.sent_bytes.saturating_mul(8_000_000)).checked_div(span_us)
        });
        let sample = *sample;
        self.links.insert(sample.viewer, Link { sample, sent_bps });
        let link = &mut self.viewer(sample.viewer).counts.link;
        *link.nacks.get_or_insert(0) += sample.nacks;
        *link.plis.get_or_insert(0) += sample.plis;
    }

    fn sound(&mut self, sample: &SoundSample) {
        let before = self.sounds.insert(sample.viewer, sample.at);
        let Some(span) = before.map(|at| sample.at.since(at)) else {
            return;
        };
        // Who did not listen for a while was not sampled.
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let sent_bps = (sample.sent_bytes.saturating_mul(8_000_000)).checked_div(span_us);
        if let Some(sent_bps) = sent_bps.filter(|_| span <= LINK_FRESH) {
            self.viewer(sample.viewer).counts.sound = Some(SoundSecond {
                sent_bps,
                loss_ppm: sample.loss_ppm,
            });
        }
    }
}

impl PipelineWindow {
    fn close(mut self) -> PipelineSecond {
        let (sum, count) = self.quantisers;
        self.counts.quantiser = (count > 0).then(|| sum as f32 / count as f32);
        self.counts.stages = PipelineStages {
            grab: self.grab.summary(),
            queue: self.queue.summary(),
            encode: self.encode.summary(),
        };
        self.counts
    }
}

impl ViewerWindow {
    fn sent(&mut self, event: &FrameSent) {
        let times = event.times;
        let counts = &mut self.counts;
        counts.sent += 1;
        counts.packets += event.packets;
        counts.bytes += u64::from(event.bytes);
        counts.keyframes += u32::from(event.keyframe);
        match event.kind {
            FrameKind::Fresh => {
                counts.unique += 1;
                let capture = times.capture;
                self.grab.push(capture.grabbed.since(capture.noticed));
                self.queue.push(times.dequeued.since(capture.grabbed));
                self.total.push(event.last_sent.since(capture.noticed));
            }
            FrameKind::Repeat => counts.repeated += 1,
            FrameKind::Placeholder => {}
        }
        self.encode.push(times.encoded.since(times.dequeued));
        self.packetise.push(event.packetised.since(times.encoded));
        self.release.push(event.first_sent.since(event.packetised));
        self.send.push(event.last_sent.since(event.first_sent));
    }

    fn close(mut self, link: Option<&Link>, end: MonoTime) -> ViewerSecond {
        if let Some(Link { sample, sent_bps }) = link.filter(|l| l.sample.at + LINK_FRESH >= end) {
            self.counts.link = LinkSecond {
                rtt_us: sample.rtt_us,
                loss_ppm: sample.loss_ppm,
                estimate_bps: sample.estimate_bps,
                target_bps: Some(sample.target_bps),
                sent_bps: *sent_bps,
                ..self.counts.link
            };
        }
        self.counts.stages = ViewerStages {
            grab: self.grab.summary(),
            queue: self.queue.summary(),
            encode: self.encode.summary(),
            packetise: self.packetise.summary(),
            release: self.release.summary(),
            send: self.send.summary(),
            total: self.total.summary(),
        };
        self.counts
    }
}

impl FrameRecord {
    fn new(event: &FrameSent, clock: Clock, number: u64) -> Self {
        let times = event.times;
        let capture = times.capture;
        let fresh = event.kind == FrameKind::Fresh;
        Self {
            rtp: event.rtp.0,
            captured_us: clock.wall_us_at(capture.noticed),
            grab_us: fresh.then(|| micros(capture.grabbed.since(capture.noticed))),
            queue_us: micros(times.dequeued.since(capture.grabbed)),
            encode_us: micros(times.encoded.since(times.dequeued)),
            send_us: micros(event.last_sent.since(times.encoded)),
            bytes: event.bytes,
            keyframe: event.keyframe,
            repeated: !fresh,
            number,
            sent: event.last_sent,
        }
    }
}

fn time_of(event: &Event) -> MonoTime {
    match event {
        Event::FrameSuperseded(event) => event.at,
        Event::FrameEncoded(event) => event.times.encoded,
        Event::FrameSent(event) => event.last_sent,
        Event::UnitRefused(event) => event.at,
        Event::ConsumerChange(event) => event.at,
        Event::PipelineChange(event) => event.at,
        Event::EncoderOpened(event) => event.at,
        Event::SourceChange(event) => event.at,
        Event::LossRepair(event) => event.at,
        Event::LinkSample(event) => event.at,
        Event::SoundSample(event) => event.at,
    }
}

fn cause_name(cause: KeyframeCause) -> &'static str {
    match cause {
        KeyframeCause::Start => "start",
        KeyframeCause::NewConsumer => "newConsumer",
        KeyframeCause::Requested => "requested",
        KeyframeCause::Loss => "loss",
        KeyframeCause::Refused => "refused",
        KeyframeCause::Reopened => "reopened",
        KeyframeCause::Signal => "signal",
        KeyframeCause::Encoder => "encoder",
    }
}
