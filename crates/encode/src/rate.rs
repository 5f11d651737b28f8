//! Rate control of our own: one quantiser for each picture, from the sizes of those before it.
//!
//! It sees no pixels. A picture that turns out too large is coded again, so that no picture bursts;
//! in return nothing is analysed beforehand, which saves a third of the encode time on desktops.

use media::{Bitrate, FrameRate};

/// Highest H.264 quantiser.
const COARSEST: f32 = 51.0;
/// Ordinary pictures aim at this share of a frame's budget.
const AIM: f32 = 0.85;
/// Above this many budgets an ordinary picture is coded again.
const ORDINARY_LIMIT: f32 = 1.6;
/// A keyframe aims at this many budgets, since a screen in one budget is not legible.
const KEYFRAME_AIM: f32 = 4.0;
/// Above this many budgets a keyframe is coded again.
const KEYFRAME_LIMIT: f32 = 6.0;
/// Above this many budgets a refining picture is coded again.
const REFINE_LIMIT: f32 = 8.0;
/// Pictures over budget are paid back by later ones, but never more than this many budgets.
const MOST_DEBT: f32 = 8.0;
/// How often one picture may be coded again.
const RETRIES: u8 = 2;
/// Smallest picture worth coding again, in bits: a packet or two.
const SMALL: f32 = 2.0 * 1200.0 * 8.0;
/// Quantiser steps by which quality may rise from one picture to the next.
const RISE: f32 = 4.0;
/// Share of a small correction that is made.
const CAUTION: f32 = 0.4;
/// After a still screen was refined, ordinary pictures start no coarser than this.
const AFTER_REFINING: f32 = 30.0;

/// What a picture is coded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Keyframe,
    Ordinary,
    /// A still screen, at this quantiser.
    Refine(u8),
}

/// What to do with a coded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// It is too large: throw it away and code it with this quantiser.
    Again(u8),
}

/// What a finished picture cost.
#[derive(Clone, Copy, Debug)]
struct Sample {
    quantiser: f32,
    bits: f32,
}

impl Sample {
    /// The quantiser at which this picture would take `bits`.
    fn quantiser_for(self, bits: f32) -> f32 {
        from_octaves(octaves(self.quantiser) + (bits / self.bits.max(1.0)).log2()).min(COARSEST)
    }
}

/// The rate control of one encoder. Pure: sizes come in, quantisers go out.
#[derive(Clone, Debug)]
pub(crate) struct RateControl {
    rate: FrameRate,
    /// Bits of one frame at the bitrate.
    budget: f32,
    /// Finest quantiser that is worth its bits while the picture moves.
    finest: f32,
    /// Quantiser of the next ordinary picture.
    next: f32,
    last: Option<Sample>,
    last_keyframe: Option<Sample>,
    pixels: f32,
    debt: f32,
    retries: u8,
}

impl RateControl {
    pub(crate) fn new(bitrate: Bitrate, rate: FrameRate, pixels: u64, finest: u8) -> Self {
        Self {
            rate,
            budget: budget(bitrate, rate),
            finest: f32::from(finest),
            next: f32::from(finest),
            last: None,
            last_keyframe: None,
            pixels: pixels as f32,
            debt: 0.0,
            retries: 0,
        }
    }

    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        self.budget = budget(bitrate, self.rate);
        self.debt = self.debt.min(MOST_DEBT * self.budget);
        if let Some(last) = self.last {
            let needed = last.quantiser_for(self.aim());
            self.next = self.next.max(needed).clamp(self.finest, COARSEST);
        }
    }

    /// The quantiser for a new picture.
    pub(crate) fn plan(&mut self, task: Task) -> u8 {
        self.retries = 0;
        let quantiser = match task {
            Task::Ordinary => self.next,
            Task::Refine(quantiser) => f32::from(quantiser),
            Task::Keyframe => {
                // Without a keyframe to learn from: half a bit a pixel at this quantiser is usual.
                let usual = Sample {
                    quantiser: 28.0,
                    bits: 0.5 * self.pixels,
                };
                let known = self.last_keyframe.unwrap_or(usual);
                known.quantiser_for(KEYFRAME_AIM * self.budget)
            }
        };
        let finest = if matches!(task, Task::Refine(_)) {
            1.0
        } else {
            self.finest
        };
        quantiser.clamp(finest, COARSEST).round() as u8
    }

    /// Judges a picture coded at `quantiser`.
    pub(crate) fn coded(&mut self, task: Task, quantiser: u8, bytes: usize) -> Verdict {
        let sample = Sample {
            quantiser: f32::from(quantiser),
            bits: bytes as f32 * 8.0,
        };
        let (limit, aim) = match task {
            Task::Ordinary => (ORDINARY_LIMIT, 1.0),
            Task::Keyframe => (KEYFRAME_LIMIT, KEYFRAME_AIM),
            Task::Refine(_) => (REFINE_LIMIT, REFINE_LIMIT * 0.75),
        };
        let too_large = sample.bits > (limit * self.budget).max(SMALL);
        if too_large && sample.quantiser < COARSEST && self.retries < RETRIES {
            self.retries += 1;
            let coarser = self.coarser(task, sample, aim * self.budget);
            return Verdict::Again(coarser.min(COARSEST).round() as u8);
        }
        self.learn(task, sample);
        Verdict::Keep
    }

    /// Keeps a picture whatever its size, for want of anything to code it from again.
    pub(crate) fn keep(&mut self, task: Task, quantiser: u8, bytes: usize) {
        self.retries = RETRIES;
        self.coded(task, quantiser, bytes);
    }

    fn learn(&mut self, task: Task, sample: Sample) {
        let over = self.debt + sample.bits - self.budget;
        self.debt = over.clamp(0.0, MOST_DEBT * self.budget);
        self.next = match task {
            Task::Ordinary => {
                self.last = Some(sample);
                self.follow(sample)
            }
            Task::Keyframe => {
                self.last_keyframe = Some(sample);
                self.next.max(sample.quantiser - 2.0)
            }
            Task::Refine(_) => self.next.min(AFTER_REFINING),
        }
        .clamp(self.finest, COARSEST);
    }

    /// A coarser quantiser for a picture that was too large.
    fn coarser(&self, task: Task, sample: Sample, bits: f32) -> f32 {
        let coarser = sample.quantiser_for(bits).max(sample.quantiser + 1.0);
        match self.last {
            // Not the picture changed but the quantiser got finer, so all of a still screen was
            // coded anew. Back to the last quantiser nothing would be: half the way is progress.
            Some(last) if task == Task::Ordinary && sample.quantiser + 1.0 < last.quantiser => {
                coarser.min(f32::midpoint(sample.quantiser, last.quantiser))
            }
            _ => coarser,
        }
    }

    /// Bits the next ordinary picture should take.
    fn aim(&self) -> f32 {
        AIM * self.budget - (self.debt / MOST_DEBT).min(self.budget / 2.0)
    }

    /// The quantiser after an ordinary picture. Too large a picture is answered at once; the way
    /// back is slower, as a small picture often only means that little changed.
    fn follow(&self, sample: Sample) -> f32 {
        let aim = self.aim();
        let wanted = sample.quantiser_for(aim);
        let step = wanted - sample.quantiser;
        sample.quantiser
            + if sample.bits > 2.0 * aim {
                step
            } else if step > 0.0 {
                // The slope is a guess on the flat side: full steps would swing.
                CAUTION * step
            } else {
                (CAUTION * step).max(-RISE)
            }
    }
}

fn budget(bitrate: Bitrate, rate: FrameRate) -> f32 {
    bitrate.bps() as f32 / rate.fps() as f32
}

/// Size of a picture over its quantiser, as a logarithm to base 2: measured on text and on moving
/// test pictures, on the flat side, so that a correction is rather too strong than too weak.
fn octaves(quantiser: f32) -> f32 {
    let bent = (quantiser - BEND).max(0.0);
    -SLOPE * quantiser - CURVE * bent * bent
}

const SLOPE: f32 = 0.07;
const BEND: f32 = 28.0;
const CURVE: f32 = 0.003;

/// The inverse of [`octaves`].
fn from_octaves(octaves: f32) -> f32 {
    let straight = -octaves / SLOPE;
    if straight <= BEND {
        return straight.max(0.0);
    }
    let beyond = -octaves - SLOPE * BEND;
    let root = (SLOPE * SLOPE + 4.0 * CURVE * beyond).sqrt();
    BEND + (root - SLOPE) / (2.0 * CURVE)
}
