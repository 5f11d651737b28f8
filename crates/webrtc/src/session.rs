//! One viewer's connection: what comes in, what goes out and when it has to be looked after.

use crate::bare_headers;
use crate::channels::{Channels, OnChannel};
use crate::engine::{EngineConfig, FindPipeline, Flavour, OfferError, SessionOptions};
use crate::negotiation::{Local, Negotiated, negotiate};
use crate::rate::SentMeter;
use crate::sender::Track;
use crate::sound::{Sound, SoundParts, SoundTrack};
use crate::video::{Measured, Video, VideoParts};
use crate::wire::Wire;
use audio::AudioPipeline;
use control_api::EndReason;
use events::{EventSink, ViewerId};
use media::{Bitrate, ChannelId, Message, MonoTime};
use net::Alarm;
use std::rc::Rc;
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
/// A message is acknowledged, or sent again, within this time after the last packet about it.
const CHANNELS_SETTLED_AFTER: Duration = Duration::from_millis(500);
/// An offer must lead to a connection within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Resent packets are kept this long; older ones would only come too late.
const RESEND_WITHIN: Duration = Duration::from_millis(500);
/// Packets kept for resending.
const RESEND_PACKETS: usize = 1024;
/// Share of resent bytes in a second beyond which resending stops feeding a jam.
const RESEND_SHARE: f32 = 0.25;
/// Clients that never ask for a keyframe get one this often.
const UNASKED_KEYFRAMES: Duration = Duration::from_secs(2);

/// What a packet is, by its first byte (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketKind {
    /// STUN and the like.
    Check,
    /// DTLS, which carries the data channels.
    Dtls,
    /// RTP and RTCP.
    Rtp,
}

impl PacketKind {
    pub(crate) fn of(packet: &[u8]) -> Self {
        match packet.first() {
            Some(20..=63) => Self::Dtls,
            Some(128..) => Self::Rtp,
            _ => Self::Check,
        }
    }
}

/// What a session is made of.
pub(crate) struct SessionParts {
    pub(crate) viewer: ViewerId,
    pub(crate) config: EngineConfig,
    pub(crate) options: SessionOptions,
    pub(crate) certificate: Option<DtlsCert>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) events: EventSink,
    pub(crate) on_channel: Rc<OnChannel>,
    pub(crate) alarm: Alarm,
    /// The host's sound, if viewers may hear it.
    pub(crate) sound: Option<Arc<AudioPipeline>>,
}

pub(crate) struct Session {
    viewer: ViewerId,
    rtc: Rtc,
    config: EngineConfig,
    channels: Channels,
    /// Absent where the offer had no video.
    video: Option<Video>,
    /// Absent where the offer had no audio, or the host has no sound.
    sound: Option<Sound>,
    bare_headers: bool,
    connected: bool,
    /// Nothing was sent for some time.
    quiet: bool,
    timeout: MonoTime,
    exchanged_at: MonoTime,
    heard_at: MonoTime,
    /// A packet came since the connection last worked.
    heard_now: bool,
    channels_busy_until: MonoTime,
    /// Bytes handed to the wire for this session.
    sent: SentMeter,
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
        let local = Local {
            certificate: parts.certificate.clone(),
            candidates: parts.candidates.clone(),
            initial_estimate: parts.config.initial_estimate,
            flavour: parts.options.flavour,
            sound: parts.sound.is_some(),
        };
        let negotiated = negotiate(sdp, local, now)?;
        let Negotiated {
            rtc,
            answer,
            track,
            sound,
        } = negotiated;
        let sound = sound.and_then(|track| make_sound(&parts, track, now));
        let video = track.map(|track| make_video(&parts, track, find_pipeline, now));
        let mut session = Self {
            viewer: parts.viewer,
            rtc,
            config: parts.config,
            channels: Channels::new(parts.viewer, parts.on_channel),
            video: video.transpose()?,
            sound,
            bare_headers: parts.options.flavour == Flavour::JetKvm,
            connected: false,
            quiet: false,
            timeout: now,
            exchanged_at: now,
            heard_at: now,
            heard_now: false,
            channels_busy_until: now,
            sent: SentMeter::default(),
            probe: Probe::None,
        };
        session.wish(session.ceiling_bps());
        Ok((session, answer))
    }

    pub(crate) const fn viewer(&self) -> ViewerId {
        self.viewer
    }

    fn ceiling_bps(&self) -> u64 {
        let ceiling = self.video.as_ref().map(Video::ceiling);
        ceiling.map_or(0, |ceiling| ceiling.bps().into())
    }

    fn is_paused(&self) -> bool {
        self.video.as_ref().is_none_or(Video::is_paused)
    }

    pub(crate) fn add_candidate(&mut self, candidate: Candidate) {
        self.rtc.add_remote_candidate(candidate);
        self.timeout = MonoTime::ZERO;
    }

    pub(crate) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a packet. On a quiet stream only what waits for an answer is answered at once:
    /// reacting to each report would pad, and padding brings the next report.
    pub(crate) fn take(&mut self, input: Input<'_>, kind: PacketKind, now: MonoTime) {
        self.heard_at = now;
        self.heard_now = true;
        if kind != PacketKind::Rtp || !self.quiet {
            self.timeout = MonoTime::ZERO;
        }
        if kind == PacketKind::Dtls {
            self.channels_busy_until = now + CHANNELS_SETTLED_AFTER;
        }
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(viewer = self.viewer.0, %error, "a packet was not understood");
        }
    }

    /// Sends a message on a channel.
    pub(crate) fn send(&mut self, channel: ChannelId, message: &Message) -> Result<(), EndReason> {
        self.timeout = MonoTime::ZERO;
        self.channels.send(&mut self.rtc, channel, message)
    }

    /// Gives the lease back or takes one again. The estimator pads an idle stream by what it
    /// believes the link carries, so during a pause it is made to believe in nothing.
    pub(crate) fn set_paused(&mut self, paused: bool, now: MonoTime) {
        if let Some(sound) = &mut self.sound {
            sound.set_paused(paused);
        }
        let Some(video) = self.video.as_mut().filter(|v| v.is_paused() != paused) else {
            return;
        };
        self.probe = Probe::None;
        self.timeout = MonoTime::ZERO;
        self.quiet = paused;
        if paused {
            video.pause(now);
            self.wish(0);
            self.rtc.bwe().reset(str0m::bwe::Bitrate::ZERO);
        } else {
            video.resume(now);
            let (believed, ceiling) = (video.believed(), video.ceiling());
            self.sent.restart(now);
            self.rtc.bwe().reset(rate(believed));
            self.wish(ceiling.bps().into());
        }
        tracing::debug!(viewer = self.viewer.0, paused, "pictures");
    }

    /// Gives the lease on the sound back, or takes one again, with the next [`drive`](Self::drive).
    pub(crate) const fn set_muted(&mut self, muted: bool) {
        if let Some(sound) = &mut self.sound {
            sound.set_muted(muted);
        }
    }

    pub(crate) fn request_keyframe(&mut self, now: MonoTime) {
        if let Some(video) = &mut self.video {
            video.request_keyframe(now);
        }
    }

    /// When this session next needs the thread.
    pub(crate) fn wake_at(&self) -> MonoTime {
        let video = self.video.as_ref().and_then(Video::wake_at);
        let exchange = self.exchange_at();
        let sound = self.sound.as_ref();
        let sound = sound.and_then(|sound| sound.wake_at(self.connected));
        let at = video.into_iter().chain(sound).fold(exchange, MonoTime::min);
        at.min(self.heard_at + self.patience())
    }

    /// When the connection next has to be looked after.
    fn exchange_at(&self) -> MonoTime {
        if self.quiet && self.timeout > MonoTime::ZERO {
            let at = self.exchanged_at;
            let sender = self.video.as_ref().filter(|video| !video.is_paused());
            let settled = sender.is_none_or(|video| video.sender().is_quiet(at, SETTLED_AFTER));
            let settled = settled && at >= self.channels_busy_until;
            let pause = if settled { QUIET_WAKE } else { SETTLING_WAKE };
            self.timeout.max(at + pause)
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
            return Err(EndReason::Lost);
        }
        if now.since(self.heard_at) >= self.patience() {
            return Err(EndReason::Timeout);
        }
        if let Some(sound) = &mut self.sound {
            sound.tend(&mut self.rtc, self.connected, now);
            if sound.write(&mut self.rtc) {
                self.exchange(now, wire)?;
            }
        }
        if let Some(video) = &mut self.video {
            video.tend(self.connected, now)?;
            if self.connected {
                if video.sender_mut().write_twins(&mut self.rtc, now) {
                    self.exchange(now, wire)?;
                }
                self.pump(now, wire)?;
            }
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
        let video = self.video.as_ref().filter(|video| !video.is_paused());
        let still = video.is_none_or(|video| video.sender().is_quiet(now, QUIET_AFTER));
        let quiet = self.connected && still;
        if quiet != self.quiet {
            self.quiet = quiet;
            let idle = quiet || self.is_paused();
            self.wish(if idle { 0 } else { self.ceiling_bps() });
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
                self.ceiling_bps()
            }
        };
        self.wish(wish);
        self.timeout = MonoTime::ZERO;
    }

    /// Sends what is due of the picture on its way, and starts the next ones.
    fn pump(&mut self, now: MonoTime, wire: &mut Wire) -> Result<(), EndReason> {
        let mut now = now;
        while let Some(video) = &mut self.video
            && video.is_ready(now)
        {
            video.sender_mut().write_chunk(&mut self.rtc, now);
            self.exchange(now, wire)?;
            wire.flush();
            now = MonoTime::now();
            if let Some(video) = &mut self.video {
                video.sender_mut().chunk_sent(now);
            }
        }
        Ok(())
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
                Output::Transmit(transmit) if self.bare_headers => {
                    let mut packet = transmit.contents.to_vec();
                    bare_headers::strip(&mut packet);
                    wire.send(&transmit, &packet);
                }
                Output::Transmit(transmit) => wire.send(&transmit, &transmit.contents),
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
        self.heard_now = false;
        self.sent.add(wire.sent_bytes() - before, now);
        if self.channels.is_sending(&mut self.rtc) {
            self.channels_busy_until = now + CHANNELS_SETTLED_AFTER;
        }
        Ok(())
    }

    fn on_event(&mut self, event: Event, now: MonoTime) -> Result<(), EndReason> {
        match event {
            Event::Connected => self.on_connected(),
            Event::ChannelData(message) => self.channels.received(&message),
            Event::ChannelOpen(id, label) => self.channels.opened(&mut self.rtc, id, &label),
            Event::ChannelClose(id) => self.channels.closed(id),
            Event::KeyframeRequest(_) => {
                if let Some(video) = &mut self.video {
                    video.keyframe_asked(now);
                }
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.on_estimate(estimate, now);
            }
            Event::RawPacket(packet) => self.on_raw(*packet, now),
            Event::MediaEgressStats(stats) if self.is_sound(stats.mid) => {
                if let Some(sound) = &mut self.sound {
                    sound.sample(stats.loss, now);
                }
            }
            Event::MediaEgressStats(stats) => {
                let link = Measured {
                    rtt: stats.rtt,
                    loss: stats.loss,
                    sent_bytes: self.sent.total(),
                };
                if let Some(video) = &mut self.video {
                    video.sample(&link, now);
                }
            }
            // A goodbye comes in a packet; silence ends an association by its timers.
            Event::Closed if self.heard_now => return Err(EndReason::Quit),
            Event::Closed => return Err(EndReason::Lost),
            _ => {}
        }
        Ok(())
    }

    fn is_sound(&self, mid: Mid) -> bool {
        self.sound.as_ref().is_some_and(|sound| sound.mid() == mid)
    }

    fn on_connected(&mut self) {
        tracing::info!(viewer = self.viewer.0, "connected");
        self.connected = true;
        let mid = self.video.as_ref().map(Video::mid);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = mid.and_then(|mid| api.stream_tx_by_mid(mid, None)) {
            stream.set_unpaced(true);
            stream.set_rtx_cache(RESEND_PACKETS, RESEND_WITHIN, Some(RESEND_SHARE));
        }
    }

    fn on_estimate(&mut self, estimate: str0m::bwe::Bitrate, now: MonoTime) {
        if self.is_paused() {
            if estimate > str0m::bwe::Bitrate::ZERO {
                self.rtc.bwe().reset(str0m::bwe::Bitrate::ZERO);
            }
            return;
        }
        let sent_bps = self.sent.bps(now);
        if let Some(video) = &mut self.video
            && video.estimated(estimate.as_u64(), sent_bps, now)
        {
            self.probe = Probe::Lower;
        }
    }

    fn on_raw(&mut self, packet: RawPacket, now: MonoTime) {
        if let (RawPacket::RtpTx(header, payload), Some(sound)) = (&packet, &mut self.sound)
            && sound.packet_sent(header, payload.len())
        {
            return;
        }
        let Some(video) = &mut self.video else { return };
        match packet {
            RawPacket::RtpTx(header, payload) => video.packet_sent(&header, payload.len(), now),
            RawPacket::RtcpRx(Rtcp::Nack(nack)) => video.asked_again(&nack, now),
            RawPacket::RtcpRx(Rtcp::Twcc(twcc)) => {
                let doubtful = video.feedback(twcc, self.sent.bps(now), now);
                if doubtful {
                    self.probe = Probe::Lower;
                }
            }
            _ => {}
        }
    }

    /// Tells the viewer that nothing more will come.
    pub(crate) fn say_goodbye(&mut self, wire: &mut Wire) {
        if self.rtc.is_alive() && self.rtc.close().is_ok() {
            // Whatever happens now, the session is over.
            let _ = self.exchange(MonoTime::now(), wire);
        }
        if let Some(video) = &mut self.video {
            video.end();
        }
        if let Some(sound) = &mut self.sound {
            sound.end();
        }
        self.channels.close_all();
    }
}

fn rate(bitrate: Bitrate) -> str0m::bwe::Bitrate {
    str0m::bwe::Bitrate::bps(u64::from(bitrate.bps()))
}

fn make_sound(parts: &SessionParts, track: SoundTrack, now: MonoTime) -> Option<Sound> {
    let parts = SoundParts {
        viewer: parts.viewer,
        pipeline: parts.sound.clone()?,
        track,
        events: parts.events.clone(),
        alarm: parts.alarm.clone(),
    };
    Some(Sound::new(parts, now))
}

fn make_video(
    parts: &SessionParts,
    track: Track,
    find_pipeline: &FindPipeline,
    now: MonoTime,
) -> Result<Video, OfferError> {
    let pipeline = find_pipeline().map_err(OfferError::Busy)?;
    let parts = VideoParts {
        viewer: parts.viewer,
        pipeline,
        track,
        events: parts.events.clone(),
        alarm: parts.alarm.clone(),
        initial_estimate: parts.config.initial_estimate,
        keyframe_every: (parts.options.flavour == Flavour::JetKvm).then_some(UNASKED_KEYFRAMES),
    };
    Video::new(parts, now).map_err(|error| OfferError::Busy(error.to_string()))
}
