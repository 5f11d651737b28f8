//! How long things are kept for a client that is away: an app after a bare disconnect, a session
//! after the last word of its client. It owns the ranges of both.

use std::time::Duration;

/// The longest linger in seconds: a day.
pub const MAX_LINGER_S: u32 = 86_400;

/// How long an app waits for its client after a bare disconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linger {
    /// Not at all: it ends with the session.
    Off,
    /// That many seconds, 1 to [`MAX_LINGER_S`].
    Seconds(u32),
    /// Until somebody quits it.
    Forever,
}

impl Linger {
    /// What is allowed, in words.
    pub const ALLOWED: &str = "\"off\", seconds from 0 to 86400, or \"forever\"";

    /// A linger of so many seconds, 0 being off; nothing above a day.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Option<Self> {
        match seconds {
            0 => Some(Self::Off),
            1..=MAX_LINGER_S => Some(Self::Seconds(seconds)),
            _ => None,
        }
    }

    /// Reads what a person wrote: `off`, a number of seconds, or `forever`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "forever" => Some(Self::Forever),
            number => Self::seconds(number.parse().ok()?),
        }
    }
}

impl Default for Linger {
    fn default() -> Self {
        Self::Seconds(10)
    }
}

/// How long nothing may be heard from a client before its session is taken for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdleTimeout(Duration);

impl IdleTimeout {
    /// The shortest there is: below it one late packet would end a session.
    pub const MIN: Duration = Duration::from_secs(1);
    /// The longest pause between two keep-alives.
    const MAX_KEEP_ALIVE: Duration = Duration::from_secs(4);

    /// A timeout of so many milliseconds, or the shortest there is.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis).max(Self::MIN))
    }

    /// The timeout itself.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// How often a sign of life is due, so that losing one never ends a session.
    #[must_use]
    pub fn keep_alive_every(self) -> Duration {
        (self.0 / 2).min(Self::MAX_KEEP_ALIVE)
    }
}

impl Default for IdleTimeout {
    fn default() -> Self {
        Self::from_millis(8000)
    }
}

#[cfg(test)]
mod tests {
    //! The ends of the ranges.

    use super::*;

    #[test]
    fn lingers_reach_from_off_to_a_day_and_forever() {
        assert_eq!(Linger::from_text("off"), Some(Linger::Off));
        assert_eq!(Linger::from_text("0"), Some(Linger::Off));
        assert_eq!(Linger::from_text("86400"), Some(Linger::Seconds(86_400)));
        assert_eq!(Linger::from_text("forever"), Some(Linger::Forever));
        for wrong in ["86401", "-1", "Forever", "", "10 s"] {
            assert_eq!(Linger::from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_idle_timeout_is_at_least_a_second_and_outlives_a_lost_keep_alive() {
        let shortest = IdleTimeout::from_millis(5);
        assert_eq!(shortest.duration(), Duration::from_secs(1));
        assert_eq!(shortest.keep_alive_every(), Duration::from_millis(500));
        assert_eq!(
            IdleTimeout::default().keep_alive_every(),
            Duration::from_secs(4)
        );
        let long = IdleTimeout::from_millis(60_000);
        assert_eq!(long.keep_alive_every(), Duration::from_secs(4));
    }
}
