//! The command as a user runs it: what it prints, what it refuses, and a short bench.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot run the program has failed"
)]

use std::process::{Command, Output};

fn heliostat(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(arguments)
        .env_remove("DISPLAY")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn help_man_page_and_completions_come_from_the_same_definitions() {
    let help = stdout(&heliostat(&["--help"]));
    let man = stdout(&heliostat(&["man"]));
    let completions = stdout(&heliostat(&["completions", "bash"]));
    for flag in ["--source", "--bitrate", "--listen", "--open-access"] {
        assert!(help.contains(flag), "{flag} in --help");
        assert!(
            man.replace('\\', "").contains(flag),
            "{flag} in the man page"
        );
        assert!(completions.contains(flag), "{flag} in the completions");
    }
}

#[test]
fn the_probe_says_what_it_can_do_and_fails_in_words() {
    let help = stdout(&heliostat(&["probe", "moonlight", "--help"]));
    for verb in ["info", "pair", "list", "stream", "quit", "unpair"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} in\n{help}");
    }
    let help = stdout(&heliostat(&["probe", "moonlight", "stream", "--help"]));
    for flag in ["--rfi", "--drop-video", "--encryption", "--json"] {
        assert!(help.contains(flag), "{flag} in\n{help}");
    }
    let state = tempfile::tempdir().unwrap();
    let probe = |target: &str, verb: &[&str]| {
        let folder = state.path().to_str().unwrap();
        let start = ["probe", "moonlight", target, "--state-dir", folder];
        heliostat(&[&start, verb].concat())
    };
    // Nothing listens on the discard port of a machine of today.
    for (target, verb, says) in [
        ("127.0.0.1:9", &["info"][..], "127.0.0.1:9 does not answer"),
        ("127.0.0.1:9", &["pair", "12"], "four digits"),
        ("127.0.0.1:9", &["list"], "pair first"),
        ("a b", &["info"], "HOST:PORT"),
        (
            "::1",
            &["stream", "x", "--packet-size", "1000"],
            "multiple of 16",
        ),
    ] {
        let output = probe(target, verb);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{verb:?}");
        assert!(message.contains(says), "{verb:?}: {message}");
    }
}

#[test]
fn lists_name_what_flags_take() {
    assert!(stdout(&heliostat(&["sources"])).contains("test-pattern"));
    assert!(stdout(&heliostat(&["encoders"])).contains("x264"));
    let shown = stdout(&heliostat(&["config", "show", "--fps", "30"]));
    assert!(shown.contains("fps = \"30\""), "{shown}");
    assert!(shown.contains("command line"), "{shown}");
}

#[test]
fn a_bad_setting_is_one_line_on_stderr_and_a_failure() {
    let refused = heliostat(&["--fps", "0"]);
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(
        message.contains("fps") && message.contains("1 to 240"),
        "{message}"
    );
}

/// The table of a short bench, and its results.
fn short_bench(flags: &[&str]) -> (String, serde_json::Value) {
    let results = tempfile::tempdir().unwrap();
    let output = ["--output", results.path().to_str().unwrap()];
    let bench = heliostat(&[&["bench", "--input-presses", "8"], flags, &output].concat());
    let said = String::from_utf8_lossy(&bench.stderr).into_owned();
    assert!(bench.status.success(), "{said}");
    let read = |name| std::fs::read_to_string(results.path().join(name)).unwrap();
    let svg = read("bench.svg");
    assert!(svg.trim_start().starts_with("<svg") || svg.contains("<svg "));
    let json = serde_json::from_str(&read("bench.json")).unwrap();
    (stdout(&bench), json)
}

fn assert_measured(table: &str) {
    for stage in [
        "notice", "grab", "queue", "encode", "send", "network", "decode",
    ] {
        assert!(table.contains(stage), "{stage} in\n{table}");
    }
    for pressed in ["quiet screen, key →", "moving pattern, click →"] {
        assert!(table.contains(pressed), "{pressed} in\n{table}");
    }
    let missed = table
        .lines()
        .find_map(|line| line.strip_prefix("presses that never showed"));
    assert_eq!(missed.map(str::trim), Some("0"), "{table}");
}

#[test]
fn a_short_bench_reads_frames_back_and_draws_its_plot() {
    let (table, json) = short_bench(&["--seconds", "2"]);
    assert_measured(&table);
    assert_eq!(json["client"], "browser");
}

#[cfg(feature = "ffmpeg")]
#[test]
fn a_moonlight_stream_is_measured_as_a_browsers_is() {
    let (table, json) = short_bench(&["--seconds", "1", "--client", "moonlight"]);
    assert_measured(&table);
    let variant = &json["variants"][0];
    // What was drawn, coded and decoded is the same picture in every stage, so that they add up.
    let sum = |band: &serde_json::Value| {
        let stages = band["stages_ms"].as_array().unwrap();
        stages
            .iter()
            .filter_map(serde_json::Value::as_f64)
            .sum::<f64>()
    };
    let (median, readable) = (&variant["bands"][0], &variant["totals"]["readable"]);
    assert!(
        sum(median) <= readable["p95_ms"].as_f64().unwrap(),
        "{variant}"
    );
    assert_eq!(variant["counts"]["unreadable"], 0, "{variant}");
    assert!(variant["wire"]["mbps"].as_f64().unwrap() > 0.1, "{variant}");
    assert!(variant["totals"].get("first_sight").is_none(), "{variant}");
}
