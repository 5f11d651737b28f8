//! A real link between real namespaces, with the kernel's own stack and ping at its ends. Needs
//! root, iproute2 and ping, and fails with the reason where one is missing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use linkem::{
    Bottleneck, Command as Set, Conditions, Direction, Link, LinkError, Loss, PerDirection, Phase,
    Profile, QueueLimit,
};

const PORT: u16 = 7000;
/// IPv4 and UDP headers.
const HEADERS_BYTES: u64 = 28;
/// Far longer than anything here takes: a wait that gets there is a failure.
const GIVE_UP: Duration = Duration::from_secs(10);

fn link(conditions: Conditions) -> Link {
    Link::pair(Profile::steady(conditions)).unwrap_or_else(|error| panic!("{error}"))
}

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A UDP flow along one direction of a link.
struct Flow {
    sender: UdpSocket,
    receiver: UdpSocket,
}

impl Flow {
    fn along(link: &Link, direction: Direction) -> Self {
        let (from, to) = match direction {
            Direction::HostToClient => (link.host(), link.client()),
            Direction::ClientToHost => (link.client(), link.host()),
        };
        let target = (to.addr(), PORT);
        let receiver = to.within(|| UdpSocket::bind(target)).expect("namespace");
        let receiver = receiver.expect("receiver");
        receiver.set_read_timeout(Some(GIVE_UP)).expect("timeout");
        let sender = from
            .within(|| UdpSocket::bind((from.addr(), 0)))
            .expect("namespace");
        let sender = sender.expect("sender");
        sender.connect(target).expect("connect");
        Self { sender, receiver }
    }

    /// Sends a packet that starts with this number and holds `length` bytes in all.
    fn send(&self, number: u32, length: usize) {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(length.max(4), 0);
        self.sender.send(&payload).expect("send");
    }

    /// Waits for the next packet: its number and its length.
    fn receive(&self) -> (u32, usize) {
        let mut buffer = [0u8; 65_536];
        let length = loop {
            match self.receiver.recv(&mut buffer) {
                // A virtual machine that is paused and resumed does this.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received.expect("a packet"),
            }
        };
        let number = buffer.first_chunk().map(|head| u32::from_be_bytes(*head));
        (number.expect("a numbered packet"), length)
    }
}

#[test]
fn ping_takes_twice_the_delay() {
    for delay_ms in [5u32, 20] {
        let link = link(Conditions {
            delay: ms(delay_ms.into()),
            ..Conditions::default()
        });
        let mut ping = link.client().command("ping");
        ping.args([
            "-q",
            "-n",
            "-c",
            "20",
            "-i",
            "0.02",
            &link.host().addr().to_string(),
        ]);
        let output = ping.output().expect("ping runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(" 0% packet loss"), "{text}");
        // rtt min/avg/max/mdev = 40.071/40.112/40.301/0.062 ms
        let times = text.rsplit_once(" = ").expect("a summary").1;
        let min_ms: f64 = times
            .split('/')
            .next()
            .expect("min")
            .parse()
            .expect("a number");
        let ratio = min_ms / f64::from(2 * delay_ms);
        assert!(
            (1.0..1.5).contains(&ratio),
            "{ratio} times the round trip asked for: {text}"
        );
    }
}

/// Sends `packets` and gives the numbers of those that arrive.
fn survivors(link: &Link, direction: Direction, packets: u32) -> Vec<u32> {
    let flow = Flow::along(link, direction);
    let mut arrived = Vec::new();
    for number in 0..packets {
        flow.send(number, 4);
        // Asked often enough that the receiver's buffer never overflows.
        if number % 50 == 49 || number + 1 == packets {
            let delivered = link.control().counters().expect("counters")[direction].out_packets;
            while (arrived.len() as u64) < delivered {
                arrived.push(flow.receive().0);
            }
        }
    }
    arrived
}

#[test]
fn loss_takes_its_share_and_one_seed_loses_the_same_packets() {
    let lossy = Conditions {
        loss: Loss::random(0.3),
        ..Conditions::default()
    };
    let run = |seed| {
        let profile = Profile::steady(lossy).with_seed(seed);
        let link = Link::pair(profile).unwrap_or_else(|error| panic!("{error}"));
        let arrived = survivors(&link, Direction::HostToClient, 2000);
        let counters = link.control().counters().expect("counters").host_to_client;
        assert_eq!(counters.in_packets, 2000);
        assert_eq!(counters.lost + arrived.len() as u64, 2000);
        arrived
    };
    let arrived = run(11);
    let share = 1.0 - arrived.len() as f64 / 2000.0;
    assert!((0.26..0.34).contains(&share), "{share}");
    assert_eq!(arrived, run(11));
    assert_ne!(arrived, run(12));
}

#[test]
fn bursts_are_lost_in_a_row() {
    let link = link(Conditions {
        loss: Loss::bursts(0.1, 8.0),
        ..Conditions::default()
    });
    let arrived = survivors(&link, Direction::HostToClient, 4000);
    let gaps: Vec<u32> = arrived
        .windows(2)
        .map(|pair| pair[1] - pair[0] - 1)
        .filter(|gap| *gap > 0)
        .collect();
    let mean = f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64;
    assert!(
        (5.0..11.0).contains(&mean),
        "{mean} packets a burst: {gaps:?}"
    );
}

#[test]
fn each_direction_has_its_own_loss() {
    let link = link(Conditions::default());
    link.control()
        .apply(Set::Loss(Direction::ClientToHost, Loss::random(1.0)))
        .expect("applied");
    assert_eq!(survivors(&link, Direction::HostToClient, 100).len(), 100);
    assert_eq!(survivors(&link, Direction::ClientToHost, 100).len(), 0);
    let counters = link.control().counters().expect("counters");
    assert_eq!(counters.client_to_host.lost, 100);
}

#[test]
fn the_rate_is_held_and_what_the_queue_cannot_hold_is_dropped() {
    let rate_bps = 10_000_000;
    let queue = QueueLimit::Time(ms(500));
    let bottleneck = Some(Bottleneck {
        rate_bps,
        queue,
        burst_bytes: 0,
    });
    let link = link(Conditions {
        bottleneck,
        ..Conditions::default()
    });
    let flow = Flow::along(&link, Direction::HostToClient);
    let payload = 1200;
    let started = Instant::now();
    for number in 0..1000 {
        flow.send(number, payload);
    }
    let after_sending = link.control().counters().expect("counters").host_to_client;
    assert_eq!(after_sending.in_packets, 1000);
    // The queue holds 509 packets: 500 ms of the rate. Some leave while the sender is at it.
    assert!(
        (100..=1000 - 509).contains(&after_sending.queue_drops),
        "{after_sending:?}"
    );

    let passing = 1000 - after_sending.queue_drops;
    for _ in 0..passing {
        flow.receive();
    }
    // Counted from before the first packet, the rate can never be exceeded, not even by a hair.
    let took = started.elapsed().as_secs_f64();
    let bits = passing as f64 * (payload as u64 + HEADERS_BYTES) as f64 * 8.0;
    let ratio = bits / took / rate_bps as f64;
    assert!(
        (0.7..=1.0).contains(&ratio),
        "{ratio} times the rate asked for"
    );
}

#[test]
fn a_blackout_drops_everything_and_then_ends() {
    let link = link(Conditions::default());
    let flow = Flow::along(&link, Direction::HostToClient);
    flow.send(1, 4);
    link.control().apply(Set::Blackout(true)).expect("applied");
    for number in 100..200 {
        flow.send(number, 4);
    }
    let counters = link
        .control()
        .apply(Set::Blackout(false))
        .expect("applied")
        .host_to_client;
    flow.send(2, 4);
    assert_eq!(counters.blacked_out, 100);
    assert_eq!((flow.receive().0, flow.receive().0), (1, 2));
}

#[test]
fn a_phase_changes_without_traffic_to_wake_the_link() {
    let stalled = Bottleneck {
        rate_bps: 0,
        queue: QueueLimit::Bytes(1 << 20),
        burst_bytes: 0,
    };
    let phase = |lasts_ms, bottleneck| Phase {
        lasts: ms(lasts_ms),
        conditions: PerDirection {
            host_to_client: Conditions {
                bottleneck,
                ..Conditions::default()
            },
            client_to_host: Conditions::default(),
        },
    };
    let phases = vec![phase(300, Some(stalled)), phase(0, None)];
    let link = link(Conditions::default());
    let flow = Flow::along(&link, Direction::HostToClient);
    let started = Instant::now();
    link.control()
        .play(Profile { phases, seed: 1 })
        .expect("playing");
    flow.send(7, 4);
    let waiting = link.control().counters().expect("counters").host_to_client;
    assert_eq!(
        (waiting.under_way, waiting.queued_bytes),
        (1, 4 + HEADERS_BYTES)
    );
    assert_eq!(flow.receive().0, 7);
    assert!(started.elapsed() >= ms(300), "{:?}", started.elapsed());
}

#[test]
fn packets_are_carried_whole_up_to_the_mtu() {
    let link = link(Conditions::default());
    let flow = Flow::along(&link, Direction::HostToClient);
    flow.send(1, 1472);
    assert_eq!(flow.receive(), (1, 1472));
    let counters = link.control().counters().expect("counters").host_to_client;
    assert_eq!((counters.in_packets, counters.in_bytes), (1, 1500));
    // One byte more and the kernel makes two packets of it.
    flow.send(2, 1473);
    assert_eq!(flow.receive(), (2, 1473));
    assert_eq!(
        link.control()
            .counters()
            .expect("counters")
            .host_to_client
            .out_packets,
        3
    );
}

/// Passes each line of the log on.
struct Lines(Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes)
            .trim_end_matches('\n')
            .to_owned();
        let sent = self.0.send(text).map(|()| bytes.len());
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_has_a_row_every_100_ms_and_its_loss_ends_the_link() {
    let link = link(Conditions::default());
    let (rows, log) = mpsc::channel();
    link.control().log_to(Lines(rows)).expect("logging");
    let next = || log.recv_timeout(GIVE_UP).expect("a line");
    let header = next();
    assert!(header.starts_with("t_ms,"), "{header}");
    let columns = header.split(',').count();
    let mut times_ms = Vec::new();
    while times_ms.len() < 4 {
        let row = next();
        let fields: Vec<f64> = row
            .split(',')
            .map(|field| field.parse().expect("a number"))
            .collect();
        assert_eq!(fields.len(), columns, "{row}");
        times_ms.push(fields[0]);
    }
    assert!(times_ms[3] - times_ms[0] >= 200.0, "{times_ms:?}");

    drop(log);
    let ended = loop {
        if let Err(error) = link.control().counters() {
            break error;
        }
    };
    assert!(matches!(ended, LinkError::Ended), "{ended}");
    assert!(matches!(link.stop(), Err(LinkError::Log(_))));
}

#[test]
fn nothing_is_left_of_a_dropped_link() {
    let link = link(Conditions::default());
    let names = [
        link.host().name().to_owned(),
        link.client().name().to_owned(),
    ];
    let there = |name: &String| Path::new("/run/netns").join(name).exists();
    assert!(names.iter().all(there));
    let control = link.control().clone();
    drop(link);
    assert!(!names.iter().any(there));
    assert!(matches!(control.counters(), Err(LinkError::Ended)));
}

#[test]
fn the_program_answers_commands_and_cleans_up_after_itself() {
    let [host, client] = ["h", "c"].map(|side| format!("linkem-cli-{}-{side}", std::process::id()));
    let mut program = Command::new(env!("CARGO_BIN_EXE_linkem"))
        .args([&host, &client, "--profile", "wan", "--seed", "3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("linkem starts");
    let mut input = program.stdin.take().expect("stdin");
    let mut lines = BufReader::new(program.stdout.take().expect("stdout")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!(next(), "ready");
    assert!(Path::new("/run/netns").join(&host).exists());

    input
        .write_all(b"delay 0\nblack 1\nwhat\n")
        .expect("written");
    for _ in 0..2 {
        let counters: serde_json::Value = serde_json::from_str(&next()).expect("json");
        assert_eq!(counters["h2c"]["blacked_out"], 0, "{counters}");
    }
    let error: serde_json::Value = serde_json::from_str(&next()).expect("json");
    assert!(
        error["error"]
            .as_str()
            .is_some_and(|text| text.contains("\"what\"")),
        "{error}"
    );

    drop(input);
    assert_eq!(
        program.wait().expect("ended").code(),
        Some(2),
        "a line was not understood"
    );
    let mut rest = String::new();
    lines.for_each(|line| rest.push_str(&line.expect("text")));
    assert_eq!(rest, "");
    assert!(!Path::new("/run/netns").join(&host).exists());
    assert!(!Path::new("/run/netns").join(&client).exists());
}

#[test]
fn ctrl_c_cleans_up_as_well() {
    let [host, client] = ["i", "j"].map(|side| format!("linkem-cli-{}-{side}", std::process::id()));
    let mut program = Command::new(env!("CARGO_BIN_EXE_linkem"))
        .args([&host, &client])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("linkem starts");
    let mut output = BufReader::new(program.stdout.take().expect("stdout"));
    let mut line = String::new();
    output.read_line(&mut line).expect("text");
    assert_eq!(line, "ready\n");
    let pid = rustix::process::Pid::from_child(&program);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    // `wait` would close its input first, which ends it too.
    let _input = program.stdin.take();
    assert!(program.wait().expect("ended").success());
    assert!(!Path::new("/run/netns").join(&host).exists());
    assert!(!Path::new("/run/netns").join(&client).exists());
}

#[test]
fn refusals_name_their_cause() {
    let wrong = Link::pair(Profile {
        phases: Vec::new(),
        seed: 1,
    });
    assert!(matches!(wrong, Err(LinkError::EmptyProfile)));

    let program = Command::new(env!("CARGO_BIN_EXE_linkem"))
        .args(["--profile", "wam"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut said = String::new();
    let mut program = program.expect("linkem starts");
    program
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut said)
        .expect("text");
    assert!(!program.wait().expect("ended").success());
    assert!(said.contains("unknown profile \"wam\""), "{said}");
}
