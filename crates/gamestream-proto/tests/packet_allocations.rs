//! Making packets allocates nothing after the first frames.
//!
//! A binary of its own: every allocation of the process is counted.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use ffi_alloc_count::Counting;
use gamestream_proto::audio::{AudioKey, AudioPacketiser};
use gamestream_proto::video::{
    PictureType, Protection, VideoBatch, VideoFrame, VideoPacketiser, VideoSettings,
};
use media::{PacketBatch, Rtp90k};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Of very different sizes, so that the code has another shape each time.
const SIZES: [usize; 6] = [200_000, 1, 25_000, 60_000, 1_400, 199_999];

/// One stream of encrypted audio.
struct Audio {
    packetiser: AudioPacketiser,
    batch: PacketBatch,
}

impl Audio {
    fn new() -> Self {
        let key = AudioKey {
            key: [2; 16],
            key_id: 7,
        };
        Self {
            packetiser: AudioPacketiser::new(5, Some(&key)).unwrap(),
            batch: PacketBatch::default(),
        }
    }

    fn send(&mut self) {
        self.packetiser
            .packetise(&[9; 60], &mut self.batch)
            .unwrap();
    }
}

#[test]
fn packets_are_made_without_an_allocation() {
    let data = vec![0x5a; SIZES[0]];
    let settings = VideoSettings {
        packet_size: 1024,
        protection: Protection::new(20, 2),
    };
    let mut packetiser = VideoPacketiser::new(settings, Some(&[1; 16])).unwrap();
    let mut batch = VideoBatch::new();
    let mut audio = Audio::new();
    let mut send = |number: u32| {
        audio.send();
        let frame = VideoFrame {
            number,
            picture: PictureType::Predicted,
            timestamp: Rtp90k(number * 1500),
            host_latency_tenth_ms: 0,
            long_term: false,
            data: &data[..SIZES[number as usize % SIZES.len()]],
        };
        packetiser.packetise(&frame, &mut batch).unwrap();
        batch.len()
    };
    let grown: usize = (0..12).map(&mut send).sum();
    let rounds = (1..6u32).map(|round| {
        let before = ALLOCATOR.count();
        let packets: usize = (round * 120..round * 120 + 120).map(&mut send).sum();
        assert_eq!(packets, 10 * grown);
        ALLOCATOR.count().since(before).calls
    });
    // The test harness allocates now and then too; what a frame needs would show in every round.
    assert_eq!(rounds.min(), Some(0));
}
