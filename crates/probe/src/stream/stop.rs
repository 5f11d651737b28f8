//! The end of a stream, as its threads learn of it: the other side of a channel goes away.

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

/// Held by whoever decides; dropping it stops.
#[derive(Debug)]
pub(super) struct Running(#[expect(dead_code, reason = "held, not used")] Sender<Infallible>);

/// Asked by a thread.
#[derive(Debug)]
pub(super) struct Stop(Receiver<Infallible>);

/// A pair of the two.
pub(super) fn pair() -> (Running, Stop) {
    let (sender, receiver) = mpsc::channel();
    (Running(sender), Stop(receiver))
}

impl Stop {
    /// Whether it is over.
    pub(super) fn requested(&self) -> bool {
        matches!(self.0.try_recv(), Err(TryRecvError::Disconnected))
    }

    /// Waits; whether it is over.
    pub(super) fn within(&self, time: Duration) -> bool {
        matches!(
            self.0.recv_timeout(time),
            Err(RecvTimeoutError::Disconnected)
        )
    }
}
