//! Absolute deadlines for sources that make their own motion.
//!
//! Owns when a picture is due; refuses bursts: one that is missed is left out.

use crate::source::StopSignal;
use media::{FrameRate, MonoTime};
use std::time::Duration;

/// A series of due times, one frame interval apart. The first is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticker {
    interval: Duration,
    due: Option<MonoTime>,
}

impl Ticker {
    pub(crate) fn new(rate: FrameRate) -> Self {
        Self {
            interval: rate.interval(),
            due: None,
        }
    }

    /// Sleeps until the next picture is due; `false` when stopped.
    pub(crate) fn wait(&mut self, stop: &StopSignal) -> std::io::Result<bool> {
        while !stop.is_raised() {
            match self.take_due() {
                Ok(()) => return Ok(true),
                Err(left) => stop.wait(None, Some(left))?,
            }
        }
        Ok(false)
    }

    /// Takes the picture that is due now; where none is, the time left to the next.
    pub(crate) fn take_due(&mut self) -> Result<(), Duration> {
        let now = MonoTime::now();
        let due = self.due.unwrap_or(now);
        if now < due {
            return Err(due.since(now));
        }
        self.due = Some(next_due(due, now, self.interval));
        Ok(())
    }
}

/// The due time after `due`, which was met at `now`: on the grid while less than one interval late,
/// else from now on.
fn next_due(due: MonoTime, now: MonoTime, interval: Duration) -> MonoTime {
    let next = due + interval;
    if next > now { next } else { now + interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_stay_on_their_grid_and_never_bunch_up() {
        let interval = Duration::from_millis(10);
        let at = |ms| MonoTime::ZERO + Duration::from_millis(ms);
        assert_eq!(next_due(at(100), at(100), interval), at(110));
        assert_eq!(next_due(at(100), at(107), interval), at(110));
        assert_eq!(next_due(at(100), at(110), interval), at(120));
        assert_eq!(next_due(at(100), at(500), interval), at(510));
    }
}
