//! Sends one access unit at a time: cut into packets, written in paced chunks, each packet with
//! the header extensions that keep a browser from waiting.

use crate::dependency::Descriptor;
use crate::packetise::packetise;
use crate::twins::{SentPacket, Twins};
use events::{EventSink, ViewerId};
use media::{AccessUnit, FrameIndex, FrameKind, MonoTime, PacketBatch, Rtp90k};
use pipeline::{Cut, PacedFrame, PacingInput, PacingPlan};
use std::sync::Arc;
use std::time::Duration;
use str0m::Rtc;
use str0m::media::{MediaTime, Mid, Pt};
use str0m::rtp::{AbsCaptureTime, ExtensionValues, RtpWrite};

/// Payload of a full packet: with headers, extensions, SRTP and IPv6 it stays below 1280 bytes,
/// which every IPv6 path carries.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 1160;
/// Packets that a batch has room for before it grows.
const PLANNED_PACKETS: usize = 64;
/// The first sequence number: low, so that the SRTP rollover counter starts at zero.
const FIRST_SEQUENCE: u64 = 1000;

/// How to send video on this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Track {
    pub(crate) mid: Mid,
    pub(crate) payload_type: Pt,
    pub(crate) playout_delay: bool,
    pub(crate) capture_time: bool,
    pub(crate) dependencies: bool,
}

/// The sending half of a session.
pub(crate) struct Sender {
    viewer: ViewerId,
    track: Track,
    frame_interval: Duration,
    events: EventSink,
    batch: PacketBatch,
    in_flight: Option<PacedFrame>,
    twins: Twins,
    next_sequence: u64,
    last_begun: MonoTime,
    last_frame: FrameIndex,
}

impl Sender {
    pub(crate) fn new(
        viewer: ViewerId,
        track: Track,
        frame_interval: Duration,
        events: EventSink,
    ) -> Self {
        Self {
            viewer,
            track,
            frame_interval,
            events,
            batch: PacketBatch::with_capacity(PLANNED_PACKETS, MAX_PAYLOAD_BYTES),
            in_flight: None,
            twins: Twins::default(),
            next_sequence: FIRST_SEQUENCE,
            last_begun: MonoTime::ZERO,
            last_frame: FrameIndex(0),
        }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.in_flight.is_none()
    }

    /// The picture sent last.
    pub(crate) const fn frame(&self) -> FrameIndex {
        self.last_frame
    }

    /// Whether nothing was sent for some time.
    pub(crate) fn is_quiet(&self, now: MonoTime, after: Duration) -> bool {
        self.is_idle() && now.since(self.last_begun) >= after
    }

    /// When the next chunk or copy is due, if any.
    pub(crate) fn next_at(&self) -> Option<MonoTime> {
        let chunk = self.in_flight.as_ref().map(PacedFrame::next_at);
        chunk.into_iter().chain(self.twins.next_at()).min()
    }

    /// Whether a chunk has to wait at `now`.
    pub(crate) fn is_paced(&self, now: MonoTime) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|frame| frame.next_at() > now)
    }

    /// Cuts a unit into packets; returns its first and last sequence number.
    pub(crate) fn begin(
        &mut self,
        unit: Arc<AccessUnit>,
        now: MonoTime,
        link_bps: Option<u64>,
    ) -> (u64, u64) {
        packetise(&unit.data, MAX_PAYLOAD_BYTES, &mut self.batch);
        let plan = PacingPlan::new(PacingInput {
            packets: self.batch.len(),
            bytes: self.batch.total_bytes(),
            frame_interval: self.frame_interval,
            link_bps: link_bps.map(|bps| bps * 2),
        });
        // A repeat of one packet keeps the stream alive; it does not end its quiet.
        if unit.kind != FrameKind::Repeat || self.batch.len() > 1 {
            self.last_begun = now;
        }
        self.last_frame = unit.index;
        let first = self.next_sequence;
        let packets = self.batch.len() as u64;
        if packets > 0 {
            let cut = Cut {
                packets: self.batch.len(),
                bytes: self.batch.total_bytes(),
                at: MonoTime::now(),
            };
            self.in_flight = Some(PacedFrame::new(unit, plan, cut, now));
        }
        (first, (first + packets).saturating_sub(1))
    }

    /// Drops what is left of the picture on its way, and what was to be sent again.
    pub(crate) fn abandon(&mut self) {
        self.in_flight = None;
        self.twins.forget();
    }

    /// Begins anew after a pause. Sequence numbers go on, so that the viewer sees one stream.
    pub(crate) fn restart(&mut self, frame_interval: Duration, now: MonoTime) {
        self.frame_interval = frame_interval;
        self.last_begun = now;
    }

    /// Writes the next chunk into the connection.
    pub(crate) fn write_chunk(&mut self, rtc: &mut Rtc, now: MonoTime) {
        let Some(in_flight) = &mut self.in_flight else {
            return;
        };
        let mut api = rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(self.track.mid, None) else {
            return;
        };
        let chunk = in_flight.next_chunk(now);
        let unit = in_flight.unit();
        let captured = unit.times.capture.noticed;
        for position in chunk {
            let Some(payload) = self.batch.get(position) else {
                break;
            };
            let last = position + 1 == self.batch.len();
            let packet = SentPacket {
                sequence: self.next_sequence,
                timestamp: Rtp90k::from_time(captured).0,
                captured,
                marker: last,
                values: extension_values(self.track, unit, position == 0, last),
                payload: Arc::from(payload),
            };
            stream.write_rtp(rtp_write(self.track, &packet).nackable(true));
            self.twins.sent(packet);
            self.next_sequence += 1;
        }
    }

    /// A viewer that far away asked for a packet again.
    pub(crate) fn asked_again(&mut self, sequence: u64, rtt: Duration, now: MonoTime) {
        self.twins.asked(sequence, rtt, now);
    }

    /// Writes the second copies that are due; whether there were any.
    pub(crate) fn write_twins(&mut self, rtc: &mut Rtc, now: MonoTime) -> bool {
        let mut any = false;
        while let Some(packet) = self.twins.take_due(now) {
            let mut api = rtc.direct_api();
            let Some(stream) = api.stream_tx_by_mid(self.track.mid, None) else {
                return any;
            };
            stream.write_rtp(rtp_write(self.track, &packet));
            any = true;
        }
        any
    }

    /// The chunk written last was handed to the kernel by `now`.
    pub(crate) fn chunk_sent(&mut self, now: MonoTime) {
        let Some(in_flight) = &mut self.in_flight else {
            return;
        };
        if let Some(sent) = in_flight.chunk_sent(self.viewer, now) {
            self.events.emit(sent);
            self.in_flight = None;
        }
    }
}

fn rtp_write(track: Track, packet: &SentPacket) -> RtpWrite {
    RtpWrite::new(
        track.payload_type,
        packet.sequence.into(),
        packet.timestamp,
        packet.captured.to_instant(),
        Arc::clone(&packet.payload),
    )
    .marker(packet.marker)
    .ext_vals(packet.values.clone())
}

fn extension_values(
    track: Track,
    unit: &AccessUnit,
    first_packet: bool,
    last_packet: bool,
) -> ExtensionValues {
    let mut values = ExtensionValues::default();
    if first_packet && track.playout_delay {
        values.play_delay_min = Some(MediaTime::ZERO);
        values.play_delay_max = Some(MediaTime::ZERO);
    }
    if first_packet && track.capture_time {
        let capture_time = unit.times.capture.noticed.to_system_time();
        values.abs_capture_time = Some(AbsCaptureTime {
            capture_time,
            clock_offset: None,
        });
    }
    if track.dependencies {
        let (frame, reference) = (unit.index, unit.reference);
        values.user_values.set(Descriptor {
            first_packet,
            last_packet,
            frame,
            reference,
        });
    }
    values
}
