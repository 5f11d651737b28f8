//! One frame of raw sound: fixed size, interleaved floats, the time of its first sample.

use crate::layout::AudioFormat;
use media::MonoTime;

/// Sound of one frame's length. Its buffer is made once and filled again and again.
#[derive(Clone, Debug)]
pub struct AudioFrame {
    format: AudioFormat,
    /// When its first sample was captured.
    pub captured: MonoTime,
    values: Vec<f32>,
}

impl AudioFrame {
    /// A silent frame.
    #[must_use]
    pub fn new(format: AudioFormat) -> Self {
        Self {
            format,
            captured: MonoTime::ZERO,
            values: vec![0.0; format.values()],
        }
    }

    /// Its shape.
    #[must_use]
    pub const fn format(&self) -> AudioFormat {
        self.format
    }

    /// Every sample, interleaved; full scale is ±1.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Every sample, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Makes it silent.
    pub fn silence(&mut self) {
        self.values.fill(0.0);
    }

    /// Whether nothing can be heard: every sample is below what 16 bits can tell from zero.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.values.iter().all(|value| value.abs() < 1.0 / 65536.0)
    }
}
