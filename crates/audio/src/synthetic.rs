//! Sources that need no server: a tone for each channel, and silence; both paced by the clock.

use crate::frame::AudioFrame;
use crate::layout::{AudioFormat, MAX_CHANNELS, SAMPLE_RATE_HZ};
use crate::source::{Heard, Source, SourceError, SourceInfo, SourceRequest};
use crate::stop::StopSignal;
use media::MonoTime;
use std::f64::consts::TAU;

/// Name of the tones in the table of backends.
pub(crate) const TONE: &str = "tone";
/// Name of silence in the table of backends.
pub(crate) const NONE: &str = "none";

/// What is heard on each channel, in Hz. No one is a harmonic of another, and the fourth is low
/// enough for a channel that carries nothing else.
pub const TONES_HZ: [f64; MAX_CHANNELS] = [
    440.0, 570.0, 710.0, 100.0, 1_030.0, 1_270.0, 1_510.0, 1_790.0,
];
/// How loud, of full scale.
const AMPLITUDE: f64 = 0.25;

/// Frames at their due times, none in a burst longer than a stall.
#[derive(Debug)]
struct Beat {
    next_start: Option<MonoTime>,
}

impl Beat {
    /// Waits until the present frame is over, as a microphone would; its start, or what ended the
    /// wait.
    fn wait(
        &mut self,
        format: AudioFormat,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Result<MonoTime, Heard>, SourceError> {
        let length = format.frame.duration();
        loop {
            let now = MonoTime::now();
            let start = *self.next_start.get_or_insert(now);
            let end = start + length;
            if stop.is_raised() {
                return Ok(Err(Heard::Stopped));
            }
            if now >= end {
                // After a stall the time goes on from now: what was missed is not made up for.
                let on_time = now.since(end) < length * 4;
                self.next_start = Some(if on_time { end } else { now });
                return Ok(Ok(start));
            }
            if now >= deadline {
                return Ok(Err(Heard::Late));
            }
            stop.wait_until(None, end.min(deadline))?;
        }
    }
}

/// A sine of its own frequency on each channel.
#[derive(Debug)]
pub struct Tone {
    format: AudioFormat,
    beat: Beat,
    /// Of the first sample of the next frame.
    sample: u64,
}

impl Tone {
    /// Tones on every channel of the request's layout.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] for a target: there is only one of it.
    pub fn open(request: &SourceRequest) -> Result<Self, SourceError> {
        refuse_target(TONE, request)?;
        Ok(Self {
            format: request.format,
            beat: Beat { next_start: None },
            sample: 0,
        })
    }
}

fn refuse_target(name: &str, request: &SourceRequest) -> Result<(), SourceError> {
    match &request.target {
        None => Ok(()),
        Some(target) => Err(SourceError::Unsupported {
            what: format!("{name}:{target}"),
            why: format!("{name} takes no target"),
        }),
    }
}

/// The tones from this sample on. Whole seconds are left out, so that precision never fades.
fn write_tones(values: &mut [f32], channels: usize, first_sample: u64) {
    let rate = u64::from(SAMPLE_RATE_HZ);
    for (sample, values) in (first_sample..).zip(values.chunks_exact_mut(channels)) {
        let seconds = (sample % rate) as f64 / rate as f64;
        for (value, tone_hz) in values.iter_mut().zip(TONES_HZ) {
            *value = (AMPLITUDE * (TAU * tone_hz * seconds).sin()) as f32;
        }
    }
}

impl Source for Tone {
    fn info(&self) -> SourceInfo {
        SourceInfo {
            name: TONE,
            detail: "a tone on each channel".to_owned(),
        }
    }

    fn next_frame(
        &mut self,
        frame: &mut AudioFrame,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Heard, SourceError> {
        match self.beat.wait(self.format, deadline, stop)? {
            Err(heard) => Ok(heard),
            Ok(start) => {
                frame.captured = start;
                write_tones(
                    frame.values_mut(),
                    self.format.layout.channels(),
                    self.sample,
                );
                self.sample += self.format.frame.samples() as u64;
                Ok(Heard::Frame)
            }
        }
    }
}

/// Nothing to be heard, at the pace of sound.
#[derive(Debug)]
pub struct Silence {
    format: AudioFormat,
    beat: Beat,
}

impl Silence {
    /// Silence.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] for a target: there is only one of it.
    pub fn open(request: &SourceRequest) -> Result<Self, SourceError> {
        refuse_target(NONE, request)?;
        Ok(Self {
            format: request.format,
            beat: Beat { next_start: None },
        })
    }
}

impl Source for Silence {
    fn info(&self) -> SourceInfo {
        SourceInfo {
            name: NONE,
            detail: "silence".to_owned(),
        }
    }

    fn next_frame(
        &mut self,
        frame: &mut AudioFrame,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Heard, SourceError> {
        match self.beat.wait(self.format, deadline, stop)? {
            Err(heard) => Ok(heard),
            Ok(start) => {
                frame.captured = start;
                frame.silence();
                Ok(Heard::Frame)
            }
        }
    }
}
