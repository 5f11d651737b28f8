//! The fold driven with a simulated clock, and the collector with its real thread and ring.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{
    ConsumerChange, Event, EventRing, FrameEncoded, FrameSent, FrameSuperseded, KeyframeCause,
    LinkSample, LossRepair, RepairKind, UnitRefused, ViewerId,
};
use media::{CaptureTimes, EncodeTimes, FrameIndex, FrameKind, MonoTime, Rtp90k};
use stats::{Clock, Collector, Fold, Second};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const VIEWER: ViewerId = ViewerId(7);
const PIPELINE: u32 = 3;
const WALL_AT_ZERO_US: u64 = 1_700_000_000_000_000;

fn ms(ms: u64) -> MonoTime {
    MonoTime::ZERO + Duration::from_millis(ms)
}

fn clock(now: MonoTime) -> Clock {
    Clock {
        now,
        wall_us: WALL_AT_ZERO_US + now.as_nanos() / 1000,
    }
}

/// Stages of 1, 2, 4 ms up to the coded picture, which is complete at `encoded`.
fn times(encoded: MonoTime) -> EncodeTimes {
    EncodeTimes {
        capture: CaptureTimes {
            noticed: encoded - Duration::from_millis(7),
            grabbed: encoded - Duration::from_millis(6),
        },
        dequeued: encoded - Duration::from_millis(4),
        encoded,
    }
}

fn frame_encoded(encoded: MonoTime, kind: FrameKind) -> FrameEncoded {
    FrameEncoded {
        pipeline: PIPELINE,
        index: FrameIndex(0),
        kind,
        times: times(encoded),
        bytes: 1000,
        keyframe: None,
        recovers: false,
        quantiser: Some(20),
    }
}

/// Stages of 0.1, 0.2 and 0.3 ms after the coded picture.
fn frame_sent(encoded: MonoTime, kind: FrameKind) -> FrameSent {
    let after = |us| encoded + Duration::from_micros(us);
    FrameSent {
        viewer: VIEWER,
        index: FrameIndex(0),
        rtp: Rtp90k(u32::MAX - 1),
        kind,
        keyframe: false,
        times: times(encoded),
        packetised: after(100),
        first_sent: after(300),
        last_sent: after(600),
        packets: 3,
        bytes: 1000,
    }
}

fn link(at: MonoTime, sent_bytes: u64) -> LinkSample {
    LinkSample {
        viewer: VIEWER,
        rtt_us: Some(40_000),
        loss_ppm: None,
        estimate_bps: Some(9_000_000),
        target_bps: 8_000_000,
        nacks: 2,
        plis: 1,
        sent_bytes,
        at,
    }
}

fn fold_with<E: Into<Event>>(events: impl IntoIterator<Item = E>) -> Fold {
    let mut fold = Fold::default();
    fold.begin(ms(0), 0);
    for event in events {
        fold.apply(&event.into(), clock(ms(0)));
    }
    fold
}

fn close_first_second(mut fold: Fold) -> Arc<Second> {
    fold.advance(clock(ms(1000)), 0);
    fold.latest().expect("a second is over")
}

#[test]
fn a_second_is_reported_when_it_is_over_and_not_before() {
    let mut fold = fold_with([frame_sent(ms(500), FrameKind::Fresh)]);
    fold.advance(clock(ms(999)), 0);
    assert_eq!(fold.latest(), None);
    fold.advance(clock(ms(1000)), 0);
    let second = fold.latest().unwrap();
    assert_eq!(second.viewers[&VIEWER.0].sent, 1);
    assert_eq!(second.ended_us, WALL_AT_ZERO_US + 1_000_000);
}

#[test]
fn an_event_after_the_boundary_counts_in_its_own_second() {
    let frames = [400, 900, 1100].map(|at| frame_sent(ms(at), FrameKind::Fresh));
    let mut fold = fold_with(frames);
    assert_eq!(fold.latest().unwrap().viewers[&VIEWER.0].sent, 2);
    fold.advance(clock(ms(2000)), 0);
    assert_eq!(fold.latest().unwrap().viewers[&VIEWER.0].sent, 1);
}

#[test]
fn stages_tile_the_way_from_screen_to_socket() {
    let second = close_first_second(fold_with([frame_sent(ms(500), FrameKind::Fresh)]));
    let stages = second.viewers[&VIEWER.0].stages;
    let parts = [
        stages.grab,
        stages.queue,
        stages.encode,
        stages.packetise,
        stages.release,
        stages.send,
    ];
    let parts_us = parts.map(|part| part.unwrap().max_us);
    assert_eq!(parts_us, [1000, 2000, 4000, 100, 200, 300]);
    assert_eq!(stages.total.unwrap().max_us, parts_us.iter().sum::<u32>());
}

#[test]
fn repeats_are_counted_apart_and_measure_no_capture() {
    let second = close_first_second(fold_with([frame_encoded(ms(500), FrameKind::Repeat)]));
    let pipeline = &second.pipelines[&PIPELINE];
    assert_eq!(
        (pipeline.encoded, pipeline.unique, pipeline.repeated),
        (1, 0, 1)
    );
    assert_eq!((pipeline.stages.grab, pipeline.stages.queue), (None, None));
    assert_eq!(pipeline.stages.encode.unwrap().p50_us, 4000);
}

#[test]
fn pipeline_counters_add_up() {
    let at = ms(100);
    let keyframe = |cause| FrameEncoded {
        keyframe: Some(cause),
        quantiser: Some(30),
        ..frame_encoded(at, FrameKind::Fresh)
    };
    let recovery = FrameEncoded {
        recovers: true,
        ..frame_encoded(at, FrameKind::Placeholder)
    };
    let superseded = FrameSuperseded {
        pipeline: PIPELINE,
        at,
    };
    let refused = UnitRefused {
        pipeline: PIPELINE,
        viewer: VIEWER,
        index: FrameIndex(9),
        at,
    };
    let second = close_first_second(fold_with::<Event>([
        keyframe(KeyframeCause::Start).into(),
        keyframe(KeyframeCause::Loss).into(),
        keyframe(KeyframeCause::Loss).into(),
        recovery.into(),
        superseded.into(),
        refused.into(),
    ]));
    let pipeline = &second.pipelines[&PIPELINE];
    assert_eq!(
        (pipeline.encoded, pipeline.unique, pipeline.placeholders),
        (4, 3, 1)
    );
    assert_eq!(
        (pipeline.superseded, pipeline.refused, pipeline.recoveries),
        (1, 1, 1)
    );
    assert_eq!(pipeline.keyframes, [("loss", 2), ("start", 1)].into());
    assert_eq!(pipeline.bytes, 4000);
    assert_eq!(pipeline.quantiser, Some((3.0 * 30.0 + 20.0) / 4.0));
    assert_eq!(second.viewers[&VIEWER.0].refused, 1);
}

#[test]
fn losses_and_their_answers_are_counted_by_kind() {
    let repair = |kind, packets| LossRepair {
        viewer: VIEWER,
        kind,
        packets,
        at: ms(10),
    };
    let second = close_first_second(fold_with([
        repair(RepairKind::Resend, 5),
        repair(RepairKind::Resend, 2),
        repair(RepairKind::Invalidate, 4),
        repair(RepairKind::Keyframe, 4),
    ]));
    let repairs = second.viewers[&VIEWER.0].repairs;
    assert_eq!(repairs.resent, 7);
    assert_eq!((repairs.invalidations, repairs.keyframes), (1, 1));
}

#[test]
fn the_wire_rate_is_measured_between_two_samples() {
    let second = close_first_second(fold_with([link(ms(100), 0), link(ms(600), 250_000)]));
    let link = second.viewers[&VIEWER.0].link;
    assert_eq!(link.sent_bps, Some(4_000_000));
    assert_eq!((link.nacks, link.plis), (Some(4), Some(2)));
    assert_eq!(
        (link.rtt_us, link.target_bps),
        (Some(40_000), Some(8_000_000))
    );
    assert_eq!(link.loss_ppm, None);
}

#[test]
fn an_old_sample_does_not_speak_for_a_later_second() {
    let mut fold = fold_with([link(ms(100), 0)]);
    for second in 1..=3 {
        fold.apply(
            &frame_sent(ms(second * 1000 - 1), FrameKind::Fresh).into(),
            clock(ms(0)),
        );
    }
    fold.advance(clock(ms(3000)), 0);
    let link = fold.latest().unwrap().viewers[&VIEWER.0].link;
    assert_eq!((link.rtt_us, link.nacks), (None, None));
}

#[test]
fn what_was_not_measured_is_absent_from_the_json() {
    let second = close_first_second(fold_with([UnitRefused {
        pipeline: PIPELINE,
        viewer: VIEWER,
        index: FrameIndex(1),
        at: ms(1),
    }]));
    let json = serde_json::to_value(&second.viewers[&VIEWER.0]).unwrap();
    assert_eq!(json["refused"], 1);
    assert_eq!(json["link"], serde_json::json!({}));
    assert_eq!(json["stages"], serde_json::json!({}));
}

#[test]
fn a_reader_gets_each_frame_once() {
    let mut fold = fold_with([frame_sent(ms(10), FrameKind::Fresh)]);
    let first = fold.frames_since(VIEWER, 0);
    assert_eq!(first.records.len(), 1);
    assert_eq!(fold.frames_since(VIEWER, first.cursor).records, []);
    fold.apply(&frame_sent(ms(20), FrameKind::Repeat).into(), clock(ms(20)));
    let second = fold.frames_since(VIEWER, first.cursor);
    assert_eq!(second.records.len(), 1);
    assert!(second.records[0].repeated);
    assert_eq!(fold.frames_since(ViewerId(8), 0).records, []);
}

#[test]
fn a_frame_record_has_wall_time_and_stages_without_gaps() {
    let fold = fold_with([frame_sent(ms(500), FrameKind::Fresh)]);
    let record = serde_json::to_value(fold.frames_since(VIEWER, 0).records[0]).unwrap();
    let expected = serde_json::json!({
        "rtp": u32::MAX - 1,
        "capturedUs": WALL_AT_ZERO_US + 493_000,
        "grabUs": 1000,
        "queueUs": 2000,
        "encodeUs": 4000,
        "sendUs": 600,
        "bytes": 1000,
        "keyframe": false,
        "repeated": false,
    });
    assert_eq!(record, expected);
}

#[test]
fn frame_records_are_bounded_by_age_by_number_and_by_the_viewers_stay() {
    let mut fold = Fold::default();
    fold.begin(ms(0), 0);
    for at in 0..2000 {
        fold.apply(&frame_sent(ms(at), FrameKind::Fresh).into(), clock(ms(at)));
    }
    assert_eq!(
        fold.frames_since(VIEWER, 0).records.len(),
        2 * media::MAX_FPS as usize
    );
    fold.advance(clock(ms(3900)), 0);
    let kept = fold.frames_since(VIEWER, 0).records.len();
    assert!(
        (95..=105).contains(&kept),
        "{kept} frames of the last 100 ms are left"
    );
    let left = ConsumerChange {
        pipeline: PIPELINE,
        viewer: VIEWER,
        consumers: 0,
        joined: false,
        at: ms(3900),
    };
    fold.apply(&left.into(), clock(ms(3900)));
    assert_eq!(fold.frames_since(VIEWER, 0).records, []);
}

#[test]
fn events_lost_in_the_ring_are_reported_once() {
    let mut fold = Fold::default();
    fold.begin(ms(0), 10);
    fold.advance(clock(ms(1000)), 15);
    assert_eq!(fold.latest().unwrap().events_dropped, 5);
    fold.advance(clock(ms(2000)), 15);
    assert_eq!(fold.latest().unwrap().events_dropped, 0);
}

#[test]
fn leftovers_from_before_the_start_are_not_counted() {
    let mut fold = Fold::default();
    fold.begin(ms(5000), 0);
    fold.apply(
        &frame_sent(ms(4990), FrameKind::Fresh).into(),
        clock(ms(5000)),
    );
    fold.advance(clock(ms(6000)), 0);
    assert!(fold.latest().unwrap().viewers.is_empty());
}

#[test]
fn a_suspended_host_reports_one_second_afterwards_not_thousands() {
    let mut fold = fold_with([frame_sent(ms(10), FrameKind::Fresh)]);
    fold.advance(clock(ms(3_600_500)), 0);
    let number = fold.latest().unwrap().number;
    fold.advance(clock(ms(3_601_000)), 0);
    assert_eq!(fold.latest().unwrap().number, number + 1);
}

/// The tests below look at the collector's thread, so only one of them has one at a time.
static ONE_COLLECTOR: Mutex<()> = Mutex::new(());

fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_collector_drains_while_somebody_watches() {
    let _one = ONE_COLLECTOR.lock();
    let (sink, ring) = EventRing::new(64);
    let collector = Collector::start(ring).unwrap();
    let reader = collector.reader();
    let _watch = reader.watch();
    sink.emit(frame_sent(MonoTime::now(), FrameKind::Fresh));
    let frames = eventually("a frame record", || {
        Some(reader.frames_since(VIEWER, 0)).filter(|frames| !frames.records.is_empty())
    });
    assert_eq!(frames.records.len(), 1);
    let second = eventually("a second with the viewer", || {
        reader
            .latest()
            .filter(|second| second.viewers.contains_key(&VIEWER.0))
    });
    assert_eq!(second.viewers[&VIEWER.0].sent, 1);
}

#[test]
fn a_running_pipeline_is_collected_without_watchers() {
    let _one = ONE_COLLECTOR.lock();
    let (sink, ring) = EventRing::new(64);
    let collector = Collector::start(ring).unwrap();
    let reader = collector.reader();
    let _activity = reader.activity();
    sink.emit(frame_encoded(MonoTime::now(), FrameKind::Fresh));
    let second = eventually("a second", || reader.latest());
    assert_eq!(second.pipelines[&PIPELINE].encoded, 1);
}

#[test]
fn the_collector_never_wakes_while_nobody_streams() {
    let _one = ONE_COLLECTOR.lock();
    let (sink, ring) = EventRing::new(8);
    let collector = Collector::start(ring).unwrap();
    let reader = collector.reader();
    drop(reader.watch());
    let mut last = None;
    let before = eventually("the thread stays asleep", || {
        let now = switches_asleep();
        let stays = now == last;
        last = now.clone();
        now.filter(|_| stays)
    });
    for _ in 0..100 {
        sink.emit(frame_sent(MonoTime::now(), FrameKind::Fresh));
    }
    // Absence can only be shown by letting time pass: two and a half periods of a watched collector.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(switches_asleep(), Some(before), "the thread woke up");

    let _watch = reader.watch();
    let second = eventually("a second with the viewer", || {
        sink.emit(frame_sent(MonoTime::now(), FrameKind::Fresh));
        reader
            .latest()
            .filter(|second| second.viewers.contains_key(&VIEWER.0))
    });
    assert_eq!(
        second.number, 1,
        "the stale events are gone, so the very first second is measured"
    );
}

/// What the system knows of the collector's thread, once it runs under its name.
fn thread_status() -> Option<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let named = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "stats")
    };
    std::fs::read_to_string(paths.find(named)?.join("status")).ok()
}

/// How often the thread went to sleep, if it sleeps now.
fn switches_asleep() -> Option<String> {
    let status = thread_status()?;
    let line = status
        .lines()
        .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
    status.contains("State:\tS").then(|| line.to_owned())
}
