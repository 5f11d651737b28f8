//! Parameters, source, encoder and lead changed in a running stream.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use encode::EncodeError;
use events::ViewerId;
use media::{Bitrate, FrameKind, FrameRate, QualityProfile, Size, StreamParams};
use pipeline::{
    Lease, LostReason, OnSwitch, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts,
    PipelineStatus, SourceState, SwitchError, UnitQueue,
};
use std::sync::Arc;
use support::coder::{Coder, Did};
use support::screen::{SIZE, Screen};
use support::stage::{Stage, params};
use support::watch::Watch;

type Outcome = Result<(), SwitchError>;

/// Hears how a switch ended.
#[derive(Clone, Default)]
struct Ending(Watch<Option<Outcome>>);

impl Ending {
    fn hears(&self) -> OnSwitch {
        let ending = self.0.clone();
        Box::new(move |outcome| ending.change(|heard| *heard = Some(outcome)))
    }

    fn wait(&self) -> Outcome {
        self.0.until("the switch ends", Option::take)
    }
}

fn switch_source(stage: &Stage, screen: &Screen) -> Ending {
    let ending = Ending::default();
    let switched = stage
        .pipeline
        .switch_source(screen.opener(), ending.hears());
    switched.unwrap();
    ending
}

fn rate(mbps: u64) -> Bitrate {
    Bitrate::new(mbps * 1_000_000).unwrap()
}

fn until_bitrate(stage: &Stage, mbps: u64) {
    stage.until("the bitrate is so", |status| {
        status.bitrate == Some(rate(mbps))
    });
}

#[test]
fn a_new_bitrate_takes_no_keyframe_and_the_status_follows() {
    let stage = Stage::new(501);
    let reader = stage.watch(1);
    reader.next_fresh();
    let lease = reader.lease.as_ref().unwrap();
    lease.set_rate(rate(5)).unwrap();
    until_bitrate(&stage, 5);
    let lower = StreamParams {
        bitrate: rate(3),
        ..params(60)
    };
    stage.pipeline.set_params(lower).unwrap();
    until_bitrate(&stage, 3);
    lease.set_rate(rate(4)).unwrap();
    stage.pipeline.set_params(params(60)).unwrap();
    until_bitrate(&stage, 4);
    stage.screen.show();
    assert!(!reader.next_fresh().is_keyframe());
}

#[test]
fn the_named_lead_decides_and_the_oldest_viewer_after_it() {
    let stage = Stage::new(502);
    let (first, second) = (stage.watch(1), stage.watch(2));
    first.next_fresh();
    first.lease.as_ref().unwrap().set_rate(rate(2)).unwrap();
    second.lease.as_ref().unwrap().set_rate(rate(6)).unwrap();
    until_bitrate(&stage, 2);
    stage.pipeline.set_lead(Some(ViewerId(2))).unwrap();
    until_bitrate(&stage, 6);
    drop(second);
    until_bitrate(&stage, 2);
    // Named before it comes.
    let third = stage.watch(2);
    third.lease.as_ref().unwrap().set_rate(rate(7)).unwrap();
    until_bitrate(&stage, 7);
    stage.pipeline.set_lead(None).unwrap();
    until_bitrate(&stage, 2);
}

#[test]
fn rate_profile_and_size_change_with_one_keyframe_on_a_still_screen() {
    let stage = Stage::new(503);
    let reader = stage.watch(1);
    let first = reader.next_fresh();
    let size = Size::new(32, 32);
    let changed = StreamParams {
        size: Some(size),
        rate: FrameRate::new(30).unwrap(),
        profile: QualityProfile::Quality,
        ..params(60)
    };
    stage.coder.script().log = Some(Vec::new());
    stage.pipeline.set_params(changed).unwrap();
    let scaled = reader.next_such(|unit| unit.size == size);
    assert!(scaled.is_keyframe() && scaled.index > first.index);
    assert_eq!(stage.pipeline.params(), changed);
    let log = stage.coder.take_log();
    let opened = log.iter().filter_map(|did| match did {
        Did::Opened { config, .. } => Some((config.size, config.rate, config.profile)),
        _ => None,
    });
    let opened: Vec<_> = opened.collect();
    assert_eq!(opened, [(size, changed.rate, changed.profile)]);
    stage.screen.show();
    assert!(!reader.next_fresh().is_keyframe());
}

#[test]
fn parameters_that_no_encoder_takes_are_taken_back() {
    let stage = Stage::new(504);
    let reader = stage.watch(1);
    reader.next_fresh();
    stage.coder.script().failing_opens = 1;
    let size = Some(Size::new(32, 32));
    let wrong = StreamParams { size, ..params(60) };
    stage.pipeline.set_params(wrong).unwrap();
    stage.screen.show();
    let next = reader.next_fresh();
    assert!(next.size == SIZE && !next.is_keyframe(), "as before");
    assert_eq!(stage.pipeline.params(), params(60));
}

#[test]
fn another_source_takes_over_once_it_is_open() {
    let stage = Stage::new(505);
    let reader = stage.watch(1);
    let mut last = reader.next_fresh().index;
    let (other, size) = (Screen::new(), Size::new(128, 96));
    other.resize(size);
    other.stick(true);
    let ending = switch_source(&stage, &other);
    other.until_attempts(1);
    // While it opens, the old one is streamed.
    for _ in 0..5 {
        stage.screen.show();
        last = reader.next_fresh().index;
    }
    other.stick(false);
    ending.wait().unwrap();
    let fresh = reader.next_such(|unit| unit.size == size);
    assert!(fresh.is_keyframe() && fresh.index > last && fresh.kind == FrameKind::Fresh);
    // It is the one that is opened again from now on.
    other.lose();
    reader.next_slate();
    reader.next_fresh();
    assert_eq!((other.opens(), stage.screen.opens()), (2, 1));
    drop(reader);
    stage.until_idle();
    stage.watch(2).next_fresh();
    assert_eq!((other.opens(), stage.screen.opens()), (3, 1));
    assert_eq!(stage.screen.live(), 0);
}

#[test]
fn a_source_that_does_not_open_leaves_the_old_one_and_says_why() {
    let stage = Stage::new(506);
    let reader = stage.watch(1);
    reader.next_fresh();
    let other = Screen::new();
    other.refuse(Some("it is somebody else's"));
    let error = switch_source(&stage, &other).wait().unwrap_err();
    assert!(error.to_string().contains("somebody else's"), "{error}");
    stage.screen.show();
    let next = reader.next_fresh();
    assert!(!next.is_keyframe(), "nothing happened");
    stage.until_present();
}

#[test]
fn a_switch_is_tried_while_nobody_watches_too() {
    let stage = Stage::new(507);
    let (wrong, right) = (Screen::new(), Screen::new());
    wrong.refuse(Some("no"));
    assert!(switch_source(&stage, &wrong).wait().is_err());
    switch_source(&stage, &right).wait().unwrap();
    let reader = stage.watch(1);
    reader.next_fresh();
    assert_eq!((right.live(), stage.screen.opens()), (1, 0));
}

#[test]
fn every_switch_ends_and_the_last_one_wins() {
    let stage = Stage::new(508);
    let reader = stage.watch(1);
    reader.next_fresh();
    let (stuck, other) = (Screen::new(), Screen::new());
    stuck.stick(true);
    let first = switch_source(&stage, &stuck);
    stuck.until_attempts(1);
    let second = switch_source(&stage, &other);
    assert!(matches!(first.wait(), Err(SwitchError::Replaced)));
    second.wait().unwrap();
    let third = switch_source(&stage, &stuck);
    drop(stage);
    assert!(matches!(third.wait(), Err(SwitchError::Ended)));
    stuck.stick(false);
}

#[test]
fn another_encoder_goes_on_in_the_same_stream_or_leaves_the_old_one() {
    let stage = Stage::new(509);
    let reader = stage.watch(1);
    let before = reader.next_fresh();
    let other = Coder::able();
    let ending = Ending::default();
    let switched = stage
        .pipeline
        .switch_encoder(other.opener(), ending.hears());
    switched.unwrap();
    ending.wait().unwrap();
    let after = reader.next_such(media::AccessUnit::is_keyframe);
    assert!(after.index > before.index);
    assert_eq!((stage.coder.script().live, other.script().live), (0, 1));
    let fails: OpenEncoder = Arc::new(|_| Err(EncodeError::NoBackend));
    let switched = stage.pipeline.switch_encoder(fails, ending.hears());
    switched.unwrap();
    let refused = ending.wait();
    assert!(matches!(
        refused,
        Err(SwitchError::Encoder(EncodeError::NoBackend))
    ));
    stage.screen.show();
    assert!(!reader.next_fresh().is_keyframe());
    // Nobody watches: it is only tried.
    drop(reader);
    stage.until_idle();
    let switched = stage
        .pipeline
        .switch_encoder(stage.coder.opener(), ending.hears());
    switched.unwrap();
    ending.wait().unwrap();
    assert_eq!(stage.coder.script().live, 0);
}
