//! Chores for the workspace that are more than a command line. Each is a module; this file only
//! finds the one that was asked for.

#![forbid(unsafe_code)]

mod rpc_docs;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask CHORE

Chores:
  tidy      check the shape of the code: who depends on whom, sizes, unsafe, names, links
  rpc-docs  write docs/rpc from the types of the JSON-RPC";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(workspace_root()),
        ["rpc-docs"] => rpc_docs::run(workspace_root()),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            println!("{HELP}");
            ExitCode::from(2)
        }
    }
}

/// Where the workspace lies, from anywhere inside it: this crate is one folder below.
fn workspace_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
