//! From the screen to two viewers' queues, nothing allocates after the first pictures.
//!
//! A binary of its own: every thread of the process is counted.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use encode::KeyframeReason;
use ffi_alloc_count::Counting;
use media::{AccessUnit, MonoTime};
use pipeline::{
    Lease, LostReason, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts,
    PipelineStatus, SourceState, UnitQueue,
};
use support::stage::{Reader, Stage};

/// Texts that are copied when the status is looked at.
const STATUS_TEXTS: u64 = 3;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// More units than two viewers can hold between them.
const UNITS_ALIVE: usize = 12;

/// Has the pool of units grow to what it will ever need.
fn hold_many_units(stage: &Stage, readers: &[Reader; 2]) {
    let mut held = Vec::new();
    while held.len() < UNITS_ALIVE {
        stage.screen.show();
        held.push(readers.each_ref().map(Reader::next));
    }
}

/// Shows `count` pictures and takes from both queues what comes of each. Every tenth is reported
/// as lost, so that the next one is a repair.
fn play(stage: &Stage, readers: &[Reader; 2], count: u32) {
    for number in 0..count {
        let shown_at = MonoTime::now();
        stage.screen.show();
        for reader in readers {
            let unit = reader.next_such(|unit| unit.times.capture.grabbed >= shown_at);
            let lease = reader.lease.as_ref().filter(|_| number % 10 == 9);
            if let Some(lease) = lease {
                lease.report_lost(unit.index, unit.index).unwrap();
            }
        }
        while stage.events.pop().is_some() {}
    }
}

#[test]
fn pictures_travel_to_two_viewers_without_an_allocation() {
    let stage = Stage::at_rate(201, 240);
    let readers = [stage.watch(1), stage.watch(2)];
    hold_many_units(&stage, &readers);
    // The queues and the encoder's memory of references grow to their size.
    play(&stage, &readers, 200);
    let before = ALLOCATOR.count();
    play(&stage, &readers, 1000);
    let during = ALLOCATOR.count().since(before);
    assert_eq!(during.calls, 0, "{during:?}");

    // A keyframe makes the loop look at its status, which is text; nothing else allocates.
    let lease = readers[0].lease.as_ref().unwrap();
    lease.request_keyframe(KeyframeReason::Requested).unwrap();
    for reader in &readers {
        reader.next_such(AccessUnit::is_keyframe);
    }
    let keyframe = ALLOCATOR.count().since(before);
    assert!(keyframe.calls <= STATUS_TEXTS, "{keyframe:?}");
}
