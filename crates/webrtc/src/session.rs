//! One viewer: its connection, its lease, its losses and its share of the bandwidth.

use crate::engine::{EndReason, EngineConfig, FindPipeline, OfferError};
use crate::negotiation::{Local, Negotiated, negotiate};
use crate::queue_watch::QueueWatch;
use crate::rate::{RateFollower, SentMeter, Step};
use crate::recovery::{GapTrust, LossWatch, Repair};
use crate::sender::Sender;
use crate::wake::Alarm;
use crate::wire::Wire;
use encode::KeyframeReason;
use events::{EventSink, LinkSample, LossRepair, RepairKind, ViewerId};
use media::{Bitrate, MonoTime};
use pipeline::{Lease, Pipeline, UnitQueue};
use std::sync::Arc;
use std::time::Duration;
use str0m::bwe::BweKind;
use str0m::config::DtlsCert;
use str0m::media::Mid;
use str0m::rtp::RawPacket;
use str0m::rtp::rtcp::Rtcp;
use str0m::{Candidate, Event, Input, Output, Rtc};

/// Outputs taken in one go; more would mean that the library does not come to rest.
const MAX_OUTPUTS: usize = 100_000;
/// While nothing is sent, the connection is looked after this often, for each look pads a little.
const QUIET_WAKE: Duration = Duration::from_secs(1);
/// More often at first, when what was sent last may still have to be sent again.
const SETTLING_WAKE: Duration = Duration::from_millis(100);
/// Nothing was sent for this long: quiet.
const QUIET_AFTER: Duration = Duration::from_millis(300);
/// Nothing was sent for this long: nothing is missing any more.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// An offer must lead to a connection within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Resent packets are kept this long; older ones would only come too late.
const RESEND_WITHIN: Duration = Duration::from_millis(500);
/// Packets kept for resending.
const RESEND_PACKETS: usize = 1024;
/// Share of resent bytes in a second beyond which resending stops feeding a jam.
const RESEND_SHARE: f32 = 0.25;

/// What a session is made of.
pub(crate) struct SessionParts {
    pub(crate) viewer: ViewerId,
    pub(crate) config: EngineConfig,
    pub(crate) certificate: Option<DtlsCert>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) events: EventSink,
    pub(crate) alarm: Alarm,
}

#[derive(Debug, Default)]
struct Counters {
    nacks: u32,
    plis: u32,
    estimate_bps: Option<u32>,
    sent_before: u64,
}

pub(crate) struct Session {
    viewer: ViewerId,
    rtc: Rtc,
    lease: Lease,
    queue: Arc<UnitQueue>,
    // The pipeline lives at least as long as anybody holds a lease on it.
    _pipeline: Arc<Pipeline>,
    events: EventSink,
    config: EngineConfig,
    sender: Sender,
    watch: LossWatch,
    trust: GapTrust,
    rate: RateFollower,
    way: QueueWatch,
    mid: Mid,
    connected: bool,
    /// Nothing was sent for some time.
    quiet: bool,
    timeout: MonoTime,
    exchanged_at: MonoTime,
    heard_at: MonoTime,
    counters: Counters,
    /// Bytes handed to the wire for this session.
    sent: SentMeter,
    ceiling: Bitrate,
    probe: Probe,
}

/// How far a test of the bandwidth estimate has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    None,
    Lower,
    Raise,
}

impl Session {
    /// Answers an offer: the connection, and a lease that warms source and encoder up meanwhile.
    pub(crate) fn answer(
        parts: SessionParts,
        sdp: &str,
        find_pipeline: &FindPipeline,
    ) -> Result<(Self, String), OfferError> {
        let now = MonoTime::now();
        let initial_estimate = parts.config.initial_estimate;
        let (certificate, candidates) = (parts.certificate, parts.candidates);
        let local = Local {
            certificate,
            candidates,
            initial_estimate,
        };
        let Negotiated {
            mut rtc,
            answer,
            track,
        } = negotiate(sdp, local, now)?;

        let pipeline = find_pipeline().map_err(OfferError::Busy)?;
        let params = pipeline.params();
        let alarm = parts.alarm.clone();
        let queue = UnitQueue::new(params.rate.interval(), move || alarm.ring());
        let lease = pipeline
            .acquire(parts.viewer, Arc::clone(&queue))
            .map_err(|error| OfferError::Busy(error.to_string()))?;

        let rate = RateFollower::new(params.bitrate, initial_estimate.min(params.bitrate));
        let wanted = str0m::bwe::Bitrate::bps(u64::from(params.bitrate.bps()));
        rtc.bwe().set_bitrate(str0m::bwe::Bitrate::ZERO, wanted);
        // A refused command only leaves the encoder at its own bitrate a little longer.
        let _ = lease.set_rate(rate.target());
        let session = Self {
            viewer: parts.viewer,
            sender: Sender::new(
                parts.viewer,
                track,
                params.rate.interval(),
                parts.events.clone(),
            ),
            watch: LossWatch::new(params.rate.interval()),
            trust: GapTrust::new(track.dependencies),
            rate,
            way: QueueWatch::default(),
            rtc,
            lease,
            queue,
            _pipeline: pipeline,
            events: parts.events,
            config: parts.config,
            mid: track.mid,
            connected: false,
            quiet: false,
            timeout: now,
            exchanged_at: now,
            heard_at: now,
            counters: Counters::default(),
            sent: SentMeter::default(),
            ceiling: params.bitrate,
            probe: Probe::None,
        };
        Ok((session, answer))
    }

    pub(crate) const fn viewer(&self) -> ViewerId {
        self.viewer
    }

    pub(crate) fn add_candidate(&mut self, candidate: Candidate) {
        self.rtc.add_remote_candidate(candidate);
        self.timeout = MonoTime::ZERO;
    }

    pub(crate) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a packet. On a quiet stream only what waits for an answer (`urgent`) is answered at
    /// once: reacting to each report would pad, and padding brings the next report.
    pub(crate) fn take(&mut self, input: Input<'_>, urgent: bool, now: MonoTime) {
        self.heard_at = now;
        if urgent || !self.quiet {
            self.timeout = MonoTime::ZERO;
        }
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(viewer = self.viewer.0, %error, "a packet was not understood");
        }
    }

    /// When this session next needs the thread.
    pub(crate) fn wake_at(&self) -> MonoTime {
        let mut at = self.exchange_at();
        if let Some(next) = self.sender.next_at() {
            at = at.min(next);
        }
        at.min(self.heard_at + self.patience())
    }

    /// When the connection next has to be looked after.
    fn exchange_at(&self) -> MonoTime {
        if self.quiet && self.timeout > MonoTime::ZERO {
            let settled = self.sender.is_quiet(self.exchanged_at, SETTLED_AFTER);
            let pause = if settled { QUIET_WAKE } else { SETTLING_WAKE };
            self.timeout.max(self.exchanged_at + pause)
        } else {
            self.timeout
        }
    }

    fn patience(&self) -> Duration {
        if self.connected {
            self.config.idle_timeout
        } else {
            CONNECT_WITHIN
        }
    }

    /// Moves everything that can move at `now`.
    pub(crate) fn drive(&mut self, now: MonoTime, wire: &mut Wire) -> Result<(), EndReason> {
        if !self.rtc.is_alive() {
            return Err(EndReason::Left);
        }
        if now.since(self.heard_at) >= self.patience() {
            return Err(EndReason::Timeout);
        }
        if self.queue.is_closed() {
            return Err(EndReason::StreamEnded);
        }
        if self.connected {
            if self.sender.write_twins(&mut self.rtc, now) {
                self.exchange(now, wire)?;
            }
            self.pump(now, wire)?;
        }
        self.notice_quiet(now);
        self.ask_for_probe();
        if now >= self.exchange_at() {
            self.exchange(now, wire)?;
        }
        Ok(())
    }

    /// A stream with nothing to send wishes for no bandwidth, so that nothing is probed for.
    fn notice_quiet(&mut self, now: MonoTime) {
        let quiet = self.connected && self.sender.is_quiet(now, QUIET_AFTER);
        if quiet != self.quiet {
            self.quiet = quiet;
            self.wish(if quiet {
                0
            } else {
                u64::from(self.ceiling.bps())
            });
        }
    }

    fn wish(&mut self, bps: u64) {
        let wish = str0m::bwe::Bitrate::bps(bps);
        self.rtc.bwe().set_bitrate(str0m::bwe::Bitrate::ZERO, wish);
    }

    /// The estimator probes when the bitrate wished for rises above its estimate; so the wish is
    /// lowered for a moment.
    fn ask_for_probe(&mut self) {
        let wish = match self.probe {
            Probe::None => return,
            Probe::Lower => {
                self.probe = Probe::Raise;
                0
            }
            Probe::Raise => {
                self.probe = Probe::None;
                u64::from(self.ceiling.bps())
            }
        };
        self.wish(wish);
        self.timeout = MonoTime::ZERO;
    }

    /// Sends what is due of the unit in flight, and starts the next ones.
    fn pump(&mut self, now: MonoTime, wire: &mut Wire) -> Result<(), EndReason> {
        let mut now = now;
        loop {
            if self.sender.is_idle() {
                let Some(unit) = self.queue.pop() else {
                    return Ok(());
                };
                if unit.is_keyframe() {
                    self.watch.forget_losses();
                }
                let link_bps = self.counters.estimate_bps.map(u64::from);
                let (first, last) = self.sender.begin(unit, now, link_bps);
                self.watch.sent(self.sender.frame(), first, last);
            }
            if self.sender.is_paced(now) {
                return Ok(());
            }
            self.sender.write_chunk(&mut self.rtc, now);
            self.exchange(now, wire)?;
            wire.flush();
            now = MonoTime::now();
            self.sender.chunk_sent(now);
        }
    }

    /// Lets the connection work until it has nothing more to say.
    fn exchange(&mut self, now: MonoTime, wire: &mut Wire) -> Result<(), EndReason> {
        let instant = now.to_instant();
        let broken = |viewer: ViewerId, error: &dyn std::fmt::Display| {
            tracing::warn!(viewer = viewer.0, %error, "the connection broke");
            EndReason::Error
        };
        let before = wire.sent_bytes();
        self.exchanged_at = now;
        self.rtc
            .handle_input(Input::Timeout(instant))
            .map_err(|error| broken(self.viewer, &error))?;
        for _ in 0..MAX_OUTPUTS {
            let output = self
                .rtc
                .poll_output()
                .map_err(|error| broken(self.viewer, &error))?;
            match output {
                Output::Transmit(transmit) => wire.send(&transmit),
                Output::Event(event) => self.on_event(event, now)?,
                Output::Timeout(at) if at <= instant => {
                    self.rtc
                        .handle_input(Input::Timeout(instant))
                        .map_err(|error| broken(self.viewer, &error))?;
                }
                Output::Timeout(at) => {
                    self.timeout = MonoTime::from_instant(at);
                    break;
                }
            }
        }
        self.sent.add(wire.sent_bytes() - before, now);
        Ok(())
    }

    fn on_event(&mut self, event: Event, now: MonoTime) -> Result<(), EndReason> {
        match event {
            Event::Connected => {
                tracing::info!(viewer = self.viewer.0, "connected");
                self.connected = true;
                if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(self.mid, None) {
                    stream.set_unpaced(true);
                    stream.set_rtx_cache(RESEND_PACKETS, RESEND_WITHIN, Some(RESEND_SHARE));
                }
            }
            Event::KeyframeRequest(_) => {
                self.counters.plis += 1;
                self.trust.keyframe_asked(now, self.watch.rtt());
                self.watch.forget_losses();
                // A full command queue means that the encoder is about to look at it anyway.
                let _ = self.lease.request_keyframe(KeyframeReason::Requested);
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                let bps = estimate.as_u64();
                self.counters.estimate_bps = Some(u32::try_from(bps).unwrap_or(u32::MAX));
                let step = self.rate.estimate(bps, self.sent.bps(now), now);
                self.follow(step);
            }
            Event::RawPacket(packet) => self.on_raw(*packet, now),
            Event::MediaEgressStats(stats) => {
                if let Some(rtt) = stats.rtt {
                    self.watch.set_rtt(rtt);
                }
                self.sample(stats.loss, now);
            }
            Event::Closed => return Err(EndReason::Left),
            _ => {}
        }
        Ok(())
    }

    fn follow(&mut self, step: Step) {
        match step {
            Step::Keep => {}
            Step::Change(target) => {
                // A refused command leaves the encoder at its rate until the next change.
                let _ = self.lease.set_rate(target);
            }
            Step::Test => self.probe = Probe::Lower,
        }
    }

    fn on_raw(&mut self, packet: RawPacket, now: MonoTime) {
        match packet {
            RawPacket::RtpTx(header, payload) => {
                if let Some(sequence) = header.ext_vals.transport_cc {
                    let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                    self.way.sent(sequence, bytes, now);
                }
            }
            RawPacket::RtcpRx(Rtcp::Nack(nack)) => {
                let sequences = nack.reports.iter().flat_map(|entry| {
                    let following = (0..16).filter(move |bit| entry.blp >> bit & 1 == 1);
                    std::iter::once(entry.pid)
                        .chain(following.map(move |bit| entry.pid.wrapping_add(bit + 1)))
                });
                self.on_nack(sequences.collect(), now);
            }
            RawPacket::RtcpRx(Rtcp::Twcc(twcc)) => {
                let zero = MonoTime::ZERO.to_instant();
                let packets = twcc.into_iter(zero, self.way.last_sequence().into());
                let packets = packets.map(|(sequence, _, arrived)| {
                    let since = arrived.map(|arrived| arrived.saturating_duration_since(zero));
                    (
                        *sequence,
                        since.and_then(|since| i64::try_from(since.as_micros()).ok()),
                    )
                });
                if let Some(report) = self.way.feedback(packets, now) {
                    if let Some(round_trip) = report.round_trip {
                        self.watch.offer_rtt(round_trip);
                    }
                    let step = self.rate.way(report, self.sent.bps(now), now);
                    self.follow(step);
                }
            }
            _ => {}
        }
    }

    fn on_nack(&mut self, sequences: Vec<u16>, now: MonoTime) {
        let packets = u32::try_from(sequences.len()).unwrap_or(u32::MAX);
        self.counters.nacks = self.counters.nacks.saturating_add(packets);
        let sent: Vec<u64> = sequences
            .into_iter()
            .filter_map(|sequence| self.watch.extend(sequence))
            .collect();
        let rtt = self.watch.rtt();
        for sequence in &sent {
            self.sender.asked_again(*sequence, rtt, now);
        }
        let spared = self.trust.repair() == Repair::Invalidate;
        let verdict = self.watch.asked_again(sent, spared, now);
        let viewer = self.viewer;
        self.events.emit(LossRepair {
            viewer,
            kind: RepairKind::Resend,
            packets,
            at: now,
        });
        let Some((first, last)) = verdict.lost else {
            return;
        };
        // A refused command means that the encoder has not run for long: the viewer asks again.
        let (kind, _) = match self.trust.repair() {
            Repair::Invalidate => {
                self.trust.invalidated(now);
                (RepairKind::Invalidate, self.lease.report_lost(first, last))
            }
            Repair::Keyframe => (
                RepairKind::Keyframe,
                self.lease.request_keyframe(KeyframeReason::Loss),
            ),
        };
        self.events.emit(LossRepair {
            viewer,
            kind,
            packets: 0,
            at: now,
        });
    }

    fn sample(&mut self, loss: Option<f32>, now: MonoTime) {
        let sent_bytes = self.sent.total() - self.counters.sent_before;
        let rtt = self.watch.known_rtt();
        self.events.emit(LinkSample {
            viewer: self.viewer,
            rtt_us: rtt.and_then(|rtt| u32::try_from(rtt.as_micros()).ok()),
            loss_ppm: loss.map(|share| (share * 1e6) as u32),
            estimate_bps: self.counters.estimate_bps,
            target_bps: self.rate.target().bps(),
            nacks: self.counters.nacks,
            plis: self.counters.plis,
            sent_bytes,
            at: now,
        });
        self.counters.nacks = 0;
        self.counters.plis = 0;
        self.counters.sent_before = self.sent.total();
    }

    /// Tells the viewer that nothing more will come.
    pub(crate) fn say_goodbye(&mut self, wire: &mut Wire) {
        if self.rtc.is_alive() && self.rtc.close().is_ok() {
            // Whatever happens now, the session is over.
            let _ = self.exchange(MonoTime::now(), wire);
        }
        self.queue.close();
    }
}
