//! Prints how long it takes to make the packets of a frame, parity at 20 % included.
//!
//! `cargo run --release -p gamestream-proto --example packetise_time`

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gamestream_proto::video::{
    PictureType, Protection, VideoBatch, VideoFrame, VideoPacketiser, VideoSettings,
};
use media::Rtp90k;

const FRAME_BYTES: [usize; 3] = [25_000, 60_000, 200_000];
/// What Moonlight asks for on a local network; with encryption it asks for 32 less.
const PACKET_SIZE: usize = 1392;
const FRAMES: u32 = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("frame bytes  encrypted | packets  of them parity |  p50 us  p95 us");
    for bytes in FRAME_BYTES {
        for encrypted in [false, true] {
            let settings = VideoSettings {
                packet_size: PACKET_SIZE - if encrypted { 32 } else { 0 },
                protection: Protection::new(20, 2),
            };
            let key = encrypted.then_some([7; 16]);
            let mut packetiser = VideoPacketiser::new(settings, key.as_ref())?;
            let mut batch = VideoBatch::new();
            let data: Vec<u8> = (0..bytes).map(|i| ((i * i) >> 3) as u8).collect();
            let mut times: Vec<Duration> = Vec::new();
            for number in 1..=FRAMES {
                let frame = VideoFrame {
                    number,
                    picture: PictureType::Predicted,
                    timestamp: Rtp90k(number * 1500),
                    host_latency_tenth_ms: 80,
                    long_term: false,
                    data: black_box(&data),
                };
                let start = Instant::now();
                packetiser.packetise(&frame, &mut batch)?;
                times.push(start.elapsed());
                black_box(batch.bytes());
            }
            times.sort_unstable();
            let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e6;
            println!(
                "{bytes:>11}  {encrypted:<9} | {:>7}  {:>14} | {:>7.1} {:>7.1}",
                batch.len(),
                batch.parity_len(),
                at(50),
                at(95)
            );
        }
    }
    Ok(())
}
