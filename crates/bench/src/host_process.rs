//! The host under measurement, as a user starts it, and the address that it prints.

use crate::BenchError;
use crate::child::Group;
use crate::options::Variant;
use crate::viewer::BenchClient;
use probe::HostAddress;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(20);
/// From the HTTP port that Moonlight clients know to the others.
const TCP_OFFSETS: [i32; 3] = [-5, 0, 21];
const UDP_OFFSETS: [i32; 3] = [9, 10, 11];
/// Where to look for free ones: below those that the system gives to clients.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

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

/// A port for Moonlight clients whose neighbours are free too.
fn free_port() -> Result<u16, BenchError> {
    let span = PORTS.end - PORTS.start;
    // Benches that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(2_654_435_761) % span;
    let at = |turn: u32| PORTS.start + (begin + turn * 64) % span;
    let free = |base: u32| {
        let near = |offset: &i32| {
            let port = base.checked_add_signed(*offset)?;
            Some((Ipv4Addr::LOCALHOST, u16::try_from(port).ok()?))
        };
        let tcp = |offset| near(offset).is_some_and(|place| TcpListener::bind(place).is_ok());
        let udp = |offset| near(offset).is_some_and(|place| UdpSocket::bind(place).is_ok());
        TCP_OFFSETS.iter().all(tcp) && UDP_OFFSETS.iter().all(udp)
    };
    let found = (0..span / 64).map(at).find(|base| free(*base));
    let found = found.and_then(|base| u16::try_from(base).ok());
    found.ok_or_else(|| BenchError::program("the machine", "has no free ports for Moonlight"))
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
