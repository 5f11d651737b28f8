//! What is known of each press, from the page, the window and the host, and its summary by scene and
//! kind. A press that never showed is counted as missed, and is in no percentile.

use crate::frames::{Frame, Stage};
use crate::percentiles::{Around, Summary};
use crate::presses::PressKind;
use serde::Serialize;
use std::fmt;

/// Percentiles whose presses are split into stages.
const BAND_PERCENTS: [f64; 2] = [50.0, 95.0];
/// A band reaches this far to both sides, in percent of the presses.
const BAND_REACH_PERCENT: f64 = 5.0;

/// What the screen does while keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputScene {
    /// Nothing but the reaction to a press.
    Quiet,
    /// The test pattern moves all the time.
    Moving,
}

impl InputScene {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Quiet, Self::Moving];
}

impl fmt::Display for InputScene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quiet => "quiet",
            Self::Moving => "moving",
        })
    }
}

/// The stages between a press in the page and a readable frame that shows the reaction. Each begins
/// where the one before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputStage {
    /// The page's event to the window's.
    Carry,
    /// The window's event to pixels copied.
    Capture,
    /// [`Stage::Queue`].
    Queue,
    /// [`Stage::Encode`].
    Encode,
    /// [`Stage::Send`].
    Send,
    /// [`Stage::Network`].
    Network,
    /// [`Stage::Decode`].
    Decode,
}

impl InputStage {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Carry,
        Self::Capture,
        Self::Queue,
        Self::Encode,
        Self::Send,
        Self::Network,
        Self::Decode,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carry => "carry",
            Self::Capture => "capture",
            Self::Queue => "queue",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Network => "network",
            Self::Decode => "decode",
        }
    }
}

/// A press, and the first frame that showed its reaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Press {
    pub(crate) scene: InputScene,
    pub(crate) kind: PressKind,
    /// When the page heard of it, in milliseconds since the Unix epoch.
    pub(crate) pressed_ms: f64,
    /// The frame, drawn when the window heard of the press; absent where the press was missed.
    pub(crate) frame: Option<Frame>,
}

impl Press {
    /// How long a stage took.
    pub(crate) fn stage_ms(&self, stage: InputStage) -> Option<f64> {
        let frame = self.frame.as_ref()?;
        match stage {
            InputStage::Carry => Some(frame.drawn_ms - self.pressed_ms),
            // A change that the host noticed before the press may still show it.
            InputStage::Capture => {
                Some(frame.stage_ms(Stage::Notice)? + frame.stage_ms(Stage::Grab)?)
            }
            InputStage::Queue => frame.stage_ms(Stage::Queue),
            InputStage::Encode => frame.stage_ms(Stage::Encode),
            InputStage::Send => frame.stage_ms(Stage::Send),
            InputStage::Network => frame.stage_ms(Stage::Network),
            InputStage::Decode => frame.stage_ms(Stage::Decode),
        }
    }

    fn all_stages_ms(&self) -> Option<[f64; InputStage::ALL.len()]> {
        let mut stages = [0.0; InputStage::ALL.len()];
        for (ms, stage) in stages.iter_mut().zip(InputStage::ALL) {
            *ms = self.stage_ms(stage)?;
        }
        Some(stages)
    }

    pub(crate) fn until_readable_ms(&self) -> Option<f64> {
        Some(self.frame?.readable_ms - self.pressed_ms)
    }

    pub(crate) fn until_seen_ms(&self) -> Option<f64> {
        Some(self.frame?.seen_ms? - self.pressed_ms)
    }
}

/// From presses in the page to the picture.
#[derive(Clone, Debug, Serialize)]
pub struct InputReport {
    /// How many there were.
    pub presses: usize,
    /// Those that no frame ever showed.
    pub missed: usize,
    /// By scene and kind.
    pub series: Vec<InputSeries>,
}

/// The presses of one kind in one scene. Absent where nothing was measured.
#[derive(Clone, Debug, Serialize)]
pub struct InputSeries {
    /// What else was on the screen.
    pub scene: InputScene,
    /// What was pressed.
    pub kind: PressKind,
    /// How many there were.
    pub presses: usize,
    /// Those that no frame ever showed.
    pub missed: usize,
    /// To the decoded frame read in the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readable: Option<Summary>,
    /// To `requestVideoFrameCallback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sight: Option<Summary>,
    /// The stages of all presses, each by itself.
    pub stages: Vec<InputStageSummary>,
    /// Where the time goes in typical and in slow presses.
    pub bands: Vec<InputBand>,
}

/// One stage over all presses.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct InputStageSummary {
    /// Which.
    pub stage: InputStage,
    /// How long it took.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Presses around a percentile of the time to readable, split into stages. Unlike the stages' own
/// percentiles, these add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct InputBand {
    /// The percentile.
    pub percent: f64,
    /// Presses around it.
    pub presses: usize,
    /// Their mean stages, in order.
    pub stages_ms: [f64; InputStage::ALL.len()],
}

impl InputReport {
    /// Sums up the presses of all turns; absent where nothing was pressed.
    pub(crate) fn of(presses: &[Press]) -> Option<Self> {
        if presses.is_empty() {
            return None;
        }
        let each = InputScene::ALL
            .into_iter()
            .flat_map(|scene| PressKind::ALL.map(|kind| (scene, kind)));
        let series = each.filter_map(|(scene, kind)| {
            let chosen = presses.iter().copied();
            let chosen: Vec<Press> = chosen
                .filter(|press| (press.scene, press.kind) == (scene, kind))
                .collect();
            (!chosen.is_empty()).then(|| InputSeries::of(scene, kind, &chosen))
        });
        Some(Self {
            presses: presses.len(),
            missed: missed(presses),
            series: series.collect(),
        })
    }

    /// The presses of one kind in one scene.
    #[must_use]
    pub fn series(&self, scene: InputScene, kind: PressKind) -> Option<&InputSeries> {
        let mut all = self.series.iter();
        all.find(|series| (series.scene, series.kind) == (scene, kind))
    }
}

fn missed(presses: &[Press]) -> usize {
    presses.iter().filter(|press| press.frame.is_none()).count()
}

impl InputSeries {
    fn of(scene: InputScene, kind: PressKind, presses: &[Press]) -> Self {
        let stage = |stage| {
            let times = presses.iter().filter_map(|press| press.stage_ms(stage));
            let summary = Summary::of(times)?;
            Some(InputStageSummary { stage, summary })
        };
        Self {
            scene,
            kind,
            presses: presses.len(),
            missed: missed(presses),
            readable: Summary::of(presses.iter().filter_map(Press::until_readable_ms)),
            first_sight: Summary::of(presses.iter().filter_map(Press::until_seen_ms)),
            stages: InputStage::ALL.into_iter().filter_map(stage).collect(),
            bands: bands(presses),
        }
    }

    /// A stage's distribution.
    #[must_use]
    pub fn stage(&self, stage: InputStage) -> Option<&Summary> {
        let found = self.stages.iter().find(|summary| summary.stage == stage);
        found.map(|found| &found.summary)
    }
}

fn bands(presses: &[Press]) -> Vec<InputBand> {
    let whole = presses
        .iter()
        .filter_map(|press| Some((press.until_readable_ms()?, press.all_stages_ms()?)))
        .collect();
    let bands = Around::each(&BAND_PERCENTS, BAND_REACH_PERCENT, whole).into_iter();
    let band = |around: Around<{ InputStage::ALL.len() }>| InputBand {
        percent: around.percent,
        presses: around.count,
        stages_ms: around.parts_ms,
    };
    bands.map(band).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three presses of each kind in each scene; the last click on the moving pattern is missed.
    pub(crate) fn presses() -> Vec<Press> {
        let mut presses = Vec::new();
        for scene in InputScene::ALL {
            for kind in PressKind::ALL {
                for number in 1..=3 {
                    let frame = crate::report::tests::frame(number, f64::from(number) / 10.0);
                    presses.push(Press {
                        scene,
                        kind,
                        pressed_ms: frame.drawn_ms - 5.0,
                        frame: Some(frame),
                    });
                }
            }
        }
        if let Some(last) = presses.last_mut() {
            last.frame = None;
        }
        presses
    }

    #[test]
    fn presses_are_summed_up_by_scene_and_kind() {
        let report = InputReport::of(&presses()).unwrap();
        assert_eq!((report.presses, report.missed), (12, 1));
        let series = report.series(InputScene::Quiet, PressKind::Key).unwrap();
        assert_eq!((series.presses, series.missed), (3, 0));
        let carry = series.stage(InputStage::Carry).unwrap();
        assert!((carry.p50_ms - 5.0).abs() < 1e-3, "{carry:?}");
        // 28 is the sum of the stages of a frame of scale 1.
        let readable = series.readable.unwrap();
        assert!(
            (readable.p50_ms - (5.0 + 28.0 * 0.2)).abs() < 1e-3,
            "{readable:?}"
        );
        let seen = series.first_sight.unwrap();
        assert!((seen.max_ms - (5.0 + 30.0 * 0.3)).abs() < 1e-3, "{seen:?}");

        let lossy = report.series(InputScene::Moving, PressKind::Click).unwrap();
        assert_eq!((lossy.presses, lossy.missed), (3, 1));
        assert_eq!(lossy.readable.unwrap().count, 2);
        assert!(InputReport::of(&[]).is_none());
    }

    #[test]
    fn the_stages_of_a_press_make_up_the_whole() {
        for press in presses().iter().filter(|press| press.frame.is_some()) {
            let stages = press.all_stages_ms().unwrap();
            let whole_ms = press.until_readable_ms().unwrap();
            assert!(
                (stages.iter().sum::<f64>() - whole_ms).abs() < 1e-3,
                "{press:?}"
            );
        }
        let series = InputReport::of(&presses()).unwrap().series;
        for series in series.iter().filter(|series| series.missed == 0) {
            let sums = series
                .bands
                .iter()
                .map(|band| band.stages_ms.iter().sum::<f64>());
            let sums: Vec<f64> = sums.collect();
            let readable = series.readable.unwrap();
            assert!((sums[0] - readable.p50_ms).abs() < 1e-3, "{sums:?}");
            assert!((sums[1] - readable.p95_ms).abs() < 1e-3, "{sums:?}");
        }
    }
}
