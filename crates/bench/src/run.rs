//! A whole bench: turns of one configuration or two, and the results in a folder.

use crate::BenchError;
use crate::options::BenchOptions;
use crate::plot;
use crate::processes::Machine;
use crate::progress::{Listener, Progress};
use crate::report::{Report, VariantReport};
use crate::turn::{Place, Rig, Turn, run_turn};
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Measures, and writes `bench.json`, `bench.svg`, `bench-frames.csv` and, where keys were pressed,
/// `bench-presses.csv` into the output folder.
///
/// `progress` hears about once a second what happens, and can end the bench by breaking. Whatever
/// was started ends with this function.
///
/// # Errors
/// [`BenchError`] says in words what is missing or went wrong.
pub fn run(
    options: &BenchOptions,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Report, BenchError> {
    options.check()?;
    let variants = options.variants()?;
    // Better known now than after a long measurement.
    fs::create_dir_all(&options.output).map_err(|error| cannot_write(&options.output, error))?;
    let mut rig = Rig::start(options, Listener::new(progress))?;
    let mut turns: Vec<Vec<Turn>> = variants.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds {
        for (variant, turns) in variants.iter().zip(&mut turns) {
            let place = Place {
                variant,
                round,
                is_last: round == options.rounds,
            };
            turns.push(run_turn(options, &mut rig, place)?);
        }
    }
    let machine = Machine::look(rig.viewer.version());
    drop(rig);
    let reports = variants.iter().zip(&turns);
    let reports = reports
        .map(|(variant, turns)| VariantReport::new(variant, turns, options.drawing_rate()))
        .collect();
    let report = Report::new(options, machine, reports);
    write(&report, &options.output)?;
    Ok(report)
}

fn cannot_write(path: &Path, error: std::io::Error) -> BenchError {
    BenchError::Output {
        path: path.to_owned(),
        error,
    }
}

fn write(report: &Report, folder: &Path) -> Result<(), BenchError> {
    let json = serde_json::to_string_pretty(report);
    let json = json.map_err(|error| cannot_write(folder, error.into()))?;
    let mut files = vec![
        ("bench.json", json + "\n"),
        ("bench.svg", plot::draw(report)),
        ("bench-frames.csv", every_frame(report)),
    ];
    if report
        .variants
        .iter()
        .any(|variant| variant.input.is_some())
    {
        files.push(("bench-presses.csv", every_press(report)));
    }
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| cannot_write(&path, error))?;
    }
    Ok(())
}

/// One line for each frame, for one's own arithmetic; what was not measured is empty.
fn every_frame(report: &Report) -> String {
    let mut text = "configuration,turn,number,drawn_unix_ms".to_owned();
    for stage in crate::Stage::ALL {
        let _ = write!(text, ",{}_ms", stage.name());
    }
    text.push_str(",received_ms,readable_ms,first_sight_ms,inside_decoder_ms,bytes,keyframe\n");
    for variant in &report.variants {
        for (turn, frames) in variant.turns.iter().enumerate() {
            for frame in frames {
                let (name, turn) = (&variant.name, turn + 1);
                let _ = write!(text, "{name},{turn},{},{:.3}", frame.number, frame.drawn_ms);
                let stages = crate::Stage::ALL.map(|stage| frame.stage_ms(stage));
                let ends = [
                    frame.until_received_ms(),
                    Some(frame.until_readable_ms()),
                    frame.until_seen_ms(),
                    frame.decoder_ms,
                ];
                for value in stages.into_iter().chain(ends) {
                    let _ = write!(text, ",{}", number(value));
                }
                let bytes = frame.host.and_then(|host| host.bytes);
                let bytes = bytes.map_or_else(String::new, |bytes| bytes.to_string());
                let keyframe = frame
                    .host
                    .map_or("", |host| if host.keyframe { "1" } else { "0" });
                let _ = writeln!(text, ",{bytes},{keyframe}");
            }
        }
    }
    text
}

/// One line for each press; a press that was missed has no times.
fn every_press(report: &Report) -> String {
    let mut text = "configuration,turn,scene,kind,pressed_unix_ms".to_owned();
    for stage in crate::InputStage::ALL {
        let _ = write!(text, ",{}_ms", stage.name());
    }
    text.push_str(",readable_ms,first_sight_ms\n");
    for variant in &report.variants {
        for (turn, presses) in variant.presses.iter().enumerate() {
            for press in presses {
                let (name, turn) = (&variant.name, turn + 1);
                let (scene, kind, at_ms) = (press.scene, press.kind, press.pressed_ms);
                let _ = write!(text, "{name},{turn},{scene},{kind},{at_ms:.3}");
                let stages = crate::InputStage::ALL.map(|stage| press.stage_ms(stage));
                let ends = [press.until_readable_ms(), press.until_seen_ms()];
                for value in stages.into_iter().chain(ends) {
                    let _ = write!(text, ",{}", number(value));
                }
                text.push('\n');
            }
        }
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |ms| format!("{ms:.3}"))
}
