//! Real sound servers in folders of their own, programs that play into them, and their tools.

use audio::{AudioServers, ChannelLayout, SAMPLE_RATE_HZ, TONES_HZ};
use std::f64::consts::TAU;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server is up within this, or the test has failed.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// PulseAudio with a sink called `speakers` that stands for hardware.
    PulseAudio,
    /// PulseAudio without any sink but its own dummy.
    PulseAudioWithoutSink,
    /// PipeWire with WirePlumber and its PulseAudio server.
    PipeWire,
}

/// Servers of one kind, ended on drop.
#[derive(Debug)]
pub(crate) struct Servers {
    kind: Kind,
    dir: TempDir,
    children: Vec<Child>,
    /// One set of servers at a time: their sound must not stutter because others start.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

/// Asks again and again, for what tells nobody when it is done.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < READY_WITHIN, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Servers {
    pub(crate) fn start(kind: Kind) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut servers = Self {
            kind,
            dir: tempfile::tempdir().unwrap(),
            children: Vec::new(),
            _alone: alone,
        };
        servers.launch();
        servers
    }

    /// Starts what was killed.
    pub(crate) fn launch(&mut self) {
        match self.kind {
            Kind::PulseAudio => self.launch_pulseaudio(&[
                "module-null-sink sink_name=speakers rate=48000 \
                 sink_properties=device.description=Speakers",
                "module-always-sink",
            ]),
            Kind::PulseAudioWithoutSink => self.launch_pulseaudio(&["module-always-sink"]),
            Kind::PipeWire => self.launch_pipewire(),
        }
    }

    fn launch_pulseaudio(&mut self, modules: &[&str]) {
        std::fs::create_dir_all(self.path("pulse")).unwrap();
        let protocol = format!(
            "module-native-protocol-unix auth-anonymous=1 socket={}",
            self.pulse_socket().display()
        );
        let mut arguments = vec!["-n", "--daemonize=no", "--exit-idle-time=-1"];
        arguments.extend(["--use-pid-file=no", "--realtime=no", "--high-priority=no"]);
        for module in modules {
            arguments.extend(["-L", module]);
        }
        arguments.extend(["-L", protocol.as_str()]);
        self.spawn("pulseaudio", &arguments);
        self.wait_for_socket(&self.pulse_socket());
        if self.kind == Kind::PulseAudioWithoutSink {
            until("the dummy sink", || {
                self.pactl(&["list", "short", "sinks"])
                    .contains("auto_null")
                    .then_some(())
            });
        }
    }

    fn launch_pipewire(&mut self) {
        self.spawn("pipewire", &[]);
        self.wait_for_socket(&self.path("pipewire-0"));
        // WirePlumber ends where there is no session bus.
        self.spawn("dbus-run-session", &["--", "wireplumber"]);
        self.spawn("pipewire-pulse", &[]);
        self.wait_for_socket(&self.pulse_socket());
        // WirePlumber's dummy one, or that of a stream which was quicker.
        until("a default sink", || {
            let name = self.default_sink();
            (!name.is_empty() && !name.starts_with('@')).then_some(())
        });
    }

    fn wait_for_socket(&self, path: &Path) {
        until(&format!("{}", path.display()), || {
            UnixStream::connect(path).ok()
        });
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let child = self.command(program).args(arguments).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{program} must be installed for this test: {error}");
        });
        self.children.push(child);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pulse_socket(&self) -> PathBuf {
        self.path("pulse/native")
    }

    /// A program that knows these servers and no others.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let dir = self.dir.path();
        command
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .env("HOME", dir)
            .env("XDG_RUNTIME_DIR", dir)
            .env("XDG_CONFIG_HOME", dir.join("config"))
            .env("XDG_STATE_HOME", dir.join("state"))
            .env("PIPEWIRE_RUNTIME_DIR", dir)
            .env("PULSE_RUNTIME_PATH", dir.join("pulse"))
            .env(
                "PULSE_SERVER",
                format!("unix:{}", self.pulse_socket().display()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }

    /// Where they are.
    pub(crate) fn addresses(&self) -> AudioServers {
        AudioServers {
            pulse: Some(self.pulse_socket()),
            pipewire: Some(self.path("pipewire-0")),
        }
    }

    /// What `pactl` says.
    pub(crate) fn pactl(&self, arguments: &[&str]) -> String {
        let output = self
            .command("pactl")
            .args(arguments)
            .stdout(Stdio::piped())
            .output();
        let output = output.expect("pactl must be installed for this test");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the session manager keeps of somebody's choice of a default sink.
    #[cfg(feature = "pipewire")]
    pub(crate) fn chosen_sink(&self) -> String {
        let output = self
            .command("pw-metadata")
            .stdout(Stdio::piped())
            .output()
            .expect("pw-metadata must be installed for this test");
        let text = String::from_utf8_lossy(&output.stdout);
        let key = "key:'default.configured.audio.sink'";
        let line = text.lines().find(|line| line.contains(key));
        line.unwrap_or_default().to_owned()
    }

    /// The name of the default sink.
    pub(crate) fn default_sink(&self) -> String {
        let info = self.pactl(&["info"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("Default Sink: "));
        line.unwrap_or_default().to_owned()
    }

    /// Waits until this is the default sink.
    pub(crate) fn default_sink_becomes(&self, name: &str) {
        until(name, || (self.default_sink() == name).then_some(()));
    }

    /// The names of all sinks.
    pub(crate) fn sinks(&self) -> Vec<String> {
        let list = self.pactl(&["list", "short", "sinks"]);
        let names = list.lines().filter_map(|line| line.split('\t').nth(1));
        names.map(str::to_owned).collect()
    }

    /// A program that plays the tones of this layout into the default sink, or into one by name.
    pub(crate) fn play(&self, layout: ChannelLayout, sink: Option<&str>) -> Player {
        let names = [
            "front-left",
            "front-right",
            "front-center",
            "lfe",
            "rear-left",
            "rear-right",
            "side-left",
            "side-right",
        ];
        let mut command = self.command("pacat");
        command
            .args(["--playback", "--raw", "--format=float32le", "--rate=48000"])
            .arg("--latency-msec=100")
            .arg(format!("--channels={}", layout.channels()))
            .arg(format!(
                "--channel-map={}",
                names[..layout.channels()].join(",")
            ))
            .stdin(Stdio::piped());
        if let Some(sink) = sink {
            command.arg(format!("--device={sink}"));
        }
        let mut child = command
            .spawn()
            .expect("pacat must be installed for this test");
        let input = child.stdin.take().unwrap();
        std::thread::spawn(move || pour(input, layout.channels()));
        Player { child }
    }

    /// Ends them as a crash would.
    pub(crate) fn kill(&mut self) {
        for mut child in self.children.drain(..).rev() {
            let group = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Tones until nobody takes them any more.
fn pour(mut input: ChildStdin, channels: usize) {
    let mut bytes = Vec::new();
    for second_part in (0_u64..).map(|part| part % 100) {
        bytes.clear();
        for sample in second_part * 480..(second_part + 1) * 480 {
            let seconds = sample as f64 / f64::from(SAMPLE_RATE_HZ);
            for hz in &TONES_HZ[..channels] {
                let value = (0.25 * (TAU * hz * seconds).sin()) as f32;
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
        if input.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// A program that plays, ended on drop.
#[derive(Debug)]
pub(crate) struct Player {
    child: Child,
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
