//! One turn of one configuration: starts a host, watches it, and takes everything that is measured
//! while the stream runs.

use crate::BenchError;
use crate::browser::Browser;
use crate::frames::{Decoded, Recording, Window};
use crate::host_process::HostProcess;
use crate::input::{InputScene, Press};
use crate::moonlight::{Moonlight, Wishes};
use crate::options::{BenchOptions, BenchSource, Variant};
use crate::page::{ClockBounds, wall_ms};
use crate::percentiles::Summary;
use crate::presses::RawPress;
use crate::processes::{MachineTime, Usage, Whose};
use crate::progress::{Listener, Progress, Recent};
use crate::scene::{Content, Motion, SceneRequest};
use crate::viewer::{BenchClient, ReceiverCounters, Viewer};
use crate::xserver::{PatternChild, XServer};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How often records are fetched and progress is told.
const BEAT: Duration = Duration::from_secs(1);
/// The host's times of a frame and its first sight are known by then.
const LATE_NEWS: Duration = Duration::from_millis(600);
/// A host that shows none of its first presses takes no input: the rest is not pressed.
const GIVE_UP_AFTER: u32 = 6;
/// By so much the page's clock and the machine's may differ unnoticed.
const CLOCK_DOUBT_MS: f64 = 1.0;
/// What a viewer costs is measured over this time.
const VIEWER_TIME: Duration = Duration::from_secs(3);
/// Samples of a soak.
const SOAK_SAMPLES: u32 = 240;

/// What all turns share. Fields are dropped in this order.
pub(crate) struct Rig<'a> {
    listener: Listener<'a>,
    pub(crate) viewer: Box<dyn Viewer>,
    pattern: Option<PatternChild>,
    /// What the pattern shows but for presses.
    scene: Option<SceneRequest>,
    xserver: Option<XServer>,
    folder: TempDir,
}

impl<'a> Rig<'a> {
    pub(crate) fn start(
        options: &BenchOptions,
        listener: Listener<'a>,
    ) -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("heliostat-bench-")
            .tempdir();
        let folder = folder.map_err(BenchError::system("cannot make a temporary folder"))?;
        let path = folder.path();
        let (xserver, pattern) = match options.source {
            BenchSource::TestPattern => (None, None),
            BenchSource::X11 => {
                let server = XServer::start(options.size, path)?;
                let scene = SceneRequest {
                    display: server.display.clone(),
                    size: options.size,
                    rate: options.source_rate,
                    content: options.content,
                    motion: Motion::Steady,
                };
                let pattern = PatternChild::start(&scene, path)?;
                (Some((server, scene)), Some(pattern))
            }
        };
        let (xserver, scene) = xserver.unzip();
        Ok(Self {
            listener,
            scene,
            viewer: viewer(options, path)?,
            pattern,
            xserver,
            folder,
        })
    }

    /// The source as the host's flag names it.
    fn source(&self, content: Content) -> String {
        match (&self.xserver, content) {
            (Some(server), _) => format!("x11:{}", server.display),
            (None, Content::Video) => "test-pattern:busy".to_owned(),
            (None, _) => "test-pattern".to_owned(),
        }
    }

    /// Shows another window, if there is an X server to show it on.
    fn show(&mut self, change: impl FnOnce(&mut SceneRequest)) -> Result<(), BenchError> {
        if let Some(mut scene) = self.scene.clone() {
            change(&mut scene);
            // The old one goes when the new one covers it.
            self.pattern = Some(PatternChild::start(&scene, self.folder.path())?);
        }
        Ok(())
    }

    /// The processes around the host, by name.
    fn others(&self) -> impl Iterator<Item = (&'static str, Whose)> {
        let xserver = self.xserver.iter();
        let xserver = xserver.map(|server| ("Xvfb", Whose::Group(server.group.id())));
        let pattern = self.pattern.iter();
        let pattern = pattern.map(|child| ("pattern", Whose::Group(child.group.id())));
        xserver.chain(pattern).chain([self.viewer.process()])
    }
}

fn viewer(options: &BenchOptions, folder: &Path) -> Result<Box<dyn Viewer>, BenchError> {
    Ok(match options.client {
        BenchClient::Browser => {
            let program = options.chromium.as_deref();
            Box::new(Browser::start(program, folder, options.size)?)
        }
        BenchClient::Moonlight => {
            let wishes = Wishes {
                size: options.size,
                fps: options.fps,
                bitrate: options.bitrate,
                codec: options.codec,
            };
            Box::new(Moonlight::new(wishes, folder))
        }
    })
}

/// What one process group used in a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) name: &'static str,
    pub(crate) cpu_s: f64,
    pub(crate) rss_kb: u64,
    pub(crate) peak_rss_kb: u64,
}

/// What the host uses with this many viewers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewerStep {
    pub(crate) viewers: u32,
    pub(crate) usage: Usage,
    pub(crate) seconds: f64,
}

/// The host's memory at a moment of a soak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoakSample {
    pub(crate) seconds: f64,
    pub(crate) rss_kb: u64,
}

/// What was measured in one turn.
pub(crate) struct Turn {
    pub(crate) listening_after: Duration,
    pub(crate) first_frame_ms: f64,
    pub(crate) again_first_frame_ms: f64,
    pub(crate) clock: ClockBounds,
    pub(crate) window: Window,
    pub(crate) decoded: Decoded,
    pub(crate) unreadable: u32,
    pub(crate) reconnects: u32,
    pub(crate) shares: Vec<Share>,
    pub(crate) machine: MachineTime,
    pub(crate) counters: [ReceiverCounters; 2],
    pub(crate) presses: Vec<Press>,
    pub(crate) viewers: Vec<ViewerStep>,
    pub(crate) soak: Vec<SoakSample>,
}

impl Turn {
    pub(crate) fn seconds(&self) -> f64 {
        (self.window.to_ms - self.window.from_ms) / 1000.0
    }
}

/// A host that is watched, while one turn lasts.
struct Stand<'s, 'a> {
    options: &'s BenchOptions,
    rig: &'s mut Rig<'a>,
    label: String,
    host: HostProcess,
    recording: Recording,
    sessions: u32,
}

/// Which turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) variant: &'a Variant,
    pub(crate) round: u32,
    /// Viewers and soak follow the last round.
    pub(crate) is_last: bool,
}

/// Runs one turn from the start of its host to its end.
pub(crate) fn run_turn(
    options: &BenchOptions,
    rig: &mut Rig<'_>,
    place: Place<'_>,
) -> Result<Turn, BenchError> {
    let label = match options.rounds {
        1 => place.variant.name.to_owned(),
        rounds => format!("{} {}/{rounds}", place.variant.name, place.round),
    };
    let host = HostProcess::start(
        place.variant,
        &rig.source(options.content),
        options.client,
        rig.folder.path(),
    )?;
    let stand = Stand {
        options,
        rig,
        label,
        host,
        recording: Recording::default(),
        sessions: 0,
    };
    stand.run(place.is_last)
}

impl Stand<'_, '_> {
    fn run(mut self, is_last: bool) -> Result<Turn, BenchError> {
        let (first_frame_ms, first) = self.rig.viewer.show(&self.host)?;
        self.recording.add(first);
        let clock = self.rig.viewer.compare_clocks()?;
        self.stream("warming up", self.options.warm_up)?;
        let mut turn = self.measure(first_frame_ms, clock)?;
        turn.presses = self.presses(clock)?;
        if is_last {
            turn.soak = self.soak()?;
            turn.viewers = self.add_viewers()?;
        }
        // Once more: the viewer knows the host now, and the host is warm.
        turn.again_first_frame_ms = self.rig.viewer.show(&self.host)?.0;
        self.rig.viewer.leave()?;
        Ok(turn)
    }

    fn measure(&mut self, first_frame_ms: f64, clock: ClockBounds) -> Result<Turn, BenchError> {
        self.fetch()?;
        self.recording.unreadable = 0;
        let sessions_before = self.sessions;
        let counters_before = self.rig.viewer.counters()?;
        let (machine_before, before) = (MachineTime::now(), self.shares());
        let from_ms = wall_ms();
        self.stream("measuring", self.options.turn())?;
        let to_ms = wall_ms();
        let (machine, mut shares) = (MachineTime::now() - machine_before, self.shares());
        let counters = self.rig.viewer.counters()?;
        let unreadable = self.recording.unreadable;
        for (share, before) in shares.iter_mut().zip(before) {
            share.cpu_s -= before.cpu_s;
        }
        std::thread::sleep(LATE_NEWS);
        self.fetch()?;
        let window = Window {
            from_ms,
            to_ms,
            page_ahead_ms: clock.correction_ms(),
        };
        Ok(Turn {
            listening_after: self.host.listening_after,
            first_frame_ms,
            again_first_frame_ms: f64::NAN,
            clock,
            window,
            decoded: self.recording.decoded(window),
            unreadable,
            reconnects: self.sessions - sessions_before,
            shares,
            machine,
            counters: [counters_before, counters],
            presses: Vec::new(),
            viewers: Vec::new(),
            soak: Vec::new(),
        })
    }

    /// Presses keys and the mouse button in each scene.
    fn presses(&mut self, clock: ClockBounds) -> Result<Vec<Press>, BenchError> {
        let wanted = self.options.turn_presses();
        let mut presses = Vec::new();
        if wanted == 0 {
            return Ok(presses);
        }
        for scene in InputScene::ALL {
            let since_ms = wall_ms();
            self.rig.show(|request| {
                request.content = Content::Pattern;
                request.motion = match scene {
                    InputScene::Quiet => Motion::OnPress,
                    InputScene::Moving => Motion::Steady,
                };
            })?;
            self.rig.viewer.watch_presses(since_ms)?;
            let raw = self.press(scene, wanted)?;
            std::thread::sleep(LATE_NEWS);
            self.fetch()?;
            let ahead_ms = clock.correction_ms();
            presses.extend(raw.into_iter().map(|raw| self.joined(scene, raw, ahead_ms)));
        }
        self.rig.viewer.rest()?;
        self.rig.show(|_| {})?;
        Ok(presses)
    }

    /// Presses in one scene, and fetches records and tells of progress once in a while.
    fn press(&mut self, scene: InputScene, wanted: u32) -> Result<Vec<RawPress>, BenchError> {
        let step = match scene {
            InputScene::Quiet => "pressing keys on a quiet screen",
            InputScene::Moving => "pressing keys on the moving pattern",
        };
        let started = Instant::now();
        let mut told = started;
        let mut presses: Vec<RawPress> = Vec::new();
        for pressed in 0..wanted {
            let hopeless = presses.iter().all(|press| press.shown.is_none());
            if pressed >= GIVE_UP_AFTER && hopeless {
                break;
            }
            presses.push(self.rig.viewer.press()?);
            if told.elapsed() < BEAT {
                continue;
            }
            told = Instant::now();
            self.fetch()?;
            let elapsed = started.elapsed();
            self.rig.listener.tell(&Progress {
                label: self.label.clone(),
                step,
                elapsed,
                of: elapsed * wanted / (pressed + 1),
                recent: None,
            })?;
        }
        Ok(presses)
    }

    fn joined(&self, scene: InputScene, raw: RawPress, ahead_ms: f64) -> Press {
        let frame = raw
            .shown
            .map(|shown| self.recording.reaction(shown, ahead_ms));
        let pressed_ms = raw.pressed_ms - ahead_ms;
        // What the window heard before is an earlier press that was given up.
        let frame = frame.filter(|frame| frame.drawn_ms > pressed_ms - CLOCK_DOUBT_MS);
        Press {
            scene,
            kind: raw.kind,
            pressed_ms,
            frame,
        }
    }

    /// Fetches records and tells of progress for as long as `lasting`.
    fn stream(&mut self, step: &'static str, lasting: Duration) -> Result<(), BenchError> {
        let started = Instant::now();
        loop {
            let elapsed = started.elapsed();
            if elapsed >= lasting {
                return Ok(());
            }
            std::thread::sleep(BEAT.min(lasting - elapsed));
            let read_before = self.recording.frames_read();
            self.fetch()?;
            let fresh = self.recording.latencies_since(read_before);
            let recent = Summary::of(fresh).map(|summary| Recent {
                frames: summary.count,
                readable_p50_ms: summary.p50_ms,
            });
            self.rig.listener.tell(&Progress {
                label: self.label.clone(),
                step,
                elapsed: started.elapsed().min(lasting),
                of: lasting,
                recent,
            })?;
        }
    }

    fn fetch(&mut self) -> Result<(), BenchError> {
        self.host.group.check_alive()?;
        let batch = self.rig.viewer.take()?;
        if let Some(problem) = batch.problems.first() {
            return Err(BenchError::Page(problem.clone()));
        }
        self.sessions = batch.sessions;
        self.recording.add(batch);
        Ok(())
    }

    /// The host first, then the others, always in the same order.
    fn shares(&self) -> Vec<Share> {
        let host = [("heliostat", Whose::Group(self.host.group.id()))];
        let groups = host.into_iter().chain(self.rig.others());
        let share = |(name, whose)| {
            let usage = Usage::of(whose);
            Share {
                name,
                cpu_s: usage.cpu_s,
                rss_kb: usage.rss_kb,
                peak_rss_kb: usage.peak_rss_kb,
            }
        };
        groups.map(share).collect()
    }

    fn soak(&mut self) -> Result<Vec<SoakSample>, BenchError> {
        let Some(lasting) = self.options.soak else {
            return Ok(Vec::new());
        };
        let interval = (lasting / SOAK_SAMPLES).max(BEAT);
        let started = Instant::now();
        let mut samples = Vec::new();
        while started.elapsed() < lasting {
            samples.push(SoakSample {
                seconds: started.elapsed().as_secs_f64(),
                rss_kb: Usage::of_group(self.host.group.id()).rss_kb,
            });
            // What is recorded now is not looked at any more.
            self.recording = Recording::default();
            let left = lasting.saturating_sub(started.elapsed());
            self.stream("soaking", interval.min(left))?;
        }
        Ok(samples)
    }

    fn add_viewers(&mut self) -> Result<Vec<ViewerStep>, BenchError> {
        if self.options.viewers == 0 {
            return Ok(Vec::new());
        }
        let mut steps = vec![self.viewer_step(1)?];
        for extra in 1..=self.options.viewers {
            self.rig.viewer.join(&self.host)?;
            self.stream("one more viewer", BEAT)?;
            steps.push(self.viewer_step(1 + extra)?);
        }
        self.rig.viewer.disperse()?;
        Ok(steps)
    }

    fn viewer_step(&mut self, viewers: u32) -> Result<ViewerStep, BenchError> {
        let started = Instant::now();
        let before = Usage::of_group(self.host.group.id());
        self.stream("weighing viewers", VIEWER_TIME)?;
        let mut usage = Usage::of_group(self.host.group.id());
        usage.cpu_s -= before.cpu_s;
        Ok(ViewerStep {
            viewers,
            usage,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}
