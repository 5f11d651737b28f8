//! The report as a table for a terminal: stages, ends, and what it cost, one configuration beside
//! the other.

use crate::frames::Stage;
use crate::input::{InputScene, InputSeries, InputStage};
use crate::percentiles::Summary;
use crate::presses::PressKind;
use crate::report::{Report, VariantReport};
use std::fmt;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            content,
            size,
            source,
            source_rate,
            ..
        } = self;
        writeln!(
            f,
            "{source} ({content}) {size}, {source_rate} new pictures a second"
        )?;
        writeln!(
            f,
            "{} × {}, Linux {}, {}",
            machine.cores, machine.cpu, machine.kernel, machine.browser
        )?;
        for variant in &self.variants {
            let VariantReport {
                name,
                flags,
                seconds,
                ..
            } = variant;
            writeln!(
                f,
                "{name}: {flags}   ({seconds:.0} s in {} turns)",
                self.rounds
            )?;
        }
        writeln!(f)?;
        latencies(f, self)?;
        writeln!(f)?;
        input(f, self)?;
        for row in rows() {
            row.write(f, &self.variants)?;
        }
        for variant in &self.variants {
            extras(f, variant)?;
        }
        Ok(())
    }
}

const LABEL: usize = 44;

/// A measure with a distribution.
type Measure = fn(&VariantReport) -> Option<Summary>;

/// The same of the presses of one kind in one scene.
type InputMeasure = fn(&InputSeries) -> Option<Summary>;

/// The line above distributions.
fn heading(f: &mut fmt::Formatter<'_>, label: &str, variants: &[VariantReport]) -> fmt::Result {
    write!(f, "{label:<LABEL$}")?;
    for variant in variants {
        let name = if variants.len() > 1 {
            variant.name.as_str()
        } else {
            ""
        };
        write!(
            f,
            "{name:>3} {:>6}{:>8}{:>8}{:>8}{:>7}",
            "p50", "p95", "p99", "max", "n"
        )?;
    }
    if variants.len() > 1 {
        write!(f, "   B/A {:>6}{:>6}", "p50", "p95")?;
    }
    writeln!(f)
}

fn latencies(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let variants = &report.variants;
    let readable = format!("drawing → readable in the {}", report.client.place());
    heading(f, "milliseconds", variants)?;
    for stage in Stage::ALL {
        let label = format!("{:<8} {}", stage.name(), stage.meaning());
        let values: Vec<_> = variants.iter().map(|v| v.stage(stage).copied()).collect();
        distribution(f, &label, &values)?;
    }
    let ends: [(&str, Measure); 4] = [
        ("drawing → last packet received", |v| v.totals.received),
        (&readable, |v| v.totals.readable),
        ("drawing → first sight (rVFC)", |v| v.totals.first_sight),
        ("  of decode: inside the decoder", |v| {
            v.totals.inside_decoder
        }),
    ];
    for (label, measure) in ends {
        let values: Vec<_> = variants.iter().map(measure).collect();
        if values.iter().any(Option::is_some) {
            distribution(f, label, &values)?;
        }
    }
    Ok(())
}

/// From presses to the picture, where there were presses.
fn input(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let variants = &report.variants;
    let readable = format!("readable in the {}", report.client.place());
    if variants.iter().all(|variant| variant.input.is_none()) {
        return Ok(());
    }
    heading(f, "input → photon, milliseconds", variants)?;
    let ends: [(&str, InputMeasure); 3] = [
        ("window hears it", |s| s.stage(InputStage::Carry).copied()),
        (&readable, |s| s.readable),
        ("first sight (rVFC)", |s| s.first_sight),
    ];
    for scene in InputScene::ALL {
        for kind in PressKind::ALL {
            for (end, measure) in ends {
                let series = |v: &VariantReport| measure(v.input.as_ref()?.series(scene, kind)?);
                let values: Vec<_> = variants.iter().map(series).collect();
                if values.iter().any(Option::is_some) {
                    distribution(f, &format!("{}, {kind} → {end}", place(scene)), &values)?;
                }
            }
        }
    }
    writeln!(f)
}

const fn place(scene: InputScene) -> &'static str {
    match scene {
        InputScene::Quiet => "quiet screen",
        InputScene::Moving => "moving pattern",
    }
}

fn distribution(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    values: &[Option<Summary>],
) -> fmt::Result {
    write!(f, "{label:<LABEL$}")?;
    for value in values {
        match value {
            Some(Summary {
                count,
                p50_ms,
                p95_ms,
                p99_ms,
                max_ms,
                ..
            }) => {
                write!(
                    f,
                    "{p50_ms:>10.2}{p95_ms:>8.2}{p99_ms:>8.2}{max_ms:>8.1}{count:>7}"
                )?;
            }
            None => write!(f, "{:>10}{:>8}{:>8}{:>8}{:>7}", "–", "–", "–", "–", 0)?,
        }
    }
    if let [Some(a), Some(b)] = values {
        let ratio = |a: f64, b: f64| if a > 0.0 { b / a } else { f64::NAN };
        let (p50, p95) = (ratio(a.p50_ms, b.p50_ms), ratio(a.p95_ms, b.p95_ms));
        write!(f, "       {p50:>6.2}{p95:>6.2}")?;
    }
    writeln!(f)
}

/// Finds a figure in a report.
type Find = Box<dyn Fn(&VariantReport) -> Option<f64>>;

/// A figure that stands for itself.
struct Row {
    label: String,
    decimals: usize,
    value: Find,
}

impl Row {
    fn new(
        label: impl Into<String>,
        decimals: usize,
        value: impl Fn(&VariantReport) -> Option<f64> + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            decimals,
            value: Box::new(value),
        }
    }

    /// Writes the row unless nobody measured it.
    fn write(&self, f: &mut fmt::Formatter<'_>, variants: &[VariantReport]) -> fmt::Result {
        let values: Vec<Option<f64>> = variants.iter().map(&self.value).collect();
        if values.iter().all(Option::is_none) {
            return Ok(());
        }
        write!(f, "{:<LABEL$}", self.label)?;
        for value in &values {
            match value {
                Some(value) => write!(f, "{value:>10.*}", self.decimals)?,
                None => write!(f, "{:>10}", "–")?,
            }
        }
        if let [Some(a), Some(b)] = values[..]
            && a != 0.0
        {
            write!(f, "   B/A {:.2}", b / a)?;
        }
        writeln!(f)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("new pictures a second", 1, |v| Some(v.unique_fps)),
        Row::new("pictures that never arrived", 0, |v| {
            Some(v.counts.missing.into())
        }),
        Row::new("frames shown again", 0, |v| Some(v.counts.repeated.into())),
        Row::new("unreadable frames", 0, |v| Some(v.counts.unreadable.into())),
        Row::new("frames that the bench read late", 0, |v| {
            Some(v.counts.read_late.into())
        }),
        Row::new("presses", 0, |v| Some(v.input.as_ref()?.presses as f64)),
        Row::new("presses that never showed", 0, |v| {
            Some(v.input.as_ref()?.missed as f64)
        }),
        Row::new("connections lost", 0, |v| Some(v.counts.reconnects.into())),
        Row::new("freezes", 0, |v| Some(v.freezes.count as f64)),
        Row::new("longest gap, ms", 1, |v| Some(v.freezes.longest_gap_ms)),
        Row::new("on the wire, Mb/s", 2, |v| v.wire.mbps),
        Row::new("packets lost", 0, |v| v.wire.lost),
        Row::new("packets asked for again", 0, |v| v.wire.nacks),
        Row::new("keyframes decoded", 0, |v| v.wire.keyframes),
        Row::new("jitter buffer, mean ms", 2, |v| v.wire.jitter_buffer_ms),
    ];
    for (find, name) in PROCESSES {
        let share = move |v: &VariantReport| {
            v.processes
                .iter()
                .find(|process| process.name == find)
                .map(|process| process.cpu)
        };
        rows.push(Row::new(format!("CPU seconds a second: {name}"), 3, share));
    }
    let host = |v: &VariantReport| v.processes.first().map(|host| host.memory.peak_rss_mb);
    rows.extend([
        Row::new("host CPU a frame, ms", 2, |v| {
            v.processes.first().map(|host| host.cpu_ms_per_frame)
        }),
        Row::new("all cores busy, %", 0, |v| Some(v.machine_busy * 100.0)),
        Row::new("host memory, peak RSS MB", 1, host),
        Row::new("start to listening, mean ms", 0, |v| {
            mean(&v.start_to_listening_ms)
        }),
        Row::new("opened → first frame, mean ms", 0, |v| {
            mean(&v.first_frame_ms)
        }),
        Row::new("opened again → first frame, mean ms", 0, |v| {
            mean(&v.first_frame_again_ms)
        }),
    ]);
    rows
}

/// The processes as they are started, and what they are.
const PROCESSES: [(&str, &str); 5] = [
    ("heliostat", "host"),
    ("Xvfb", "X server"),
    ("pattern", "pattern window"),
    ("chromium", "browser"),
    ("probe", "Moonlight client"),
];

fn extras(f: &mut fmt::Formatter<'_>, variant: &VariantReport) -> fmt::Result {
    let name = &variant.name;
    missed(f, variant)?;
    for pair in variant.viewers.windows(2) {
        let (before, now) = (&pair[0], &pair[1]);
        writeln!(
            f,
            "{name}: viewer {:<2} adds {:>5.1} MB and {:>6.3} CPU seconds a second (then {:.1} MB, peak {:.1})",
            now.viewers,
            now.memory.rss_mb - before.memory.rss_mb,
            now.cpu - before.cpu,
            now.memory.rss_mb,
            now.memory.peak_rss_mb,
        )?;
    }
    if let (Some(first), Some(last)) = (variant.memory.first(), variant.memory.last()) {
        let most = variant
            .memory
            .iter()
            .map(|sample| sample.rss_mb)
            .fold(0.0, f64::max);
        writeln!(
            f,
            "{name}: host memory over {:.0} min: {:.1} → {:.1} MB, at most {most:.1}",
            (last.seconds - first.seconds) / 60.0,
            first.rss_mb,
            last.rss_mb,
        )?;
    }
    Ok(())
}

/// Says which presses never showed, if there are any.
fn missed(f: &mut fmt::Formatter<'_>, variant: &VariantReport) -> fmt::Result {
    let Some(input) = variant.input.as_ref().filter(|input| input.missed > 0) else {
        return Ok(());
    };
    let (name, missed, presses) = (&variant.name, input.missed, input.presses);
    write!(f, "{name}: {missed} of {presses} presses never showed")?;
    let mut between = ": ";
    for series in input.series.iter().filter(|series| series.missed > 0) {
        let (missed, presses, kind) = (series.missed, series.presses, series.kind);
        let place = place(series.scene);
        write!(
            f,
            "{between}{missed} of {presses} with {kind} on the {place}"
        )?;
        between = ", ";
    }
    writeln!(f)
}
