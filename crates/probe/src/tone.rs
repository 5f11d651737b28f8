//! The loudest tone of each channel, from the last samples. It tells which channel plays what, not how
//! well.

use std::f64::consts::PI;

/// Samples looked at: 171 ms at 48 kHz, a step of 6 Hz before interpolation.
const WINDOW: usize = 8192;
const RATE_HZ: f64 = 48_000.0;
/// Quieter than this is silence.
const SILENCE: f64 = 1e-4;

/// The last samples of every channel.
#[derive(Clone, Debug)]
pub(crate) struct Tones {
    channels: Vec<Vec<f32>>,
    at: usize,
    filled: usize,
}

impl Tones {
    pub(crate) fn new(channels: u8) -> Self {
        Self {
            channels: vec![vec![0.0; WINDOW]; channels.into()],
            at: 0,
            filled: 0,
        }
    }

    /// Takes interleaved samples.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        for frame in samples.chunks_exact(self.channels.len().max(1)) {
            for (channel, sample) in self.channels.iter_mut().zip(frame) {
                channel[self.at] = *sample;
            }
            self.at = (self.at + 1) % WINDOW;
            self.filled = (self.filled + 1).min(WINDOW);
        }
    }

    /// The frequency of each channel in Hz; 0 for silence.
    pub(crate) fn loudest_hz(&self) -> Vec<f64> {
        let loudest = |channel: &Vec<f32>| {
            let ordered = channel[self.at..].iter().chain(&channel[..self.at]);
            loudest_hz(ordered.map(|&sample| f64::from(sample)))
        };
        if self.filled < WINDOW {
            return vec![0.0; self.channels.len()];
        }
        self.channels.iter().map(loudest).collect()
    }
}

fn loudest_hz(samples: impl Iterator<Item = f64>) -> f64 {
    let mut power = 0.0;
    let mut bins: Vec<(f64, f64)> = samples
        .enumerate()
        .map(|(at, sample)| {
            power += sample * sample;
            let window = 0.5 - 0.5 * (2.0 * PI * at as f64 / WINDOW as f64).cos();
            (sample * window, 0.0)
        })
        .collect();
    if (power / WINDOW as f64).sqrt() < SILENCE {
        return 0.0;
    }
    transform(&mut bins);
    let level = |at: usize| bins[at].0.hypot(bins[at].1).max(1e-12).ln();
    let best = (2..WINDOW / 2 - 1).max_by(|&a, &b| level(a).total_cmp(&level(b)));
    let best = best.unwrap_or(2);
    // A parabola through the three bins of the peak.
    let (a, b, c) = (level(best - 1), level(best), level(best + 1));
    let offset = (a - c) / 2.0 / (a - 2.0 * b + c);
    (best as f64 + offset) * RATE_HZ / WINDOW as f64
}

/// Fourier transform in place; the length is a power of two.
fn transform(bins: &mut [(f64, f64)]) {
    let size = bins.len();
    let bits = size.trailing_zeros();
    for at in 0..size {
        let other = at.reverse_bits() >> (usize::BITS - bits);
        if other > at {
            bins.swap(at, other);
        }
    }
    let mut length = 2;
    while length <= size {
        let step = -2.0 * PI / length as f64;
        for start in (0..size).step_by(length) {
            for at in 0..length / 2 {
                let (sin, cos) = (step * at as f64).sin_cos();
                let (even, odd) = (bins[start + at], bins[start + at + length / 2]);
                let turned = (odd.0 * cos - odd.1 * sin, odd.0 * sin + odd.1 * cos);
                bins[start + at] = (even.0 + turned.0, even.1 + turned.1);
                bins[start + at + length / 2] = (even.0 - turned.0, even.1 - turned.1);
            }
        }
        length *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_own_tone() {
        let mut tones = Tones::new(3);
        let samples: Vec<f32> = (0..WINDOW * 2)
            .flat_map(|at| {
                let tone = |hz: f64| (2.0 * PI * hz * at as f64 / RATE_HZ).sin() as f32 * 0.2;
                [tone(440.0), 0.0, tone(1234.5)]
            })
            .collect();
        tones.push(&samples[..300]);
        assert_eq!(tones.loudest_hz(), [0.0; 3], "too little heard");
        tones.push(&samples[300..]);
        let heard = tones.loudest_hz();
        assert!(
            (heard[0] - 440.0).abs() < 1.0 && (heard[2] - 1234.5).abs() < 1.0,
            "{heard:?}"
        );
        assert_eq!(heard[1], 0.0);
    }
}
