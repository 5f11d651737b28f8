//! Whole pipelines on real threads: leases in storms, sources that fail, viewers that share.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use events::ViewerId;
use fastrand::Rng;
use media::{AccessUnit, FrameKind};
use pipeline::{
    Lease, LostReason, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts,
    PipelineStatus, SourceState, UnitQueue,
};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::coder::Did;
use support::stage::{Reader, Stage};

/// Kernel ids of this process's threads that carry the number of a pipeline.
fn threads(number: u32) -> Vec<String> {
    let names = [format!("encode-{number}\n"), format!("capture-{number}\n")];
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let paths = tasks.map(|task| task.unwrap().path());
    let named = paths.filter(|path| {
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        names.contains(&name)
    });
    named.map(|path| path.display().to_string()).collect()
}

/// A joined thread leaves the kernel's list a moment later, which tells nobody.
fn until_threads(number: u32, count: usize) {
    for _ in 0..1_000_000 {
        if threads(number).len() == count {
            return;
        }
        thread::yield_now();
    }
    panic!(
        "{count} threads of {number} expected: {:?}",
        threads(number)
    );
}

/// Takes and drops leases at random, under names that other threads use too.
fn storm(pipeline: &Pipeline, mut rng: Rng) {
    let mut held: Vec<(Lease, Arc<UnitQueue>)> = Vec::new();
    for _ in 0..300 {
        if held.is_empty() || rng.bool() {
            let reader = Reader::new();
            let viewer = ViewerId(rng.u32(..6));
            // A full command queue refuses; nothing was started then.
            if let Ok(lease) = pipeline.acquire(viewer, reader.queue()) {
                held.push((lease, reader.queue()));
            }
        } else {
            let (lease, queue) = held.swap_remove(rng.usize(..held.len()));
            while queue.pop().is_some() {}
            let _ = lease.request_keyframe(encode::KeyframeReason::Requested);
        }
        if rng.u8(..) < 32 {
            thread::yield_now();
        }
    }
}

#[test]
fn storms_of_leases_end_with_nothing_open() {
    let stage = Stage::new(101);
    thread::scope(|scope| {
        for seed in 0..4 {
            let pipeline = &stage.pipeline;
            scope.spawn(move || storm(pipeline, Rng::with_seed(seed)));
        }
    });
    // Whoever comes last is served, and by then all the others have left.
    let reader = stage.watch(7);
    assert!(reader.next().is_keyframe());
    stage.until("one is left", |status| status.consumers == 1);
    drop(reader);
    stage.until_idle();
    // The encode thread sleeps, nothing else is left.
    until_threads(101, 1);
    assert_eq!((stage.screen.live(), stage.coder.script().live), (0, 0));
}

#[test]
fn dropping_a_pipeline_in_a_storm_joins_everything() {
    for round in 0..20 {
        let Stage {
            pipeline,
            screen,
            coder,
            ..
        } = Stage::new(102);
        let pipeline = Arc::new(pipeline);
        let outliving: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = (0..3)
                .map(|thread| {
                    let pipeline = Arc::clone(&pipeline);
                    scope.spawn(move || {
                        let reader = Reader::new();
                        storm(&pipeline, Rng::with_seed(round * 3 + thread));
                        let lease = pipeline.acquire(ViewerId(10), reader.queue());
                        drop(pipeline);
                        (lease, reader)
                    })
                })
                .collect();
            drop(pipeline);
            started
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!((screen.live(), coder.script().live), (0, 0));
        for (lease, reader) in outliving {
            if lease.is_ok() {
                reader.until_closed();
            }
        }
    }
    until_threads(102, 0);
}

#[test]
fn who_joined_just_before_the_end_is_told_of_it() {
    for _ in 0..50 {
        let stage = Stage::new(103);
        let reader = stage.watch(1);
        drop(stage);
        reader.until_closed();
    }
    until_threads(103, 0);
}

#[test]
fn a_source_that_does_not_open_is_tried_again_and_the_status_says_why() {
    let stage = Stage::new(104);
    stage.screen.refuse(Some("no screen is plugged in"));
    let reader = stage.watch(1);
    stage.until_absent("no screen is plugged in");
    assert_eq!(stage.screen.opens(), 0);
    stage.screen.refuse(None);
    assert!(reader.next().is_keyframe());
    stage.until("pictures come", |status| {
        matches!(status.source, SourceState::Present(_))
    });
    assert_eq!(stage.screen.opens(), 1);
}

#[test]
fn who_leaves_while_the_source_is_away_waits_for_nothing() {
    let stage = Stage::new(105);
    stage.screen.refuse(Some("no screen is plugged in"));
    let reader = stage.watch(1);
    stage.until_absent("no screen");
    drop(reader);
    stage.until_idle();
    // Nobody tries any more.
    until_threads(105, 1);
}

/// The next units up to a new picture, each of which follows the one before without a gap.
fn up_to_fresh(reader: &Reader, last: &mut Option<Arc<AccessUnit>>) -> u64 {
    loop {
        let unit = reader.next();
        match last {
            None => assert!(unit.is_keyframe(), "a newcomer starts with a keyframe"),
            Some(last) => assert_eq!(unit.index, last.index.next(), "no gap"),
        }
        let times = unit.times;
        assert!(times.capture.noticed <= times.capture.grabbed);
        assert!(times.capture.grabbed <= times.dequeued && times.dequeued <= times.encoded);
        let (kind, index) = (unit.kind, unit.index.0);
        *last = Some(unit);
        if kind == FrameKind::Fresh {
            return index;
        }
    }
}

#[test]
fn two_viewers_share_one_encoder_and_neither_sees_the_other_come_or_go() {
    let stage = Stage::new(106);
    stage.coder.script().log = Some(Vec::new());
    let (first, mut of_first) = (stage.watch(1), None);
    for _ in 0..10 {
        up_to_fresh(&first, &mut of_first);
        stage.screen.show();
    }
    up_to_fresh(&first, &mut of_first);
    let (second, mut of_second) = (stage.watch(2), None);
    // Its keyframe comes without a new picture.
    let start = second.next();
    assert!(start.is_keyframe());
    of_second.replace(start);
    for _ in 0..10 {
        stage.screen.show();
        let seen = [
            up_to_fresh(&first, &mut of_first),
            up_to_fresh(&second, &mut of_second),
        ];
        assert_eq!(seen[0], seen[1], "the same unit for both");
    }
    drop(first);
    stage.until("one is left", |status| status.consumers == 1);
    for _ in 0..10 {
        stage.screen.show();
        up_to_fresh(&second, &mut of_second);
    }
    drop(second);
    stage.until_idle();
    let log = stage.coder.take_log();
    let opened = log.iter().filter(|did| matches!(did, Did::Opened { .. }));
    assert_eq!((opened.count(), stage.screen.opens()), (1, 1));
}

/// Time on a processor, in nanoseconds.
fn cpu_ns(thread: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("{thread}/schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn own_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap(),
        now.tv_nsec.try_into().unwrap(),
    )
}

/// Works for a tenth of a second of processor time, and asserts that the pipeline's threads used
/// less than a hundredth of that meanwhile.
fn assert_asleep(number: u32, count: usize) {
    until_threads(number, count);
    let asleep = threads(number);
    let used = || asleep.iter().map(|thread| cpu_ns(thread)).sum::<u64>();
    let (before, start) = (used(), own_cpu());
    while own_cpu() - start < Duration::from_millis(100) {
        std::hint::spin_loop();
    }
    let (theirs, ours) = (used() - before, (own_cpu() - start).as_nanos());
    assert!(u128::from(theirs) * 100 < ours, "{theirs} ns of {ours} ns");
}

#[test]
fn an_idle_pipeline_and_a_still_screen_use_no_processor() {
    let stage = Stage::new(107);
    let reader = stage.watch(1);
    reader.next();
    drop(reader);
    stage.until_idle();
    assert_asleep(107, 1);
    let reader = stage.watch(1);
    reader.next_such(|unit| unit.quantiser == Some(12));
    assert_asleep(107, 2);
}

#[test]
fn an_encode_thread_that_panics_leaves_nothing_marked_as_running() {
    let stage = Stage::new(108);
    let reader = stage.watch(1);
    let last = reader.next();
    stage.coder.script().panics = true;
    stage.screen.show();
    reader.until_closed();
    stage.until_absent("the encode thread panicked");
    stage.until("nobody watches", |status| status.consumers == 0);
    until_threads(108, 1);
    assert_eq!((stage.screen.live(), stage.coder.script().live), (0, 0));
    // Whoever comes next is served, with numbers that were not used before.
    stage.coder.script().panics = false;
    let late = stage.watch(2);
    let unit = late.next();
    assert!(unit.is_keyframe() && unit.index > last.index);
}

#[test]
fn a_source_that_panics_is_opened_again() {
    let stage = Stage::new(109);
    let reader = stage.watch(1);
    reader.next();
    stage.screen.panic_once();
    stage.until_absent("panicked");
    reader.next_fresh();
    assert_eq!((stage.screen.opens(), stage.screen.live()), (2, 1));
}
