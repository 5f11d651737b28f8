//! The pictures of one session: its lease, what is on its way, what was lost and what the link
//! carries. Owns everything that a pause gives back; refuses to know about connections.

use crate::queue_watch::QueueWatch;
use crate::rate::{RateFollower, Step};
use crate::recovery::{GapTrust, LossWatch, Repair};
use crate::sender::{Sender, Track};
use control_api::EndReason;
use encode::KeyframeReason;
use events::{EventSink, LinkSample, LossRepair, RepairKind, ViewerId};
use media::{Bitrate, MonoTime};
use net::Alarm;
use pipeline::{CommandRefused, Lease, Pipeline, UnitQueue};
use std::sync::Arc;
use std::time::Duration;
use str0m::media::Mid;
use str0m::rtp::RtpHeader;
use str0m::rtp::rtcp::{Nack, Twcc};

/// A keyframe that was asked for is not asked for again within this time, unless it came: many
/// requests would only fill the pipeline's queue of commands.
const KEYFRAME_PATIENCE: Duration = Duration::from_millis(500);
/// A pipeline that took no command is asked again after this time.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// What was known of a link before a pause of this length is no more than a guess.
const KNOWN_FOR: Duration = Duration::from_secs(30);

/// A place among the pipeline's consumers.
struct Feed {
    lease: Lease,
    queue: Arc<UnitQueue>,
}

/// What a session's pictures are made of.
pub(crate) struct VideoParts {
    pub(crate) viewer: ViewerId,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) track: Track,
    pub(crate) events: EventSink,
    pub(crate) alarm: Alarm,
    /// Bandwidth believed in before anything was measured.
    pub(crate) initial_estimate: Bitrate,
    /// A keyframe comes by itself this often, until the viewer has asked for one.
    pub(crate) keyframe_every: Option<Duration>,
}

#[derive(Debug, Default)]
struct Counters {
    nacks: u32,
    plis: u32,
    sent_before: u64,
}

pub(crate) struct Video {
    viewer: ViewerId,
    pipeline: Arc<Pipeline>,
    events: EventSink,
    alarm: Alarm,
    initial_estimate: Bitrate,
    mid: Mid,
    paused: bool,
    paused_at: MonoTime,
    /// Absent while paused, and while the pipeline has not taken the request for it yet.
    feed: Option<Feed>,
    retry_at: MonoTime,
    sender: Sender,
    watch: LossWatch,
    trust: GapTrust,
    rate: RateFollower,
    way: QueueWatch,
    ceiling: Bitrate,
    estimate_bps: Option<u32>,
    counters: Counters,
    keyframe_asked: Option<MonoTime>,
    keyframe_every: Option<Duration>,
    keyframe_at: MonoTime,
}

impl Video {
    /// Takes a lease at once, which warms source and encoder up while the connection is made.
    pub(crate) fn new(parts: VideoParts, now: MonoTime) -> Result<Self, CommandRefused> {
        let params = parts.pipeline.params();
        let interval = params.rate.interval();
        let initial = parts.initial_estimate.min(params.bitrate);
        let (viewer, track, events) = (parts.viewer, parts.track, parts.events);
        let mut video = Self {
            viewer,
            pipeline: parts.pipeline,
            sender: Sender::new(viewer, track, interval, events.clone()),
            events,
            alarm: parts.alarm,
            initial_estimate: parts.initial_estimate,
            mid: track.mid,
            paused: false,
            paused_at: MonoTime::ZERO,
            feed: None,
            retry_at: now,
            watch: LossWatch::new(interval),
            trust: GapTrust::new(track.dependencies),
            rate: RateFollower::new(params.bitrate, initial),
            way: QueueWatch::default(),
            ceiling: params.bitrate,
            estimate_bps: None,
            counters: Counters::default(),
            keyframe_asked: None,
            keyframe_every: parts.keyframe_every,
            keyframe_at: now,
        };
        video.take_lease()?;
        Ok(video)
    }

    pub(crate) const fn mid(&self) -> Mid {
        self.mid
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) const fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) const fn sender_mut(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Most that may be sent.
    pub(crate) const fn ceiling(&self) -> Bitrate {
        self.ceiling
    }

    /// What the link is believed to carry.
    pub(crate) fn believed(&self) -> Bitrate {
        self.estimate_bps
            .map_or(self.initial_estimate, |bps| Bitrate::clamped(bps.into()))
    }

    fn take_lease(&mut self) -> Result<(), CommandRefused> {
        let alarm = self.alarm.clone();
        let interval = self.pipeline.params().rate.interval();
        let queue = UnitQueue::new(interval, move || alarm.ring());
        let lease = self.pipeline.acquire(self.viewer, Arc::clone(&queue))?;
        // A refused command only leaves the encoder at its own bitrate a little longer.
        let _ = lease.set_rate(self.rate.target());
        self.feed = Some(Feed { lease, queue });
        Ok(())
    }

    /// Gives the lease back. What is left of the picture on its way would come too late to be seen.
    pub(crate) fn pause(&mut self, now: MonoTime) {
        if !self.paused {
            self.paused = true;
            self.paused_at = now;
            self.feed = None;
            self.sender.abandon();
        }
    }

    /// Takes a lease again, at the latest with a later [`tend`](Self::tend), and forgets what was
    /// lost or in the way before the pause.
    pub(crate) fn resume(&mut self, now: MonoTime) {
        if !self.paused {
            return;
        }
        self.paused = false;
        if now.since(self.paused_at) >= KNOWN_FOR {
            let guess = self.believed().min(self.initial_estimate);
            self.estimate_bps = Some(guess.bps());
        }
        self.follow_params();
        self.rate = RateFollower::new(self.ceiling, self.believed());
        let interval = self.pipeline.params().rate.interval();
        self.watch.restart(interval);
        self.trust.restart();
        self.way.restart();
        self.sender.restart(interval, now);
        self.keyframe_asked = None;
        self.keyframe_at = now;
        self.retry_at = now;
    }

    /// When there is something to do besides sending.
    pub(crate) fn wake_at(&self) -> Option<MonoTime> {
        let retry = (!self.paused && self.feed.is_none()).then_some(self.retry_at);
        let keyframe = self.keyframe_every.and(self.feed.as_ref());
        let keyframe = keyframe.map(|_| self.keyframe_at);
        let sending = self.sender.next_at();
        retry.into_iter().chain(keyframe).chain(sending).min()
    }

    /// Sees to lease and keyframes.
    pub(crate) fn tend(&mut self, connected: bool, now: MonoTime) -> Result<(), EndReason> {
        if let Some(feed) = &self.feed {
            if feed.queue.is_closed() {
                return Err(EndReason::SourceEnded);
            }
        } else if !self.paused && now >= self.retry_at {
            match self.take_lease() {
                Ok(()) => {}
                Err(CommandRefused::Full) => self.retry_at = now + RETRY_AFTER,
                Err(CommandRefused::Ended) => return Err(EndReason::SourceEnded),
            }
        }
        if let Some(every) = self.keyframe_every
            && now >= self.keyframe_at
        {
            self.keyframe_at = now + every;
            if connected {
                self.want_keyframe(KeyframeReason::Requested, now);
            }
        }
        Ok(())
    }

    /// Takes the next picture if the last one is gone; whether a chunk may be written now.
    pub(crate) fn is_ready(&mut self, now: MonoTime) -> bool {
        if self.sender.is_idle() {
            let Some(unit) = self.feed.as_ref().and_then(|feed| feed.queue.pop()) else {
                return false;
            };
            if unit.is_keyframe() {
                self.watch.forget_losses();
                self.keyframe_asked = None;
                if let Some(every) = self.keyframe_every {
                    self.keyframe_at = now + every;
                }
            }
            let link_bps = self.estimate_bps.map(u64::from);
            let (first, last) = self.sender.begin(unit, now, link_bps);
            self.watch.sent(self.sender.frame(), first, last);
        }
        !self.sender.is_paced(now)
    }

    /// Asks for a keyframe, unless one is due already.
    fn want_keyframe(&mut self, reason: KeyframeReason, now: MonoTime) {
        let due = |asked: MonoTime| now.since(asked) < KEYFRAME_PATIENCE;
        let Some(feed) = &self.feed else { return };
        // A refused command means that the encoder has not run for long: the viewer asks again.
        if !self.keyframe_asked.is_some_and(due) && feed.lease.request_keyframe(reason).is_ok() {
            self.keyframe_asked = Some(now);
        }
    }

    /// The viewer asked for a keyframe by RTCP.
    pub(crate) fn keyframe_asked(&mut self, now: MonoTime) {
        self.counters.plis += 1;
        // It knows how to ask.
        self.keyframe_every = None;
        self.trust.keyframe_asked(now, self.watch.rtt());
        self.watch.forget_losses();
        self.want_keyframe(KeyframeReason::Requested, now);
    }

    /// Somebody asked for a keyframe by other means.
    pub(crate) fn request_keyframe(&mut self, now: MonoTime) {
        self.want_keyframe(KeyframeReason::Requested, now);
    }

    /// Takes a new estimate of the bandwidth; whether it should be tested.
    pub(crate) fn estimated(&mut self, bps: u64, sent_bps: u64, now: MonoTime) -> bool {
        self.estimate_bps = Some(u32::try_from(bps).unwrap_or(u32::MAX));
        let step = self.rate.estimate(bps, sent_bps, now);
        self.follow(step)
    }

    fn follow(&self, step: Step) -> bool {
        if let Step::Change(target) = step
            && let Some(feed) = &self.feed
        {
            // A refused command leaves the encoder at its rate until the next change.
            let _ = feed.lease.set_rate(target);
        }
        step == Step::Test
    }

    /// The stream's bitrate may be changed while it runs.
    fn follow_params(&mut self) {
        let ceiling = self.pipeline.params().bitrate;
        if ceiling != self.ceiling {
            self.ceiling = ceiling;
            let step = self.rate.set_ceiling(ceiling);
            self.follow(step);
        }
    }

    /// A packet left.
    pub(crate) fn packet_sent(&mut self, header: &RtpHeader, bytes: usize, now: MonoTime) {
        if let Some(sequence) = header.ext_vals.transport_cc {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.way.sent(sequence, bytes, now);
        }
    }

    /// Feedback about the way came; whether the bandwidth should be tested.
    pub(crate) fn feedback(&mut self, twcc: Twcc, sent_bps: u64, now: MonoTime) -> bool {
        let zero = MonoTime::ZERO.to_instant();
        let packets = twcc.into_iter(zero, self.way.last_sequence().into());
        let packets = packets.map(|(sequence, _, arrived)| {
            let since = arrived.map(|arrived| arrived.saturating_duration_since(zero));
            (
                *sequence,
                since.and_then(|since| i64::try_from(since.as_micros()).ok()),
            )
        });
        let Some(report) = self.way.feedback(packets, now) else {
            return false;
        };
        if let Some(round_trip) = report.round_trip {
            self.watch.offer_rtt(round_trip);
        }
        let step = self.rate.way(report, sent_bps, now);
        self.follow(step)
    }

    /// The viewer asked for packets again.
    pub(crate) fn asked_again(&mut self, nack: &Nack, now: MonoTime) {
        let asked = nack.reports.iter().flat_map(|entry| {
            let following = (0..16).filter(move |bit| entry.blp >> bit & 1 == 1);
            std::iter::once(entry.pid)
                .chain(following.map(move |bit| entry.pid.wrapping_add(bit + 1)))
        });
        let asked: Vec<u16> = asked.collect();
        let packets = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        self.counters.nacks = self.counters.nacks.saturating_add(packets);
        let sent = asked.into_iter();
        let sent: Vec<u64> = sent
            .filter_map(|sequence| self.watch.extend(sequence))
            .collect();
        let rtt = self.watch.rtt();
        for sequence in &sent {
            self.sender.asked_again(*sequence, rtt, now);
        }
        self.tell_repair(RepairKind::Resend, packets, now);
        let spared = self.trust.repair() == Repair::Invalidate;
        if let Some((first, last)) = self.watch.asked_again(sent, spared, now).lost
            && let Some(feed) = &self.feed
        {
            match self.trust.repair() {
                Repair::Invalidate => {
                    // A refused command means that the encoder has not run for long: the viewer
                    // asks again.
                    let _ = feed.lease.report_lost(first, last);
                    self.trust.invalidated(now);
                    self.tell_repair(RepairKind::Invalidate, 0, now);
                }
                Repair::Keyframe => {
                    self.want_keyframe(KeyframeReason::Loss, now);
                    self.tell_repair(RepairKind::Keyframe, 0, now);
                }
            }
        }
    }

    fn tell_repair(&self, kind: RepairKind, packets: u32, at: MonoTime) {
        self.events.emit(LossRepair {
            viewer: self.viewer,
            kind,
            packets,
            at,
        });
    }

    /// A second's statistics of the connection.
    pub(crate) fn sample(&mut self, link: &Measured, now: MonoTime) {
        if let Some(rtt) = link.rtt {
            self.watch.set_rtt(rtt);
        }
        self.follow_params();
        let rtt = self.watch.known_rtt();
        self.events.emit(LinkSample {
            viewer: self.viewer,
            rtt_us: rtt.and_then(|rtt| u32::try_from(rtt.as_micros()).ok()),
            loss_ppm: link.loss.map(|share| (share * 1e6) as u32),
            estimate_bps: self.estimate_bps,
            target_bps: self.rate.target().bps(),
            nacks: self.counters.nacks,
            plis: self.counters.plis,
            sent_bytes: link.sent_bytes - self.counters.sent_before,
            at: now,
        });
        self.counters = Counters {
            sent_before: link.sent_bytes,
            ..Counters::default()
        };
    }

    pub(crate) fn end(&mut self) {
        if let Some(feed) = self.feed.take() {
            feed.queue.close();
        }
    }
}

/// What the connection measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) rtt: Option<Duration>,
    pub(crate) loss: Option<f32>,
    /// All bytes so far.
    pub(crate) sent_bytes: u64,
}
