//! How loud a frequency is in a channel, by Goertzel's algorithm.

use audio::{ChannelLayout, SAMPLE_RATE_HZ, TONES_HZ};
use std::f64::consts::TAU;

/// Of full scale: half as loud as any tone that is played here.
pub(crate) const HEARD: f64 = 0.1;

/// Of full scale: what is left of a tone that stutters because servers without realtime priority share
/// a machine with compilers.
pub(crate) const STUTTERING: f64 = 0.02;

/// Amplitude of `tone_hz` in these samples of one channel.
pub(crate) fn amplitude(samples: &[f32], tone_hz: f64) -> f64 {
    let omega = TAU * tone_hz / f64::from(SAMPLE_RATE_HZ);
    let (mut last, mut before) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        // A Hann window, so that a loud tone does not leak into its neighbours.
        let window = 1.0 - (TAU * index as f64 / samples.len() as f64).cos();
        let next = f64::from(*sample) * window + 2.0 * omega.cos() * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - 2.0 * omega.cos() * last * before;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// One channel of interleaved samples.
pub(crate) fn channel(values: &[f32], layout: ChannelLayout, index: usize) -> Vec<f32> {
    let channels = layout.channels();
    values
        .iter()
        .skip(index)
        .step_by(channels)
        .copied()
        .collect()
}

/// Whether each channel carries its own tone, no less loud than this, and none of the others' above
/// a tenth of it; else what is heard where.
pub(crate) fn each_channel_has_its_tone(
    values: &[f32],
    layout: ChannelLayout,
    least: f64,
) -> Result<(), String> {
    for index in 0..layout.channels() {
        let samples = channel(values, layout, index);
        let tones = &TONES_HZ[..layout.channels()];
        let heard: Vec<f64> = tones.iter().map(|hz| amplitude(&samples, *hz)).collect();
        let stranger =
            (0..heard.len()).find(|other| *other != index && heard[*other] > heard[index] / 10.0);
        if heard[index] < least || stranger.is_some() {
            return Err(format!("channel {index} of {layout} carries {heard:.3?}"));
        }
    }
    Ok(())
}
