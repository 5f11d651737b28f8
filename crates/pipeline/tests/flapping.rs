//! A source that comes and goes a hundred times leaves nothing behind.
//!
//! A binary of its own: threads, files and memory of the whole process are counted.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use pipeline::{
    Lease, LostReason, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts,
    PipelineStatus, SourceState, UnitQueue,
};
use std::thread;
use support::stage::{Reader, Stage};

/// They flap side by side, for each waits half a second before it looks for its source again.
const PIPELINES: u32 = 10;
const LOSSES_EACH: u32 = 10;
/// A slate of this size takes megabytes: leaked, a hundred of them could not be overlooked.
const SLATE: media::Size = media::Size::new(1920, 1088);

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// A joined thread leaves the kernel's list a moment later, which tells nobody.
fn until_threads(expected: usize) {
    for _ in 0..1_000_000 {
        if entries("/proc/self/task") == expected {
            return;
        }
        thread::yield_now();
    }
    let threads = entries("/proc/self/task");
    panic!("{threads} threads, {expected} expected: two for each pipeline");
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn flap(stage: &Stage, reader: &Reader) {
    reader.next_fresh();
    stage.until_present();
    stage.screen.lose();
    reader.next_slate();
    reader.next_fresh();
    stage.until_present();
}

/// Losses come one after the other in each pipeline, in all pipelines at the same time.
fn flap_all(stages: &[(Stage, Reader)], times: u32) {
    thread::scope(|scope| {
        for (stage, reader) in stages {
            scope.spawn(move || {
                for _ in 0..times {
                    flap(stage, reader);
                    stage.screen.show();
                    while stage.events.pop().is_some() {}
                }
            });
        }
    });
}

#[test]
fn a_hundred_losses_leak_no_thread_no_file_and_no_memory() {
    let begun = entries("/proc/self/task");
    let stages: Vec<_> = (0..PIPELINES)
        .map(|number| {
            let stage = Stage::new(400 + number);
            stage.screen.resize(SLATE);
            let reader = stage.watch(1);
            (stage, reader)
        })
        .collect();
    flap_all(&stages, 1);
    let expected = begun + 2 * PIPELINES as usize;
    until_threads(expected);
    let (files, memory) = (entries("/proc/self/fd"), resident_bytes());
    flap_all(&stages, LOSSES_EACH);
    until_threads(expected);
    assert_eq!(entries("/proc/self/fd"), files, "files");
    let grown = resident_bytes().saturating_sub(memory);
    let slate_bytes = SLATE.pixels() * 3 / 2;
    let losses = u64::from(PIPELINES * LOSSES_EACH);
    assert!(grown < slate_bytes * losses / 4, "{grown} bytes more");
    for (stage, _) in &stages {
        assert_eq!(stage.screen.live(), 1);
        assert_eq!(stage.screen.opens(), u64::from(LOSSES_EACH) + 2);
    }
}
