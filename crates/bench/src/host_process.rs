//! The host under measurement, as a user starts it, and the address that it prints.

use crate::BenchError;
use crate::child::Group;
use crate::options::Variant;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running host.
#[derive(Debug)]
pub(crate) struct HostProcess {
    pub(crate) group: Group,
    pub(crate) url: String,
    /// From its start to the line with its address.
    pub(crate) listening_after: Duration,
}

impl HostProcess {
    /// Starts a host that serves `source`. No configuration file of the user's has a say in it.
    pub(crate) fn start(
        variant: &Variant,
        source: &str,
        folder: &Path,
    ) -> Result<Self, BenchError> {
        let config = folder.join("empty.toml");
        std::fs::write(&config, "").map_err(|error| BenchError::Output {
            path: config.clone(),
            error,
        })?;
        let mut command = Command::new(&variant.binary);
        command
            .args([
                "serve",
                "--source",
                source,
                "--listen",
                "127.0.0.1:0",
                "--open-access",
            ])
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(folder.join("state"))
            .args(&variant.flags);
        let started = Instant::now();
        let mut group = Group::start("heliostat", command, folder)?;
        let lines = group.lines()?;
        let (url, at) = group.wait_for_line(&lines, START_LIMIT, |line| {
            address_in(line).map(|url| (url, Instant::now()))
        })?;
        Ok(Self {
            group,
            url,
            listening_after: at.duration_since(started),
        })
    }
}

/// The address in a line, if there is one.
fn address_in(line: &str) -> Option<String> {
    let is_address = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    line.split_whitespace().find(is_address).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_among_words() {
        let url = "http://127.0.0.1:34567/?token=abc";
        assert_eq!(address_in(&format!("Open {url}")).as_deref(), Some(url));
        assert_eq!(address_in("  source   test-pattern 1280x720"), None);
    }
}
