//! What was measured, put together over all turns of each configuration: the shape of the JSON.

use crate::frames::{Frame, Stage};
use crate::input::{InputReport, Press};
use crate::options::{BenchOptions, BenchSource, Variant};
use crate::page::ClockBounds;
use crate::percentiles::{Around, Summary};
use crate::processes::Machine;
use crate::turn::Turn;
use crate::viewer::BenchClient;
use media::FrameRate;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// A gap between pictures is a freeze from here on, unless the rate is very low.
const FREEZE_MS: f64 = 150.0;
const FREEZE_INTERVALS: f64 = 3.0;
/// Headers of IPv4 and UDP, which the browser does not count.
const DATAGRAM_HEADER_BYTES: f64 = 28.0;
/// Percentiles whose frames are split into stages.
const BAND_PERCENTS: [f64; 3] = [50.0, 95.0, 99.0];
/// A band reaches this far to both sides, in percent of the frames.
const BAND_REACH_PERCENT: f64 = 1.0;

/// Everything that a bench found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When, in seconds since the Unix epoch.
    pub taken_at_unix_s: u64,
    /// Where.
    pub machine: Machine,
    /// What looked at the stream.
    pub client: BenchClient,
    /// Source of the pictures.
    pub source: String,
    /// What it shows.
    pub content: String,
    /// Size of the pictures.
    pub size: String,
    /// New pictures a second.
    pub source_rate: u32,
    /// Turns of each configuration.
    pub rounds: u32,
    /// One configuration, or the two that took turns.
    pub variants: Vec<VariantReport>,
}

/// What was found of one configuration.
#[derive(Clone, Debug, Serialize)]
pub struct VariantReport {
    /// `A` or `B`.
    pub name: String,
    /// Flags of the host.
    pub flags: String,
    /// Measured time.
    pub seconds: f64,
    /// Frames by what became of them.
    pub counts: Counts,
    /// New pictures a second that became readable.
    pub unique_fps: f64,
    /// Gaps that a person sees.
    pub freezes: Freezes,
    /// The stages of all frames, each by itself.
    pub stages: Vec<StageSummary>,
    /// From drawing to the ends that matter.
    pub totals: Totals,
    /// Where the time goes in typical, slow and very slow frames.
    pub bands: Vec<Band>,
    /// From presses of keys and the mouse button in the page to the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputReport>,
    /// What the processes used; the host first.
    pub processes: Vec<ProcessShare>,
    /// Share of all cores that was busy, 0 to 1.
    pub machine_busy: f64,
    /// What went over the wire.
    pub wire: Wire,
    /// Start of the host to the line with its address, for each turn.
    pub start_to_listening_ms: Vec<f64>,
    /// Opening the page to its first readable frame, for each turn.
    pub first_frame_ms: Vec<f64>,
    /// The same when the page is opened once more.
    pub first_frame_again_ms: Vec<f64>,
    /// How far the page's clock was ahead of the machine's, for each turn.
    pub page_clock_ahead: Vec<ClockBounds>,
    /// The host with more viewers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub viewers: Vec<ViewerCost>,
    /// The host's memory over time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemorySample>,
    /// Every frame of every turn.
    #[serde(skip)]
    pub(crate) turns: Vec<Vec<Frame>>,
    /// Every press of every turn.
    #[serde(skip)]
    pub(crate) presses: Vec<Vec<Press>>,
}

/// Frames by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pictures that became readable.
    pub unique: usize,
    /// Frames that showed one of them again.
    pub repeated: u32,
    /// Pictures that were drawn in between and never became readable.
    pub missing: u32,
    /// Frames whose barcode could not be read.
    pub unreadable: u32,
    /// Pictures that the measuring worker read long after they were on the screen: a sign that the
    /// machine was too busy to be measured on.
    pub read_late: u32,
    /// Times that the page had to connect again.
    pub reconnects: u32,
}

/// Gaps between pictures longer than three intervals, and 150 ms at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Freezes {
    /// How many.
    pub count: usize,
    /// The longest gap of all, freeze or not.
    pub longest_gap_ms: f64,
}

/// One stage over all frames.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StageSummary {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    #[serde(flatten)]
    pub summary: Summary,
}

/// From drawing to the ends that matter. Absent where nothing was measured.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// To the frame's last packet received by the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Summary>,
    /// To the decoded frame read in the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readable: Option<Summary>,
    /// To `requestVideoFrameCallback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sight: Option<Summary>,
    /// Time inside the decoder: a part of the stage `decode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_decoder: Option<Summary>,
}

/// Frames around a percentile of the time to readable, split into stages. Unlike the stages' own
/// percentiles, these add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// The percentile.
    pub percent: f64,
    /// Frames around it.
    pub frames: usize,
    /// Their mean stages, in order.
    pub stages_ms: [f64; Stage::ALL.len()],
}

/// What one process and its children used.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessShare {
    /// Its name.
    pub name: &'static str,
    /// CPU seconds a second.
    pub cpu: f64,
    /// CPU time for each readable picture.
    pub cpu_ms_per_frame: f64,
    /// Memory at the end.
    pub memory: Memory,
}

/// Resident memory in megabytes of 1024 · 1024 bytes. In a group of processes, shared pages count
/// once for each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Now.
    pub rss_mb: f64,
    /// At most so far.
    pub peak_rss_mb: f64,
}

impl Memory {
    fn of_kb(rss_kb: u64, peak_rss_kb: u64) -> Self {
        let mb = |kb: u64| kb as f64 / 1024.0;
        Self {
            rss_mb: mb(rss_kb),
            peak_rss_mb: mb(peak_rss_kb),
        }
    }
}

/// What went over the wire, as the browser counts it. Absent where it does not.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Wire {
    /// Bits a second, headers of IP and UDP included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbps: Option<f64>,
    /// Packets a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_per_s: Option<f64>,
    /// Packets lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<f64>,
    /// Packets asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nacks: Option<f64>,
    /// Requests for a keyframe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plis: Option<f64>,
    /// Keyframes decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframes: Option<f64>,
    /// Mean time in the browser's jitter buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_buffer_ms: Option<f64>,
}

/// The host with a number of viewers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ViewerCost {
    /// How many.
    pub viewers: u32,
    /// CPU seconds a second.
    pub cpu: f64,
    /// Its memory.
    pub memory: Memory,
}

/// The host's memory at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemorySample {
    /// Since the measurement ended.
    pub seconds: f64,
    /// Resident.
    pub rss_mb: f64,
}

impl Report {
    pub(crate) fn new(
        options: &BenchOptions,
        machine: Machine,
        variants: Vec<VariantReport>,
    ) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let source = match options.source {
            BenchSource::X11 => "X11 window",
            BenchSource::TestPattern => "test pattern",
        };
        Self {
            taken_at_unix_s: now.as_secs(),
            machine,
            client: options.client,
            source: source.to_owned(),
            content: options.content.to_string(),
            size: options.size.to_string(),
            source_rate: options.drawing_rate().fps(),
            rounds: options.rounds,
            variants,
        }
    }
}

impl VariantReport {
    pub(crate) fn new(variant: &Variant, turns: &[Turn], rate: FrameRate) -> Self {
        let seconds: f64 = turns.iter().map(Turn::seconds).sum();
        let all = || turns.iter().flat_map(|turn| &turn.decoded.frames);
        let unique = all().count();
        let presses: Vec<Vec<Press>> = turns.iter().map(|turn| turn.presses.clone()).collect();
        let each = |value: fn(&Turn) -> f64| turns.iter().map(value).collect();
        let busy_s: f64 = turns.iter().map(|turn| turn.machine.busy_s).sum();
        let all_s: f64 = turns.iter().map(|turn| turn.machine.all_s).sum();
        let stage = |stage| {
            let summary = Summary::of(all().filter_map(|frame| frame.stage_ms(stage)))?;
            Some(StageSummary { stage, summary })
        };
        Self {
            name: variant.name.to_owned(),
            flags: variant.flags.join(" "),
            seconds,
            counts: Counts {
                unique,
                repeated: turns.iter().map(|turn| turn.decoded.repeated).sum(),
                missing: turns.iter().map(|turn| turn.decoded.missing).sum(),
                unreadable: turns.iter().map(|turn| turn.unreadable).sum(),
                read_late: turns.iter().map(|turn| turn.decoded.read_late).sum(),
                reconnects: turns.iter().map(|turn| turn.reconnects).sum(),
            },
            unique_fps: unique as f64 / seconds,
            freezes: freezes(turns, rate),
            stages: Stage::ALL.into_iter().filter_map(stage).collect(),
            totals: Totals {
                received: Summary::of(all().filter_map(Frame::until_received_ms)),
                readable: Summary::of(all().map(Frame::until_readable_ms)),
                first_sight: Summary::of(all().filter_map(Frame::until_seen_ms)),
                inside_decoder: Summary::of(all().filter_map(|frame| frame.decoder_ms)),
            },
            bands: bands(all()),
            input: InputReport::of(&presses.concat()),
            processes: processes(turns, seconds, unique),
            machine_busy: busy_s / all_s,
            wire: wire(turns, seconds),
            start_to_listening_ms: each(|turn| turn.listening_after.as_secs_f64() * 1000.0),
            first_frame_ms: each(|turn| turn.first_frame_ms),
            first_frame_again_ms: each(|turn| turn.again_first_frame_ms),
            page_clock_ahead: turns.iter().map(|turn| turn.clock).collect(),
            viewers: viewers(turns),
            memory: memory(turns),
            turns: turns
                .iter()
                .map(|turn| turn.decoded.frames.clone())
                .collect(),
            presses,
        }
    }

    /// A stage's distribution.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Option<&Summary> {
        let found = self.stages.iter().find(|summary| summary.stage == stage);
        found.map(|found| &found.summary)
    }
}

fn freezes(turns: &[Turn], rate: FrameRate) -> Freezes {
    let gaps = turns.iter().flat_map(|turn| {
        let pairs = turn.decoded.frames.windows(2);
        pairs.map(|pair| pair[1].readable_ms - pair[0].readable_ms)
    });
    count_freezes(gaps, rate)
}

fn count_freezes(gaps_ms: impl Iterator<Item = f64>, rate: FrameRate) -> Freezes {
    let interval_ms = rate.interval().as_secs_f64() * 1000.0;
    let limit_ms = FREEZE_MS.max(FREEZE_INTERVALS * interval_ms);
    gaps_ms.fold(Freezes::default(), |freezes, gap_ms| Freezes {
        count: freezes.count + usize::from(gap_ms > limit_ms),
        longest_gap_ms: freezes.longest_gap_ms.max(gap_ms),
    })
}

fn bands<'a>(frames: impl Iterator<Item = &'a Frame>) -> Vec<Band> {
    let whole = frames
        .filter_map(|frame| Some((frame.until_readable_ms(), frame.all_stages_ms()?)))
        .collect();
    let bands = Around::each(&BAND_PERCENTS, BAND_REACH_PERCENT, whole).into_iter();
    let band = |around: Around<{ Stage::ALL.len() }>| Band {
        percent: around.percent,
        frames: around.count,
        stages_ms: around.parts_ms,
    };
    bands.map(band).collect()
}

fn processes(turns: &[Turn], seconds: f64, frames: usize) -> Vec<ProcessShare> {
    let names = turns.first().into_iter().flat_map(|turn| &turn.shares);
    let sum_up = |name: &'static str| {
        let shares = || {
            let all = turns.iter().flat_map(|turn| &turn.shares);
            all.filter(move |share| share.name == name)
        };
        let cpu_s: f64 = shares().map(|share| share.cpu_s).sum();
        let most = |kb: &dyn Fn(&crate::turn::Share) -> u64| shares().map(kb).max().unwrap_or(0);
        ProcessShare {
            name,
            cpu: cpu_s / seconds,
            cpu_ms_per_frame: cpu_s * 1000.0 / frames.max(1) as f64,
            memory: Memory::of_kb(
                most(&|share| share.rss_kb),
                most(&|share| share.peak_rss_kb),
            ),
        }
    };
    names.map(|share| sum_up(share.name)).collect()
}

fn wire(turns: &[Turn], seconds: f64) -> Wire {
    let sum = |count: &dyn Fn(&Turn) -> Option<f64>| turns.iter().map(count).sum::<Option<f64>>();
    let video = |counter: &'static str| {
        sum(&move |turn| turn.counters[1].video_since(&turn.counters[0], counter))
    };
    let connection = |counter: &'static str| {
        sum(&move |turn| turn.counters[1].connection_since(&turn.counters[0], counter))
    };
    let bytes = connection("bytesReceived")
        .zip(connection("packetsReceived"))
        .map(|(bytes, packets)| bytes + packets * DATAGRAM_HEADER_BYTES);
    let buffered = video("jitterBufferDelay").zip(video("jitterBufferEmittedCount"));
    Wire {
        mbps: bytes.map(|bytes| bytes * 8.0 / seconds / 1e6),
        packets_per_s: connection("packetsReceived").map(|packets| packets / seconds),
        lost: video("packetsLost"),
        nacks: video("nackCount"),
        plis: video("pliCount"),
        keyframes: video("keyFramesDecoded"),
        jitter_buffer_ms: buffered
            .filter(|(_, frames)| *frames > 0.0)
            .map(|(seconds, frames)| seconds * 1000.0 / frames),
    }
}

fn viewers(turns: &[Turn]) -> Vec<ViewerCost> {
    let steps = turns.iter().flat_map(|turn| &turn.viewers);
    let cost = |step: &crate::turn::ViewerStep| ViewerCost {
        viewers: step.viewers,
        cpu: step.usage.cpu_s / step.seconds,
        memory: Memory::of_kb(step.usage.rss_kb, step.usage.peak_rss_kb),
    };
    steps.map(cost).collect()
}

fn memory(turns: &[Turn]) -> Vec<MemorySample> {
    let samples = turns.iter().flat_map(|turn| &turn.soak);
    let sample = |sample: &crate::turn::SoakSample| MemorySample {
        seconds: sample.seconds,
        rss_mb: sample.rss_kb as f64 / 1024.0,
    };
    samples.map(sample).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::frames::{Decoded, HostTimes, Window};
    use crate::processes::MachineTime;
    use crate::turn::Share;
    use crate::viewer::ReceiverCounters;
    use std::time::Duration;

    impl VariantReport {
        /// A report of one turn with these frames.
        pub(crate) fn of_frames(variant: &Variant, frames: Vec<Frame>) -> Self {
            let (from_ms, to_ms) = (frames[0].readable_ms, frames[frames.len() - 1].readable_ms);
            let turn = Turn {
                listening_after: Duration::from_millis(50),
                first_frame_ms: 300.0,
                again_first_frame_ms: 200.0,
                clock: ClockBounds {
                    least_ms: -0.2,
                    most_ms: 0.2,
                },
                window: Window {
                    from_ms,
                    to_ms,
                    page_ahead_ms: 0.0,
                },
                decoded: Decoded {
                    frames,
                    ..Decoded::default()
                },
                unreadable: 0,
                reconnects: 0,
                shares: vec![Share {
                    name: "heliostat",
                    cpu_s: 1.5,
                    rss_kb: 2048,
                    peak_rss_kb: 4096,
                }],
                machine: MachineTime {
                    busy_s: 5.0,
                    all_s: 10.0,
                },
                counters: <[ReceiverCounters; 2]>::default(),
                presses: crate::input::tests::presses(),
                viewers: Vec::new(),
                soak: Vec::new(),
            };
            Self::new(variant, &[turn], FrameRate::new(57).unwrap())
        }
    }

    #[test]
    fn a_report_adds_up_and_leaves_out_what_was_not_measured() {
        let variant = Variant {
            name: "A",
            binary: "heliostat".into(),
            flags: Vec::new(),
        };
        let report = VariantReport::of_frames(&variant, (1..=58).map(|n| frame(n, 0.5)).collect());
        assert!(
            (report.unique_fps - 58.0 / (57.0 * 0.0175)).abs() < 0.1,
            "{}",
            report.unique_fps
        );
        assert_eq!(report.stage(Stage::Encode).unwrap().p50_ms, 2.0);
        assert_eq!(
            report.processes[0].memory,
            Memory {
                rss_mb: 2.0,
                peak_rss_mb: 4.0
            }
        );
        assert_eq!(report.machine_busy, 0.5);
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["wire"].get("mbps").is_none() && json.get("memory").is_none());

        let options = BenchOptions::default();
        let machine = Machine::look("Chromium".to_owned());
        let table = Report::new(&options, machine, vec![report.clone(), report]).to_string();
        for part in [
            "drawing → readable in the page",
            "B/A",
            "host CPU a frame",
            "encode",
            "quiet screen, key → readable",
            "presses that never showed",
            "A: 1 of 12 presses never showed: 1 of 3 with click on the moving pattern",
        ] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
        assert!(!table.contains("Mb/s") && !table.contains("NaN"), "{table}");
    }

    /// A frame whose stages are `scale` ms times 1, 2, 3 … in order.
    pub(crate) fn frame(number: u32, scale: f64) -> Frame {
        let drawn_ms = 1_700_000_000_000.0 + f64::from(number) * 17.5;
        let us = |stage: f64| Some(stage * scale * 1000.0);
        let host = HostTimes {
            rtp: number,
            captured_us: Some((drawn_ms + scale) * 1000.0),
            grab_us: us(2.0),
            queue_us: us(3.0),
            encode_us: us(4.0),
            send_us: us(5.0),
            bytes: Some(1000),
            keyframe: false,
        };
        Frame {
            number,
            drawn_ms,
            readable_ms: drawn_ms + 28.0 * scale,
            received_ms: Some(drawn_ms + 21.0 * scale),
            decoder_ms: Some(scale),
            seen_ms: Some(drawn_ms + 30.0 * scale),
            host: Some(host),
        }
    }

    #[test]
    fn bands_hold_frames_of_their_percentile_and_add_up() {
        let frames: Vec<Frame> = (1..=200)
            .map(|at| frame(at, f64::from(at) / 100.0))
            .collect();
        let bands = bands(frames.iter());
        let percents: Vec<f64> = bands.iter().map(|band| band.percent).collect();
        assert_eq!(percents, BAND_PERCENTS);
        for band in bands {
            let expected_ms = 28.0 * 2.0 * band.percent / 100.0;
            let whole_ms: f64 = band.stages_ms.iter().sum();
            assert!((whole_ms - expected_ms).abs() < 0.5, "{band:?}");
            assert!((1..=6).contains(&band.frames), "{band:?}");
        }
    }

    #[test]
    fn no_frames_make_no_bands() {
        assert_eq!(bands([].iter()), []);
        let mut unseen = frame(1, 1.0);
        unseen.received_ms = None;
        assert_eq!(bands([unseen].iter()), []);
    }

    #[test]
    fn a_freeze_is_a_gap_that_a_person_sees() {
        let rate = |fps| FrameRate::new(fps).unwrap();
        let gaps = || [16.0, 149.0, 151.0, 700.0].into_iter();
        let freezes = count_freezes(gaps(), rate(60));
        assert_eq!((freezes.count, freezes.longest_gap_ms), (2, 700.0));
        assert_eq!(count_freezes(gaps(), rate(5)).count, 1);
        assert_eq!(count_freezes([].into_iter(), rate(60)), Freezes::default());
    }
}
