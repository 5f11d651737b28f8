//! A consumer of access units as the encode loop sees it: its queue, and what it was sent.

use crate::chain::FrameSet;
use crate::gate::LostRange;
use encode::KeyframeReason;
use events::ViewerId;
use media::{AccessUnit, Bitrate, Bounded, Frame, FrameIndex, MonoTime, Reference, Slot};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Units that may wait for one consumer.
pub const QUEUE_DEPTH: usize = 2;
/// Largest access unit that is planned for: a keyframe at the highest bitrate.
const PLANNED_UNIT_BYTES: usize = 4 << 20;
// Two planned units for one consumer stay within what a small machine can spare.
const _: () = assert!(QUEUE_DEPTH * PLANNED_UNIT_BYTES <= 16 << 20);

/// The queue between the encode loop and one consumer, with the consumer's alarm clock.
pub struct UnitQueue {
    queue: Bounded<Arc<AccessUnit>>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// The loop to wake when the queue has been read to its end after a refusal.
    repairer: Mutex<Option<Arc<Slot<Frame>>>>,
}

impl UnitQueue {
    /// A queue for a stream with this time between frames; `wake` is called after each unit and
    /// must not block.
    #[must_use]
    pub fn new(frame_interval: Duration, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let queue = Bounded::new(QUEUE_DEPTH, max_age(frame_interval));
        Arc::new(Self {
            queue,
            wake: Box::new(wake),
            repairer: Mutex::default(),
        })
    }

    /// The oldest unit.
    pub fn pop(&self) -> Option<Arc<AccessUnit>> {
        let unit = self.queue.pop();
        self.wake_repairer();
        unit
    }

    /// On a still screen no later unit would repair a refusal, so the reader wakes the loop.
    fn wake_repairer(&self) {
        if self.queue.is_empty() {
            let mut repairer = self.repairer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = repairer.take() {
                slot.nudge();
            }
        }
    }

    /// Follows a change of the stream's rate.
    pub(crate) fn set_interval(&self, frame_interval: Duration) {
        self.queue.set_max_age(max_age(frame_interval));
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Refuses everything from now on.
    pub fn close(&self) {
        drop(self.queue.close());
    }

    /// Whether the pipeline, or the consumer itself, ended the queue.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

/// A paced keyframe may take most of an interval, so two intervals are no stall yet.
fn max_age(frame_interval: Duration) -> Duration {
    frame_interval * 2
}

impl fmt::Debug for UnitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitQueue")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// What became of a unit that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is in the queue.
    Taken,
    /// It refers to a picture this consumer was not sent.
    Undecodable,
    /// The queue handed it back.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) viewer: ViewerId,
    /// Tells apart two joins under one name.
    pub(crate) token: u64,
    /// What its link carries, as far as it told.
    pub(crate) rate: Option<Bitrate>,
    queue: Arc<UnitQueue>,
    sent: FrameSet,
    /// First and last picture that the queue refused and that were not repaired yet.
    missing: Option<(FrameIndex, FrameIndex)>,
}

impl Consumer {
    pub(crate) fn new(viewer: ViewerId, token: u64, queue: Arc<UnitQueue>) -> Self {
        Self {
            viewer,
            token,
            rate: None,
            queue,
            sent: FrameSet::default(),
            missing: None,
        }
    }

    /// Offers a unit. Nothing that the consumer could not decode ever enters its queue.
    pub(crate) fn offer(&mut self, unit: &Arc<AccessUnit>, now: MonoTime) -> Offer {
        let decodable = match unit.reference {
            Reference::None => true,
            Reference::Frame(referred) => self.sent.contains(referred),
        };
        if !decodable {
            self.sent.push(unit.index, false);
            if let Some((_, last)) = &mut self.missing {
                *last = unit.index;
            }
            return Offer::Undecodable;
        }
        let taken = self.queue.queue.push(Arc::clone(unit), now).is_ok();
        self.sent.push(unit.index, taken);
        if taken {
            self.missing = None;
            (self.queue.wake)();
            return Offer::Taken;
        }
        self.missing.get_or_insert((unit.index, unit.index)).1 = unit.index;
        Offer::Refused
    }

    /// Has the loop behind `slot` woken once the consumer has read what it has.
    pub(crate) fn wake_when_read(&self, slot: &Arc<Slot<Frame>>) {
        let repairer = &self.queue.repairer;
        *repairer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(slot));
        // It may have read everything between the refusal and this call.
        self.queue.wake_repairer();
    }

    /// Follows a change of the stream's rate.
    pub(crate) fn set_interval(&self, frame_interval: Duration) {
        self.queue.set_interval(frame_interval);
    }

    /// Tells the consumer that nothing will come any more.
    pub(crate) fn close(&self) {
        self.queue.close();
        (self.queue.wake)();
    }

    /// Ends the queue of a consumer whose name another took, so that its reader does not wait for
    /// good; the successor may have brought the same queue along.
    pub(crate) fn replaced_by(&self, successor: &Self) {
        if !Arc::ptr_eq(&self.queue, &successor.queue) {
            self.close();
        }
    }

    /// What has to be repaired for this consumer, once its queue has room again. A consumer that
    /// is still stalled, or ended its queue, asks for nothing: it must not cost the others quality.
    pub(crate) fn wants_repair(&self) -> Option<LostRange> {
        let (first, last) = self.missing?;
        let reason = KeyframeReason::Refused;
        let reads = self.queue.is_empty() && !self.queue.is_closed();
        reads.then_some(LostRange {
            first,
            last,
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Wake;

    fn unit(index: u64, reference: Reference) -> Arc<AccessUnit> {
        Arc::new(AccessUnit {
            index: FrameIndex(index),
            reference,
            ..AccessUnit::default()
        })
    }

    fn p_frame(index: u64) -> Arc<AccessUnit> {
        unit(index, Reference::Frame(FrameIndex(index - 1)))
    }

    fn consumer() -> (Consumer, Arc<UnitQueue>) {
        let queue = UnitQueue::new(Duration::from_millis(16), || {});
        (Consumer::new(ViewerId(1), 1, Arc::clone(&queue)), queue)
    }

    #[test]
    fn a_newcomer_gets_nothing_before_a_keyframe() {
        let (mut consumer, queue) = consumer();
        assert_eq!(
            consumer.offer(&p_frame(7), MonoTime::ZERO),
            Offer::Undecodable
        );
        assert_eq!(
            consumer.offer(&unit(8, Reference::None), MonoTime::ZERO),
            Offer::Taken
        );
        assert_eq!(consumer.offer(&p_frame(9), MonoTime::ZERO), Offer::Taken);
        let got: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|unit| unit.index.0)
            .collect();
        assert_eq!(got, [8, 9]);
    }

    #[test]
    fn after_a_refusal_only_a_frame_that_refers_to_frames_it_has_gets_through() {
        let (mut consumer, queue) = consumer();
        consumer.offer(&unit(0, Reference::None), MonoTime::ZERO);
        consumer.offer(&p_frame(1), MonoTime::ZERO);
        assert_eq!(consumer.offer(&p_frame(2), MonoTime::ZERO), Offer::Refused);
        assert_eq!(consumer.wants_repair(), None, "still stalled");
        assert_eq!(
            consumer.offer(&p_frame(3), MonoTime::ZERO),
            Offer::Undecodable
        );
        while queue.pop().is_some() {}
        let wanted = consumer.wants_repair().unwrap();
        assert_eq!((wanted.first, wanted.last), (FrameIndex(2), FrameIndex(3)));
        let repair = unit(4, Reference::Frame(FrameIndex(1)));
        assert_eq!(consumer.offer(&repair, MonoTime::ZERO), Offer::Taken);
        assert_eq!(consumer.wants_repair(), None);
    }

    #[test]
    fn reading_to_the_end_wakes_the_loop_once_after_a_refusal() {
        let (slot, past) = (Arc::new(Slot::new()), Some(MonoTime::ZERO));
        let (mut consumer, queue) = consumer();
        consumer.offer(&unit(0, Reference::None), MonoTime::ZERO);
        consumer.offer(&p_frame(1), MonoTime::ZERO);
        assert_eq!(consumer.offer(&p_frame(2), MonoTime::ZERO), Offer::Refused);
        consumer.wake_when_read(&slot);
        queue.pop();
        assert!(matches!(slot.wait(MonoTime::ZERO, past), Wake::Deadline));
        queue.pop();
        assert!(matches!(slot.wait(MonoTime::ZERO, past), Wake::Nudge));
        queue.pop();
        assert!(matches!(slot.wait(MonoTime::ZERO, past), Wake::Deadline));
    }

    #[test]
    fn a_queue_that_was_read_before_the_loop_asked_wakes_it_too() {
        let (slot, past) = (Arc::new(Slot::new()), Some(MonoTime::ZERO));
        let (consumer, _queue) = consumer();
        consumer.wake_when_read(&slot);
        assert!(matches!(slot.wait(MonoTime::ZERO, past), Wake::Nudge));
    }
}
