//! A headless Chromium of the bench's own: found, started with a fresh profile, and driven through
//! pipes. It ends when the bench does, since its pipes end then.

use crate::BenchError;
use crate::cdp::Cdp;
use crate::child::Group;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Names under which it is installed.
const NAMES: &[&str] = &[
    "chromium",
    "google-chrome-stable",
    "google-chrome",
    "chromium-browser",
];

/// Without a GPU and without anything that runs by itself. The window has one size for all streams,
/// so that painting it costs the same.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-quic",
    "--disable-breakpad",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--autoplay-policy=no-user-gesture-required",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--mute-audio",
    "--password-store=basic",
    "--window-size=1280,720",
];

/// After this it is ended by force.
const END_LIMIT: Duration = Duration::from_secs(3);

/// Less shared memory than this makes tabs crash.
const LEAST_SHARED_BYTES: u64 = 256 << 20;

/// The shell moves its stdin and stdout to where the browser expects the two pipes.
const WITH_PIPES: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// A running browser.
pub(crate) struct Chromium {
    pub(crate) cdp: Cdp,
    pub(crate) group: Group,
    /// Name and version.
    pub(crate) version: String,
}

impl Chromium {
    pub(crate) fn start(chosen: Option<&Path>, folder: &Path) -> Result<Self, BenchError> {
        let (program, version) = find(chosen)?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WITH_PIPES, "sh"])
            .arg(program)
            .args(FLAGS);
        command.arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ));
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        let shared = rustix::fs::statvfs("/dev/shm");
        if shared.is_ok_and(|shared| shared.f_blocks * shared.f_frsize < LEAST_SHARED_BYTES) {
            command.arg("--disable-dev-shm-usage");
        }
        let mut group = Group::start("chromium", command, folder)?;
        let cdp = Cdp::new(group.take_stdin()?, group.take_stdout()?);
        Ok(Self {
            cdp,
            group,
            version,
        })
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // A browser that ends by itself takes all of its processes along, and waits for them.
        self.cdp.say_goodbye();
        self.group.wait_for_end(END_LIMIT);
    }
}

/// The first browser that answers, and its version.
fn find(chosen: Option<&Path>) -> Result<(PathBuf, String), BenchError> {
    let candidates: Vec<PathBuf> = match chosen {
        Some(path) => vec![path.to_owned()],
        None => NAMES.iter().map(PathBuf::from).collect(),
    };
    let found = candidates.into_iter().find_map(|program| {
        let output = Command::new(&program).arg("--version").output().ok()?;
        let told = String::from_utf8_lossy(&output.stdout);
        // Debian's goes on about where it was built and where it runs.
        let version = told.split(" built on ").next().unwrap_or_default();
        let version = version.trim().to_owned();
        (output.status.success() && !version.is_empty()).then_some((program, version))
    });
    found.ok_or(BenchError::Missing {
        what: "a Chromium that starts",
        remedy: "install the package `chromium` (Debian, Fedora), or Google Chrome, or name one with --chromium PATH",
    })
}
