//! Refuses to build OpenH264 without its assembler code.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-env-changed=PATH");
    let target = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let builds_source = std::env::var_os("CARGO_FEATURE_SOURCE").is_some();
    let needs_nasm = builds_source && matches!(target.as_str(), "x86" | "x86_64");
    let has_nasm = || {
        Command::new("nasm")
            .arg("-v")
            .output()
            .is_ok_and(|out| out.status.success())
    };
    if needs_nasm && !has_nasm() {
        println!(
            "cargo::error=nasm is missing: without it OpenH264 is built without its assembler \
             code and takes about twice the time for each picture. Install nasm, then run \
             `cargo clean -p openh264-sys2` so that the slow build is not kept."
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
