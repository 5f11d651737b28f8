//! `heliostat bench`: flags to options, progress to the terminal, the table to stdout.

use crate::cli::BenchFlags;
use anyhow::Context;
use bench::{BenchOptions, BenchSource};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Measures and prints.
pub(crate) fn bench(flags: &BenchFlags) -> anyhow::Result<ExitCode> {
    let options = options(flags)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .context("cannot wait for signals")?;
    }
    let terminal = std::io::stderr().is_terminal();
    let report = bench::run(&options, &mut |progress| {
        let mut stderr = std::io::stderr().lock();
        // A line that is written over on a terminal, one line a step elsewhere.
        let (start, end) = if terminal {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        let _ = write!(stderr, "{start}{progress}{end}");
        let _ = stderr.flush();
        if interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    if terminal {
        let _ = writeln!(std::io::stderr());
    }
    let report = report?;
    crate::print(&format!(
        "{report}\nwritten to {}\n",
        options.output.display()
    ))
}

fn options(flags: &BenchFlags) -> anyhow::Result<BenchOptions> {
    let words = |text: &String| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let defaults = BenchOptions::default();
    let compares = flags.compare.is_some() || flags.compare_binary.is_some();
    Ok(BenchOptions {
        client: flags.client.parse().context("--client")?,
        codec: flags.codec.parse().context("--codec")?,
        chromium: flags.chromium.clone(),
        source: match flags.source.as_str() {
            "test-pattern" => BenchSource::TestPattern,
            _ => BenchSource::X11,
        },
        content: flags.content.parse().context("--content")?,
        size: flags.size.parse().context("--size")?,
        source_rate: flags.source_rate.parse().context("--source-rate")?,
        fps: flags.fps.parse().context("--fps")?,
        bitrate: flags.bitrate.parse().context("--bitrate")?,
        host_flags: flags.host_flags.as_ref().map(words).unwrap_or_default(),
        compare: compares.then(|| flags.compare.as_ref().map(words).unwrap_or_default()),
        compare_binary: flags.compare_binary.clone(),
        rounds: if compares { flags.rounds } else { 1 },
        duration: Duration::from_secs(flags.seconds),
        input_presses: flags.input_presses,
        viewers: flags.viewers,
        soak: flags.soak_seconds.map(Duration::from_secs),
        output: flags.output.clone(),
        ..defaults
    })
}
