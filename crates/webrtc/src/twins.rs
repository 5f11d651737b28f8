//! Copies of packets that a viewer asked for again: over a long way a resend that is lost too costs
//! another round trip, which a copy a moment later usually saves, and a second one nearly always.

use media::MonoTime;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use str0m::rtp::ExtensionValues;

/// Packets remembered: as many as can be asked for within half a second at a usual rate.
const REMEMBERED: usize = 512;
/// Copies follow the first resend after these times, so that one burst does not take them all.
const COPIES_AFTER: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(10)];
/// Below this round trip another request costs less than a copy.
const WORTH_FROM_RTT: Duration = Duration::from_millis(15);
/// One byte of copies is allowed for this many bytes sent: copies never feed a jam.
const BYTES_PER_COPY_BYTE: usize = 10;
/// Most copy bytes saved up.
const MAX_CREDIT_BYTES: usize = 24_000;

/// A packet as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentPacket {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) captured: MonoTime,
    pub(crate) marker: bool,
    pub(crate) values: ExtensionValues,
    pub(crate) payload: Arc<[u8]>,
}

/// Remembers packets and when to send which once more.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    sent: VecDeque<SentPacket>,
    due: VecDeque<(MonoTime, u64)>,
    credit_bytes: usize,
}

impl Twins {
    /// Takes note of a packet.
    pub(crate) fn sent(&mut self, packet: SentPacket) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        let earned = packet.payload.len() / BYTES_PER_COPY_BYTE;
        self.credit_bytes = (self.credit_bytes + earned).min(MAX_CREDIT_BYTES);
        self.sent.push_back(packet);
    }

    fn find(&self, sequence: u64) -> Option<&SentPacket> {
        let oldest = self.sent.front()?.sequence;
        self.sent
            .get(usize::try_from(sequence.checked_sub(oldest)?).ok()?)
    }

    /// A viewer that far away asked for this packet.
    pub(crate) fn asked(&mut self, sequence: u64, rtt: Duration, now: MonoTime) {
        let Some(bytes) = self.find(sequence).map(|packet| packet.payload.len()) else {
            return;
        };
        if rtt < WORTH_FROM_RTT {
            return;
        }
        for after in COPIES_AFTER {
            let Some(left) = self.credit_bytes.checked_sub(bytes) else {
                return;
            };
            self.credit_bytes = left;
            let at = now + after;
            let place = self.due.partition_point(|(earlier, _)| *earlier <= at);
            self.due.insert(place, (at, sequence));
        }
    }

    /// Forgets what is due.
    pub(crate) fn forget(&mut self) {
        self.due.clear();
    }

    /// When the next copy is due.
    pub(crate) fn next_at(&self) -> Option<MonoTime> {
        self.due.front().map(|(at, _)| *at)
    }

    /// The next copy that is due.
    pub(crate) fn take_due(&mut self, now: MonoTime) -> Option<SentPacket> {
        let (_, sequence) = self.due.pop_front_if(|(at, _)| *at <= now)?;
        self.find(sequence).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_millis(40);

    fn packet(sequence: u64) -> SentPacket {
        SentPacket {
            sequence,
            timestamp: 0,
            captured: MonoTime::ZERO,
            marker: false,
            values: ExtensionValues::default(),
            payload: Arc::from(vec![sequence as u8; 1000]),
        }
    }

    fn twins(packets: u64) -> Twins {
        let mut twins = Twins::default();
        for sequence in 1000..1000 + packets {
            twins.sent(packet(sequence));
        }
        twins
    }

    #[test]
    fn copies_follow_a_moment_after_the_request() {
        let mut twins = twins(50);
        twins.asked(1020, FAR, MonoTime::ZERO);
        assert!(twins.take_due(MonoTime::ZERO).is_none());
        for after in COPIES_AFTER {
            let at = MonoTime::ZERO + after;
            let copy = twins.take_due(at).unwrap();
            assert_eq!((copy.sequence, copy.payload[0]), (1020, 1020_u64 as u8));
            assert!(twins.take_due(at).is_none());
        }
    }

    #[test]
    fn copies_of_several_packets_go_out_in_the_order_of_their_times() {
        let mut twins = twins(50);
        twins.asked(1020, FAR, MonoTime::ZERO);
        twins.asked(1021, FAR, MonoTime::ZERO + Duration::from_millis(1));
        let late = MonoTime::ZERO + Duration::from_secs(1);
        let order: Vec<u64> = std::iter::from_fn(|| twins.take_due(late))
            .map(|packet| packet.sequence)
            .collect();
        assert_eq!(order, [1020, 1021, 1020, 1021]);
    }

    #[test]
    fn nearby_viewers_and_forgotten_packets_get_none() {
        let mut twins = twins(600);
        twins.asked(1599, Duration::from_millis(3), MonoTime::ZERO);
        twins.asked(1000, FAR, MonoTime::ZERO);
        twins.asked(5000, FAR, MonoTime::ZERO);
        assert_eq!(twins.next_at(), None);
    }

    #[test]
    fn copies_stay_a_small_share_of_what_is_sent() {
        let mut twins = twins(500);
        for sequence in 1000..1500 {
            twins.asked(sequence, FAR, MonoTime::ZERO);
        }
        assert!(
            (1..=24).contains(&twins.due.len()),
            "{} copies",
            twins.due.len()
        );
    }
}
