//! Rate control of our own: one quantiser for each picture, from the sizes of those before it.
//!
//! It sees no pixels but how much of the screen changed. A picture that turns out too large is coded
//! again, so that no picture bursts; in return nothing is analysed beforehand, which saves a third
//! of the encode time on desktops.

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
const RETRIES: u8 = 3;
/// Smallest picture worth coding again, in bits: a packet or two.
const SMALL: f32 = 2.0 * 1200.0 * 8.0;
/// Least caution in making pictures finer, and most.
const BOLD: f32 = 1.0;
const TIMID: f32 = 0.125;
/// What a picture that was too large takes from boldness, and what one at the first try gives.
const SHY: f32 = 0.6;
const COURAGE: f32 = 1.1;
/// How [`RateControl::allowance`] grows and shrinks.
const MORE: f32 = 0.5;
const LESS: f32 = 0.95;
/// Range of [`RateControl::steepness`].
const FLATTEST: f32 = 0.7;
const STEEPEST: f32 = 6.0;
/// Share of a small correction that is made.
const CAUTION: f32 = 0.4;
/// A share of the screen that changes when something opens, switches or scrolls, and one that
/// changes when somebody works in it.
const MUCH: f32 = 0.4;
const LITTLE: f32 = 0.25;
/// Below this share of the budget a picture coded on suspicion was coded too coarsely.
const NEEDLESS: f32 = 0.4;
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
    /// It is too large, or needlessly coarse: throw it away and code it with this quantiser.
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
    fn quantiser_for(self, bits: f32, steepness: f32) -> f32 {
        let change = (bits / self.bits.max(1.0)).log2() / steepness;
        from_octaves(octaves(self.quantiser) + change).min(COARSEST)
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
    /// How far quality rises from one picture to the next: finer pictures code all of the screen
    /// anew, which costs little or much, and only trying tells.
    boldness: f32,
    /// The same picture, coded before and found too large.
    attempt: Option<Sample>,
    /// Budgets a picture may take because it is finer than the last one. It grows while no finer
    /// picture fits: a large screen at a low bitrate would else stay as coarse as it is.
    allowance: f32,
    /// Share of the screen that changed with the last picture.
    changed: f32,
    /// Whether this picture is coded coarser than the last ones, because much changed at once.
    suspicious: bool,
    /// How much steeper sizes fall than [`octaves`] says, from pictures coded twice.
    steepness: f32,
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
            boldness: BOLD,
            attempt: None,
            allowance: ORDINARY_LIMIT,
            changed: 0.0,
            suspicious: false,
            steepness: 1.0,
        }
    }

    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        self.budget = budget(bitrate, self.rate);
        self.debt = self.debt.min(MOST_DEBT * self.budget);
        if let Some(last) = self.last {
            let needed = last.quantiser_for(self.aim(), self.steepness);
            self.next = self.next.max(needed).clamp(self.finest, COARSEST);
        }
    }

    /// The quantiser for a new picture, of which this share changed.
    pub(crate) fn plan(&mut self, task: Task, changed: f32) -> u8 {
        self.retries = 0;
        self.attempt = None;
        let suspected = self.suspect(task, changed);
        self.changed = changed;
        self.suspicious = suspected.is_some();
        let quantiser = match task {
            Task::Ordinary => suspected.unwrap_or(self.next),
            Task::Refine(quantiser) => f32::from(quantiser),
            Task::Keyframe => {
                // Without a keyframe to learn from: half a bit a pixel at this quantiser is usual.
                let usual = Sample {
                    quantiser: 28.0,
                    bits: 0.5 * self.pixels,
                };
                let known = self.last_keyframe.unwrap_or(usual);
                known.quantiser_for(KEYFRAME_AIM * self.budget, 1.0)
            }
        };
        let finest = if matches!(task, Task::Refine(_)) {
            1.0
        } else {
            self.finest
        };
        quantiser.clamp(finest, COARSEST).round() as u8
    }

    /// The quantiser for a picture that may well be a cut: the one at which a keyframe of what
    /// changed would fit. If it is not (a screen that scrolled is cheap), the coarse attempt costs
    /// little time; a fine attempt at a real cut costs much.
    fn suspect(&self, task: Task, changed: f32) -> Option<f32> {
        if task != Task::Ordinary || changed < MUCH || self.changed > LITTLE {
            return None;
        }
        let keyframe = self.last_keyframe?;
        let part = Sample {
            bits: keyframe.bits * changed,
            ..keyframe
        };
        let needed = part.quantiser_for(self.budget, 1.0);
        (needed > self.next + 3.0).then_some(needed)
    }

    /// Judges a picture coded at `quantiser`.
    pub(crate) fn coded(&mut self, task: Task, quantiser: u8, bytes: usize) -> Verdict {
        let sample = Sample {
            quantiser: f32::from(quantiser),
            bits: bytes as f32 * 8.0,
        };
        let gets_finer = self.gets_finer(task, sample);
        let (limit, aim) = match task {
            Task::Ordinary if gets_finer => (self.allowance, 1.0),
            Task::Ordinary => (ORDINARY_LIMIT, 1.0),
            Task::Keyframe => (KEYFRAME_LIMIT, KEYFRAME_AIM),
            Task::Refine(_) => (REFINE_LIMIT, REFINE_LIMIT * 0.75),
        };
        if let Some(before) = self.attempt.replace(sample) {
            self.compare(before, sample);
        }
        if self.suspicious && sample.bits < NEEDLESS * self.budget {
            self.suspicious = false;
            let finer = sample.quantiser_for(AIM * self.budget, 1.0).max(self.next);
            if finer + 1.0 < sample.quantiser {
                return Verdict::Again(finer.round() as u8);
            }
        }
        let too_large = sample.bits > (limit * self.budget).max(SMALL);
        if too_large && sample.quantiser < COARSEST && self.retries < RETRIES {
            self.retries += 1;
            self.boldness = (SHY * self.boldness).max(TIMID);
            if gets_finer {
                self.allowance = (self.allowance + MORE).min(KEYFRAME_LIMIT);
            }
            let coarser = self.coarser(task, sample, aim * self.budget);
            let coarser = coarser.clamp(sample.quantiser + 1.0, COARSEST);
            return Verdict::Again(coarser.round() as u8);
        }
        if gets_finer {
            self.allowance = (LESS * self.allowance).max(ORDINARY_LIMIT);
        }
        self.learn(task, sample);
        Verdict::Keep
    }

    fn gets_finer(&self, task: Task, sample: Sample) -> bool {
        let last = self.last.filter(|_| task == Task::Ordinary);
        last.is_some_and(|last| sample.quantiser < last.quantiser)
    }

    /// Learns how sizes fall from one picture coded twice.
    fn compare(&mut self, finer: Sample, coarser: Sample) {
        if finer.bits < self.budget {
            return;
        }
        // What is left of a picture without its details says nothing about their slope.
        let least = 0.05 * self.budget;
        let fell = (finer.bits.max(least) / coarser.bits.max(least)).log2();
        let expected = octaves(finer.quantiser) - octaves(coarser.quantiser);
        self.steepness = (fell / expected).clamp(FLATTEST, STEEPEST);
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
        match self.last {
            // Probably the picture did not change but the quantiser got finer, so that all of a
            // still screen was coded anew. Then the last quantiser is good, and half the way to it
            // may be better.
            Some(last) if task == Task::Ordinary && sample.quantiser < last.quantiser => {
                if self.retries > 1 || sample.bits > 3.0 * bits {
                    last.quantiser
                } else {
                    f32::midpoint(sample.quantiser, last.quantiser)
                }
            }
            _ => sample.quantiser_for(bits, self.steepness),
        }
    }

    /// Bits the next ordinary picture should take.
    fn aim(&self) -> f32 {
        AIM * self.budget - (self.debt / MOST_DEBT).min(self.budget / 2.0)
    }

    /// The quantiser after an ordinary picture. Too large a picture is answered at once; the way
    /// back is slower, as a small picture often only means that little changed.
    fn follow(&mut self, sample: Sample) -> f32 {
        let aim = self.aim();
        let step = sample.quantiser_for(aim, self.steepness) - sample.quantiser;
        if sample.bits > 2.0 * aim {
            return sample.quantiser + step;
        }
        if step > 0.0 {
            // The slope is a guess on the flat side: full steps would swing.
            return sample.quantiser + CAUTION * step;
        }
        if self.debt > self.budget {
            // First pay for the last finer picture.
            return sample.quantiser;
        }
        if self.retries == 0 {
            self.boldness = (COURAGE * self.boldness).min(BOLD);
        }
        sample.quantiser + (CAUTION * step).max(-self.boldness * rise(sample.quantiser))
    }
}

/// The longest step to a finer quantiser: the finer already, the more each step costs.
fn rise(quantiser: f32) -> f32 {
    1.0 + (quantiser - BEND).max(0.0) / 5.0
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT_BYTES: f32 = ORDINARY_LIMIT * 8e6 / 60.0 / 8.0;

    fn control() -> RateControl {
        let rate = FrameRate::new(60).unwrap();
        RateControl::new(Bitrate::clamped(8_000_000), rate, 1280 * 720, 20)
    }

    /// A picture whose size halves every `halves` quantiser steps, `bytes` at quantiser 20.
    #[derive(Clone, Copy, Debug)]
    struct Content {
        bytes: f32,
        halves: f32,
    }

    impl Content {
        fn at(self, quantiser: u8) -> usize {
            (self.bytes * 2_f32.powf((20.0 - f32::from(quantiser)) / self.halves)) as usize
        }
    }

    /// Codes one picture of which little changed. Returns quantiser, bytes and how often it was
    /// coded.
    fn code(control: &mut RateControl, task: Task, content: Content) -> (u8, usize, u32) {
        code_changed(control, task, content, 0.1)
    }

    fn code_changed(
        control: &mut RateControl,
        task: Task,
        content: Content,
        changed: f32,
    ) -> (u8, usize, u32) {
        let mut quantiser = control.plan(task, changed);
        let mut times = 1;
        loop {
            let bytes = content.at(quantiser);
            match control.coded(task, quantiser, bytes) {
                Verdict::Keep => return (quantiser, bytes, times),
                Verdict::Again(coarser) => {
                    assert!(
                        coarser != quantiser && times < 5,
                        "{coarser} after {quantiser}"
                    );
                    quantiser = coarser;
                    times += 1;
                }
            }
        }
    }

    #[test]
    fn the_size_model_has_an_inverse() {
        for quantiser in 0..=51 {
            let back = from_octaves(octaves(quantiser as f32));
            assert!(
                (back - quantiser as f32).abs() < 0.01,
                "{quantiser}: {back}"
            );
        }
    }

    #[test]
    fn easy_pictures_keep_the_finest_quantiser() {
        let mut control = control();
        for _ in 0..50 {
            let (quantiser, ..) = code(
                &mut control,
                Task::Ordinary,
                Content {
                    bytes: 3e3,
                    halves: 6.0,
                },
            );
            assert_eq!(quantiser, 20);
        }
    }

    #[test]
    fn hard_pictures_settle_at_the_budget() {
        for halves in [4.0, 6.0, 10.0] {
            let mut control = control();
            let content = Content {
                bytes: 90e3,
                halves,
            };
            let sizes: Vec<_> = (0..120)
                .map(|_| code(&mut control, Task::Ordinary, content).1)
                .collect();
            let mean = sizes[60..].iter().sum::<usize>() as f32 / 60.0;
            let budget = 8e6 / 60.0 / 8.0;
            assert!((0.7..1.0).contains(&(mean / budget)), "{halves}: {mean}");
        }
    }

    #[test]
    fn a_cut_is_coded_again_and_quality_comes_back() {
        let mut control = control();
        let calm = Content {
            bytes: 2e3,
            halves: 8.0,
        };
        code(&mut control, Task::Ordinary, calm);
        let cut = Content {
            bytes: 150e3,
            halves: 8.0,
        };
        let (_, bytes, times) = code(&mut control, Task::Ordinary, cut);
        assert!(bytes as f32 <= LIMIT_BYTES && times <= 3);
        let back = (0..40).position(|_| code(&mut control, Task::Ordinary, calm).0 == 20);
        assert!(back.is_some_and(|pictures| pictures <= 20), "{back:?}");
    }

    #[test]
    fn a_cut_that_shows_in_the_pixels_is_coded_once() {
        let mut control = control();
        let screen = Content {
            bytes: 150e3,
            halves: 8.0,
        };
        code(&mut control, Task::Keyframe, screen);
        for _ in 0..30 {
            code(
                &mut control,
                Task::Ordinary,
                Content {
                    bytes: 2e3,
                    halves: 8.0,
                },
            );
        }
        let (quantiser, bytes, times) = code_changed(&mut control, Task::Ordinary, screen, 0.9);
        assert!(
            bytes as f32 <= LIMIT_BYTES && times == 1,
            "{bytes} at {quantiser}, {times} times"
        );
    }

    #[test]
    fn a_screen_that_only_scrolls_stays_sharp() {
        let mut control = control();
        code(
            &mut control,
            Task::Keyframe,
            Content {
                bytes: 150e3,
                halves: 8.0,
            },
        );
        let calm = Content {
            bytes: 2e3,
            halves: 8.0,
        };
        while code(&mut control, Task::Ordinary, calm).0 > 20 {}
        let scrolled = code_changed(&mut control, Task::Ordinary, calm, 0.9);
        assert_eq!((scrolled.0, scrolled.2), (20, 2));
        let goes_on = code_changed(&mut control, Task::Ordinary, calm, 0.9);
        assert_eq!((goes_on.0, goes_on.2), (20, 1));
    }

    #[test]
    fn a_screen_too_large_for_one_budget_still_gets_sharp() {
        // Each finer quantiser costs two and a half budgets once, and nothing when repeated.
        let mut control = control();
        control.next = 45.0;
        let mut reached = 45_u8;
        let mut total = 0;
        for picture in 0..400 {
            let mut quantiser = control.plan(Task::Ordinary, 0.0);
            let bytes = loop {
                let finer = reached.saturating_sub(quantiser).min(1);
                let bytes = 100 + usize::from(finer) * 41_000;
                match control.coded(Task::Ordinary, quantiser, bytes) {
                    Verdict::Keep => break bytes,
                    Verdict::Again(coarser) => quantiser = coarser,
                }
            };
            reached = reached.min(quantiser);
            total += bytes;
            assert!(
                total <= (picture + 4) * 8_000_000 / 60 / 8,
                "the bitrate holds"
            );
        }
        assert_eq!(reached, 20);
    }

    #[test]
    fn keyframes_learn_from_the_one_before() {
        let mut control = control();
        let screen = Content {
            bytes: 180e3,
            halves: 9.0,
        };
        code(&mut control, Task::Keyframe, screen);
        let (_, bytes, times) = code(&mut control, Task::Keyframe, screen);
        let budgets = bytes as f32 * 8.0 * 60.0 / 8e6;
        assert!(
            (3.0..6.0).contains(&budgets) && times == 1,
            "{budgets}, coded {times} times"
        );
    }

    #[test]
    fn half_the_bitrate_shows_in_the_next_picture() {
        let mut control = control();
        let content = Content {
            bytes: 90e3,
            halves: 6.0,
        };
        for _ in 0..60 {
            code(&mut control, Task::Ordinary, content);
        }
        control.set_bitrate(Bitrate::clamped(4_000_000));
        let (_, bytes, _) = code(&mut control, Task::Ordinary, content);
        assert!((bytes as f32) < 1.1 * 4e6 / 60.0 / 8.0, "{bytes}");
    }

    proptest! {
        /// Any sequence of contents: sizes stay within the limit unless the quantiser or the
        /// tries are at their end, or the picture got finer than the last, which has a limit too.
        #[test]
        fn pictures_never_burst(
            contents in prop::collection::vec((1e2_f32..3e5, 4.0_f32..11.0, 1_usize..15), 1..12)
        ) {
            let mut control = control();
            let mut last = 0;
            for (bytes, halves, pictures) in contents {
                for _ in 0..pictures {
                    let content = Content { bytes, halves };
                    let (quantiser, bytes, times) = code(&mut control, Task::Ordinary, content);
                    prop_assert!((20..=51).contains(&quantiser));
                    let spent = quantiser == 51 || times == 1 + u32::from(RETRIES);
                    let excused = spent || quantiser < last;
                    prop_assert!(bytes as f32 <= LIMIT_BYTES || excused, "{bytes} at {quantiser}");
                    let most = LIMIT_BYTES / ORDINARY_LIMIT * KEYFRAME_LIMIT;
                    prop_assert!(bytes as f32 <= most || quantiser == 51);
                    last = quantiser;
                }
            }
        }
    }
}
