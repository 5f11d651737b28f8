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

#[test]
fn a_short_bench_reads_frames_back_and_draws_its_plot() {
    let results = tempfile::tempdir().unwrap();
    let output = results.path().to_str().unwrap();
    let bench = heliostat(&[
        "bench",
        "--seconds",
        "2",
        "--input-presses",
        "8",
        "--output",
        output,
    ]);
    let said = String::from_utf8_lossy(&bench.stderr).into_owned();
    assert!(bench.status.success(), "{said}");
    let table = stdout(&bench);
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
    let svg = std::fs::read_to_string(results.path().join("bench.svg")).unwrap();
    assert!(svg.trim_start().starts_with("<svg") || svg.contains("<svg "));
}
