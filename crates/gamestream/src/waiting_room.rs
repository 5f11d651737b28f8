//! Connections that have not said yet what they want, of which there is a bounded number: when it is full,
//! the one that has waited longest gives way to whoever comes. An honest client is done within a moment, so
//! that connections which say nothing keep nobody out.

use crate::session::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// The connections, in the order of their coming.
#[derive(Debug)]
pub(crate) struct WaitingRoom {
    most: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    places: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// A place in the room, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<WaitingRoom>,
    number: u64,
}

impl WaitingRoom {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            waiting: Mutex::default(),
        })
    }

    /// A place, and what says when it has to be given up; it ends without a word when the place is free
    /// again.
    pub(crate) fn enter(self: &Arc<Self>) -> (Place, oneshot::Receiver<()>) {
        let (give_up, given_up) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        if waiting.places.len() >= self.most
            && let Some((_, oldest)) = waiting.places.pop_front()
        {
            // One that is just done needs not be told.
            let _ = oldest.send(());
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.places.push_back((number, give_up));
        let room = Arc::clone(self);
        (Place { room, number }, given_up)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = lock(&self.room.waiting);
        let at = waiting
            .places
            .iter()
            .position(|(number, _)| *number == self.number);
        if let Some(at) = at {
            waiting.places.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    #[test]
    fn the_one_that_has_waited_longest_gives_way() {
        let room = WaitingRoom::new(2);
        let (_first, mut first) = room.enter();
        let (second, mut done) = room.enter();
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
        let (_third, mut third) = room.enter();
        assert_eq!(first.try_recv(), Ok(()));
        // Who is done makes room for another.
        drop(second);
        assert_eq!(done.try_recv(), Err(TryRecvError::Closed));
        let (_fourth, mut fourth) = room.enter();
        assert_eq!(third.try_recv(), Err(TryRecvError::Empty));
        let (_fifth, _) = room.enter();
        assert_eq!(third.try_recv(), Ok(()));
        assert_eq!(fourth.try_recv(), Err(TryRecvError::Empty));
    }
}
