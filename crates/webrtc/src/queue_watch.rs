//! What transport-wide feedback says about the queue on the way: how long packets stand in it, how
//! fast they come out, how many never do. Pure, and faster to notice a jam than a rate estimator.

use media::MonoTime;
use std::collections::VecDeque;
use std::time::Duration;

/// Packets remembered until their feedback comes.
const REMEMBERED: usize = 4096;
/// The shortest way seen is forgotten after one to two of these, for clocks drift and routes change.
const BASE_WINDOW: Duration = Duration::from_secs(10);
/// The rate of arrival is measured over this time.
const RATE_WINDOW_US: i64 = 300_000;

#[derive(Clone, Copy, Debug)]
struct Sent {
    sequence: u64,
    at: MonoTime,
    bytes: u32,
}

/// What the last feedback said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayReport {
    /// Time that even the luckiest packet stood in a queue.
    pub standing: Duration,
    /// Bits a second that arrived lately.
    pub arrived_bps: u64,
    /// Packets that did not arrive, in thousandths.
    pub lost_permille: u32,
    /// Time from sending the last packet that arrived to its feedback.
    pub round_trip: Option<Duration>,
}

/// Follows the way to one viewer.
#[derive(Debug, Default)]
pub struct QueueWatch {
    sent: VecDeque<Sent>,
    next_sequence: u64,
    /// Smallest difference between the two clocks seen in the present and the previous window.
    base_us: [Option<i64>; 2],
    base_since: MonoTime,
    arrivals: VecDeque<(i64, u32)>,
}

impl QueueWatch {
    /// Takes note of a packet that left with this 16-bit transport sequence number.
    pub fn sent(&mut self, sequence: u16, bytes: u32, at: MonoTime) {
        let step = sequence.wrapping_sub(self.next_sequence as u16);
        let extended = self.next_sequence + u64::from(step);
        self.next_sequence = extended + 1;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            sequence: extended,
            at,
            bytes,
        });
    }

    /// The transport sequence number sent last, extended; feedback is read against it.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.next_sequence.saturating_sub(1)
    }

    /// The stream starts anew after silence: clocks have drifted and the route may be another one.
    /// Sequence numbers go on.
    pub fn restart(&mut self) {
        self.sent.clear();
        self.base_us = [None; 2];
        self.arrivals.clear();
    }

    fn find(&self, sequence: u64) -> Option<Sent> {
        let at = self
            .sent
            .binary_search_by_key(&sequence, |sent| sent.sequence)
            .ok()?;
        self.sent.get(at).copied()
    }

    /// Takes feedback: for each packet when it arrived, by the viewer's clock in microseconds from
    /// any fixed point, or that it did not. `None` when it tells nothing.
    pub fn feedback(
        &mut self,
        packets: impl IntoIterator<Item = (u64, Option<i64>)>,
        now: MonoTime,
    ) -> Option<WayReport> {
        let (mut reported, mut lost) = (0_u32, 0_u32);
        let mut smallest: Option<i64> = None;
        let mut round_trip = None;
        for (sequence, arrived_us) in packets {
            let Some(sent) = self.find(sequence) else {
                continue;
            };
            reported += 1;
            let Some(arrived_us) = arrived_us else {
                lost += 1;
                continue;
            };
            let way_us = arrived_us - (sent.at.as_nanos() / 1000) as i64;
            smallest = Some(smallest.map_or(way_us, |known| known.min(way_us)));
            round_trip = Some(now.since(sent.at));
            self.arrivals.push_back((arrived_us, sent.bytes));
        }
        let smallest = smallest?;
        let base = self.base(smallest, now);
        let standing_us = u64::try_from(smallest - base).unwrap_or(0);
        Some(WayReport {
            standing: Duration::from_micros(standing_us),
            arrived_bps: self.arrived_bps(),
            lost_permille: lost * 1000 / reported.max(1),
            round_trip,
        })
    }

    /// The shortest way of the last one to two windows, this one included.
    fn base(&mut self, way_us: i64, now: MonoTime) -> i64 {
        if now.since(self.base_since) >= BASE_WINDOW {
            self.base_us = [None, self.base_us[0]];
            self.base_since = now;
        }
        let present = self.base_us[0].map_or(way_us, |known| known.min(way_us));
        self.base_us[0] = Some(present);
        self.base_us[1].map_or(present, |previous| previous.min(present))
    }

    fn arrived_bps(&mut self) -> u64 {
        let Some(newest) = self.arrivals.iter().map(|(at, _)| *at).max() else {
            return 0;
        };
        self.arrivals.retain(|(at, _)| newest - at < RATE_WINDOW_US);
        let bytes: u64 = self
            .arrivals
            .iter()
            .map(|(_, bytes)| u64::from(*bytes))
            .sum();
        bytes * 8_000_000 / RATE_WINDOW_US as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::ZERO + Duration::from_millis(1000 + ms)
    }

    /// Sends a packet of 1000 bytes every millisecond through a queue whose delay is given.
    fn play(watch: &mut QueueWatch, from_ms: u64, delays_ms: &[i64]) -> Option<WayReport> {
        let first = watch.next_sequence;
        for n in 0..delays_ms.len() as u64 {
            watch.sent((first + n) as u16, 1000, at(from_ms + n));
        }
        let arrived: Vec<_> = delays_ms
            .iter()
            .enumerate()
            .map(|(n, delay)| {
                let sent_us = (1000 + from_ms as i64 + n as i64) * 1000;
                (
                    first + n as u64,
                    (*delay >= 0).then(|| sent_us + delay * 1000 - 77_000),
                )
            })
            .collect();
        watch.feedback(arrived, at(from_ms + delays_ms.len() as u64 + 20))
    }

    #[test]
    fn a_growing_queue_shows_as_standing_time() {
        let mut watch = QueueWatch::default();
        let calm = play(&mut watch, 0, &[20; 300]).unwrap();
        assert_eq!((calm.standing, calm.lost_permille), (Duration::ZERO, 0));
        assert!(
            (7_000_000..=9_000_000).contains(&calm.arrived_bps),
            "{calm:?}"
        );
        let jammed = play(&mut watch, 300, &[90, 85, 80, 95]).unwrap();
        assert_eq!(jammed.standing, Duration::from_millis(60));
    }

    #[test]
    fn jitter_of_some_packets_is_no_standing_queue() {
        let mut watch = QueueWatch::default();
        play(&mut watch, 0, &[20; 50]);
        let report = play(&mut watch, 50, &[60, 20, 75, 40]).unwrap();
        assert_eq!(report.standing, Duration::ZERO);
    }

    #[test]
    fn losses_are_counted_and_numbers_extend_across_their_wrap() {
        let mut watch = QueueWatch {
            next_sequence: 65_500,
            ..QueueWatch::default()
        };
        let delays: Vec<i64> = (0..100).map(|n| if n % 4 == 0 { -1 } else { 20 }).collect();
        let report = play(&mut watch, 0, &delays).unwrap();
        assert_eq!(report.lost_permille, 250);
        assert_eq!(watch.last_sequence(), 65_599);
    }

    #[test]
    fn an_old_base_is_forgotten_when_the_way_grows_for_good() {
        let mut watch = QueueWatch::default();
        play(&mut watch, 0, &[20; 10]);
        for second in 1..25 {
            play(&mut watch, second * 1000, &[50; 10]);
        }
        let report = play(&mut watch, 26_000, &[50; 10]).unwrap();
        assert_eq!(report.standing, Duration::ZERO);
    }

    #[test]
    fn clocks_that_drifted_during_a_pause_are_no_queue() {
        let mut watch = QueueWatch::default();
        play(&mut watch, 0, &[20; 50]);
        watch.restart();
        assert_eq!(watch.feedback([(5, Some(1))], at(60)), None, "old news");
        let report = play(&mut watch, 3_600_000, &[200; 50]).unwrap();
        assert_eq!((report.standing, report.lost_permille), (Duration::ZERO, 0));
    }

    #[test]
    fn feedback_about_unknown_packets_says_nothing() {
        let mut watch = QueueWatch::default();
        assert_eq!(watch.feedback([(5, Some(1)), (6, None)], at(0)), None);
    }
}
