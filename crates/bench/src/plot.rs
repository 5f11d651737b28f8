//! The figures of a report as one SVG: where the time goes, how it is spread, how it went, and the
//! same for presses.

use crate::frames::{Frame, Stage};
use crate::input::{InputBand, InputSeries, InputStage};
use crate::percentiles::{Summary, rank};
use crate::report::{Report, VariantReport};
use crate::svg::{Anchor, Area, MUTED, Style, Svg};
use crate::viewer::BenchClient;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 76.0;
/// Where bars with long names begin.
const FAR_LEFT: f64 = 150.0;
const RIGHT: f64 = 892.0;
const BAR: f64 = 22.0;
const BAR_GAP: f64 = 7.0;
const HILLS: f64 = 150.0;
const DOTS: f64 = 170.0;
/// Slower frames than these percent are beyond the right end of the spread.
const SHOWN_PERCENT: f64 = 99.5;
const BIN_MS: f64 = 0.5;
/// Dots of the course over time; more are not told apart.
const MOST_DOTS: usize = 2400;
const SIGHT_COLOUR: &str = "#9467bd";
const READABLE_COLOUR: &str = "#0969da";
const RECEIVED_COLOUR: &str = "#1a7f37";
const VARIANT_COLOURS: [&str; 2] = ["#0969da", "#d1642d"];

const fn colour(stage: Stage) -> &'static str {
    match stage {
        Stage::Notice => "#8b949e",
        Stage::Grab => "#54aeff",
        Stage::Queue => "#b6e3ff",
        Stage::Encode => "#e8833a",
        Stage::Send => "#f5c26b",
        Stage::Network => "#4ac26b",
        Stage::Decode => "#a475f9",
    }
}

/// Draws a report.
pub(crate) fn draw(report: &Report) -> String {
    let title = match report.client {
        BenchClient::Browser => "From drawing on the screen to a readable frame in the browser",
        BenchClient::Moonlight => {
            "From drawing on the screen to a readable frame in a Moonlight client"
        }
    };
    let mut figure = Figure {
        svg: Svg::default(),
        y: 34.0,
    };
    figure
        .svg
        .text([24.0, figure.y], Style::PLAIN.bold().sized(18.0), title);
    figure.describe(report);
    figure.stages(report);
    for variant in &report.variants {
        figure.spread(report, variant);
    }
    figure.course(report);
    figure.input(report);
    figure.sign();
    figure.svg.finish(WIDTH, figure.y, title)
}

/// A picture that grows downward.
struct Figure {
    svg: Svg,
    y: f64,
}

impl Figure {
    fn describe(&mut self, report: &Report) {
        let Report {
            source,
            content,
            size,
            source_rate,
            machine,
            ..
        } = report;
        let what = format!(
            "{source} ({content}) {size} at {source_rate} pictures a second · {} × {} · {}",
            machine.cores, machine.cpu, machine.browser
        );
        self.note(&what);
        for variant in &report.variants {
            let VariantReport {
                name,
                flags,
                unique_fps,
                ..
            } = variant;
            let cpu = variant.processes.first().map_or(f64::NAN, |host| host.cpu);
            let name = if report.variants.len() > 1 {
                format!("{name}: ")
            } else {
                String::new()
            };
            self.note(&format!(
                "{name}{flags} · {unique_fps:.1} new pictures a second · host uses {cpu:.2} of a core"
            ));
        }
    }

    fn note(&mut self, text: &str) {
        self.y += 19.0;
        self.svg.text([24.0, self.y], Style::PLAIN.muted(), text);
    }

    fn heading(&mut self, text: &str, explanation: &str) {
        self.y += 38.0;
        self.svg
            .text([24.0, self.y], Style::PLAIN.bold().sized(14.0), text);
        self.note(explanation);
        self.y += 12.0;
    }

    /// Stacked bars: typical, slow and very slow frames.
    fn stages(&mut self, report: &Report) {
        self.heading(
            "Where the time goes",
            "Mean stages of the frames within one percent around p50, p95 and p99 of the whole.",
        );
        let names: Vec<_> = Stage::ALL.map(|stage| (stage.name(), colour(stage))).into();
        self.stage_names(&names);
        let bands = report
            .variants
            .iter()
            .flat_map(|variant| variant.bands.iter().map(move |band| (variant, band)));
        let bars = bands.map(|(variant, band)| Bar {
            label: labelled(report, variant, &format!("p{:.0}", band.percent)),
            parts: Stage::ALL
                .map(colour)
                .into_iter()
                .zip(band.stages_ms)
                .collect(),
        });
        let bars: Vec<Bar> = bars.collect();
        self.bars(LEFT, &bars);
    }

    /// Stacked bars: typical and slow presses of each kind in each scene.
    fn input(&mut self, report: &Report) {
        let mut bars = Vec::new();
        for variant in &report.variants {
            let series = variant.input.iter().flat_map(|input| &input.series);
            let bands = series.flat_map(|series| series.bands.iter().map(move |b| (series, b)));
            bars.extend(bands.map(|(series, band)| {
                Bar {
                    label: labelled(report, variant, &named(series, band)),
                    parts: InputStage::ALL
                        .map(input_colour)
                        .into_iter()
                        .zip(band.stages_ms)
                        .collect(),
                }
            }));
        }
        if bars.is_empty() {
            return;
        }
        self.heading(
            "Input → photon",
            "A key or the mouse button pressed until the picture shows it: mean stages of the presses \
             within five percent around p50 and p95.",
        );
        let names: Vec<_> = InputStage::ALL
            .map(|stage| (stage.name(), input_colour(stage)))
            .into();
        self.stage_names(&names);
        self.bars(FAR_LEFT, &bars);
        for variant in &report.variants {
            if let Some(sights) = sights(variant) {
                self.note(&labelled(report, variant, &sights));
            }
            let missed = variant.input.as_ref().map_or(0, |input| input.missed);
            if missed > 0 {
                let text = labelled(report, variant, &format!("{missed} presses never showed"));
                self.note(&text);
            }
        }
    }

    /// Bars of parts, each with the sum at its end.
    fn bars(&mut self, left: f64, bars: &[Bar]) {
        let most_ms = bars.iter().map(Bar::whole_ms).fold(1.0, f64::max) * 1.08;
        let area = Area {
            x: left,
            width: RIGHT - left,
            ..self.area(bars.len() as f64 * (BAR + BAR_GAP))
        };
        self.svg.axis_across(area, most_ms, " ms");
        for (at, bar) in bars.iter().enumerate() {
            let y = area.y + at as f64 * (BAR + BAR_GAP) + BAR_GAP / 2.0;
            let style = Style::PLAIN.anchored(Anchor::End);
            self.svg.text([left - 8.0, y + 15.0], style, &bar.label);
            let mut x = area.x;
            for (colour, ms) in &bar.parts {
                let width = area.width * ms.max(0.0) / most_ms;
                let part = Area {
                    x,
                    y,
                    width,
                    height: BAR,
                };
                self.svg.rect(part, colour);
                if width > 30.0 {
                    let middle = [x + width / 2.0, y + 15.0];
                    let style = Style::PLAIN.sized(11.0).anchored(Anchor::Middle);
                    self.svg.text(middle, style, &format!("{ms:.1}"));
                }
                x += width;
            }
            let total = format!("{:.1} ms", bar.whole_ms());
            self.svg
                .text([x + 6.0, y + 15.0], Style::PLAIN.bold(), &total);
        }
        self.y = area.bottom() + 18.0;
    }

    /// What the colours mean.
    fn stage_names(&mut self, names: &[(&str, &str)]) {
        let mut x = LEFT;
        for (name, colour) in names {
            let square = Area {
                x,
                y: self.y,
                width: 12.0,
                height: 12.0,
            };
            self.svg.rect(square, colour);
            self.svg.text([x + 17.0, self.y + 10.5], Style::PLAIN, name);
            x += 30.0 + 7.5 * name.len() as f64;
        }
        self.y += 20.0;
    }

    /// Share of the frames by their time, to each of the three ends.
    fn spread(&mut self, report: &Report, variant: &VariantReport) {
        let several = report.variants.len() > 1;
        let heading = if several {
            format!("Spread, {}", variant.name)
        } else {
            "Spread".to_owned()
        };
        self.heading(
            &heading,
            "Share of the frames in each half millisecond since drawing began.",
        );
        let ends = ends(variant);
        let most_ms = ends
            .iter()
            .map(|(.., times, _)| shown_up_to(times))
            .fold(1.0, f64::max);
        let shares: Vec<Vec<f64>> = ends
            .iter()
            .map(|(.., times, _)| binned(times, most_ms))
            .collect();
        let most = shares.iter().flatten().copied().fold(1.0, f64::max) * 1.1;
        let mut x = LEFT;
        for (name, colour, _, summary) in &ends {
            let Some(summary) = summary else { continue };
            self.svg.rect(
                Area {
                    x,
                    y: self.y,
                    width: 12.0,
                    height: 12.0,
                },
                colour,
            );
            let Summary { p50_ms, p95_ms, .. } = summary;
            let text = format!("{name}: p50 {p50_ms:.1}, p95 {p95_ms:.1} ms");
            self.svg
                .text([x + 17.0, self.y + 10.5], Style::PLAIN, &text);
            x += 284.0;
        }
        self.y += 24.0;
        let area = self.area(HILLS);
        self.svg.axis_across(area, most_ms, " ms");
        self.svg.axis_up(area, most, " %");
        for ((_, colour, ..), shares) in ends.iter().zip(&shares) {
            let point = |(bin, share): (usize, &f64)| {
                let ms = (bin as f64 + 0.5) * BIN_MS;
                [
                    area.x + area.width * ms / most_ms,
                    area.bottom() - area.height * share / most,
                ]
            };
            let points: Vec<[f64; 2]> = shares.iter().enumerate().map(point).collect();
            self.svg.hill(&points, area.bottom(), colour);
        }
        self.y = area.bottom() + 18.0;
    }

    /// Each frame's time to readable over the time of the measurement.
    fn course(&mut self, report: &Report) {
        self.heading("Course", "Time to readable of each frame, turn after turn.");
        let area = self.area(DOTS);
        let times = |variant: &VariantReport| -> Vec<f64> {
            variant
                .turns
                .iter()
                .flatten()
                .map(Frame::until_readable_ms)
                .collect()
        };
        let slowest = report.variants.iter().flat_map(times).fold(1.0, f64::max);
        let most_ms = slowest * 1.05;
        let most_s = report
            .variants
            .iter()
            .map(|variant| variant.seconds)
            .fold(1.0, f64::max);
        self.svg.axis_across(area, most_s, " s");
        self.svg.axis_up(area, most_ms, " ms");
        for (variant, colour) in report.variants.iter().zip(VARIANT_COLOURS) {
            let place = |[at_s, ms]: [f64; 2]| {
                [
                    area.x + area.width * at_s / most_s,
                    area.bottom() - area.height * ms / most_ms,
                ]
            };
            let course = course(variant);
            let stride = course.len().div_ceil(MOST_DOTS).max(1);
            self.svg
                .dots(course.into_iter().step_by(stride).map(place), colour);
        }
        if report.variants.len() > 1 {
            for (at, (variant, colour)) in report.variants.iter().zip(VARIANT_COLOURS).enumerate() {
                let style = Style {
                    colour,
                    ..Style::PLAIN.bold()
                };
                let x = area.right() + 10.0;
                self.svg
                    .text([x, area.y + 14.0 + 18.0 * at as f64], style, &variant.name);
            }
        }
        self.y = area.bottom() + 18.0;
    }

    fn sign(&mut self) {
        self.y += 16.0;
        let end = Style {
            colour: MUTED,
            ..Style::PLAIN.sized(11.0).anchored(Anchor::End)
        };
        self.svg.text([RIGHT, self.y], end, "heliostat bench");
        self.y += 16.0;
    }

    fn area(&self, height: f64) -> Area {
        Area {
            x: LEFT,
            y: self.y,
            width: RIGHT - LEFT,
            height,
        }
    }
}

/// A bar of parts.
struct Bar {
    label: String,
    /// Colour and milliseconds of each.
    parts: Vec<(&'static str, f64)>,
}

impl Bar {
    fn whole_ms(&self) -> f64 {
        self.parts.iter().map(|(_, ms)| ms).sum()
    }
}

/// A label, after the configuration's name where there are two.
fn labelled(report: &Report, variant: &VariantReport, label: &str) -> String {
    match report.variants.len() {
        0 | 1 => label.to_owned(),
        _ => format!("{} {label}", variant.name),
    }
}

/// When presses were first seen, in words.
fn sights(variant: &VariantReport) -> Option<String> {
    let series = variant.input.iter().flat_map(|input| &input.series);
    let words = series.filter_map(|series| {
        let Summary { p50_ms, p95_ms, .. } = series.first_sight?;
        let InputSeries { scene, kind, .. } = series;
        Some(format!("{scene}, {kind} {p50_ms:.1} / {p95_ms:.1} ms"))
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| format!("first sight (rVFC), p50 / p95: {}", words.join(" · ")))
}

fn named(series: &InputSeries, band: &InputBand) -> String {
    let InputSeries { scene, kind, .. } = series;
    format!("{scene}, {kind} p{:.0}", band.percent)
}

const fn input_colour(stage: InputStage) -> &'static str {
    match stage {
        InputStage::Carry => "#d4a72c",
        InputStage::Capture => colour(Stage::Grab),
        InputStage::Queue => colour(Stage::Queue),
        InputStage::Encode => colour(Stage::Encode),
        InputStage::Send => colour(Stage::Send),
        InputStage::Network => colour(Stage::Network),
        InputStage::Decode => colour(Stage::Decode),
    }
}

/// What a frame's way ends at: name, colour, each frame's milliseconds, and their summary.
type End = (&'static str, &'static str, Vec<f64>, Option<Summary>);

fn ends(variant: &VariantReport) -> [End; 3] {
    let frames = || variant.turns.iter().flatten();
    let totals = &variant.totals;
    [
        (
            "last packet received",
            RECEIVED_COLOUR,
            frames().filter_map(Frame::until_received_ms).collect(),
            totals.received,
        ),
        (
            "readable",
            READABLE_COLOUR,
            frames().map(Frame::until_readable_ms).collect(),
            totals.readable,
        ),
        (
            "first sight (rVFC)",
            SIGHT_COLOUR,
            frames().filter_map(Frame::until_seen_ms).collect(),
            totals.first_sight,
        ),
    ]
}

/// The right end of an axis that shows nearly all of these times.
fn shown_up_to(times_ms: &[f64]) -> f64 {
    let mut sorted = times_ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.get(rank(SHOWN_PERCENT, sorted.len()));
    last.map_or(0.0, |ms| (ms / BIN_MS).ceil() * BIN_MS + BIN_MS)
}

/// Percent of the times in each bin up to `most_ms`.
fn binned(times_ms: &[f64], most_ms: f64) -> Vec<f64> {
    let mut shares = vec![0.0; (most_ms / BIN_MS).round() as usize];
    for ms in times_ms {
        let bin = (ms / BIN_MS).max(0.0) as usize;
        if let Some(share) = shares.get_mut(bin) {
            *share += 100.0 / times_ms.len() as f64;
        }
    }
    shares
}

/// Seconds of measurement and milliseconds to readable of each frame, one turn after the other.
fn course(variant: &VariantReport) -> Vec<[f64; 2]> {
    let turn_s = variant.seconds / variant.turns.len().max(1) as f64;
    let mut points = Vec::new();
    for (turn, frames) in variant.turns.iter().enumerate() {
        let Some(first) = frames.first() else {
            continue;
        };
        let since_start = |frame: &Frame| (frame.readable_ms - first.readable_ms) / 1000.0;
        let point = |frame: &Frame| {
            [
                turn as f64 * turn_s + since_start(frame),
                frame.until_readable_ms(),
            ]
        };
        points.extend(frames.iter().map(point));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_all_times_that_are_shown() {
        let times = [0.2, 0.4, 0.6, 3.9, 4.1];
        let shares = binned(&times, 4.0);
        assert_eq!(shares.len(), 8);
        assert_eq!((shares[0], shares[1], shares[7]), (40.0, 20.0, 20.0));
        assert!((shares.iter().sum::<f64>() - 80.0).abs() < 1e-9);
    }

    #[test]
    fn the_axis_reaches_past_nearly_all_times() {
        let mut times = vec![3.2; 999];
        times.push(500.0);
        assert_eq!(shown_up_to(&times), 4.0);
        assert_eq!(shown_up_to(&[]), 0.0);
    }
}
