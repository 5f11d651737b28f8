//! Whoever looks at a host's stream, reads every picture and presses keys: a browser or a Moonlight
//! client. Owns what both have in common; refuses to know how either does it.

use crate::BenchError;
use crate::frames::Batch;
use crate::host_process::HostProcess;
use crate::page::ClockBounds;
use crate::presses::{PressKind, RawPress};
use crate::processes::Whose;
use crate::scene::Chance;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The same moments every time.
const SEED: u64 = 0x2545_f491_4f6c_dd1d;
/// Between a reaction and the next press: many frame intervals wide, so that the phase between the
/// two sweeps, and about ten presses a second in all.
const LEAST_PAUSE_MS: u64 = 40;
const PAUSE_RANGE_MS: u64 = 80;
/// A key is let go when its reaction is seen, and after this time at the latest: X servers begin to
/// repeat a key that is held for longer.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_millis(200);
/// A press whose reaction is not seen by then is missed.
pub(crate) const MISSED_AFTER: Duration = Duration::from_secs(2);

/// What looks at the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenchClient {
    /// The host's page in a browser, by WebRTC.
    #[default]
    Browser,
    /// The project's own Moonlight client, by GameStream.
    Moonlight,
}

impl BenchClient {
    const ALL: [(Self, &'static str); 2] =
        [(Self::Browser, "browser"), (Self::Moonlight, "moonlight")];

    /// Where pictures become readable, after "in the".
    pub(crate) const fn place(self) -> &'static str {
        match self {
            Self::Browser => "page",
            Self::Moonlight => "client",
        }
    }
}

impl fmt::Display for BenchClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(client, _)| client == self);
        f.write_str(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for BenchClient {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let known = Self::ALL.iter().find(|(_, name)| *name == text);
        let unknown = || BenchError::Option {
            name: "client",
            why: format!("{text:?} is none of browser and moonlight"),
        };
        known.map(|(client, _)| *client).ok_or_else(unknown)
    }
}

/// A viewer that is measured with. Its stream of one turn is opened by `show` and ended by `leave`.
pub(crate) trait Viewer {
    /// Its name and version.
    fn version(&self) -> String;

    /// Its process, and what to call it.
    fn process(&self) -> (&'static str, Whose);

    /// Opens what the host streams, anew where it is open, and waits for the first readable picture.
    /// Answers the milliseconds to it, and all records so far.
    fn show(&mut self, host: &HostProcess) -> Result<(f64, Batch), BenchError>;

    /// All records since the last time.
    fn take(&mut self) -> Result<Batch, BenchError>;

    /// How its clock is to this machine's.
    fn compare_clocks(&mut self) -> Result<ClockBounds, BenchError>;

    /// What it has counted of its stream.
    fn counters(&mut self) -> Result<ReceiverCounters, BenchError>;

    /// Begins to look for presses, and waits for a window that was opened at `since_ms` or later.
    fn watch_presses(&mut self, since_ms: f64) -> Result<(), BenchError>;

    /// Pauses for a random time, presses a key or the mouse button in turns, and waits for the
    /// reaction.
    fn press(&mut self) -> Result<RawPress, BenchError>;

    /// Ends to look for presses.
    fn rest(&mut self) -> Result<(), BenchError>;

    /// Opens one more viewer, which shows pictures when this returns.
    fn join(&mut self, host: &HostProcess) -> Result<(), BenchError>;

    /// Sends those away that joined.
    fn disperse(&mut self) -> Result<(), BenchError>;

    /// Ends the stream.
    fn leave(&mut self) -> Result<(), BenchError>;
}

/// When to press what.
#[derive(Debug)]
pub(crate) struct Rhythm {
    chance: Chance,
    presses: u32,
}

impl Rhythm {
    pub(crate) const fn new() -> Self {
        Self {
            chance: Chance::new(SEED),
            presses: 0,
        }
    }

    /// Pauses, and says what is to be pressed then.
    pub(crate) fn next(&mut self) -> PressKind {
        let pause_ms = LEAST_PAUSE_MS + self.chance.next() % PAUSE_RANGE_MS;
        std::thread::sleep(Duration::from_millis(pause_ms));
        let kind = PressKind::ALL[self.presses as usize % PressKind::ALL.len()];
        self.presses += 1;
        kind
    }
}

/// A viewer's counters of one stream, by the names of `getStats` in browsers: `inbound` of the video,
/// `transport` of the whole connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceiverCounters(Value);

impl ReceiverCounters {
    pub(crate) const fn new(counters: Value) -> Self {
        Self(counters)
    }

    /// How much a counter of the video grew since `earlier`; absent where the viewer has none.
    pub(crate) fn video_since(&self, earlier: &Self, counter: &str) -> Option<f64> {
        self.since(earlier, "inbound", counter)
    }

    /// How much a counter of the whole connection grew since `earlier`.
    pub(crate) fn connection_since(&self, earlier: &Self, counter: &str) -> Option<f64> {
        self.since(earlier, "transport", counter)
    }

    fn since(&self, earlier: &Self, report: &str, counter: &str) -> Option<f64> {
        let value = |counters: &Self| counters.0[report][counter].as_f64();
        Some(value(self)? - value(earlier)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_read_as_they_are_written() {
        for (client, name) in BenchClient::ALL {
            assert_eq!(client.to_string(), name);
            assert_eq!(name.parse::<BenchClient>().unwrap(), client);
        }
        let error = "netscape".parse::<BenchClient>().unwrap_err().to_string();
        assert!(error.contains("browser and moonlight"), "{error}");
    }
}
