//! `linkem`: a link between two namespaces for benches by hand. It reads commands from standard
//! input and answers each with one line of JSON; it knows nothing that the library does not.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use linkem::{
    CLIENT_ADDR, Command, Conditions, Control, HOST_ADDR, Link, Namespace, Profile, Reference,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const AFTER_HELP: &str = "\
Commands, one a line on standard input; each is answered with a JSON line of counters:
  delay MS                         each way
  jitter MS                        up to this much more, each way
  loss PERCENT [BURST]             host to client, BURST packets in a row on average
  rloss PERCENT [BURST]            client to host
  reorder PERCENT [MS]             host to client: this share comes so much later
  rate MBIT [QUEUE_MS [BURST_KB]]  host to client; 0 lifts it
  rrate MBIT [QUEUE_MS [BURST_KB]] client to host
  black 0|1                        nothing passes, both ways
  seed N                           starts chance again
  play                             starts the profile's phases
  stat                             only the counters

Profiles: single_flow variable half_loss quick lan_loss[:PERCENT[:BURST]] wifi wan blackout

Example:
  linkem h c --profile wan --log link.csv      then, in another shell:
  ip netns exec c ping 10.77.0.1";

/// Emulates a network link between two network namespaces.
///
/// It makes the namespaces that do not exist yet and removes those it made when standard input
/// ends (Ctrl-D) or at Ctrl-C. HOST has 10.77.0.1, CLIENT 10.77.0.2, both on device lk0. Needs
/// root and iproute2.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
struct Options {
    /// Namespace of the streaming host.
    #[arg(default_value = "lk-host")]
    host: String,
    /// Namespace of the viewer.
    #[arg(default_value = "lk-client")]
    client: String,
    /// Start with the first phase of this profile instead of a perfect wire.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The rate that the profile's ratios are multiples of.
    #[arg(long, value_name = "MBIT", default_value_t = 10)]
    reference_mbit: u32,
    /// The round trip of profiles that do not say their own.
    #[arg(long, value_name = "MS", default_value_t = 40)]
    reference_rtt_ms: u32,
    /// Decides every chance the link takes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a CSV row every 100 ms.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// What the main thread waits for.
enum Event {
    Line(io::Result<String>),
    End,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let profile = profile(&options)?;
    // Before the link, so that a signal from here on still removes the namespaces.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot wait for signals")?;
    let host = Namespace::open_or_create(&options.host, HOST_ADDR)?;
    let client = Namespace::open_or_create(&options.client, CLIENT_ADDR)?;
    let link = Link::between(host, client, profile)?;
    if let Some(path) = &options.log {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        link.control().log_to(file)?;
    }
    say("ready")?;
    let all_understood = serve(link.control(), signals)?;
    link.stop()?;
    Ok(if all_understood {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

fn profile(options: &Options) -> anyhow::Result<Profile> {
    let reference = Reference {
        rate_bps: u64::from(options.reference_mbit) * 1_000_000,
        rtt: Duration::from_millis(u64::from(options.reference_rtt_ms)),
    };
    let profile = match &options.profile {
        Some(name) => Profile::named(name, reference)?,
        None => Profile::steady(Conditions::default()),
    };
    Ok(profile.with_seed(options.seed))
}

/// Answers lines until the input ends or a signal comes; false if one was not understood.
fn serve(control: &Control, mut signals: Signals) -> anyhow::Result<bool> {
    let (events, inbox) = mpsc::channel();
    let lines = events.clone();
    thread::spawn(move || forward_lines(&lines));
    thread::spawn(move || {
        signals
            .forever()
            .next()
            .map(|_signal| events.send(Event::End))
    });
    let mut all_understood = true;
    for event in inbox {
        let line = match event {
            Event::Line(line) => line.context("cannot read commands")?,
            Event::End => break,
        };
        if line.trim().is_empty() {
            continue;
        }
        let answer = match line.parse::<Command>() {
            Ok(command) => serde_json::to_string(&control.apply(command)?)?,
            Err(error) => {
                all_understood = false;
                serde_json::json!({ "error": error.to_string() }).to_string()
            }
        };
        say(&answer)?;
    }
    Ok(all_understood)
}

fn forward_lines(events: &Sender<Event>) {
    let lines = io::stdin().lock().lines().map(Event::Line);
    for event in lines.chain([Event::End]) {
        if events.send(event).is_err() {
            return;
        }
    }
}

/// One line to whoever drives this, at once also through a pipe.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
