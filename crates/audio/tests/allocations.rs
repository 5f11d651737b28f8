//! Once a stream runs, no frame of it allocates.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use audio::{
    AudioFormat, AudioOptions, AudioPipeline, AudioRequest, ChannelLayout, FrameDuration,
    HostAudio, InSilence, OpusConfig, OpusQueue, Quality, WithoutSource,
};
use ffi_alloc_count::Counting;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Takes frames until so many have come.
fn take(queue: &OpusQueue, frames: u64) {
    let mut taken = 0;
    while taken < frames {
        match queue.pop() {
            Some(_) => taken += 1,
            None => thread::park(),
        }
    }
}

#[test]
fn frames_are_captured_encoded_and_handed_over_without_allocating() {
    let options = AudioOptions {
        spec: "tone".parse().unwrap(),
        ..AudioOptions::default()
    };
    let pipeline = AudioPipeline::new(options, |_| {});
    let (reader, woken): (Thread, _) = (thread::current(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&woken);
    let queue = OpusQueue::new(32, move || {
        counted.fetch_add(1, Ordering::Relaxed);
        reader.unpark();
    });
    let format = AudioFormat {
        layout: ChannelLayout::Surround51,
        frame: FrameDuration::Ms5,
    };
    let request = AudioRequest {
        opus: OpusConfig::gamestream(format, Quality::High),
        host_audio: HostAudio::Silent,
        without_source: WithoutSource::Silence,
        in_silence: InSilence::Frames,
    };
    let _lease = pipeline.acquire(&request, Arc::clone(&queue)).unwrap();
    take(&queue, 100);
    let before = ALLOCATOR.count();
    take(&queue, 200);
    let during = ALLOCATOR.count().since(before);
    assert!(woken.load(Ordering::Relaxed) >= 300);
    assert!(
        during.calls <= 2,
        "{during:?}: more than a pool that grew for a reader that was late"
    );
}
