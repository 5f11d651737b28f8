//! What processes cost, read from /proc: CPU time and memory of a process group, and how busy the
//! machine is.

use serde::Serialize;
use std::fs;
use std::ops::Sub;
use std::path::Path;

/// Clock ticks a second in /proc, on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

/// CPU and memory of a process group at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_s: f64,
    /// Resident now.
    pub(crate) rss_kb: u64,
    /// Most that was ever resident.
    pub(crate) peak_rss_kb: u64,
}

/// Processes that are looked at together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The living processes of a group.
    Group(u32),
    /// One process.
    Process(u32),
}

impl Usage {
    /// Sums up.
    pub(crate) fn of(whose: Whose) -> Self {
        match whose {
            Whose::Group(group) => Self::of_group(group),
            Whose::Process(process) => {
                let path = Path::new("/proc").join(process.to_string());
                let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
                let mut usage = Self::default();
                if let Some((_, cpu_s)) = group_and_cpu(&stat) {
                    usage.add(cpu_s, &path);
                }
                usage
            }
        }
    }

    fn add(&mut self, cpu_s: f64, path: &Path) {
        self.cpu_s += cpu_s;
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        self.rss_kb += kilobytes(&status, "VmRSS:").unwrap_or(0);
        self.peak_rss_kb += kilobytes(&status, "VmHWM:").unwrap_or(0);
    }

    /// Sums up the living processes of a group.
    pub(crate) fn of_group(group: u32) -> Self {
        let mut usage = Self::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            let Ok(stat) = fs::read_to_string(path.join("stat")) else {
                continue;
            };
            let Some((of_group, cpu_s)) = group_and_cpu(&stat) else {
                continue;
            };
            if of_group == group {
                usage.add(cpu_s, &path);
            }
        }
        usage
    }
}

/// Process group and CPU seconds (user and system) from `/proc/PID/stat`.
fn group_and_cpu(stat: &str) -> Option<(u32, f64)> {
    // The name in parentheses may hold spaces; the fields are counted behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some((
        number(2)?,
        f64::from(number(11)? + number(12)?) / TICKS_PER_S,
    ))
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds that all cores together were busy, and could have been, since the machine started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MachineTime {
    pub(crate) busy_s: f64,
    pub(crate) all_s: f64,
}

impl MachineTime {
    pub(crate) fn now() -> Self {
        Self::of(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn of(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let fields = line.split_whitespace().skip(1).take(8);
        let seconds: Vec<f64> = fields
            .map(|ticks| ticks.parse::<f64>().unwrap_or(0.0) / TICKS_PER_S)
            .collect();
        let all_s = seconds.iter().sum();
        // Fields 3 and 4: idle, and idle while waiting for a disk.
        let idle_s: f64 = seconds.iter().skip(3).take(2).sum();
        Self {
            busy_s: all_s - idle_s,
            all_s,
        }
    }
}

impl Sub for MachineTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            busy_s: self.busy_s - earlier.busy_s,
            all_s: self.all_s - earlier.all_s,
        }
    }
}

/// The machine that was measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Version of the kernel.
    pub kernel: String,
    /// Name and version of the browser, or of the client that was there instead.
    pub browser: String,
}

impl Machine {
    pub(crate) fn look(browser: String) -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu_info.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "model name").then(|| value.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: model.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            browser,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_confuse() {
        let stat = "42 (a) b (c)) S 1 40 40 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 1 0";
        assert_eq!(group_and_cpu(stat), Some((40, 2.0)));
        assert_eq!(group_and_cpu("42 (a"), None);
    }

    #[test]
    fn this_process_uses_memory_and_time() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let (group, _) = group_and_cpu(&stat).unwrap();
        let usage = Usage::of_group(group);
        assert!(usage.rss_kb > 0 && usage.peak_rss_kb >= usage.rss_kb);
        assert_eq!(Usage::of_group(0x7fff_fff0).rss_kb, 0);
        let own = Usage::of(Whose::Process(std::process::id()));
        assert!(own.rss_kb > 0 && own.rss_kb <= usage.peak_rss_kb);
        assert_eq!(Usage::of(Whose::Process(0x7fff_fff0)).peak_rss_kb, 0);
    }

    #[test]
    fn idle_time_is_not_busy() {
        let time = MachineTime::of("cpu 100 0 50 700 50 0 0 100 7 7\ncpu0 1 1 1 1\n");
        assert_eq!((time.busy_s, time.all_s), (2.5, 10.0));
    }
}
