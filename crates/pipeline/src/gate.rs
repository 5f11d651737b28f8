//! The one owner of recovery: requests go in, and before each picture comes one decision.
//!
//! It is a pure function of its state and the time; it never talks to an encoder.

use crate::chain::{ReferenceChain, WINDOW};
use encode::{EncoderCaps, KeyframeReason};
use media::{FrameIndex, MonoTime, Reference};
use std::time::Duration;

/// No second keyframe for this long after one, or for two frame intervals if that is longer.
pub const KEYFRAME_SPACING: Duration = Duration::from_millis(100);

/// What the next picture must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing.
    None,
    /// Refer only to pictures before this one.
    Invalidate(FrameIndex),
    /// Be a keyframe.
    Keyframe(KeyframeReason),
}

/// Pictures that some consumer does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// First missing picture.
    pub first: FrameIndex,
    /// Last missing picture.
    pub last: FrameIndex,
    /// What made it missing, should a keyframe be needed.
    pub reason: KeyframeReason,
}

/// Collects requests for recovery and decides, before each picture, what repairs them all.
#[derive(Clone, Debug)]
pub struct KeyframeGate {
    chain: ReferenceChain,
    next_index: FrameIndex,
    lost: Option<LostRange>,
    owed: Option<KeyframeReason>,
    last_keyframe_at: Option<MonoTime>,
    keyframe_index: Option<FrameIndex>,
    spacing: Duration,
}

impl KeyframeGate {
    /// A gate for a stream with this time between frames.
    #[must_use]
    pub fn new(frame_interval: Duration) -> Self {
        Self {
            chain: ReferenceChain::default(),
            next_index: FrameIndex(0),
            lost: None,
            owed: None,
            last_keyframe_at: None,
            keyframe_index: None,
            spacing: spacing(frame_interval),
        }
    }

    /// Changes the time between frames.
    pub fn set_frame_interval(&mut self, frame_interval: Duration) {
        self.spacing = spacing(frame_interval);
    }

    /// Asks for a keyframe. It is coalesced with others and never forgotten.
    pub fn request_keyframe(&mut self, reason: KeyframeReason) {
        self.owed.get_or_insert(reason);
    }

    /// Reports pictures that a consumer does not have. Ranges are merged, not overwritten; one
    /// that nothing refers to any more is ignored, and one too old to tell needs a keyframe.
    pub fn report_lost(&mut self, lost: LostRange) {
        let oldest_known = self.next_index.0.saturating_sub(WINDOW);
        let before_keyframe = self
            .keyframe_index
            .is_none_or(|keyframe| lost.last < keyframe);
        if lost.last >= self.next_index || lost.first > lost.last || before_keyframe {
            return;
        }
        if lost.last.0 < oldest_known {
            return self.request_keyframe(lost.reason);
        }
        let too_wide = lost.last.0 - lost.first.0 >= WINDOW || lost.first.0 < oldest_known;
        let Some(first) = self.chain.oldest_in(lost.first, lost.last) else {
            return;
        };
        if too_wide {
            self.request_keyframe(lost.reason);
            return;
        }
        self.lost = Some(match self.lost {
            None => LostRange { first, ..lost },
            Some(known) => LostRange {
                first: known.first.min(first),
                last: known.last.max(lost.last),
                reason: known.reason,
            },
        });
    }

    /// Whether the next picture has something to repair at `now`.
    #[must_use]
    pub fn is_due(&self, now: MonoTime, caps: EncoderCaps) -> bool {
        !matches!(self.decide(now, caps), Recovery::None)
    }

    /// When an owed keyframe becomes due, if one is owed.
    #[must_use]
    pub fn due_at(&self, caps: EncoderCaps) -> Option<MonoTime> {
        if self.lost.is_some() && caps.invalidates_references && self.owed.is_none() {
            return Some(MonoTime::ZERO);
        }
        (self.owed.is_some() || self.lost.is_some()).then(|| self.keyframe_allowed_at())
    }

    /// The earliest time for a keyframe, whoever asks.
    #[must_use]
    pub fn keyframe_allowed_at(&self) -> MonoTime {
        self.last_keyframe_at
            .map_or(MonoTime::ZERO, |at| at + self.spacing)
    }

    /// What the next picture must do at `now`.
    #[must_use]
    pub fn decide(&self, now: MonoTime, caps: EncoderCaps) -> Recovery {
        let may_keyframe = now >= self.keyframe_allowed_at();
        if let Some(reason) = self.owed
            && may_keyframe
        {
            return Recovery::Keyframe(reason);
        }
        match self.lost {
            Some(lost) if caps.invalidates_references => Recovery::Invalidate(lost.first),
            Some(lost) if may_keyframe => Recovery::Keyframe(lost.reason),
            _ => Recovery::None,
        }
    }

    /// The encoder could not invalidate: the loss now needs a keyframe. Returns what to do now.
    pub fn invalidation_failed(&mut self, now: MonoTime) -> Recovery {
        let reason = self
            .lost
            .take()
            .map_or(KeyframeReason::Loss, |lost| lost.reason);
        self.request_keyframe(reason);
        let reason = self.owed.unwrap_or(reason);
        if now >= self.keyframe_allowed_at() {
            Recovery::Keyframe(reason)
        } else {
            Recovery::None
        }
    }

    /// Takes note of a coded picture, whatever was asked for.
    pub fn coded(&mut self, index: FrameIndex, reference: Reference, now: MonoTime) {
        self.chain.push(index, reference);
        self.next_index = index.next();
        match reference {
            Reference::None => {
                self.last_keyframe_at = Some(now);
                self.keyframe_index = Some(index);
                self.owed = None;
                self.lost = None;
            }
            Reference::Frame(_) => {
                let still_needed =
                    |lost: &LostRange| self.chain.oldest_in(lost.first, lost.last).is_some();
                self.lost = self.lost.filter(still_needed);
            }
        }
    }

    /// The stream goes on with another encoder, whose keyframe settles whatever was asked for.
    pub fn reopened(&mut self) {
        self.lost = None;
        self.owed = None;
        self.keyframe_index = None;
        self.chain = ReferenceChain::default();
    }

    /// Forgets the stream: nobody sees it any more.
    pub fn reset(&mut self) {
        self.reopened();
        self.last_keyframe_at = None;
    }
}

fn spacing(frame_interval: Duration) -> Duration {
    KEYFRAME_SPACING.max(frame_interval * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_nanos(16_666_667);

    fn caps(invalidates_references: bool) -> EncoderCaps {
        EncoderCaps {
            name: "test",
            invalidates_references,
            reference_pictures: 16,
            bitrate_without_keyframe: true,
            refines: true,
        }
    }

    fn at(frame: u64) -> MonoTime {
        MonoTime::ZERO + Duration::from_secs(1) + FRAME * u32::try_from(frame).unwrap()
    }

    /// A gate that has seen an IDR picture and `count - 1` pictures after it.
    fn running(count: u64) -> KeyframeGate {
        let mut gate = KeyframeGate::new(FRAME);
        for index in 0..count {
            let reference = match index {
                0 => Reference::None,
                _ => Reference::Frame(FrameIndex(index - 1)),
            };
            gate.coded(FrameIndex(index), reference, at(index));
        }
        gate
    }

    fn lost(first: u64, last: u64) -> LostRange {
        let (first, last) = (FrameIndex(first), FrameIndex(last));
        LostRange {
            first,
            last,
            reason: KeyframeReason::Loss,
        }
    }

    #[test]
    fn several_losses_before_the_next_frame_are_merged() {
        let mut gate = running(20);
        gate.report_lost(lost(15, 16));
        gate.report_lost(lost(11, 12));
        gate.report_lost(lost(18, 18));
        assert_eq!(
            gate.decide(at(20), caps(true)),
            Recovery::Invalidate(FrameIndex(11))
        );
        gate.coded(FrameIndex(20), Reference::Frame(FrameIndex(10)), at(20));
        assert_eq!(gate.decide(at(21), caps(true)), Recovery::None);
    }

    #[test]
    fn a_loss_that_was_already_repaired_is_ignored() {
        let mut gate = running(20);
        gate.report_lost(lost(11, 11));
        gate.coded(FrameIndex(20), Reference::Frame(FrameIndex(10)), at(20));
        gate.report_lost(lost(12, 19));
        assert_eq!(gate.decide(at(21), caps(true)), Recovery::None);
        gate.report_lost(lost(20, 20));
        assert_eq!(
            gate.decide(at(21), caps(true)),
            Recovery::Invalidate(FrameIndex(20))
        );
    }

    #[test]
    fn without_invalidation_a_loss_costs_a_keyframe() {
        let mut gate = running(20);
        gate.report_lost(lost(15, 15));
        assert_eq!(
            gate.decide(at(20), caps(false)),
            Recovery::Keyframe(KeyframeReason::Loss)
        );
    }

    #[test]
    fn a_keyframe_request_inside_the_window_stays_owed() {
        let mut gate = running(1);
        gate.request_keyframe(KeyframeReason::Requested);
        assert_eq!(gate.decide(at(1), caps(true)), Recovery::None);
        assert_eq!(gate.due_at(caps(true)), Some(at(0) + KEYFRAME_SPACING));
        for index in 1..=5 {
            gate.coded(
                FrameIndex(index),
                Reference::Frame(FrameIndex(index - 1)),
                at(index),
            );
        }
        assert_eq!(
            gate.decide(at(6), caps(true)),
            Recovery::Keyframe(KeyframeReason::Requested)
        );
    }

    #[test]
    fn fifty_requests_a_second_give_at_most_ten_keyframes() {
        let mut gate = KeyframeGate::new(FRAME);
        let mut keyframes = 0;
        for index in 0..600 {
            if index % 6 != 0 {
                gate.request_keyframe(KeyframeReason::Requested);
            }
            let reference = match gate.decide(at(index), caps(true)) {
                Recovery::Keyframe(_) => Reference::None,
                _ if index == 0 => Reference::None,
                _ => Reference::Frame(FrameIndex(index - 1)),
            };
            keyframes += u32::from(reference == Reference::None);
            gate.coded(FrameIndex(index), reference, at(index));
        }
        assert!(
            (50..=100).contains(&keyframes),
            "{keyframes} keyframes in 10 s"
        );
    }

    #[test]
    fn a_range_wider_than_the_window_asks_for_a_keyframe() {
        let mut gate = running(600);
        gate.report_lost(lost(300, 599));
        assert!(matches!(
            gate.decide(at(600), caps(true)),
            Recovery::Keyframe(_)
        ));
    }

    #[test]
    fn a_loss_too_old_to_tell_asks_for_a_keyframe_unless_one_came_since() {
        let mut gate = running(600);
        gate.report_lost(lost(300, 301));
        assert_eq!(
            gate.decide(at(600), caps(true)),
            Recovery::Keyframe(KeyframeReason::Loss)
        );
        gate.coded(FrameIndex(600), Reference::None, at(600));
        gate.report_lost(lost(300, 301));
        assert_eq!(gate.decide(at(700), caps(true)), Recovery::None);
    }

    #[test]
    fn a_failed_invalidation_becomes_a_keyframe_and_is_not_lost() {
        let mut gate = running(3);
        gate.report_lost(lost(1, 1));
        assert_eq!(
            gate.invalidation_failed(at(3)),
            Recovery::None,
            "inside the window"
        );
        assert_eq!(gate.due_at(caps(true)), Some(at(0) + KEYFRAME_SPACING));
        assert!(matches!(
            gate.decide(at(10), caps(true)),
            Recovery::Keyframe(_)
        ));
    }

    #[test]
    fn losses_from_the_future_or_the_wrong_way_round_are_ignored() {
        let mut gate = running(5);
        gate.report_lost(lost(5, 9));
        gate.report_lost(lost(4, 2));
        assert_eq!(gate.decide(at(5), caps(true)), Recovery::None);
    }

    #[test]
    fn a_keyframe_settles_every_loss_before_it() {
        let mut gate = running(10);
        gate.report_lost(lost(3, 8));
        gate.request_keyframe(KeyframeReason::NewConsumer);
        gate.coded(FrameIndex(10), Reference::None, at(10));
        assert_eq!(gate.decide(at(30), caps(true)), Recovery::None);
    }
}
