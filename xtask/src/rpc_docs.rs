//! Writes `docs/rpc` from the types of the JSON-RPC. It changes nothing else; a test in `control-api`
//! fails while what is checked in differs.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(root: &Path) -> ExitCode {
    match write(&root.join("docs/rpc")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("docs/rpc cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let schema = serde_json::to_string_pretty(&control_api::schema())?;
    fs::write(folder.join("schema.json"), schema + "\n")?;
    fs::write(folder.join("reference.md"), control_api::reference())
}
