//! What the probe tells: one report a second, and one over the whole stream. Sums are kept here;
//! nothing is judged.

use std::collections::BTreeMap;

use media::MonoTime;
use serde::Serialize;

use crate::audio::AudioCounts;
use crate::bitstream::Findings;
use crate::control::{ControlError, HostEvent};
use crate::decode::Decoded;
use crate::tone::Tones;
use crate::video::{BlockQueue, FrameKind, Unit, Violation, Violations};

/// Most repairs and events that one report lists; more are only counted.
const MAX_LISTED: usize = 256;

/// One second, or the whole stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Seconds since the stream began.
    pub at_s: f64,
    /// Seconds that are covered.
    pub duration_s: f64,
    /// Frames that could be shown.
    pub frames: u64,
    /// Those a second.
    pub fps: f64,
    /// Bits of them a second, in thousands.
    pub video_kbps: f64,
    /// Packets of video.
    pub packets: PacketReport,
    /// Frames that came whole only through parity.
    pub frames_recovered: u64,
    /// Frames that were not shown, lost and unusable ones together; counted when the picture goes on.
    pub frames_missing: u64,
    /// Those of them that the host left out: the packets around them follow each other.
    pub frames_never_sent: u64,
    /// Frames that came whole and could not be shown, because of a loss before.
    pub frames_unusable: u64,
    /// Keyframes.
    pub keyframes: u64,
    /// Frames that refer past a loss (type 5).
    pub repaired_frames: u64,
    /// Intra refreshes (type 4).
    pub intra_refreshes: u64,
    /// How often the host was asked to refer past a loss.
    pub invalidations_requested: u64,
    /// How often the host was asked for a keyframe.
    pub keyframes_requested: u64,
    /// Whether none has come since the last time.
    pub keyframe_owed: bool,
    /// Each interruption of the picture, and what ended it.
    pub repairs: Vec<Repair>,
    /// What the host says a frame took it, in milliseconds.
    pub host_latency_ms: Option<Percentiles>,
    /// Round trip of the control connection, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// From one complete frame to the next, in milliseconds.
    pub interval_ms: Spread,
    /// From a frame's first packet to its completion, in milliseconds.
    pub assembly_ms: Spread,
    /// What was found in the bitstream without decoding it.
    pub bitstream: BitstreamReport,
    /// What decoding brought; nothing without a decoder.
    pub decoded: Option<DecodeReport>,
    /// Sound.
    pub audio: AudioReport,
    /// What the host said on the control connection.
    pub host_events: Vec<HostEvent>,
    /// What the host did that it may not, counted.
    pub violations: BTreeMap<&'static str, u64>,
}

/// Packets of video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PacketReport {
    /// That came.
    pub received: u64,
    /// Their bytes, from the RTP header on, without what encryption adds.
    pub bytes: u64,
    /// That the network lost.
    pub missing: u64,
    /// That this client threw away on purpose.
    pub dropped_on_purpose: u64,
    /// That came after a later one.
    pub reordered: u64,
    /// That came twice.
    pub duplicates: u64,
    /// Data packets that parity brought back.
    pub recovered: u64,
    /// Blocks that parity could not bring back.
    pub failed_blocks: u64,
}

/// An interruption of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Repair {
    /// The last frame before it.
    pub after_frame: u32,
    /// Frames that were not shown.
    pub missing_frames: u32,
    /// From the last frame before to the first after, in milliseconds.
    pub gap_ms: f64,
    /// The type of the frame that ended it: 2 keyframe, 4 intra refresh, 5 refers past the loss.
    pub ended_by: u8,
}

/// Percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The least.
    pub min: f64,
    /// Half are below.
    pub p50: f64,
    /// 95 of 100 are below.
    pub p95: f64,
    /// The most.
    pub max: f64,
}

/// Mean and spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// The most.
    pub max: f64,
}

/// What was found without decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BitstreamReport {
    /// Units that are not what the codec allows.
    pub malformed: u64,
    /// Units that refer to a picture that was not delivered.
    pub missing_references: u64,
    /// Keyframes without their parameter sets.
    pub missing_parameters: u64,
    /// Slices or tiles.
    pub slices: u64,
}

/// What decoding brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DecodeReport {
    /// Pictures.
    pub pictures: u64,
    /// Pictures that the decoder calls damaged.
    pub damaged: u64,
    /// Units that it refused.
    pub failures: u64,
    /// Times that it fell so far behind that the stream began anew.
    pub overruns: u64,
    /// Width of the last picture.
    pub width: u32,
    /// Height of the last picture.
    pub height: u32,
}

/// Sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AudioReport {
    /// Data packets.
    pub packets: u64,
    /// Parity packets.
    pub parity: u64,
    /// Packets that parity brought back.
    pub recovered: u64,
    /// Packets that could not be had.
    pub lost: u64,
    /// Packets that this client threw away on purpose.
    pub dropped_on_purpose: u64,
    /// Packets that are malformed or do not decrypt.
    pub bad: u64,
    /// Packets of another size than their block: stock clients then switch recovery off.
    pub size_changes: u64,
    /// Packets that the decoder refused.
    pub failures: u64,
    /// The loudest tone of each channel in Hz, 0 for silence; empty without a decoder.
    pub tones_hz: Vec<f64>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
    max: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
        self.max = self.max.max(value);
    }

    fn spread(&self) -> Spread {
        let count = self.count.max(1) as f64;
        let mean = self.sum / count;
        Spread {
            mean,
            deviation: (self.squares / count - mean * mean).max(0.0).sqrt(),
            max: self.max,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Tally {
    report: Report,
    bytes: u64,
    latencies: Vec<u16>,
    intervals: Sums,
    assembly: Sums,
}

impl Tally {
    fn finish(mut self, at_s: f64, duration_s: f64) -> Report {
        let seconds = duration_s.max(1e-3);
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let last = self.latencies.len().checked_sub(1)?;
            let value = self.latencies[(last as f64 * share).round() as usize];
            Some(f64::from(value) / 10.0)
        };
        let latency = at(0.0).zip(at(0.5)).zip(at(0.95).zip(at(1.0)));
        Report {
            at_s,
            duration_s,
            fps: self.report.frames as f64 / seconds,
            video_kbps: self.bytes as f64 * 8.0 / 1000.0 / seconds,
            host_latency_ms: latency.map(|((min, p50), (p95, max))| Percentiles {
                min,
                p50,
                p95,
                max,
            }),
            interval_ms: self.intervals.spread(),
            assembly_ms: self.assembly.spread(),
            ..self.report
        }
    }
}

/// A report whose tones are still to be told, which takes longer than packets should wait.
#[derive(Debug)]
pub(crate) struct Pending {
    report: Report,
    tones: Option<Tones>,
}

impl Pending {
    /// To be called when nobody waits for the collector.
    pub(crate) fn complete(self) -> Report {
        let mut report = self.report;
        if let Some(tones) = self.tones {
            report.audio.tones_hz = tones.loudest_hz();
        }
        report
    }
}

/// Adds up what happens.
#[derive(Debug)]
pub(crate) struct Collector {
    began: MonoTime,
    second_began: MonoTime,
    second: Tally,
    total: Tally,
    last_shown: Option<(u32, MonoTime)>,
    sequence: Sequence,
    packets_seen: PacketReport,
    audio_seen: AudioCounts,
    violations_seen: BTreeMap<Violation, u64>,
    rtt_ms: Option<f64>,
    tones: Option<Tones>,
    keyframe_owed: bool,
}

impl Collector {
    pub(crate) fn new(now: MonoTime) -> Self {
        Self {
            began: now,
            second_began: now,
            second: Tally::default(),
            total: Tally::default(),
            last_shown: None,
            sequence: Sequence::default(),
            packets_seen: PacketReport::default(),
            audio_seen: AudioCounts::default(),
            violations_seen: BTreeMap::new(),
            rtt_ms: None,
            tones: None,
            keyframe_owed: false,
        }
    }

    fn both(&mut self, change: impl Fn(&mut Tally)) {
        change(&mut self.second);
        change(&mut self.total);
    }

    fn each(&mut self, change: impl Fn(&mut Report)) {
        self.both(|tally| change(&mut tally.report));
    }

    /// Whether any packet of video has come.
    pub(crate) const fn has_video(&self) -> bool {
        self.total.report.packets.received > 0
    }

    /// Whether any frame could be shown.
    pub(crate) const fn has_picture(&self) -> bool {
        self.total.report.frames > 0
    }

    /// A packet of video came; `dropped` if this client threw it away.
    pub(crate) fn packet(&mut self, sequence: u16, frame: u32, bytes: usize, dropped: bool) {
        let missing = self.sequence.missing_after(sequence);
        let left_out = self.sequence.left_out_before(sequence, frame);
        self.each(|report| {
            report.frames_never_sent += u64::from(left_out);
            report.packets.received += 1;
            report.packets.bytes += bytes as u64;
            report.packets.dropped_on_purpose += u64::from(dropped);
        });
        // A packet that was only late takes back what was counted against it.
        self.each(|report| {
            report.packets.missing = report.packets.missing.saturating_add_signed(missing);
        });
    }

    /// What the queues have counted by now.
    pub(crate) fn queue(&mut self, queue: &BlockQueue, gate: &Violations) {
        let counts = queue.counts();
        let seen = PacketReport {
            reordered: counts.reordered,
            duplicates: counts.duplicates,
            recovered: counts.recovered_packets,
            failed_blocks: counts.failed_blocks,
            ..PacketReport::default()
        };
        if seen != self.packets_seen {
            let before = std::mem::replace(&mut self.packets_seen, seen);
            self.each(|report| {
                report.packets.reordered += seen.reordered - before.reordered;
                report.packets.duplicates += seen.duplicates - before.duplicates;
                report.packets.recovered += seen.recovered - before.recovered;
                report.packets.failed_blocks += seen.failed_blocks - before.failed_blocks;
            });
        }
        let mut violations = queue.violations().clone();
        for (&violation, &count) in gate {
            *violations.entry(violation).or_default() += count;
        }
        if violations != self.violations_seen {
            let before = std::mem::replace(&mut self.violations_seen, violations.clone());
            for (violation, count) in violations {
                let more = count - before.get(&violation).copied().unwrap_or(0);
                self.violation(violation, more);
            }
        }
    }

    pub(crate) fn violation(&mut self, violation: Violation, count: u64) {
        if count > 0 {
            self.each(|report| *report.violations.entry(violation.name()).or_default() += count);
        }
    }

    /// A frame that can be shown.
    pub(crate) fn unit(&mut self, unit: &Unit<'_>, recovered: bool, findings: Findings) {
        let before = self.last_shown.replace((unit.index, unit.complete_at));
        let interval_ms = before.map(|(_, at)| unit.complete_at.since(at).as_secs_f64() * 1000.0);
        let assembly_ms = unit.complete_at.since(unit.first_at).as_secs_f64() * 1000.0;
        let repair = before.and_then(|(index, _)| {
            let missing_frames = unit.index.wrapping_sub(index).wrapping_sub(1);
            (missing_frames > 0).then_some(Repair {
                after_frame: index,
                missing_frames,
                gap_ms: interval_ms.unwrap_or(0.0),
                ended_by: unit.kind.code(),
            })
        });
        let latency = unit.host_latency_tenth_ms;
        self.keyframe_owed &= !unit.key;
        self.both(|tally| {
            let report = &mut tally.report;
            report.frames += 1;
            report.frames_recovered += u64::from(recovered);
            report.frames_missing += u64::from(repair.map_or(0, |repair| repair.missing_frames));
            report.keyframes += u64::from(unit.key);
            report.repaired_frames += u64::from(unit.kind == FrameKind::AfterInvalidation);
            report.intra_refreshes += u64::from(unit.kind == FrameKind::IntraRefresh);
            report.bitstream.malformed += u64::from(findings.malformed);
            report.bitstream.missing_references += u64::from(findings.missing_reference);
            report.bitstream.missing_parameters += u64::from(findings.missing_parameters);
            report.bitstream.slices += u64::from(findings.slices);
            if let Some(repair) = repair.filter(|_| report.repairs.len() < MAX_LISTED) {
                report.repairs.push(repair);
            }
            tally.bytes += unit.bitstream.len() as u64;
            if latency > 0 {
                tally.latencies.push(latency);
            }
            if let Some(interval_ms) = interval_ms {
                tally.intervals.add(interval_ms);
            }
            tally.assembly.add(assembly_ms);
        });
    }

    pub(crate) fn unusable(&mut self) {
        self.each(|report| report.frames_unusable += 1);
    }

    pub(crate) fn invalidation_requested(&mut self) {
        self.each(|report| report.invalidations_requested += 1);
    }

    pub(crate) fn keyframe_requested(&mut self) {
        self.keyframe_owed = true;
        self.each(|report| report.keyframes_requested += 1);
    }

    pub(crate) fn decoded(&mut self, decoded: Option<Decoded>) {
        self.each(|report| {
            let sum = report.decoded.get_or_insert_default();
            match decoded {
                None => sum.failures += 1,
                Some(decoded) => {
                    sum.pictures += u64::from(decoded.pictures);
                    sum.damaged += u64::from(decoded.damaged);
                    if let Some(size) = decoded.size {
                        (sum.width, sum.height) = (size.width, size.height);
                    }
                }
            }
        });
    }

    pub(crate) fn decoder_overrun(&mut self) {
        self.each(|report| report.decoded.get_or_insert_default().overruns += 1);
    }

    pub(crate) fn audio(&mut self, counts: AudioCounts, dropped: bool) {
        let before = std::mem::replace(&mut self.audio_seen, counts);
        let bad = |counts: AudioCounts| counts.malformed + counts.not_authentic;
        self.each(|report| {
            let audio = &mut report.audio;
            audio.packets += counts.packets - before.packets;
            audio.parity += counts.parity - before.parity;
            audio.recovered += counts.recovered - before.recovered;
            audio.lost += counts.lost - before.lost;
            audio.size_changes += counts.size_changes - before.size_changes;
            audio.bad += bad(counts) - bad(before);
            audio.dropped_on_purpose += u64::from(dropped);
        });
    }

    pub(crate) fn samples(&mut self, channels: u8, samples: Option<&[f32]>) {
        let tones = self.tones.get_or_insert_with(|| Tones::new(channels));
        match samples {
            Some(samples) => tones.push(samples),
            None => self.each(|report| report.audio.failures += 1),
        }
    }

    pub(crate) fn host_event(&mut self, event: &HostEvent) {
        self.each(|report| {
            if report.host_events.len() < MAX_LISTED {
                report.host_events.push(event.clone());
            }
        });
    }

    pub(crate) fn unreadable(&mut self, error: ControlError) {
        let name = match error {
            ControlError::Envelope => "control message without envelope",
            ControlError::NotAuthentic => "control message does not decrypt",
            ControlError::Short => "control message too short",
            ControlError::Replayed => "control message number used twice",
        };
        self.each(|report| *report.violations.entry(name).or_default() += 1);
    }

    pub(crate) fn round_trip(&mut self, rtt_ms: f64) {
        self.rtt_ms = Some(rtt_ms);
    }

    /// The second that ends now.
    pub(crate) fn take_second(&mut self, now: MonoTime) -> Pending {
        let tally = std::mem::take(&mut self.second);
        let duration_s = now.since(self.second_began).as_secs_f64();
        self.second_began = now;
        self.finish(tally, now, duration_s)
    }

    /// Everything up to now.
    pub(crate) fn total(&self, now: MonoTime) -> Pending {
        let duration_s = now.since(self.began).as_secs_f64();
        self.finish(self.total.clone(), now, duration_s)
    }

    fn finish(&self, tally: Tally, now: MonoTime, duration_s: f64) -> Pending {
        let at_s = now.since(self.began).as_secs_f64();
        let mut report = tally.finish(at_s, duration_s);
        report.rtt_ms = self.rtt_ms;
        report.keyframe_owed = self.keyframe_owed;
        Pending {
            report,
            tones: self.tones.clone(),
        }
    }
}

/// Which sequence numbers are missing, in numbers that do not wrap.
#[derive(Debug, Default)]
struct Sequence {
    highest: Option<u16>,
    /// The last packet that came, and the frame it belongs to.
    last: Option<(u16, u32)>,
}

impl Sequence {
    /// How many more are missing now that this one came; negative if it was counted as missing.
    fn missing_after(&mut self, sequence: u16) -> i64 {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return 0;
        };
        let ahead = sequence.wrapping_sub(highest).cast_signed();
        if ahead > 0 {
            self.highest = Some(sequence);
            i64::from(ahead) - 1
        } else {
            -i64::from(ahead != 0)
        }
    }

    /// Frames between this packet and the one that was sent right before it.
    fn left_out_before(&mut self, sequence: u16, frame: u32) -> u32 {
        let before = self.last.replace((sequence, frame));
        let follows = before.filter(|(last, _)| last.wrapping_add(1) == sequence);
        let between = follows.map(|(_, last)| frame.wrapping_sub(last).wrapping_sub(1));
        // The same frame goes on, or an older one comes, which is told elsewhere.
        between
            .filter(|between| *between < u32::MAX / 2)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn unit(index: u32, at_ms: u64, kind: FrameKind) -> Unit<'static> {
        let at = MonoTime::from_nanos(Duration::from_millis(at_ms).as_nanos() as u64);
        Unit {
            timestamp: 0,
            index,
            kind,
            key: kind == FrameKind::Key,
            bitstream: &[0; 125],
            host_latency_tenth_ms: index as u16 * 10,
            first_at: at,
            complete_at: at,
            long_term: false,
        }
    }

    #[test]
    fn an_interruption_is_told_with_what_ended_it() {
        let mut collector = Collector::new(MonoTime::ZERO);
        collector.unit(&unit(1, 100, FrameKind::Key), false, Findings::default());
        collector.unit(
            &unit(2, 110, FrameKind::Predicted),
            true,
            Findings::default(),
        );
        collector.unit(
            &unit(5, 150, FrameKind::AfterInvalidation),
            false,
            Findings::default(),
        );
        let report = collector
            .take_second(MonoTime::from_nanos(1_000_000_000))
            .complete();
        assert_eq!(
            (report.frames, report.frames_recovered, report.keyframes),
            (3, 1, 1)
        );
        assert_eq!(report.video_kbps, 3.0);
        assert_eq!(
            report.repairs,
            [Repair {
                after_frame: 2,
                missing_frames: 2,
                gap_ms: 40.0,
                ended_by: 5,
            }]
        );
        assert_eq!(
            report.interval_ms,
            Spread {
                mean: 25.0,
                deviation: 15.0,
                max: 40.0
            }
        );
        let latency = report.host_latency_ms.unwrap();
        assert_eq!((latency.min, latency.p50, latency.max), (1.0, 2.0, 5.0));
    }

    #[test]
    fn a_keyframe_is_owed_from_the_request_to_the_next_one() {
        let mut collector = Collector::new(MonoTime::ZERO);
        let owed =
            |collector: &mut Collector| collector.total(MonoTime::ZERO).complete().keyframe_owed;
        collector.keyframe_requested();
        collector.unit(
            &unit(1, 10, FrameKind::Predicted),
            false,
            Findings::default(),
        );
        assert!(owed(&mut collector));
        collector.unit(&unit(2, 20, FrameKind::Key), false, Findings::default());
        assert!(!owed(&mut collector));
    }

    #[test]
    fn frames_that_were_left_out_are_told_from_those_whose_packets_are_lost() {
        let mut collector = Collector::new(MonoTime::ZERO);
        // Two frames are left out after the first; what lies between 8 and 11 may have been lost.
        for (sequence, frame) in [(5, 1), (6, 1), (7, 4), (8, 5), (11, 9), (12, 9)] {
            collector.packet(sequence, frame, 100, false);
        }
        let total = collector.total(MonoTime::ZERO).complete();
        assert_eq!((total.frames_never_sent, total.packets.missing), (2, 2));
    }

    #[test]
    fn a_second_begins_anew_and_the_total_goes_on() {
        let mut collector = Collector::new(MonoTime::ZERO);
        for sequence in [65_534, 65_535, 2, 1, 3] {
            collector.packet(sequence, 1, 100, sequence == 3);
        }
        let first = collector.take_second(MonoTime::from_nanos(1)).complete();
        let packets = first.packets;
        assert_eq!(
            (
                packets.received,
                packets.missing,
                packets.dropped_on_purpose
            ),
            (5, 1, 1)
        );
        collector.packet(5, 1, 100, false);
        assert_eq!(
            collector
                .take_second(MonoTime::from_nanos(2))
                .complete()
                .packets
                .missing,
            1
        );
        assert_eq!(
            collector
                .total(MonoTime::from_nanos(2))
                .complete()
                .packets
                .missing,
            2
        );
    }
}
