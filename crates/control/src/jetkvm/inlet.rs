//! The data channels of one session, on their way from the network thread to the task that serves
//! the session. Waits for nothing; a client that sends more than can wait loses its session.

use events::ViewerId;
use sessions::{ChannelEvent, ChannelFront, ChannelId};
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

/// Events that may wait: more than a second of the fastest mouse.
const DEPTH: usize = 2048;

/// What happened to a channel.
#[derive(Debug)]
pub(super) enum Event {
    Opened(ChannelId, String),
    Message {
        channel: ChannelId,
        binary: bool,
        data: Vec<u8>,
    },
    Closed(ChannelId),
}

#[derive(Debug)]
pub(super) struct Inlet(Mutex<Option<mpsc::Sender<Event>>>);

impl Inlet {
    /// An inlet, and its other end: nothing more comes out of it once too much waited.
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(DEPTH);
        (Self(Mutex::new(Some(sender))), receiver)
    }
}

impl ChannelFront for Inlet {
    fn channel_event(&self, viewer: ViewerId, event: ChannelEvent<'_>) {
        let event = match event {
            ChannelEvent::Opened { id, label } => Event::Opened(id, label.to_owned()),
            ChannelEvent::Message { id, binary, data } => Event::Message {
                channel: id,
                binary,
                data: data.to_vec(),
            },
            ChannelEvent::Closed { id } => Event::Closed(id),
        };
        // One assignment at most happens under it, so a panic elsewhere does no harm.
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().map(|sender| sender.try_send(event));
        if let Some(Err(mpsc::error::TrySendError::Full(_))) = sent {
            tracing::warn!(viewer = viewer.0, "messages come faster than they are read");
            *sender = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_ends_the_queue_and_what_was_in_it_still_comes_out() {
        let (inlet, mut events) = Inlet::new();
        let message = ChannelEvent::Message {
            id: ChannelId(1),
            binary: true,
            data: &[9],
        };
        for _ in 0..=DEPTH {
            inlet.channel_event(ViewerId(1), message);
        }
        for _ in 0..DEPTH {
            assert!(matches!(events.try_recv(), Ok(Event::Message { .. })));
        }
        assert!(events.try_recv().is_err());
        assert!(events.is_closed());
    }
}
