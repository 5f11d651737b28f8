//! An X server of the bench's own, with the pattern window on it. Both are separate processes, so
//! that their CPU is not taken for the host's.

use crate::BenchError;
use crate::child::Group;
use crate::scene::{Scene, SceneRequest};
use capture::StopSignal;
use media::Size;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Command};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(20);
/// What the pattern child writes when its window is up.
const READY: &str = "ready";
/// The hidden command of this program that shows the pattern.
pub const PATTERN_COMMAND: &str = "bench-pattern";

/// A running Xvfb.
#[derive(Debug)]
pub(crate) struct XServer {
    pub(crate) group: Group,
    /// Such as `:1`.
    pub(crate) display: String,
}

impl XServer {
    pub(crate) fn start(size: Size, folder: &Path) -> Result<Self, BenchError> {
        let missing = BenchError::Missing {
            what: "Xvfb",
            remedy: "install the package `xvfb` (Debian, Ubuntu) or `xorg-x11-server-Xvfb` (Fedora)",
        };
        if !is_installed("Xvfb", "-help") {
            return Err(missing);
        }
        let mut command = Command::new("Xvfb");
        let screen = format!("{size}x24");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &screen,
            "-noreset",
            "-nolisten",
            "tcp",
        ]);
        let mut group = Group::start("Xvfb", command, folder)?;
        let lines = group.lines()?;
        let number = |line: &str| line.trim().parse::<u32>().ok();
        let number = group.wait_for_line(&lines, START_LIMIT, number)?;
        Ok(Self {
            group,
            display: format!(":{number}"),
        })
    }
}

/// Whether a program can be started at all.
fn is_installed(program: &str, harmless_flag: &str) -> bool {
    Command::new(program).arg(harmless_flag).output().is_ok()
}

/// The child that shows the pattern. It ends when its stdin does.
#[derive(Debug)]
pub(crate) struct PatternChild {
    pub(crate) group: Group,
    _alive: ChildStdin,
}

impl PatternChild {
    pub(crate) fn start(request: &SceneRequest, folder: &Path) -> Result<Self, BenchError> {
        let own =
            std::env::current_exe().map_err(BenchError::system("cannot find this program"))?;
        let mut command = Command::new(own);
        let SceneRequest {
            display,
            size,
            rate,
            content,
            motion,
        } = request;
        command.args([PATTERN_COMMAND, display]);
        command.args([size.to_string(), rate.to_string()]);
        command.args([content.to_string(), motion.to_string()]);
        let mut group = Group::start("pattern", command, folder)?;
        let alive = group.take_stdin()?;
        let lines = group.lines()?;
        group.wait_for_line(&lines, START_LIMIT, |line| (line == READY).then_some(()))?;
        Ok(Self {
            group,
            _alive: alive,
        })
    }
}

/// Shows the pattern until stdin ends: what `heliostat bench-pattern DISPLAY SIZE RATE CONTENT MOTION`
/// does.
///
/// # Errors
/// When the arguments are not these five, or the display cannot be used.
pub fn pattern_child(arguments: &[String]) -> Result<(), BenchError> {
    let request = scene_request(arguments)?;
    let failed = BenchError::system("cannot show the pattern");
    let stop = StopSignal::new().map_err(&failed)?;
    let mut scene = Scene::open(request)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{READY}")
        .and_then(|()| stdout.flush())
        .map_err(&failed)?;
    let at_end = stop.clone();
    std::thread::spawn(move || {
        let mut nothing = [0; 16];
        while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
        at_end.raise();
    });
    scene.run(&stop)
}

fn scene_request(arguments: &[String]) -> Result<SceneRequest, BenchError> {
    let wrong = |why: String| BenchError::Option {
        name: PATTERN_COMMAND,
        why,
    };
    let [display, size, rate, content, motion] = arguments else {
        return Err(wrong(
            "takes DISPLAY, SIZE, RATE, CONTENT and MOTION".to_owned(),
        ));
    };
    Ok(SceneRequest {
        display: display.clone(),
        size: size.parse().map_err(|error| wrong(format!("{error}")))?,
        rate: rate.parse().map_err(|error| wrong(format!("{error}")))?,
        content: content.parse()?,
        motion: motion.parse()?,
    })
}
