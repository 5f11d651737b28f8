//! Encoded frames on their way to one consumer: bounded, the oldest goes first.

use crate::layout::AudioFormat;
use media::MonoTime;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Frames that may wait for one consumer, whatever it asks for.
pub const MAX_QUEUE_DEPTH: usize = 32;

/// One frame as Opus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpusFrame {
    /// Counts frames of the stream from its start. A gap is a frame that this consumer did not get.
    pub index: u64,
    /// When its first sample was captured.
    pub captured: MonoTime,
    /// Its shape.
    pub format: AudioFormat,
    /// Whether it is silence in place of sound that did not come.
    pub filled: bool,
    /// The packet.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct State {
    frames: VecDeque<Arc<OpusFrame>>,
    dropped: u64,
    closed: bool,
}

/// The queue between the capturing thread and one consumer, with the consumer's alarm clock.
pub struct OpusQueue {
    state: Mutex<State>,
    depth: usize,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl OpusQueue {
    /// A queue of at most `depth` frames, 1 to [`MAX_QUEUE_DEPTH`]; `wake` is called after each
    /// frame and at the end, and must not block.
    #[must_use]
    pub fn new(depth: usize, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let depth = depth.clamp(1, MAX_QUEUE_DEPTH);
        Arc::new(Self {
            state: Mutex::new(State {
                frames: VecDeque::with_capacity(depth),
                dropped: 0,
                closed: false,
            }),
            depth,
            wake: Box::new(wake),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the oldest frame.
    pub fn pop(&self) -> Option<Arc<OpusFrame>> {
        self.lock().frames.pop_front()
    }

    /// Frames that went because the consumer did not take them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Takes nothing any more, and tells the consumer.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.frames.clear();
        drop(state);
        (self.wake)();
    }

    /// Whether nothing will come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Appends a frame; where there is no room the oldest one goes, because it is the least worth.
    pub(crate) fn push(&self, frame: Arc<OpusFrame>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let displaced = if state.frames.len() >= self.depth {
            state.dropped += 1;
            state.frames.pop_front()
        } else {
            None
        };
        state.frames.push_back(frame);
        drop(state);
        drop(displaced);
        (self.wake)();
    }
}

impl fmt::Debug for OpusQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusQueue")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn frame(index: u64) -> Arc<OpusFrame> {
        Arc::new(OpusFrame {
            index,
            ..OpusFrame::default()
        })
    }

    #[test]
    fn a_reader_that_stalls_loses_the_oldest_and_is_told_how_many() {
        let queue = OpusQueue::new(3, || {});
        for index in 0..8 {
            queue.push(frame(index));
        }
        let left: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|f| f.index)
            .collect();
        assert_eq!(left, [5, 6, 7]);
        assert_eq!(queue.dropped(), 5);
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_wakes_its_reader_once_more() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let queue = OpusQueue::new(3, move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        queue.push(frame(0));
        queue.close();
        queue.push(frame(1));
        assert!(queue.pop().is_none() && queue.is_closed());
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn no_queue_is_deeper_than_the_frames_there_are() {
        let queue = OpusQueue::new(usize::MAX, || {});
        for index in 0..100 {
            queue.push(frame(index));
        }
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), MAX_QUEUE_DEPTH);
    }
}
