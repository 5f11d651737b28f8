//! Whether there is a picture, what to call it when there is none, and when a slate is due.
//!
//! Pure: news and times come in, decisions come out.

use crate::intake::{Loss, LossKind};
use events::LostReason;
use media::MonoTime;
use std::time::Duration;

/// Time between two slates.
pub const SLATE_EVERY: Duration = Duration::from_secs(1);
/// A source that delivered pictures may be gone this long before that is more than a restart.
const RESTARTING_FOR: Duration = Duration::from_secs(1);
/// A source that has shown nothing this long after its start is worth a slate.
const OPENING_FOR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
enum State {
    /// Nobody watches.
    #[default]
    Idle,
    /// Neither a picture nor a loss came yet.
    Opening { since: MonoTime },
    /// Pictures come.
    Present,
    /// No pictures.
    Away(Away),
}

#[derive(Clone, Debug)]
struct Away {
    since: MonoTime,
    kind: LossKind,
    why: String,
    slate_at: MonoTime,
}

/// Follows one source through its losses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal {
    state: State,
    /// Pictures came from this source at some time.
    seen: bool,
}

impl Signal {
    /// The source is being started.
    pub(crate) fn started(&mut self, now: MonoTime) {
        if !self.is_away() {
            self.state = State::Opening { since: now };
        }
    }

    /// Nobody watches any more.
    pub(crate) fn stopped(&mut self) {
        self.state = State::Idle;
    }

    /// From now on it is another source.
    pub(crate) fn replaced(&mut self, now: MonoTime) {
        self.seen = false;
        self.started(now);
    }

    /// There are no pictures.
    pub(crate) fn lost(&mut self, loss: Loss, now: MonoTime) {
        self.seen |= loss.after_pictures;
        let Loss { kind, why, .. } = loss;
        match &mut self.state {
            State::Away(away) => {
                if away.kind != kind {
                    away.slate_at = now;
                }
                (away.kind, away.why) = (kind, why);
            }
            _ => {
                self.state = State::Away(Away {
                    since: now,
                    kind,
                    why,
                    slate_at: now,
                });
            }
        }
    }

    /// A picture came. `true` when there was none before.
    pub(crate) fn present(&mut self) -> bool {
        self.seen = true;
        !matches!(
            std::mem::replace(&mut self.state, State::Present),
            State::Present
        )
    }

    pub(crate) const fn is_away(&self) -> bool {
        matches!(self.state, State::Away(_))
    }

    /// What to call the loss at `now`, and its reason in words.
    pub(crate) fn absence(&self, now: MonoTime) -> Option<(LostReason, &str)> {
        let State::Away(away) = &self.state else {
            return None;
        };
        let reason = match away.kind {
            LossKind::Opening => LostReason::SourceRestarting,
            LossKind::Unsupported => LostReason::UnsupportedMode,
            LossKind::Absent if !self.seen => LostReason::NoDevice,
            LossKind::Absent if now.since(away.since) < RESTARTING_FOR => {
                LostReason::SourceRestarting
            }
            LossKind::Absent => LostReason::NoSignal,
        };
        Some((reason, &away.why))
    }

    /// When a slate is due, if no picture comes before.
    pub(crate) fn slate_at(&self) -> Option<MonoTime> {
        match &self.state {
            State::Idle | State::Present => None,
            State::Opening { since } => Some(*since + OPENING_FOR),
            State::Away(away) => Some(away.slate_at),
        }
    }

    /// Whether a slate is due. A source that takes too long to show anything counts as lost.
    pub(crate) fn is_slate_due(&mut self, now: MonoTime) -> bool {
        let due = self.slate_at().is_some_and(|at| at <= now);
        if due && matches!(self.state, State::Opening { .. }) {
            let loss = Loss {
                kind: LossKind::Opening,
                why: "the source has not shown a picture yet".to_owned(),
                after_pictures: false,
            };
            self.lost(loss, now);
        }
        due
    }

    /// A slate was shown.
    pub(crate) fn slate_shown(&mut self, now: MonoTime) {
        if let State::Away(away) = &mut self.state {
            away.slate_at = now + SLATE_EVERY;
        }
    }
}

/// What is being done about a loss, in the capitals of the slate.
pub(crate) const fn action(reason: LostReason) -> &'static str {
    match reason {
        LostReason::NoSignal | LostReason::NoDevice => "TRYING AGAIN",
        LostReason::UnsupportedMode => "WAITING FOR ANOTHER MODE",
        LostReason::SourceRestarting => "WAITING FOR THE PICTURE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(1 << 60) + Duration::from_millis(ms)
    }

    fn loss(kind: LossKind, after_pictures: bool) -> Loss {
        let why = "it is gone".to_owned();
        Loss {
            kind,
            why,
            after_pictures,
        }
    }

    fn reason(signal: &Signal, ms: u64) -> Option<LostReason> {
        signal.absence(at(ms)).map(|(reason, _)| reason)
    }

    /// Times of the slates up to `end`.
    fn slates(signal: &mut Signal, end: MonoTime) -> Vec<MonoTime> {
        std::iter::from_fn(|| {
            let now = signal.slate_at().filter(|now| *now <= end)?;
            assert!(signal.is_slate_due(now));
            signal.slate_shown(now);
            Some(now)
        })
        .collect()
    }

    #[test]
    fn a_source_that_was_never_there_is_no_device() {
        let mut signal = Signal::default();
        signal.started(at(0));
        signal.lost(loss(LossKind::Absent, false), at(10));
        assert_eq!(reason(&signal, 10), Some(LostReason::NoDevice));
        assert_eq!(reason(&signal, 60_000), Some(LostReason::NoDevice));
        let shown = slates(&mut signal, at(3500));
        assert_eq!(shown, [at(10), at(1010), at(2010), at(3010)]);
    }

    #[test]
    fn a_source_that_goes_away_restarts_for_a_second_and_then_has_no_signal() {
        let mut signal = Signal::default();
        signal.started(at(0));
        assert!(signal.present());
        assert!(!signal.present());
        assert_eq!((reason(&signal, 100), signal.slate_at()), (None, None));
        signal.lost(loss(LossKind::Absent, true), at(5000));
        assert_eq!(reason(&signal, 5999), Some(LostReason::SourceRestarting));
        // Attempts in between do not start the second over.
        signal.lost(loss(LossKind::Absent, false), at(5500));
        assert_eq!(reason(&signal, 6000), Some(LostReason::NoSignal));
        assert_eq!(slates(&mut signal, at(6500)), [at(5000), at(6000)]);
        assert!(signal.present());
        assert_eq!(signal.slate_at(), None);
    }

    #[test]
    fn a_source_that_opens_for_long_gets_a_slate_until_it_shows_something() {
        let mut signal = Signal::default();
        signal.started(at(0));
        assert!(!signal.is_slate_due(at(999)));
        assert_eq!(slates(&mut signal, at(2500)), [at(1000), at(2000)]);
        assert_eq!(reason(&signal, 2500), Some(LostReason::SourceRestarting));
        signal.lost(loss(LossKind::Unsupported, false), at(2600));
        assert_eq!(reason(&signal, 2600), Some(LostReason::UnsupportedMode));
        assert_eq!(signal.slate_at(), Some(at(2600)), "another reason at once");
    }

    #[test]
    fn another_source_starts_without_a_past() {
        let mut signal = Signal::default();
        signal.started(at(0));
        signal.present();
        signal.replaced(at(100));
        signal.lost(loss(LossKind::Absent, false), at(200));
        assert_eq!(reason(&signal, 200), Some(LostReason::NoDevice));
        signal.stopped();
        assert_eq!((reason(&signal, 300), signal.slate_at()), (None, None));
    }
}
