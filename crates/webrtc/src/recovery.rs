//! Decides when a viewer's loss is past repair by resending: pure, fed with NACKs and times.

use media::{FrameIndex, MonoTime};
use std::collections::VecDeque;
use std::time::Duration;

/// Pictures whose sequence numbers are remembered.
const REMEMBERED_PICTURES: usize = 512;
/// Sequence numbers watched at once; more at a time is an outage, not a loss.
const WATCHED_PACKETS: usize = 1024;
/// A packet that is not asked for again within this many round trips has arrived.
const FORGET_AFTER_ROUND_TRIPS: u32 = 4;
/// From this round trip on, a second request is answered by a repair too, not only by a resend.
const MIDDLE_RTT: Duration = Duration::from_millis(30);
/// Beyond this round trip, a burst is not worth waiting for its resends.
const LONG_RTT: Duration = Duration::from_millis(50);
/// Pictures hit at once that make a burst.
const BURST_PICTURES: usize = 2;
/// A PLI this soon after a recovery (and a round trip) means that the recovery did not help.
const HELPED_WITHIN: Duration = Duration::from_millis(500);
/// Recoveries in a row that may fail before they are given up.
const MAX_FAILED_RECOVERIES: u32 = 2;
/// Round trip assumed until one was measured.
const ASSUMED_RTT: Duration = Duration::from_millis(30);

#[derive(Clone, Copy, Debug)]
struct SentPicture {
    frame: FrameIndex,
    first_sequence: u64,
    last_sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    sequence: u64,
    first_asked: MonoTime,
    last_asked: MonoTime,
    times_asked: u32,
}

/// What a NACK calls for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// First and last picture that resending did not save.
    pub lost: Option<(FrameIndex, FrameIndex)>,
}

/// What a lost picture is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A picture that refers past the loss.
    Invalidate,
    /// A keyframe.
    Keyframe,
}

/// Whether a viewer decodes on past a gap. It must have agreed to the dependency descriptor, and
/// must not ask for keyframes right after pictures that were meant to spare it one.
#[derive(Clone, Copy, Debug)]
pub struct GapTrust {
    understands: bool,
    failed: u32,
    last_recovery: Option<MonoTime>,
}

impl GapTrust {
    /// Trust in a viewer that agreed to the dependency descriptor, or not.
    #[must_use]
    pub const fn new(understands: bool) -> Self {
        Self {
            understands,
            failed: 0,
            last_recovery: None,
        }
    }

    /// How to repair a loss now.
    #[must_use]
    pub const fn repair(&self) -> Repair {
        if self.understands && self.failed < MAX_FAILED_RECOVERIES {
            Repair::Invalidate
        } else {
            Repair::Keyframe
        }
    }

    /// Takes note of a repair by invalidation.
    pub fn invalidated(&mut self, now: MonoTime) {
        self.last_recovery = Some(now);
    }

    /// Takes note that the stream starts anew with a keyframe: whatever is asked for from now on,
    /// earlier repairs are not the cause.
    pub fn restart(&mut self) {
        self.last_recovery = None;
    }

    /// Takes note of a request for a keyframe.
    pub fn keyframe_asked(&mut self, now: MonoTime, rtt: Duration) {
        if let Some(at) = self.last_recovery.take()
            && now.since(at) <= HELPED_WITHIN + rtt
        {
            self.failed += 1;
        }
    }
}

/// Remembers what was sent and what was asked for again.
#[derive(Debug)]
pub struct LossWatch {
    pictures: VecDeque<SentPicture>,
    watched: Vec<Watched>,
    frame_interval: Duration,
    rtt: Option<Duration>,
    measured: bool,
    next_sequence: u64,
}

impl LossWatch {
    /// A watch for a stream with this time between frames.
    #[must_use]
    pub fn new(frame_interval: Duration) -> Self {
        Self {
            pictures: VecDeque::with_capacity(REMEMBERED_PICTURES),
            watched: Vec::with_capacity(64),
            frame_interval,
            rtt: None,
            measured: false,
            next_sequence: 0,
        }
    }

    /// Takes note of a measured round trip.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
        self.measured = true;
    }

    /// Takes a first guess at the round trip, from feedback that includes some waiting; a measured
    /// one is better.
    pub fn offer_rtt(&mut self, rtt: Duration) {
        if !self.measured {
            self.rtt = Some(self.rtt.map_or(rtt, |known| known.min(rtt)));
        }
    }

    /// The round trip as far as anything told of it.
    #[must_use]
    pub const fn known_rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The round trip, measured or assumed.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.rtt.unwrap_or(ASSUMED_RTT)
    }

    /// Takes note of a picture and the sequence numbers of its packets.
    pub fn sent(&mut self, frame: FrameIndex, first_sequence: u64, last_sequence: u64) {
        if self.pictures.len() == REMEMBERED_PICTURES {
            self.pictures.pop_front();
        }
        self.pictures.push_back(SentPicture {
            frame,
            first_sequence,
            last_sequence,
        });
        self.next_sequence = last_sequence + 1;
    }

    /// Extends a 16-bit sequence number of a report to the one that was sent, if it was.
    #[must_use]
    pub fn extend(&self, sequence: u16) -> Option<u64> {
        let last = self.next_sequence.checked_sub(1)?;
        let back = (last as u16).wrapping_sub(sequence);
        last.checked_sub(u64::from(back))
    }

    /// A keyframe or another fresh start: what was lost before does not matter any more.
    pub fn forget_losses(&mut self) {
        self.watched.clear();
    }

    /// The stream starts anew: nothing sent before can be lost any more. Sequence numbers go on.
    pub fn restart(&mut self, frame_interval: Duration) {
        self.watched.clear();
        self.pictures.clear();
        self.frame_interval = frame_interval;
    }

    /// How often this packet was asked for, and since when.
    fn note(&mut self, sequence: u64, now: MonoTime) -> Watched {
        if let Some(known) = self
            .watched
            .iter_mut()
            .find(|known| known.sequence == sequence)
        {
            known.last_asked = now;
            known.times_asked += 1;
            return *known;
        }
        let fresh = Watched {
            sequence,
            first_asked: now,
            last_asked: now,
            times_asked: 1,
        };
        if self.watched.len() < WATCHED_PACKETS {
            self.watched.push(fresh);
        }
        fresh
    }

    fn picture_of(&self, sequence: u64) -> Option<FrameIndex> {
        let after = self
            .pictures
            .partition_point(|picture| picture.last_sequence < sequence);
        let picture = self.pictures.get(after)?;
        (picture.first_sequence..=picture.last_sequence)
            .contains(&sequence)
            .then_some(picture.frame)
    }

    /// A viewer asked again for these packets. A packet still asked for two round trips and two
    /// frames after it was first missed is past saving; over a middling way, and where the repair
    /// spares a keyframe (`spared`), so is one that is asked for a second time.
    pub fn asked_again(
        &mut self,
        sequences: impl IntoIterator<Item = u64>,
        spared: bool,
        now: MonoTime,
    ) -> Verdict {
        let impatient = spared && self.rtt() >= MIDDLE_RTT;
        let patience = self.rtt() * 2 + self.frame_interval * 2;
        let forget_after = patience + self.rtt() * FORGET_AFTER_ROUND_TRIPS;
        self.watched
            .retain(|known| now.since(known.last_asked) <= forget_after);
        let mut lost: Option<(FrameIndex, FrameIndex)> = None;
        let mut fresh: Option<(FrameIndex, FrameIndex)> = None;
        let mut fresh_pictures = 0;
        for sequence in sequences {
            let watched = self.note(sequence, now);
            let Some(frame) = self.picture_of(sequence) else {
                continue;
            };
            let again = impatient && watched.times_asked > 1;
            let late = again || now.since(watched.first_asked) >= patience;
            let span = if late { &mut lost } else { &mut fresh };
            if !late && watched.times_asked == 1 && span.is_none_or(|(_, last)| last != frame) {
                fresh_pictures += 1;
            }
            let (first, last) = span.unwrap_or((frame, frame));
            *span = Some((first.min(frame), last.max(frame)));
        }
        if let Some((first, last)) = fresh
            && fresh_pictures >= BURST_PICTURES
            && self.rtt() > LONG_RTT
        {
            let (low, high) = lost.unwrap_or((first, last));
            lost = Some((low.min(first), high.max(last)));
        }
        if lost.is_some() {
            self.watched.retain(|known| {
                now.since(known.first_asked) < patience && !(impatient && known.times_asked > 1)
            });
        }
        Verdict { lost }
    }

    /// How many times a packet was asked for so far.
    #[must_use]
    pub fn times_asked(&self, sequence: u64) -> u32 {
        let known = self.watched.iter().find(|known| known.sequence == sequence);
        known.map_or(0, |known| known.times_asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_nanos(16_666_667);
    const RTT: Duration = Duration::from_millis(40);

    fn at(ms: u64) -> MonoTime {
        MonoTime::ZERO + Duration::from_millis(1000 + ms)
    }

    /// A watch that has sent `pictures` pictures of ten packets each.
    fn watch(pictures: u64) -> LossWatch {
        let mut watch = LossWatch::new(FRAME);
        watch.set_rtt(RTT);
        for picture in 0..pictures {
            watch.sent(FrameIndex(picture), picture * 10, picture * 10 + 9);
        }
        watch
    }

    #[test]
    fn a_first_request_is_left_to_resending() {
        assert_eq!(watch(5).asked_again([23], false, at(0)).lost, None);
    }

    #[test]
    fn a_packet_missing_after_two_round_trips_and_two_frames_is_lost() {
        let mut watch = watch(5);
        assert_eq!(watch.asked_again([23, 31], false, at(0)).lost, None);
        assert_eq!(watch.asked_again([23, 31], false, at(60)).lost, None);
        let lost = watch.asked_again([23, 31], false, at(114)).lost;
        assert_eq!(lost, Some((FrameIndex(2), FrameIndex(3))));
        assert_eq!(
            watch.asked_again([23], false, at(120)).lost,
            None,
            "reported once"
        );
    }

    #[test]
    fn over_a_middling_way_a_second_request_is_enough_where_the_repair_is_cheap() {
        let mut cheap = watch(5);
        assert_eq!(cheap.asked_again([23], true, at(0)).lost, None);
        let lost = cheap.asked_again([23], true, at(45)).lost;
        assert_eq!(lost, Some((FrameIndex(2), FrameIndex(2))));
        let mut dear = watch(5);
        dear.asked_again([23], false, at(0));
        assert_eq!(dear.asked_again([23], false, at(45)).lost, None);
    }

    #[test]
    fn a_burst_over_a_long_way_does_not_wait_for_resends() {
        let mut watch = watch(9);
        assert_eq!(
            watch.asked_again([23, 31], false, at(0)).lost,
            None,
            "a short way"
        );
        watch.set_rtt(Duration::from_millis(80));
        assert_eq!(
            watch.asked_again([41, 42], false, at(1)).lost,
            None,
            "one picture"
        );
        let lost = watch.asked_again([55, 66], false, at(2)).lost;
        assert_eq!(lost, Some((FrameIndex(5), FrameIndex(6))));
    }

    #[test]
    fn recoveries_that_do_not_help_are_given_up() {
        let mut trust = GapTrust::new(true);
        for round in 0..2 {
            assert_eq!(trust.repair(), Repair::Invalidate);
            trust.invalidated(at(round * 1000));
            trust.keyframe_asked(at(round * 1000 + 300), RTT);
        }
        assert_eq!(trust.repair(), Repair::Keyframe);
        assert_eq!(GapTrust::new(false).repair(), Repair::Keyframe);
    }

    #[test]
    fn an_unrelated_keyframe_request_costs_no_trust() {
        let mut trust = GapTrust::new(true);
        for round in 0..5 {
            trust.invalidated(at(round * 5000));
            trust.keyframe_asked(at(round * 5000 + 3000), RTT);
        }
        assert_eq!(trust.repair(), Repair::Invalidate);
    }

    #[test]
    fn a_packet_not_asked_for_again_is_forgotten() {
        let mut watch = watch(5);
        watch.asked_again([23], false, at(0));
        watch.asked_again([31], false, at(2000));
        assert_eq!(watch.times_asked(23), 0);
        assert_eq!(
            watch.asked_again([23], false, at(2001)).lost,
            None,
            "a new loss starts anew"
        );
    }

    #[test]
    fn what_was_sent_before_a_restart_is_never_lost() {
        let mut watch = watch(5);
        watch.asked_again([23], false, at(0));
        watch.restart(FRAME);
        assert_eq!(watch.extend(23), Some(23), "numbers go on");
        assert_eq!(watch.asked_again([23], false, at(200)).lost, None);
        assert_eq!(watch.asked_again([23], false, at(400)).lost, None);
        watch.sent(FrameIndex(9), 50, 59);
        watch.asked_again([23, 55], false, at(600));
        let lost = watch.asked_again([23, 55], false, at(750)).lost;
        assert_eq!(lost, Some((FrameIndex(9), FrameIndex(9))));
    }

    #[test]
    fn a_keyframe_request_after_a_restart_costs_no_trust() {
        let mut trust = GapTrust::new(true);
        for round in 0..5 {
            trust.invalidated(at(round * 100));
            trust.restart();
            trust.keyframe_asked(at(round * 100 + 50), RTT);
        }
        assert_eq!(trust.repair(), Repair::Invalidate);
    }

    #[test]
    fn sequence_numbers_extend_across_the_wrap() {
        let mut watch = LossWatch::new(FRAME);
        assert_eq!(watch.extend(5), None, "nothing was sent");
        watch.sent(FrameIndex(1), 65_530, 65_540);
        assert_eq!(watch.extend(4), Some(65_540));
        assert_eq!(watch.extend(65_535), Some(65_535));
        assert_eq!(watch.extend(65_530), Some(65_530));
    }

    #[test]
    fn memory_is_bounded_whatever_is_asked_for() {
        let mut watch = watch(600);
        assert_eq!(watch.pictures.len(), REMEMBERED_PICTURES);
        for round in 0..10 {
            watch.asked_again((round * 1000)..(round * 1000 + 1000), false, at(round));
        }
        assert!(watch.watched.len() <= WATCHED_PACKETS);
    }
}
