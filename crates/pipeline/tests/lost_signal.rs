//! Sources that go away, never come, come back, or get stuck, while real threads stream.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use encode::KeyframeReason;
use events::{Event, EventRing, ViewerId};
use media::{FrameKind, Size};
use pipeline::{
    Lease, LostReason, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts,
    PipelineStatus, SLATE_EVERY, SourceState, UnitQueue,
};
use std::time::Instant;
use support::screen::SIZE;
use support::stage::{Reader, Stage, params};

/// What was said about the source since the last call.
fn source_changes(events: &EventRing) -> Vec<Option<LostReason>> {
    let events = std::iter::from_fn(|| events.pop());
    let lost = |event| match event {
        Event::SourceChange(change) => Some(change.lost),
        _ => None,
    };
    events.filter_map(lost).collect()
}

#[test]
fn a_lost_source_is_a_slate_in_the_running_stream_and_the_picture_comes_back() {
    let stage = Stage::new(301);
    let reader = stage.watch(1);
    let before = reader.next_fresh();
    stage.until_present();
    stage.screen.refuse(Some("somebody pulled the plug"));
    stage.screen.lose();
    let slate = reader.next_slate();
    assert!(slate.is_keyframe() && slate.size == before.size);
    stage.until_lost(LostReason::SourceRestarting);
    // A second later it is more than a restart, and the slate says so, again as a keyframe.
    let later = reader.next_slate();
    assert!(later.is_keyframe() && later.index == slate.index.next());
    let times = [&slate, &later].map(|unit| unit.times.capture.noticed);
    assert!(times[1].since(times[0]) >= SLATE_EVERY);
    stage.until_lost(LostReason::NoSignal);
    stage.until_absent("somebody pulled the plug");
    stage.screen.refuse(None);
    let back = reader.next_fresh();
    stage.until_present();
    assert!(back.index > later.index, "numbers go on");
    let keyframe = match back.is_keyframe() {
        true => back,
        false => reader.next_such(media::AccessUnit::is_keyframe),
    };
    assert_ne!(keyframe.kind, FrameKind::Placeholder);
    let said = source_changes(&stage.events);
    let (restarting, lost) = (LostReason::SourceRestarting, LostReason::NoSignal);
    assert_eq!(said, [None, Some(restarting), Some(lost), None]);
    assert_eq!(stage.coder.script().live, 1, "the encoder was kept");
}

#[test]
fn a_source_that_was_never_there_is_a_slate_of_the_usual_size() {
    let stage = Stage::new(302);
    stage.screen.refuse(Some("no screen is plugged in"));
    let reader = stage.watch(1);
    let slate = reader.next();
    assert_eq!(slate.kind, FrameKind::Placeholder);
    assert!(slate.is_keyframe() && slate.size == Size::new(1280, 720));
    stage.until_lost(LostReason::NoDevice);
    stage.screen.refuse(None);
    let fresh = reader.next_fresh();
    assert!(fresh.is_keyframe() && fresh.size == SIZE, "another encoder");
}

#[test]
fn a_mode_that_cannot_be_streamed_is_said_so_and_tried_again() {
    let stage = Stage::new(303);
    stage.screen.refuse_mode("it is too large");
    let reader = stage.watch(1);
    reader.next_slate();
    stage.until_lost(LostReason::UnsupportedMode);
    stage.screen.refuse(None);
    reader.next_fresh();
}

#[test]
fn while_the_source_is_stuck_everybody_is_served() {
    let stage = Stage::new(304);
    stage.screen.stick(true);
    let reader = stage.watch(1);
    stage.screen.until_attempts(1);
    // It takes too long to open: then there is a slate.
    let slate = reader.next_slate();
    stage.until_lost(LostReason::SourceRestarting);
    let lease = reader.lease.as_ref().unwrap();
    lease.request_keyframe(KeyframeReason::Requested).unwrap();
    let asked = reader.next_such(media::AccessUnit::is_keyframe);
    assert!(asked.index > slate.index);
    let newcomer = stage.watch(2);
    assert!(newcomer.next().is_keyframe());
    let size = Some(Size::new(640, 360));
    let changed = media::StreamParams { size, ..params(60) };
    stage.pipeline.set_params(changed).unwrap();
    let scaled = reader.next_such(|unit| Some(unit.size) == size);
    assert!(scaled.is_keyframe() && scaled.kind == FrameKind::Placeholder);
    drop((reader, newcomer));
    stage.until_idle();
    // Whoever comes now waits for the stuck source to be released, but not without a slate.
    let late = stage.watch(3);
    assert_eq!(late.next().kind, FrameKind::Placeholder);
    stage.screen.until_attempts(1);
    stage.screen.stick(false);
    late.next_fresh();
    assert_eq!(stage.screen.live(), 1, "one at a time");
}

#[test]
fn a_pipeline_ends_though_its_source_is_stuck() {
    let stage = Stage::new(305);
    stage.screen.stick(true);
    let reader = stage.watch(1);
    stage.screen.until_attempts(1);
    let screen = stage.screen.clone();
    let (start, guard) = (Instant::now(), support::watch::HANG_GUARD);
    drop(stage);
    assert!(start.elapsed() < guard / 2);
    reader.until_closed();
    screen.stick(false);
}

#[test]
fn a_source_that_comes_back_in_another_size_goes_on_in_the_same_stream() {
    let stage = Stage::new(306);
    let reader = stage.watch(1);
    reader.next_fresh();
    let other = Size::new(128, 96);
    stage.screen.resize(other);
    stage.screen.lose();
    let slate = reader.next_slate();
    assert_eq!(slate.size, SIZE, "as streamed last");
    let back = reader.next_fresh();
    assert!(back.is_keyframe() && back.size == other);
    assert!(back.index > slate.index);
}

#[test]
fn who_joins_while_there_is_no_picture_is_not_told_of_another_source() {
    let stage = Stage::new(307);
    let reader = stage.watch(1);
    reader.next_fresh();
    drop(reader);
    stage.until_idle();
    stage.screen.refuse(Some("it was taken away meanwhile"));
    let viewer = ViewerId(2);
    let reader = Reader::new();
    let _lease = stage.pipeline.acquire(viewer, reader.queue()).unwrap();
    assert_eq!(reader.next_slate().size, SIZE, "as streamed last");
    stage.until_lost(LostReason::NoSignal);
}
