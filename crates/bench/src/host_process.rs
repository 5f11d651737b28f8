//! The host under measurement, as a user starts it, and the address that it prints.

use crate::BenchError;
use crate::child::Group;
use crate::options::Variant;
use crate::viewer::BenchClient;
use gamestream_proto::constants::Ports;
use probe::HostAddress;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(20);
/// Where to look for free ports: below those that the system gives to clients.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// More than lie between the lowest and the highest port of a host.
const APART: u16 = 64;

/// A running host.
#[derive(Debug)]
pub(crate) struct HostProcess {
    pub(crate) group: Group,
    pub(crate) url: String,
    /// From its start to the line with its address.
    pub(crate) listening_after: Duration,
    /// Where Moonlight clients find it.
    moonlight_port: Option<u16>,
    /// The folder with its management socket.
    runtime: PathBuf,
}

impl HostProcess {
    /// Starts a host that serves `source`. No configuration file of the user's has a say in it.
    pub(crate) fn start(
        variant: &Variant,
        source: &str,
        client: BenchClient,
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
            .arg(folder.join("state"));
        let runtime = folder.join("run");
        let moonlight_port = match client {
            BenchClient::Browser => None,
            BenchClient::Moonlight => {
                let port = free_port()?;
                command.env("XDG_RUNTIME_DIR", &runtime);
                command.args(["--moonlight", "--audio", "tone", "--moonlight-port"]);
                command.arg(port.to_string());
                Some(port)
            }
        };
        std::fs::create_dir_all(&runtime).map_err(|error| BenchError::Output {
            path: runtime.clone(),
            error,
        })?;
        command.args(&variant.flags);
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
            moonlight_port,
            runtime,
        })
    }

    /// Where Moonlight clients find it.
    pub(crate) fn moonlight_address(&self) -> Result<HostAddress, BenchError> {
        let port = self.moonlight_port.unwrap_or_default();
        let address = format!("{}:{port}", Ipv4Addr::LOCALHOST).parse();
        address.map_err(|_| BenchError::program("the host", "has no port for Moonlight clients"))
    }

    /// The one management socket in the folder that was given to it.
    pub(crate) fn management_socket(&self) -> Result<PathBuf, BenchError> {
        let folder = self.runtime.join("heliostat");
        let entries = std::fs::read_dir(&folder);
        let entries = entries.map_err(BenchError::system("the host's management socket"))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let sockets = paths.filter(|path| path.extension().is_some_and(|end| end == "sock"));
        // Hosts take theirs away when they end, but not when they are killed.
        let newest = sockets.max_by_key(|path| {
            let metadata = std::fs::metadata(path);
            metadata.and_then(|metadata| metadata.modified()).ok()
        });
        newest.ok_or_else(|| BenchError::program("the host", "has no management socket"))
    }
}

/// The first of as many ports for Moonlight clients as a host needs, all of them free.
fn free_port() -> Result<u16, BenchError> {
    let places = (PORTS.end - PORTS.start) / APART;
    // Benches that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(2_654_435_761) % u32::from(places);
    let bases = (0..places).map(|turn| {
        let place = (begin + u32::from(turn)) % u32::from(places);
        // Less than `places`.
        PORTS.start + place as u16 * APART
    });
    let mut hosts = bases.filter_map(Ports::new);
    let found = hosts.find(|ports| are_free(*ports)).map(Ports::http);
    found.ok_or_else(|| BenchError::program("the machine", "has no free ports for Moonlight"))
}

fn are_free(ports: Ports) -> bool {
    let here = |port| (Ipv4Addr::LOCALHOST, port);
    let tcp = |port| TcpListener::bind(here(port)).is_ok();
    let udp = |port| UdpSocket::bind(here(port)).is_ok();
    [ports.http(), ports.https(), ports.rtsp()]
        .into_iter()
        .all(tcp)
        && [ports.video(), ports.control(), ports.audio()]
            .into_iter()
            .all(udp)
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
