//! Prints how long encoding one frame takes, for every layout, frame length and quality.

use audio::{
    AudioFormat, ChannelLayout, FrameDuration, OpusConfig, OpusEncoder, OpusError, Quality,
    SAMPLE_RATE_HZ, TONES_HZ,
};
use std::f64::consts::TAU;
use std::time::Instant;

const FRAMES: usize = 2_000;

fn main() -> Result<(), OpusError> {
    println!("layout  frame    kbit/s   us/frame (mean)   us/frame (p99)   of one core");
    for layout in ChannelLayout::ALL {
        for frame in [FrameDuration::Ms5, FrameDuration::Ms10] {
            for quality in [Quality::Normal, Quality::High] {
                print_row(&OpusConfig::gamestream(
                    AudioFormat { layout, frame },
                    quality,
                ))?;
            }
        }
    }
    for frame in [FrameDuration::Ms10, FrameDuration::Ms20] {
        print_row(&OpusConfig::webrtc(frame, 128_000))?;
    }
    Ok(())
}

fn print_row(config: &OpusConfig) -> Result<(), OpusError> {
    let mut encoder = OpusEncoder::new(config)?;
    let (mut values, mut packet) = (vec![0.0; config.format.values()], Vec::new());
    let mut noise = 1_u32;
    let mut times_us = Vec::with_capacity(FRAMES);
    for index in 0..FRAMES {
        let first = index * config.format.frame.samples();
        fill(&mut values, config.format.layout, first, &mut noise);
        let started = Instant::now();
        encoder.encode(&values, &mut packet)?;
        times_us.push(started.elapsed().as_secs_f64() * 1e6);
    }
    times_us.sort_by(f64::total_cmp);
    let mean = times_us.iter().sum::<f64>() / times_us.len() as f64;
    println!(
        "{:7} {:>5.1} ms {:>7} {mean:>17.0} {:>16.0} {:>12.2}%",
        config.format.layout.to_string(),
        config.format.frame.duration().as_secs_f64() * 1e3,
        config.bitrate_bps / 1000,
        times_us[FRAMES * 99 / 100],
        mean / config.format.frame.duration().as_secs_f64() / 1e4,
    );
    Ok(())
}

/// Tones and some noise: harder to code than either alone.
fn fill(values: &mut [f32], layout: ChannelLayout, first: usize, noise: &mut u32) {
    for (sample, values) in (first..).zip(values.chunks_exact_mut(layout.channels())) {
        let seconds = sample as f64 / f64::from(SAMPLE_RATE_HZ);
        for (value, hz) in values.iter_mut().zip(TONES_HZ) {
            *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = f64::from(*noise >> 8) / f64::from(1 << 24) - 0.5;
            *value = (0.2 * (TAU * hz * seconds).sin() + 0.1 * hiss) as f32;
        }
    }
}
