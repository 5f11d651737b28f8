//! Measures how long the bytes of a drawing take from the drawing client to a frame, and what a
//! frame costs: Xvfb, a pattern window at 57 Hz, the X11 source at 60, at 720p and 1080p.
//!
//! `cargo run --release -p capture --example present_to_bytes [SECONDS]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement for a terminal"
)]

use capture::barcode::Barcode;
use capture::{PatternWindow, PatternWindowRequest, Source, SourceRequest, StopSignal, X11};
use media::{Frame, FrameRate, MonoTime, Size};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

const SOURCE_FPS: u32 = 57;
const STREAM_FPS: u32 = 60;
/// Clock ticks a second in /proc, on every Linux of today.
const TICKS: f64 = 100.0;

struct XServer {
    child: Child,
    display: String,
}

impl XServer {
    fn start(size: Size) -> Self {
        let screen = format!("{size}x24");
        let mut child = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                &screen,
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        Self { child, display }
    }

    fn cpu(&self) -> f64 {
        cpu_seconds(&format!("/proc/{}/stat", self.child.id()))
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process or thread.
fn cpu_seconds(stat: &str) -> f64 {
    let text = fs::read_to_string(stat).unwrap();
    // The name in parentheses may hold spaces; the fields are counted behind it.
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS
}

fn percentiles(name: &str, mut values_us: Vec<u64>) {
    values_us.sort_unstable();
    let at = |part: usize| values_us[(values_us.len() - 1) * part / 100];
    println!(
        "  {name:<18} p50 {:>6} us   p95 {:>6}   p99 {:>6}   max {:>6}   ({} frames)",
        at(50),
        at(95),
        at(99),
        at(100),
        values_us.len()
    );
}

#[derive(Default)]
struct Measured {
    present_to_noticed: Vec<u64>,
    grab: Vec<u64>,
    present_to_bytes: Vec<u64>,
    unreadable: u32,
    repeated: u32,
}

impl Measured {
    fn add(&mut self, frame: &Frame, last: &mut Option<u32>) {
        let now_us = MonoTime::now().wall_us();
        let Some(code) = Barcode::read_frame(frame) else {
            self.unreadable += 1;
            return;
        };
        if last.replace(code.frame) == Some(code.frame) {
            self.repeated += 1;
            return;
        }
        let times = frame.times;
        self.present_to_bytes
            .push(now_us.saturating_sub(code.time_us));
        let noticed_us = times.noticed.wall_us();
        self.present_to_noticed
            .push(noticed_us.saturating_sub(code.time_us));
        let grab = times.grabbed.since(times.noticed).as_micros();
        self.grab.push(u64::try_from(grab).unwrap());
    }
}

fn measure(size: Size, lasting: Duration) {
    let server = XServer::start(size);
    let stop = StopSignal::new().unwrap();
    let window = PatternWindowRequest {
        display: Some(server.display.clone()),
        size,
        rate: FrameRate::new(SOURCE_FPS).unwrap(),
    };
    let mut window = PatternWindow::open(&window).unwrap();
    let mut source = X11::open(&SourceRequest {
        target: Some(server.display.clone()),
        size: None,
        rate: FrameRate::new(STREAM_FPS).unwrap(),
    })
    .unwrap();
    let mut measured = Measured::default();
    thread::scope(|scope| {
        let drawing = scope.spawn(|| {
            let drawn = window.run(&stop).unwrap();
            (drawn, cpu_seconds("/proc/thread-self/stat"))
        });
        source.next_frame(&stop).unwrap();
        let (server_before, started) = (server.cpu(), MonoTime::now());
        let source_before = cpu_seconds("/proc/thread-self/stat");
        let mut last = None;
        while MonoTime::now().since(started) < lasting {
            let frame = source.next_frame(&stop).unwrap().unwrap();
            measured.add(&frame, &mut last);
        }
        let source_cpu = cpu_seconds("/proc/thread-self/stat") - source_before;
        let server_cpu = server.cpu() - server_before;
        let frames = measured.present_to_bytes.len() as f64;
        stop.raise();
        let (drawn, window_cpu) = drawing.join().unwrap();
        println!("{size}, {drawn} drawings, {frames} frames");
        println!(
            "  CPU a frame: source {:.0} us, X server {:.0} us, window {:.0} us",
            source_cpu * 1e6 / frames,
            server_cpu * 1e6 / frames,
            window_cpu * 1e6 / f64::from(drawn)
        );
    });
    percentiles("present to noticed", measured.present_to_noticed);
    percentiles("noticed to grabbed", measured.grab);
    percentiles("present to bytes", measured.present_to_bytes);
    println!(
        "  unreadable {}, repeated {}",
        measured.unreadable, measured.repeated
    );
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .map_or(10, |text| text.parse().unwrap());
    for size in [Size::new(1280, 720), Size::new(1920, 1080)] {
        measure(size, Duration::from_secs(seconds));
    }
}
