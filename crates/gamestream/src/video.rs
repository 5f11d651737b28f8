//! The pictures of one session: takes them from the pipeline, cuts, protects and seals them, sends them
//! in paced runs, and turns what the client says of losses into repairs.

use crate::cutter::Cutter;
use crate::host::Host;
use crate::house::House;
use crate::session::{Session, VideoRequest};
use crate::start::FEC_PERCENT;
use control_api::EndReason;
use encode::KeyframeReason;
use events::{EventSink, LinkSample, LossRepair, RepairKind};
use gamestream_proto::adapt::{LinkAdapter, LinkPlan, VideoFraming};
use gamestream_proto::video::VideoSettings;
use media::{AccessUnit, Bitrate, FrameKind, MonoTime, StreamParams};
use net::{Port, Route, readable, sleep};
use pipeline::{
    CommandRefused, Cut, Lease, PacedFrame, PacingInput, PacingPlan, Pipeline, UnitQueue, priority,
};
use std::sync::Arc;
use std::time::Duration;

/// A client that has not said within this where its video goes will not any more (Connection.c: it
/// gives up itself when nothing comes for as long).
const PING_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at how the link does.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pipeline that took no command is asked again after this time.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Links are taken to carry runs at this many times the stream's budget, and at least at
/// [`LEAST_BURST_BPS`]; a link that loses packets at half of it.
const BURST: u64 = 8;
const LEAST_BURST_BPS: u64 = 250_000_000;

/// What a session's video is made of.
pub(crate) struct VideoParts {
    pub(crate) session: Arc<Session>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) port: Arc<Port>,
    pub(crate) events: EventSink,
    /// What the client asked for.
    pub(crate) params: StreamParams,
    pub(crate) settings: VideoSettings,
    /// Whether packets are sealed.
    pub(crate) encrypted: bool,
    /// Told of the first picture.
    pub(crate) house: Arc<House>,
    pub(crate) adapter: LinkAdapter,
    /// What of the budget is the encoder's.
    pub(crate) framing: VideoFraming,
}

/// A place among a pipeline's consumers.
struct Feed {
    lease: Lease,
    queue: Arc<UnitQueue>,
}

#[derive(Debug, Default)]
struct Counters {
    keyframe_requests: u32,
    /// As far as the client told.
    lost_packets: u32,
    sent_packets: u32,
    sent_bytes: u64,
}

impl Counters {
    fn loss_ppm(&self) -> Option<u32> {
        let lost = u64::from(self.lost_packets) * 1_000_000;
        let share = lost.checked_div(self.sent_packets.into())?;
        Some(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

pub(crate) struct VideoThread {
    session: Arc<Session>,
    host: Arc<dyn Host>,
    port: Arc<Port>,
    events: EventSink,
    params: StreamParams,
    cutter: Cutter,
    in_flight: Option<PacedFrame>,
    adapter: LinkAdapter,
    framing: VideoFraming,
    house: Arc<House>,
    /// Whether a picture of the source was seen.
    live: bool,
    feed: Option<Feed>,
    retry_at: MonoTime,
    look_at: MonoTime,
    round_trip: Option<Duration>,
    counters: Counters,
}

impl VideoThread {
    /// Everything that the thread needs; refused settings are told before it starts.
    pub(crate) fn new(parts: VideoParts, now: MonoTime) -> Result<Self, String> {
        let key = parts.encrypted.then(|| parts.session.agreed.key.bytes());
        let cutter = Cutter::new(parts.settings, key);
        let cutter = cutter.map_err(|error| error.to_string())?;
        Ok(Self {
            session: parts.session,
            host: parts.host,
            port: parts.port,
            events: parts.events,
            params: parts.params,
            cutter,
            in_flight: None,
            adapter: parts.adapter,
            framing: parts.framing,
            house: parts.house,
            live: false,
            feed: None,
            retry_at: now,
            look_at: now + LOOK_EVERY,
            round_trip: None,
            counters: Counters::default(),
        })
    }

    /// Runs until the session is over.
    pub(crate) fn run(mut self) {
        priority::raise(priority::SEND_NICE);
        if let Err(reason) = self.stream() {
            self.session.end(reason);
        }
        if let Some(feed) = self.feed.take() {
            feed.queue.close();
        }
    }

    fn stream(&mut self) -> Result<(), EndReason> {
        let begin_by = MonoTime::now() + PING_WITHIN;
        while self.session.ended().is_none() {
            let now = MonoTime::now();
            let Some(route) = self.session.video.route() else {
                if now >= begin_by {
                    tracing::warn!("the client's video port was never heard of");
                    return Err(EndReason::Timeout);
                }
                self.sleep(Some(begin_by))?;
                continue;
            };
            self.take_requests(now);
            if now >= self.look_at {
                self.look(now);
            }
            self.keep_feed(now)?;
            self.send(route, now)?;
            let deadline = self.deadline();
            if self.is_idle() {
                self.sleep(Some(deadline))?;
            }
        }
        Ok(())
    }

    /// Whether nothing can be sent now.
    fn is_idle(&self) -> bool {
        match &self.in_flight {
            Some(frame) => frame.next_at() > MonoTime::now(),
            None => self.feed.as_ref().is_none_or(|feed| feed.queue.is_empty()),
        }
    }

    fn deadline(&self) -> MonoTime {
        let chunk = self.in_flight.as_ref().map(PacedFrame::next_at);
        let retry = self.feed.is_none().then_some(self.retry_at);
        let due = chunk.into_iter().chain(retry).min();
        due.map_or(self.look_at, |due| due.min(self.look_at))
    }

    fn sleep(&self, deadline: Option<MonoTime>) -> Result<(), EndReason> {
        let alarm = &self.session.video.alarm;
        sleep(&mut [readable(alarm)], deadline).map_err(|error| {
            tracing::error!(%error, "a video thread cannot sleep");
            EndReason::Error
        })?;
        alarm.hush();
        Ok(())
    }

    /// Has a lease on a pipeline that makes what the client asked for.
    fn keep_feed(&mut self, now: MonoTime) -> Result<(), EndReason> {
        if let Some(feed) = &self.feed {
            let ended = feed.queue.is_closed() && feed.queue.is_empty();
            return if ended {
                Err(EndReason::SourceEnded)
            } else {
                Ok(())
            };
        }
        if now < self.retry_at {
            return Ok(());
        }
        let pipeline = self
            .host
            .pipeline(self.session.viewer(), &self.params)
            .map_err(|why| {
                tracing::warn!(%why, "no pictures for a Moonlight client");
                EndReason::SourceEnded
            })?;
        match self.join(&pipeline) {
            Ok(feed) => self.feed = Some(feed),
            Err(CommandRefused::Full) => self.retry_at = now + RETRY_AFTER,
            Err(CommandRefused::Ended) => return Err(EndReason::SourceEnded),
        }
        Ok(())
    }

    fn join(&self, pipeline: &Pipeline) -> Result<Feed, CommandRefused> {
        let alarm = self.session.video.alarm.clone();
        let queue = UnitQueue::new(self.params.rate.interval(), move || alarm.ring());
        let lease = pipeline.acquire(self.session.viewer(), Arc::clone(&queue))?;
        // A refused command only leaves the encoder at its own bitrate a little longer.
        let _ = lease.set_rate(self.encoder_rate());
        Ok(Feed { lease, queue })
    }

    /// A shared pipeline no longer makes what the client asked for: its decoder was set up for one size
    /// and one codec.
    fn is_foreign(&self, unit: &AccessUnit) -> bool {
        self.params.size.is_some_and(|size| unit.size != size) || unit.codec != self.params.codec
    }

    fn send(&mut self, route: Route, now: MonoTime) -> Result<(), EndReason> {
        if self.in_flight.is_none() {
            let unit = self.feed.as_ref().and_then(|feed| feed.queue.pop());
            let Some(unit) = unit else { return Ok(()) };
            if self.is_foreign(&unit) {
                self.feed = None;
                self.retry_at = now;
                self.cutter.moved();
                return self.keep_feed(now);
            }
            self.begin(unit, now)?;
        }
        let Some(frame) = self
            .in_flight
            .as_mut()
            .filter(|frame| frame.next_at() <= now)
        else {
            return Ok(());
        };
        let chunk = frame.next_chunk(now);
        let batch = self.cutter.packets();
        let stride = batch.stride();
        let bytes = &batch.bytes()[chunk.start * stride..chunk.end * stride];
        self.port.send_run(route, bytes, stride);
        self.counters.sent_bytes += bytes.len() as u64;
        self.counters.sent_packets += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        if let Some(sent) = frame.chunk_sent(self.session.viewer(), MonoTime::now()) {
            self.events.emit(sent);
            self.in_flight = None;
            self.adapter.picture_sent();
        }
        Ok(())
    }

    /// Cuts a picture into packets.
    fn begin(&mut self, unit: Arc<AccessUnit>, now: MonoTime) -> Result<(), EndReason> {
        if !self.live && unit.kind != FrameKind::Placeholder {
            self.live = true;
            self.house.live(self.session.viewer());
        }
        if let Err(error) = self.cutter.cut(&unit, MonoTime::now()) {
            tracing::warn!(%error, bytes = unit.data.len(), "a picture was not sent");
            return Ok(());
        }
        let batch = self.cutter.packets();
        let cut = Cut {
            packets: batch.len(),
            bytes: batch.bytes().len(),
            at: MonoTime::now(),
        };
        let plan = PacingPlan::new(PacingInput {
            packets: cut.packets,
            bytes: cut.bytes,
            frame_interval: self.params.rate.interval(),
            link_bps: Some(self.burst_bps()),
        });
        self.in_flight = Some(PacedFrame::new(unit, plan, cut, now));
        Ok(())
    }

    fn burst_bps(&self) -> u64 {
        let plan = self.adapter.plan();
        let calm = (u64::from(plan.wire_bps) * BURST).max(LEAST_BURST_BPS);
        let lossy = plan.fec_percent > FEC_PERCENT;
        if lossy { calm / 2 } else { calm }
    }

    fn take_requests(&mut self, now: MonoTime) {
        while let Some(request) = self.session.next_request() {
            match request {
                VideoRequest::Keyframe => self.want_keyframe(now),
                VideoRequest::Lost { first, last } => self.repair(first, last, now),
                VideoRequest::Arrived(status) => {
                    self.adapter.report(&status);
                    self.counters.lost_packets += u32::from(status.missing);
                }
                VideoRequest::RoundTrip(round_trip) => self.round_trip = Some(round_trip),
            }
        }
    }

    fn want_keyframe(&mut self, now: MonoTime) {
        self.counters.keyframe_requests += 1;
        self.adapter.keyframe_requested(now);
        // The first picture of a lease is a keyframe by itself.
        if let Some(feed) = &self.feed {
            // A refused command means that much is asked for already; the client asks again.
            let _ = feed.lease.request_keyframe(KeyframeReason::Requested);
            self.tell_repair(RepairKind::Keyframe, now);
        }
    }

    fn repair(&mut self, first: u32, last: u32, now: MonoTime) {
        self.adapter.pictures_lost();
        let Some((first, last)) = self.cutter.lost(first, last) else {
            return self.want_keyframe(now);
        };
        if let Some(feed) = &self.feed {
            // As above.
            let _ = feed.lease.report_lost(first, last);
            self.tell_repair(RepairKind::Invalidate, now);
        }
    }

    fn encoder_rate(&self) -> Bitrate {
        let plan = self.adapter.plan();
        self.framing.encoder_bps(plan.wire_bps, plan.fec_percent)
    }

    fn tell_repair(&self, kind: RepairKind, at: MonoTime) {
        self.events.emit(LossRepair {
            viewer: self.session.viewer(),
            kind,
            packets: 0,
            at,
        });
    }

    /// Once a second: how the link does, and what follows from it for the pictures to come.
    fn look(&mut self, now: MonoTime) {
        self.look_at = now + LOOK_EVERY;
        if let Some(LinkPlan { fec_percent, .. }) = self.adapter.decide(now) {
            self.cutter.set_fec_percent(fec_percent);
            if let Some(feed) = &self.feed {
                // A refused command leaves the bitrate as it is until the next change.
                let _ = feed.lease.set_rate(self.encoder_rate());
            }
        }
        let counters = std::mem::take(&mut self.counters);
        self.events.emit(LinkSample {
            viewer: self.session.viewer(),
            rtt_us: self
                .round_trip
                .and_then(|rtt| u32::try_from(rtt.as_micros()).ok()),
            loss_ppm: counters.loss_ppm(),
            estimate_bps: None,
            target_bps: self.encoder_rate().bps(),
            nacks: counters.lost_packets,
            plis: counters.keyframe_requests,
            sent_bytes: counters.sent_bytes,
            at: now,
        });
    }
}
