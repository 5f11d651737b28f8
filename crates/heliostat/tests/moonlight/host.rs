//! The program under test on ports of its own, its clients, and how one waits for what is to happen.

use control::management;
use probe::{Client, Error, HostAddress, HostInfo, Options, Report, StreamOptions, Summary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::decoders::Built;

/// Nothing here takes this long; what does will not happen any more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what tells nobody that it changes.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// From the lowest of the ports of a host, its HTTPS port, to the highest.
const TCP_OFFSETS: [u16; 4] = [0, 5, 6, 26];
const UDP_OFFSETS: [u16; 4] = [6, 14, 15, 16];
/// Where to look for free ports: below those that the system gives to clients.
const PORTS: std::ops::Range<u32> = 10_000..32_000;
const PORTS_STEP: u32 = 32;

/// Looks until `seen` gives something.
pub(crate) fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(LOOK_EVERY);
    }
}

/// Like [`until`], for what is or is not.
pub(crate) fn until_true(what: &str, mut seen: impl FnMut() -> bool) {
    until(what, || seen().then_some(()));
}

/// Decoders get to see every frame, even where they fall far behind.
pub(crate) const ALL_OF_A_TEST: usize = 10_000;
/// What hosts show, unless a test says otherwise.
const PATTERN: &str = "test-pattern:busy";
/// A picture that two cores can encode for several clients.
const SMALL: &[&str] = &["--size", "640x360"];

/// A host that runs, until it is dropped.
pub(crate) struct Host {
    child: Child,
    /// Unless it was killed on purpose, or found no ports.
    ends_well: bool,
    folder: Arc<TempDir>,
    flags: Vec<String>,
    base: u16,
    /// Locked as long as the host runs.
    turn: Option<File>,
}

/// How much of the machine a test wants, among the tests here.
#[derive(Clone, Copy)]
enum Share {
    Some,
    All,
}

impl Share {
    /// Waits until it is to be had.
    fn take(self) -> File {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moonlight-tests");
        let file = File::create(path).unwrap();
        match self {
            Self::Some => file.lock_shared().unwrap(),
            Self::All => file.lock().unwrap(),
        }
        file
    }
}

impl Host {
    /// Starts `heliostat --moonlight` with these flags besides.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with("", flags, Share::Some)
    }

    /// A host that shows an X display and gives its input to it.
    pub(crate) fn of_display(display: &str, flags: &[&str]) -> Self {
        let source = format!("x11:{display}");
        let flags = [
            &["--audio", "none", "--source", &source, "--input", "auto"],
            flags,
        ]
        .concat();
        Self::start(&flags)
    }

    /// The same while no other test of this kind runs: for streams that two cores are just enough for.
    pub(crate) fn alone(flags: &[&str]) -> Self {
        Self::start_with("", flags, Share::All)
    }

    fn start_with(apps: &str, flags: &[&str], share: Share) -> Self {
        let turn = share.take();
        let folder = tempfile::tempdir().unwrap();
        let apps = apps.replace("{}", folder.path().to_str().unwrap());
        fs::write(folder.path().join("apps.toml"), apps).unwrap();
        let mut host = Self::start_in(&Arc::new(folder), flags);
        host.turn = Some(turn);
        host
    }

    fn start_in(folder: &Arc<TempDir>, flags: &[&str]) -> Self {
        let mut tries = (0..10).map(|_| Self::try_start(folder, free_base(), flags));
        let host = tries.find_map(|host| host);
        host.expect("a host starts on one of ten choices of ports")
    }

    /// Another one in the same folder with the same flags, beside it or after it.
    pub(crate) fn another(&self) -> Self {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        Self::start_in(&self.folder, &flags)
    }

    /// Kills it, so that it cannot put anything right.
    pub(crate) fn kill(&mut self) {
        self.ends_well = false;
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A small moving picture without sound.
    pub(crate) fn small(flags: &[&str]) -> Self {
        Self::start(&[&["--audio", "none"], SMALL, flags].concat())
    }

    /// A small moving picture, and a tone on each channel.
    pub(crate) fn sounding() -> Self {
        Self::start(&[&["--audio", "tone"], SMALL].concat())
    }

    /// A small moving picture, and the desktop and these apps.
    pub(crate) fn with_apps(apps: &str, flags: &[&str]) -> Self {
        let flags = [&["--audio", "none"], SMALL, flags].concat();
        Self::start_with(apps, &flags, Share::Some)
    }

    /// Nothing if somebody else was faster to take one of the ports.
    fn try_start(folder: &Arc<TempDir>, base: u16, flags: &[&str]) -> Option<Self> {
        let path = folder.path();
        let recording = format!("recording:{}", path.join("input").display());
        let mut place = vec![];
        for (flag, value) in [("--source", PATTERN), ("--input", &recording)] {
            if !flags.contains(&flag) {
                place.extend([flag, value]);
            }
        }
        let mut log = File::options();
        let log = log.append(true).create(true).open(path.join("log"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .arg("--moonlight")
            .args(place)
            .args(["--moonlight-port", &base.to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", base + 1)])
            .args(["--state-dir", path.join("state").to_str().unwrap()])
            .args(["--apps", path.join("apps.toml").to_str().unwrap()])
            .args(flags)
            .env("XDG_RUNTIME_DIR", path)
            .env("XDG_CONFIG_HOME", path)
            .env("HOME", path)
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.starts_with("Open "));
        let host = Self {
            child,
            ends_well: true,
            folder: Arc::clone(folder),
            flags: flags.iter().map(ToString::to_string).collect(),
            base,
            turn: None,
        };
        if ready {
            return Some(host);
        }
        let log = host.log();
        assert!(log.contains("in use"), "the host does not start:\n{log}");
        let mut host = host;
        host.ends_well = false;
        host.child.wait().unwrap();
        None
    }

    /// What clients are told.
    pub(crate) fn address(&self) -> HostAddress {
        format!("127.0.0.1:{}", self.base).parse().unwrap()
    }

    /// One of its ports, by its distance from the one that clients know.
    pub(crate) fn port(&self, offset: i16) -> SocketAddr {
        let port = self.base.checked_add_signed(offset).unwrap();
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// A file in the host's folder, which files of apps call `{}`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What stands in such a file; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        self.read("log")
    }

    /// Calls a method as the user who runs the host may.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Value {
        let path = management::socket_path(Some(self.folder.path()), self.base + 1);
        let mut client = management::Client::connect(&path).unwrap();
        client.call(method, params).unwrap()
    }

    /// Runs a command about this host, as the user who runs it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args(arguments)
            .args(["--listen", &format!("127.0.0.1:{}", self.base + 1)])
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("HOME", self.folder.path())
            .output()
            .unwrap()
    }

    /// Memory that the process really uses.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }

    /// How many files and sockets it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }

    /// The sessions of Moonlight clients.
    pub(crate) fn sessions(&self) -> usize {
        let answer = self.call("listSessions", &json!({}));
        let sessions = answer["sessions"].as_array().unwrap();
        let moonlight = |session: &&Value| session["via"] == "moonlight";
        sessions.iter().filter(moonlight).count()
    }

    /// The clients that wait for their PIN.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        let answer = self.call("listPairings", &json!({}));
        let pairings = answer["pairings"].as_array().unwrap();
        let id = |pairing: &Value| pairing["id"].as_u64().unwrap();
        pairings.iter().map(id).collect()
    }

    /// A client that the host does not know.
    pub(crate) fn stranger(&self) -> Pal {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::open(&Options {
            host: self.address(),
            state_dir: folder.path().to_owned(),
        });
        Pal {
            client: client.unwrap(),
            folder,
        }
    }

    /// Has a client ask to be paired by `shown`, and enters `typed`.
    pub(crate) fn pair(&self, pal: &mut Pal, shown: &str, typed: &str) -> Result<(), Error> {
        self.pair_and_hear(pal, shown, typed).0
    }

    /// The same, with what whoever entered the PIN is told.
    pub(crate) fn pair_and_hear(
        &self,
        pal: &mut Pal,
        shown: &str,
        typed: &str,
    ) -> (Result<(), Error>, Value) {
        // One at a time: who waits is known by its being new.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock();
        let before = self.waiting();
        thread::scope(|scope| {
            let asking = scope.spawn(|| pal.client.pair(shown));
            let id = until("a client waits for its PIN", || {
                let new = self.waiting().into_iter().find(|id| !before.contains(id));
                // One that was turned away waits for nothing.
                new.map(Some)
                    .or_else(|| asking.is_finished().then_some(None))
            });
            let entered = |id| self.call("enterPin", &json!({ "pin": typed, "id": id }));
            let told = id.map_or(Value::Null, entered);
            (asking.join().unwrap(), told)
        })
    }

    /// A client that is paired.
    pub(crate) fn paired(&self) -> Pal {
        let mut pal = self.stranger();
        self.pair(&mut pal, "0420", "0420").unwrap();
        pal
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            for line in tail.iter().rev() {
                println!("host: {line}");
            }
        }
        let pid = Pid::from_child(&self.child);
        let _ = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() && self.ends_well {
            let ended = ended.unwrap().map(|status| status.success());
            assert_eq!(ended, Some(true), "the host ends well\n{}", self.log());
        }
    }
}

/// The lowest port of as many as a host needs, all of them free.
fn free_base() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let blocks = (PORTS.end - PORTS.start) / PORTS_STEP;
    let free = || {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        // Test programs that run at the same time begin at different places.
        let block = std::process::id().wrapping_mul(37).wrapping_add(turn) % blocks;
        let lowest = u16::try_from(PORTS.start + block * PORTS_STEP).ok()?;
        let at = |offset: &u16| (Ipv4Addr::LOCALHOST, lowest + offset);
        let tcp: Result<Vec<_>, _> = TCP_OFFSETS.iter().map(at).map(TcpListener::bind).collect();
        let udp: Result<Vec<_>, _> = UDP_OFFSETS.iter().map(at).map(UdpSocket::bind).collect();
        (tcp.is_ok() && udp.is_ok()).then_some(lowest + 5)
    };
    until("free ports", free)
}

/// A client, and where it keeps its key.
pub(crate) struct Pal {
    pub(crate) client: Client,
    folder: TempDir,
}

impl Pal {
    /// Where it keeps its key.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn info(&self) -> HostInfo {
        self.client.info().unwrap()
    }

    /// Streams to the end.
    pub(crate) fn stream(&self, options: &StreamOptions) -> Result<Summary, Error> {
        let go_on = &mut |_: &Report| ControlFlow::Continue(());
        self.client.stream(options, &Built, go_on)
    }

    /// Streams until `stop`, and tells of every second.
    fn stream_until(
        &self,
        options: &StreamOptions,
        stop: &AtomicBool,
        seconds: &Sender<Report>,
    ) -> Result<Summary, Error> {
        let on_report = &mut |report: &Report| {
            let _ = seconds.send(report.clone());
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        self.client.stream(options, &Built, on_report)
    }

    /// Streams as long as `meanwhile` takes, which begins once there are pictures; what comes of both.
    pub(crate) fn stream_during<T>(
        &self,
        options: &StreamOptions,
        meanwhile: impl FnOnce() -> T,
    ) -> (Result<Summary, Error>, T) {
        let stop = AtomicBool::new(false);
        let (seconds, told) = channel();
        thread::scope(|scope| {
            let streaming = scope.spawn(|| self.stream_until(options, &stop, &seconds));
            let stopping = Stopping(&stop);
            first_pictures(&told);
            let done = meanwhile();
            drop(stopping);
            (streaming.join().unwrap(), done)
        })
    }
}

/// Ends a stream, even where a test fails before its end.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn first_pictures(told: &Receiver<Report>) {
    loop {
        let second = told.recv_timeout(PATIENCE);
        if second.expect("pictures come").frames > 0 {
            return;
        }
    }
}

/// A stream of the small picture: many packets a frame, so that losses hit a few of them.
pub(crate) fn small(seconds: u64) -> StreamOptions {
    StreamOptions {
        size: "640x360".parse().unwrap(),
        rate: "30".parse().unwrap(),
        bitrate: "4M".parse().unwrap(),
        packet_size: probe::PacketSize::new(512).unwrap(),
        max_undecoded: ALL_OF_A_TEST,
        duration: Duration::from_secs(seconds),
        ..StreamOptions::new("Desktop")
    }
}

/// What holds for every stream on a link that loses nothing by itself.
pub(crate) fn assert_sound(total: &Report) {
    assert!(total.violations.is_empty(), "{:?}", total.violations);
    let bitstream = total.bitstream;
    let faults = (
        bitstream.malformed,
        bitstream.missing_references,
        bitstream.missing_parameters,
    );
    assert_eq!(faults, (0, 0, 0), "malformed, references, parameters");
    assert_eq!(total.packets.missing, 0, "the loopback loses nothing");
    if let Some(decoded) = total.decoded {
        assert_eq!(
            (decoded.failures, decoded.damaged, decoded.overruns),
            (0, 0, 0)
        );
    }
    let audio = &total.audio;
    assert_eq!((audio.bad, audio.size_changes, audio.failures), (0, 0, 0));
}

/// That, and every frame that was sent was shown. A host that gets no time leaves frames out, and says so
/// by their numbers; where it has two cores they are few.
pub(crate) fn assert_complete(total: &Report) {
    assert_sound(total);
    let left_out = total.frames_never_sent;
    assert_eq!(total.frames_missing, left_out, "{:?}", total.repairs);
    assert!(left_out * 3 <= total.frames, "{left_out} frames left out");
    assert_eq!(total.frames_unusable, 0);
    assert_eq!(total.keyframes, 1, "{total:?}");
    if cfg!(feature = "ffmpeg") {
        assert_eq!(total.decoded.unwrap().pictures, total.frames);
    }
}
