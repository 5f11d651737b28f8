//! What the kernel says of processes under `/proc`. A process that is not there, or not ours to look
//! at, is nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

/// A process that becomes another program shows an empty environment for a moment, as one without any
/// does always: after so many looks it is the latter.
const LOOKS: usize = 25;
/// More than most environments have: the rest of a process that becomes another program meanwhile is
/// not to be had by a second reading.
const READ_BYTES: usize = 256 * 1024;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// What is read of `/proc/N/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Whether it still runs; the dead that nobody reaped do not.
    pub(crate) alive: bool,
    /// Its process group.
    pub(crate) group: u32,
    /// When it started, in ticks since the machine did: with its number, this names it for good.
    pub(crate) start_ticks: u64,
}

impl Stat {
    /// What the kernel says of this process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        // A process may call itself what it likes, in any bytes.
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    /// The name stands in brackets and may hold anything; behind it stand state, parent and group,
    /// and the start as the 22nd field of all.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let group = fields.nth(1)?.parse().ok()?;
        let start_ticks = fields.nth(16)?.parse().ok()?;
        Some(Self {
            alive: !matches!(state, "Z" | "X"),
            group,
            start_ticks,
        })
    }
}

/// Every process there is.
pub(crate) fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.filter_map(|entry| number(entry.ok()?)).collect()
}

/// Whether the process was started with this variable in its environment.
pub(crate) fn started_with(pid: u32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    let environment = environment_of(pid).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == wanted.as_bytes())
}

/// Nothing where there is none, or none for us to see. The kernel's own threads, which have no group,
/// have none.
fn environment_of(pid: u32) -> Option<Vec<u8>> {
    for _ in 0..LOOKS {
        let environment = File::open(format!("/proc/{pid}/environ"));
        let environment = environment.and_then(read_in_large_pieces).ok()?;
        let becoming = || Stat::of(pid).is_some_and(|stat| stat.alive && stat.group != 0);
        if !environment.is_empty() || !becoming() {
            return Some(environment);
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    None
}

fn read_in_large_pieces(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let known = bytes.len();
        bytes.resize(known + READ_BYTES, 0);
        let read = file.read(&mut bytes[known..])?;
        bytes.truncate(known + read);
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// What names the time since the machine started; empty where the kernel does not say.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! Lines of `/proc/N/stat`, and the process that reads them.

    use super::*;

    const REST: &str = "1 77 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 10 11";

    #[test]
    fn state_group_and_start_stand_behind_the_last_bracket() {
        let parse = |line: &str| Stat::parse(line);
        let running = Stat {
            alive: true,
            group: 77,
            start_ticks: 9876,
        };
        assert_eq!(parse(&format!("12 (a) Z 9) (b) S {REST}")), Some(running));
        let dead = Stat {
            alive: false,
            ..running
        };
        assert_eq!(parse(&format!("12 (a) S 9) (b) Z {REST}")), Some(dead));
        for torn in ["", "12 (sh) R", "12 (sh", "12 (sh) S 1 77 5 0"] {
            assert_eq!(parse(torn), None);
        }
    }

    #[test]
    fn a_process_that_becomes_another_program_keeps_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("again.sh");
        fs::write(&script, "exec sh \"$0\"").unwrap();
        let mut child = std::process::Command::new("sh")
            .arg(&script)
            .env("SEEN", "always")
            .spawn()
            .unwrap();
        let seen = (0..2000).filter(|_| started_with(child.id(), "SEEN", "always"));
        let seen = seen.count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, 2000);
    }

    #[test]
    fn the_process_that_asks_is_there_with_its_environment() {
        let own = std::process::id();
        assert!(pids().contains(&own));
        assert!(Stat::of(own).unwrap().alive);
        let path = std::env::var("PATH").unwrap();
        assert!(started_with(own, "PATH", &path));
        assert!(!started_with(own, "PATH", "elsewhere"));
        assert!(!boot_id().is_empty());
    }
}
