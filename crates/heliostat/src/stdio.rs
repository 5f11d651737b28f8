//! `heliostat stdio`: a host for a parent process, over stdin and stdout.

use host::config::Config;
use std::process::ExitCode;

/// Serves the parent until it closes stdin.
pub(crate) fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    host::stdio::serve(config, version, std::io::stdin(), std::io::stdout())?;
    Ok(ExitCode::SUCCESS)
}
