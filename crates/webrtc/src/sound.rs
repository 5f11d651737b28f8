//! The sound of one session: its lease, its packets and their times. Owns everything that a pause or a
//! mute gives back; refuses to know about connections.

use audio::{
    AudioLease, AudioPipeline, AudioRequest, FrameDuration, HostAudio, InSilence, OpusConfig,
    OpusFrame, OpusQueue, SAMPLE_RATE_HZ, WithoutSource,
};
use events::{EventSink, SoundSample, ViewerId};
use media::MonoTime;
use net::Alarm;
use std::sync::Arc;
use std::time::Duration;
use str0m::Rtc;
use str0m::media::{Mid, Pt};
use str0m::rtp::{AbsCaptureTime, ExtensionValues, RtpHeader, RtpWrite, Ssrc};

/// A frame is heard when its last sample is in, so short frames are heard sooner. Browsers ask for at
/// least 10 ms (`minptime`); shorter ones would mostly be headers.
const FRAME: FrameDuration = FrameDuration::Ms10;
/// Transparent for music in stereo.
const BITRATE_BPS: u32 = 128_000;
/// Frames that may wait for the network thread: 40 ms.
const QUEUE_DEPTH: usize = 4;
/// Sound that could not be had is asked for again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Viewers work out the capture time of packets between those that carry it.
const CAPTURE_TIME_EVERY: Duration = Duration::from_millis(500);
/// As of pictures: low, so that the SRTP rollover counter starts at zero.
const FIRST_SEQUENCE: u64 = 1000;
/// A frame without sound, as discontinuous encoders send.
const GAP_BYTES: usize = 1;

/// What viewers are sent.
pub(crate) const REQUEST: AudioRequest = AudioRequest {
    opus: OpusConfig::webrtc(FRAME, BITRATE_BPS),
    host_audio: HostAudio::Audible,
    without_source: WithoutSource::Nothing,
    in_silence: InSilence::Gaps,
};

/// How to send sound on this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoundTrack {
    pub(crate) mid: Mid,
    pub(crate) payload_type: Pt,
    pub(crate) ssrc: Ssrc,
    pub(crate) capture_time: bool,
}

/// RTP times of frames. They count samples, so that a decoder finds frames side by side even where
/// the sound card's clock runs at another speed; where time was left out, it is left out here too.
#[derive(Clone, Copy, Debug, Default)]
struct RtpClock {
    last: Option<(u64, MonoTime)>,
    /// The same stream goes on, so its indices do.
    continues: bool,
    timestamp: u32,
}

impl RtpClock {
    /// What comes next is of another stream, which counts from its own start.
    const fn restart(&mut self) {
        self.continues = false;
    }

    /// The time of a frame of this index, captured then.
    fn next(&mut self, index: u64, captured: MonoTime) -> u32 {
        let frame = FRAME.duration();
        let samples = |time: Duration| time.as_nanos() * u128::from(SAMPLE_RATE_HZ) / 1_000_000_000;
        let Some((last_index, last_captured)) = self.last.replace((index, captured)) else {
            self.continues = true;
            self.timestamp = samples(captured.since(MonoTime::ZERO)) as u32;
            return self.timestamp;
        };
        let passed = captured.since(last_captured);
        let counted = index.saturating_sub(last_index).max(1);
        let counted = frame * u32::try_from(counted).unwrap_or(u32::MAX);
        let stands = self.continues && passed.abs_diff(counted) <= frame;
        let step = if stands { counted } else { passed.max(frame) };
        self.continues = true;
        self.timestamp = self.timestamp.wrapping_add(samples(step) as u32);
        self.timestamp
    }
}

/// A place among the listeners.
struct Feed {
    _lease: AudioLease,
    queue: Arc<OpusQueue>,
}

/// What a session's sound is made of.
pub(crate) struct SoundParts {
    pub(crate) viewer: ViewerId,
    pub(crate) pipeline: Arc<AudioPipeline>,
    pub(crate) track: SoundTrack,
    pub(crate) events: EventSink,
    pub(crate) alarm: Alarm,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    packets: u32,
    bytes: u64,
}

pub(crate) struct Sound {
    parts: SoundParts,
    muted: bool,
    paused: bool,
    /// Absent while nobody listens, or no thread is to be had.
    feed: Option<Feed>,
    retry_at: MonoTime,
    clock: RtpClock,
    next_sequence: u64,
    /// The last packet had sound in it.
    sounding: bool,
    capture_time_at: MonoTime,
    counters: Counters,
}

impl Sound {
    pub(crate) fn new(parts: SoundParts, now: MonoTime) -> Self {
        Self {
            parts,
            muted: false,
            paused: false,
            feed: None,
            retry_at: now,
            clock: RtpClock::default(),
            next_sequence: FIRST_SEQUENCE,
            sounding: false,
            capture_time_at: now,
            counters: Counters::default(),
        }
    }

    pub(crate) const fn mid(&self) -> Mid {
        self.parts.track.mid
    }

    pub(crate) const fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(crate) const fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    const fn is_wanted(&self) -> bool {
        !self.muted && !self.paused
    }

    /// When there is something to do besides sending.
    pub(crate) fn wake_at(&self, connected: bool) -> Option<MonoTime> {
        let wanted = connected && self.is_wanted();
        (wanted && self.feed.is_none()).then_some(self.retry_at)
    }

    /// Sees to the lease, and to the stream's place in the connection: a stream that is there is
    /// reported on, and its reports tell when its sound was captured, which nothing was yet.
    pub(crate) fn tend(&mut self, rtc: &mut Rtc, connected: bool, now: MonoTime) {
        let over = self.feed.as_ref().is_some_and(|f| f.queue.is_closed());
        if self.feed.is_some() && (over || !self.is_wanted()) {
            self.feed = None;
            self.retry_at = if over { now + RETRY_AFTER } else { now };
            rtc.direct_api().remove_stream_tx(self.parts.track.ssrc);
        }
        if self.feed.is_some() || !connected || !self.is_wanted() || now < self.retry_at {
            return;
        }
        let alarm = self.parts.alarm.clone();
        let queue = OpusQueue::new(QUEUE_DEPTH, move || alarm.ring());
        match self.parts.pipeline.acquire(&REQUEST, Arc::clone(&queue)) {
            Ok(lease) => {
                let _lease = lease;
                self.feed = Some(Feed { _lease, queue });
                self.clock.restart();
                self.sounding = false;
                self.capture_time_at = now;
            }
            Err(error) => {
                tracing::warn!(viewer = self.parts.viewer.0, %error, "no sound for a viewer");
                self.retry_at = now + RETRY_AFTER;
            }
        }
    }

    /// Writes the frames that came; whether there were any.
    pub(crate) fn write(&mut self, rtc: &mut Rtc) -> bool {
        let mut any = false;
        while let Some(frame) = self.feed.as_ref().and_then(|feed| feed.queue.pop()) {
            let packet = self.packet(&frame);
            let track = self.parts.track;
            let mut api = rtc.direct_api();
            let stream = api.declare_stream_tx(track.ssrc, None, track.mid, None);
            stream.write_rtp(packet);
            any = true;
        }
        any
    }

    fn packet(&mut self, frame: &OpusFrame) -> RtpWrite {
        let track = self.parts.track;
        let sounding = frame.bytes.len() > GAP_BYTES;
        // The first packet after a gap is marked (RFC 7587).
        let begins = sounding && !self.sounding;
        self.sounding = sounding;
        let mut values = ExtensionValues::default();
        if track.capture_time && (begins || frame.captured >= self.capture_time_at) {
            self.capture_time_at = frame.captured + CAPTURE_TIME_EVERY;
            values.abs_capture_time = Some(AbsCaptureTime {
                capture_time: frame.captured.to_system_time(),
                clock_offset: None,
            });
        }
        let timestamp = self.clock.next(frame.index, frame.captured);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        RtpWrite::new(
            track.payload_type,
            sequence.into(),
            timestamp,
            frame.captured.to_instant(),
            frame.bytes.as_slice(),
        )
        .marker(begins)
        .ext_vals(values)
    }

    /// A packet of this session left; whether it was sound.
    pub(crate) fn packet_sent(&mut self, header: &RtpHeader, bytes: usize) -> bool {
        let ours = header.ssrc == self.parts.track.ssrc;
        if ours {
            self.counters.packets = self.counters.packets.saturating_add(1);
            self.counters.bytes += (header.header_len + bytes) as u64;
        }
        ours
    }

    /// A second's statistics of the connection.
    pub(crate) fn sample(&mut self, loss: Option<f32>, now: MonoTime) {
        let counters = std::mem::take(&mut self.counters);
        self.parts.events.emit(SoundSample {
            viewer: self.parts.viewer,
            sent_bytes: counters.bytes,
            packets: counters.packets,
            loss_ppm: loss.map(|share| (share * 1e6) as u32),
            at: now,
        });
    }

    pub(crate) fn end(&mut self) {
        if let Some(feed) = self.feed.take() {
            feed.queue.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(3_600_000_000_000) + Duration::from_millis(ms)
    }

    #[test]
    fn frames_lie_side_by_side_although_the_card_is_slow() {
        let mut clock = RtpClock::default();
        let first = clock.next(0, at(0));
        for index in 1..10_000 {
            let late = Duration::from_micros(index);
            let timestamp = clock.next(index, at(index * 10) + late);
            assert_eq!(timestamp.wrapping_sub(first), index as u32 * 480);
        }
    }

    #[test]
    fn frames_that_were_not_sent_leave_room() {
        let mut clock = RtpClock::default();
        let first = clock.next(7, at(0));
        assert_eq!(clock.next(47, at(400)).wrapping_sub(first), 40 * 480);
    }

    #[test]
    fn time_that_was_left_out_is_left_out() {
        let mut clock = RtpClock::default();
        let first = clock.next(0, at(0));
        assert_eq!(clock.next(1, at(1000)).wrapping_sub(first), 48_000);
        clock.restart();
        let second = clock.next(0, at(5000));
        assert_eq!(second.wrapping_sub(first), 5 * 48_000);
        assert_eq!(clock.next(1, at(5010)).wrapping_sub(second), 480);
    }

    proptest! {
        #[test]
        fn times_only_go_on_and_stay_near_the_time_of_capture(
            steps in prop::collection::vec((0_u64..50, 0_u64..3000, any::<bool>()), 1..200),
        ) {
            let mut clock = RtpClock::default();
            let (mut index, mut ms) = (0, 0);
            let first = clock.next(index, at(ms));
            let mut last = first;
            for (missing, lag_ms, restarts) in steps {
                index += 1 + missing;
                ms += 10 * (1 + missing) + lag_ms;
                if restarts {
                    clock.restart();
                    index = 0;
                }
                let next = clock.next(index, at(ms));
                let step = next.wrapping_sub(last);
                prop_assert!((480..1 << 31).contains(&step), "a step of {step}");
                last = next;
            }
            let told_ms = u64::from(last.wrapping_sub(first)) / 48;
            // Lags of up to a frame each are taken for jitter.
            prop_assert!(told_ms <= ms + 10 && told_ms + 10 * 200 >= ms, "{told_ms} of {ms}");
        }
    }
}
