//! The live controls of a link and their spelling as lines of text.

use std::str::FromStr;
use std::time::Duration;

use crate::{Bottleneck, Direction, Loss, QueueLimit, Reorder};

/// Longer delays are a typing error, and would hold packets for ever.
const LONGEST_MS: f64 = 60_000.0;
/// What a queue holds when a `rate` line does not say.
const DEFAULT_QUEUE_MS: f64 = 250.0;
/// How late a packet comes when a `reorder` line does not say.
const DEFAULT_LATE_MS: f64 = 2.0;

/// One change to a running link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// `delay MS`: each way.
    Delay(Duration),
    /// `jitter MS`: up to this much more, each way.
    Jitter(Duration),
    /// `loss PERCENT [BURST]` from host to client, `rloss …` the other way.
    Loss(Direction, Loss),
    /// `reorder PERCENT [MS]` from host to client: this share comes so much later.
    Reorder(Direction, Reorder),
    /// `rate MBIT [QUEUE_MS [BURST_KB]]` from host to client, `rrate …` the other way; 0 lifts it.
    Rate(Direction, Option<Bottleneck>),
    /// `black 0|1`: both ways.
    Blackout(bool),
    /// `seed N`: starts chance again from here.
    Seed(u64),
    /// `play`: starts the profile's phases from the first.
    Play,
    /// `stat`: changes nothing, as every command it is answered with the counters.
    Stat,
}

/// Why a line is not a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The first word is unknown.
    #[error(
        "unknown command {0:?}; known: delay jitter loss rloss reorder rate rrate black seed play \
         stat"
    )]
    Unknown(String),
    /// A value is missing.
    #[error("{command} needs {what}")]
    Missing {
        /// The command.
        command: String,
        /// The value it lacks.
        what: &'static str,
    },
    /// A value cannot be used.
    #[error("{what} cannot be {value:?}; it goes from {range}")]
    Bad {
        /// Which value.
        what: &'static str,
        /// What was given.
        value: String,
        /// What may be given.
        range: &'static str,
    },
    /// There are more words than the command takes.
    #[error("{command} does not take {extra:?}")]
    Extra {
        /// The command.
        command: String,
        /// The first word too many.
        extra: String,
    },
}

/// A number that a command takes, and the values that make sense.
struct Field {
    what: &'static str,
    low: f64,
    high: f64,
    range: &'static str,
}

const MILLIS: Field = Field {
    what: "MS",
    low: 0.0,
    high: LONGEST_MS,
    range: "0 to 60000",
};
const PERCENT: Field = Field {
    what: "PERCENT",
    low: 0.0,
    high: 100.0,
    range: "0 to 100",
};
const BURST: Field = Field {
    what: "BURST",
    low: 1.0,
    high: 1e6,
    range: "1 to 1000000 packets",
};
const MBIT: Field = Field {
    what: "MBIT",
    low: 0.0,
    high: 1e5,
    range: "0 to 100000",
};
const KILOBYTES: Field = Field {
    what: "BURST_KB",
    low: 0.0,
    high: 1e6,
    range: "0 to 1000000",
};
const SWITCH: Field = Field {
    what: "0|1",
    low: 0.0,
    high: 1.0,
    range: "0 to 1",
};

/// The words of one line, taken from the left.
struct Words<'a> {
    command: &'a str,
    rest: std::str::SplitWhitespace<'a>,
}

impl Words<'_> {
    fn optional(&mut self, field: &Field) -> Result<Option<f64>, CommandError> {
        let Some(word) = self.rest.next() else {
            return Ok(None);
        };
        match word.parse::<f64>() {
            Ok(value) if (field.low..=field.high).contains(&value) => Ok(Some(value)),
            _ => {
                let Field { what, range, .. } = *field;
                Err(CommandError::Bad {
                    what,
                    value: word.into(),
                    range,
                })
            }
        }
    }

    fn required(&mut self, field: &Field) -> Result<f64, CommandError> {
        let missing = CommandError::Missing {
            command: self.command.into(),
            what: field.what,
        };
        self.optional(field)?.ok_or(missing)
    }

    fn duration(&mut self) -> Result<Duration, CommandError> {
        Ok(millis(self.required(&MILLIS)?))
    }

    fn loss(&mut self) -> Result<Loss, CommandError> {
        let ratio = self.required(&PERCENT)? / 100.0;
        let mean_burst_packets = self.optional(&BURST)?.unwrap_or(1.0);
        Ok(Loss {
            ratio,
            mean_burst_packets,
        })
    }

    fn reorder(&mut self) -> Result<Reorder, CommandError> {
        let ratio = self.required(&PERCENT)? / 100.0;
        let late_by = millis(self.optional(&MILLIS)?.unwrap_or(DEFAULT_LATE_MS));
        Ok(Reorder { ratio, late_by })
    }

    fn bottleneck(&mut self) -> Result<Option<Bottleneck>, CommandError> {
        let rate_bps = whole(self.required(&MBIT)? * 1e6);
        let queue_ms = self.optional(&MILLIS)?.unwrap_or(DEFAULT_QUEUE_MS);
        let burst_bytes = whole(self.optional(&KILOBYTES)?.unwrap_or(0.0) * 1e3);
        let queue = QueueLimit::Time(millis(queue_ms));
        Ok((rate_bps > 0).then_some(Bottleneck {
            rate_bps,
            queue,
            burst_bytes,
        }))
    }

    fn seed(&mut self) -> Result<u64, CommandError> {
        let command = self.command.to_owned();
        let word = self
            .rest
            .next()
            .ok_or(CommandError::Missing { command, what: "N" })?;
        word.parse().map_err(|_| CommandError::Bad {
            what: "N",
            value: word.into(),
            range: "0 to 2^64-1",
        })
    }
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        use Direction::{ClientToHost, HostToClient};
        let mut rest = line.split_whitespace();
        let mut words = Words {
            command: rest.next().unwrap_or_default(),
            rest,
        };
        let command = match words.command {
            "delay" => Self::Delay(words.duration()?),
            "jitter" => Self::Jitter(words.duration()?),
            "loss" => Self::Loss(HostToClient, words.loss()?),
            "rloss" => Self::Loss(ClientToHost, words.loss()?),
            "reorder" => Self::Reorder(HostToClient, words.reorder()?),
            "rate" => Self::Rate(HostToClient, words.bottleneck()?),
            "rrate" => Self::Rate(ClientToHost, words.bottleneck()?),
            "black" => Self::Blackout(words.required(&SWITCH)? > 0.5),
            "seed" => Self::Seed(words.seed()?),
            "play" => Self::Play,
            "stat" => Self::Stat,
            unknown => return Err(CommandError::Unknown(unknown.into())),
        };
        match words.rest.next() {
            None => Ok(command),
            Some(extra) => Err(CommandError::Extra {
                command: words.command.into(),
                extra: extra.into(),
            }),
        }
    }
}

/// Values come from [`Field`]s, whose bounds keep them finite and far from overflow.
fn millis(value: f64) -> Duration {
    Duration::from_secs_f64(value / 1e3)
}

/// The whole number next to a bounded, non-negative value.
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    //! Lines of text and what they mean.

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_become_commands() {
        let hop = |rate_bps, queue_ms, burst_bytes| {
            let queue = QueueLimit::Time(Duration::from_millis(queue_ms));
            Some(Bottleneck {
                rate_bps,
                queue,
                burst_bytes,
            })
        };
        let late = |ratio, late_ms| {
            let late_by = Duration::from_millis(late_ms);
            Reorder { ratio, late_by }
        };
        let data = Direction::HostToClient;
        let back = Direction::ClientToHost;
        let cases = [
            ("delay 20", Command::Delay(Duration::from_millis(20))),
            (
                "  jitter\t0.5 ",
                Command::Jitter(Duration::from_micros(500)),
            ),
            ("loss 3", Command::Loss(data, Loss::random(0.03))),
            ("loss 3 8", Command::Loss(data, Loss::bursts(0.03, 8.0))),
            ("rloss 100", Command::Loss(back, Loss::random(1.0))),
            ("reorder 2", Command::Reorder(data, late(0.02, 2))),
            ("reorder 50 10", Command::Reorder(data, late(0.5, 10))),
            ("rate 10", Command::Rate(data, hop(10_000_000, 250, 0))),
            (
                "rate 2.5 100 20",
                Command::Rate(data, hop(2_500_000, 100, 20_000)),
            ),
            ("rrate 1 50", Command::Rate(back, hop(1_000_000, 50, 0))),
            ("rate 0", Command::Rate(data, None)),
            ("black 1", Command::Blackout(true)),
            ("black 0", Command::Blackout(false)),
            ("seed 18446744073709551615", Command::Seed(u64::MAX)),
            ("play", Command::Play),
            ("stat", Command::Stat),
        ];
        for (line, command) in cases {
            assert_eq!(line.parse(), Ok(command), "{line}");
        }
    }

    #[test]
    fn bad_lines_say_what_is_wrong() {
        let cases = [
            ("", "unknown command \"\""),
            ("dealy 20", "unknown command \"dealy\""),
            ("delay", "delay needs MS"),
            ("delay -1", "MS cannot be \"-1\"; it goes from 0 to 60000"),
            ("delay nan", "MS cannot be \"nan\""),
            ("delay 1e300", "MS cannot be \"1e300\""),
            ("loss 101", "PERCENT cannot be \"101\""),
            ("loss 3 0", "BURST cannot be \"0\""),
            ("reorder 2 -1", "MS cannot be \"-1\""),
            ("rate fast", "MBIT cannot be \"fast\""),
            ("seed", "seed needs N"),
            ("seed -1", "N cannot be \"-1\""),
            ("stat now", "stat does not take \"now\""),
        ];
        for (line, message) in cases {
            let said = line.parse::<Command>().map_err(|error| error.to_string());
            assert!(
                matches!(&said, Err(text) if text.starts_with(message)),
                "{line}: {said:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(delay|jitter|loss|reorder|rate|black|seed)?[ -~]{0,24}") {
            let _outcome = line.parse::<Command>();
        }
    }
}
