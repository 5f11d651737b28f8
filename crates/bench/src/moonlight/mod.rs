//! The viewer that is a Moonlight client: the crate `probe` in this process, with a decoder that reads
//! the barcode from the pixels. It is paired like any client, and hears the host's own times as an
//! administrator's program does.

mod manage;
mod pictures;
mod watching;

use crate::BenchError;
use crate::frames::Batch;
use crate::host_process::HostProcess;
use crate::page::{ClockBounds, LOOK_AGAIN, PICTURE_LIMIT, wall_ms};
use crate::presses::{PressKind, RawPress, ShownPresses};
use crate::processes::Whose;
use crate::viewer::{LONGEST_HOLD, MISSED_AFTER, ReceiverCounters, Rhythm, Viewer};
use manage::Management;
use media::{Bitrate, FrameRate, Size};
pub(crate) use pictures::can_read;
use probe::{Action, Client, Codec, StreamOptions};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use watching::{Records, Watching};

/// What every Moonlight client is shown first.
const APP: &str = "Desktop";
/// Longer than any bench.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);
const PIN: &str = "0420";

/// What the client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) size: Size,
    pub(crate) fps: FrameRate,
    pub(crate) bitrate: Bitrate,
    pub(crate) codec: Codec,
}

/// A client, and its stream while a turn lasts.
pub(crate) struct Moonlight {
    wishes: Wishes,
    folder: PathBuf,
    rhythm: Rhythm,
    turn: Option<TurnParts>,
    /// Hosts so far: each is a stranger to the client.
    hosts: u32,
}

/// What belongs to one host.
struct TurnParts {
    client: Arc<Client>,
    management: Management,
    stream: Option<Watching>,
    records: Arc<Records>,
}

impl Moonlight {
    pub(crate) fn new(wishes: Wishes, folder: &Path) -> Self {
        Self {
            wishes,
            folder: folder.to_owned(),
            rhythm: Rhythm::new(),
            turn: None,
            hosts: 0,
        }
    }

    fn options(&self) -> StreamOptions {
        StreamOptions {
            size: self.wishes.size,
            rate: self.wishes.fps,
            bitrate: self.wishes.bitrate,
            codec: self.wishes.codec,
            duration: FOR_EVER,
            ..StreamOptions::new(APP)
        }
    }

    /// Pairs with a host that was not seen before.
    fn pair(&mut self, host: &HostProcess) -> Result<TurnParts, BenchError> {
        self.hosts += 1;
        let records = Arc::new(Records::new());
        let management = Management::connect(host, Arc::clone(&records))?;
        let mut client = Client::open(&probe::Options {
            host: host.moonlight_address()?,
            state_dir: self.folder.join(format!("client-{}", self.hosts)),
        })?;
        std::thread::scope(|scope| {
            let pairing = scope.spawn(|| client.pair(PIN));
            management.enter_pin(PIN)?;
            let crashed = || BenchError::program("the Moonlight client", "does not pair");
            Ok::<_, BenchError>(pairing.join().map_err(|_| crashed())??)
        })?;
        Ok(TurnParts {
            client: Arc::new(client),
            management,
            stream: None,
            records,
        })
    }

    fn turn(&mut self) -> Result<&mut TurnParts, BenchError> {
        self.turn.as_mut().ok_or_else(no_stream)
    }

    fn stream(&mut self) -> Result<&Watching, BenchError> {
        self.turn()?.stream.as_ref().ok_or_else(no_stream)
    }

    fn act(&mut self, line: &str) -> Result<(), BenchError> {
        let action = probe::parse_line(line).ok().flatten();
        let unknown = || BenchError::program("the Moonlight client", format!("cannot {line:?}"));
        let action: Action = action.ok_or_else(unknown)?;
        self.stream()?.hand.act(&action);
        Ok(())
    }
}

fn no_stream() -> BenchError {
    BenchError::program("the Moonlight client", "has no stream")
}

/// As scripts of the probe spell it.
fn line(kind: PressKind, down: bool) -> String {
    let what = match kind {
        PressKind::Key => "key 0x41",
        PressKind::Click => "button 1",
    };
    format!("{what} {}", if down { "down" } else { "up" })
}

impl Viewer for Moonlight {
    fn version(&self) -> String {
        let codec = self.wishes.codec.name();
        format!(
            "heliostat probe moonlight ({codec}, {})",
            pictures::decoder_version()
        )
    }

    fn process(&self) -> (&'static str, Whose) {
        ("probe", Whose::Process(std::process::id()))
    }

    fn show(&mut self, host: &HostProcess) -> Result<(f64, Batch), BenchError> {
        let mut turn = match self.turn.take() {
            Some(turn) => turn,
            None => self.pair(host)?,
        };
        if let Some(before) = turn.stream.take() {
            before.end()?;
        }
        turn.records.forget();
        let started_ms = wall_ms();
        let stream = Watching::start(&turn.client, self.options(), &turn.records)?;
        turn.management.hear_frames()?;
        turn.stream = Some(stream);
        let deadline = Instant::now() + PICTURE_LIMIT;
        let shown = loop {
            let batch = turn.records.take();
            if let Some((readable_ms, ..)) = batch.frames.first() {
                break (readable_ms - started_ms, batch);
            }
            turn.stream.as_ref().map_or(Ok(()), Watching::check_alive)?;
            if Instant::now() > deadline {
                return Err(BenchError::NothingMeasured(format!(
                    "after {} s the Moonlight client has read no picture; {} were unreadable",
                    PICTURE_LIMIT.as_secs(),
                    batch.unreadable,
                )));
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        self.turn = Some(turn);
        Ok(shown)
    }

    fn take(&mut self) -> Result<Batch, BenchError> {
        self.stream()?.check_alive()?;
        Ok(self.turn()?.records.take())
    }

    /// It is this machine's.
    fn compare_clocks(&mut self) -> Result<ClockBounds, BenchError> {
        Ok(ClockBounds::SAME)
    }

    fn counters(&mut self) -> Result<ReceiverCounters, BenchError> {
        let report = self.stream()?.hand.so_far();
        let packets = report.packets;
        Ok(ReceiverCounters::new(json!({
            "transport": {
                "bytesReceived": packets.bytes,
                "packetsReceived": packets.received,
            },
            "inbound": {
                "packetsLost": packets.missing,
                "pliCount": report.keyframes_requested,
                "keyFramesDecoded": report.keyframes,
            },
        })))
    }

    fn watch_presses(&mut self, since_ms: f64) -> Result<(), BenchError> {
        let Size { width, height } = self.wishes.size;
        self.act(&format!(
            "mouse-abs {} {} {width} {height}",
            width / 2,
            height / 2
        ))?;
        let records = Arc::clone(&self.turn()?.records);
        let deadline = Instant::now() + PICTURE_LIMIT;
        let is_new = |shown: &ShownPresses| shown.2 >= since_ms * 1000.0;
        match records.wait_for_presses(deadline, is_new) {
            Some(_) => Ok(()),
            None => Err(BenchError::Timeout {
                what: "a picture of the window that hears keys".to_owned(),
                after: PICTURE_LIMIT,
            }),
        }
    }

    fn press(&mut self) -> Result<RawPress, BenchError> {
        let kind = self.rhythm.next();
        let records = Arc::clone(&self.turn()?.records);
        let before = records.presses().map_or(0, |shown| shown.3);
        let counts = |shown: &ShownPresses| shown.3 > before;
        let pressed = Instant::now();
        let pressed_ms = wall_ms();
        self.act(&line(kind, true))?;
        let mut shown = records.wait_for_presses(pressed + LONGEST_HOLD, counts);
        self.act(&line(kind, false))?;
        if shown.is_none() {
            shown = records.wait_for_presses(pressed + MISSED_AFTER, counts);
        }
        Ok(RawPress {
            kind,
            pressed_ms,
            shown,
        })
    }

    fn rest(&mut self) -> Result<(), BenchError> {
        Ok(())
    }

    fn join(&mut self, _host: &HostProcess) -> Result<(), BenchError> {
        Err(BenchError::Option {
            name: "viewers",
            why: "are opened with the browser only".to_owned(),
        })
    }

    fn disperse(&mut self) -> Result<(), BenchError> {
        Ok(())
    }

    fn leave(&mut self) -> Result<(), BenchError> {
        let stream = self.turn.take().and_then(|turn| turn.stream);
        stream.map_or(Ok(()), Watching::end)
    }
}
