//! One direction of a link in pure time: loss, then the bottleneck's queue, then the delay line,
//! where some packets are overtaken.
//! It reads no clock and touches no device.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Bottleneck, Conditions, DirectionCounters, Loss};

/// A packet on its way.
#[derive(Debug)]
struct Packet {
    bytes: Box<[u8]>,
    entered: Duration,
    /// When it leaves the delay line; unset before it gets there.
    due: Duration,
}

/// How long packets waited at the bottleneck since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct QueueWaits {
    pub(crate) longest: Duration,
    pub(crate) total: Duration,
    pub(crate) packets: u32,
}

impl QueueWaits {
    fn record(&mut self, wait: Duration) {
        self.longest = self.longest.max(wait);
        self.total += wait;
        self.packets += 1;
    }

    /// The mean wait, zero when nothing passed.
    pub(crate) fn mean(&self) -> Duration {
        self.total.checked_div(self.packets).unwrap_or_default()
    }
}

/// Chance, kept apart for each use, so that changing the jitter does not change what is lost.
struct Chance {
    loss: fastrand::Rng,
    jitter: fastrand::Rng,
    reorder: fastrand::Rng,
}

impl Chance {
    fn from_seed(seed: u64) -> Self {
        let mut root = fastrand::Rng::with_seed(seed);
        Self {
            loss: root.fork(),
            jitter: root.fork(),
            reorder: root.fork(),
        }
    }
}

/// One direction of a link. Times are since the start of the link.
pub(crate) struct Path {
    conditions: Conditions,
    chance: Chance,
    in_loss_burst: bool,
    /// Waits for the bottleneck.
    queue: VecDeque<Packet>,
    queued_bytes: u64,
    /// When the bottleneck has served what it served so far; lags behind now by unused burst.
    free_at: Duration,
    /// Has passed the bottleneck, waits for its delay; the next due first.
    delay_line: VecDeque<Packet>,
    /// When the last packet is due that is not late: none overtakes that one.
    last_due: Duration,
    counters: DirectionCounters,
    waits: QueueWaits,
}

impl Path {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: Chance::from_seed(seed),
            in_loss_burst: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            free_at: Duration::ZERO,
            delay_line: VecDeque::new(),
            last_due: Duration::ZERO,
            counters: DirectionCounters::default(),
            waits: QueueWaits::default(),
        }
    }

    pub(crate) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Changes how packets are treated from `now` on; what has passed the bottleneck keeps its time.
    pub(crate) fn set_conditions(&mut self, conditions: Conditions, now: Duration) {
        self.advance(now);
        if conditions.loss != self.conditions.loss {
            self.in_loss_burst = false;
        }
        // Without this, a rate that was zero for a while would be made up for in one burst.
        let same_rate = conditions.bottleneck.map(|b| b.rate_bps)
            == self.conditions.bottleneck.map(|b| b.rate_bps);
        if !same_rate {
            self.free_at = self.free_at.max(now);
        }
        self.conditions = conditions;
        self.advance(now);
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.chance = Chance::from_seed(seed);
        self.in_loss_burst = false;
    }

    /// Takes a packet in.
    pub(crate) fn enter(&mut self, bytes: &[u8], now: Duration) {
        let length = bytes.len() as u64;
        self.counters.in_packets += 1;
        self.counters.in_bytes += length;
        if self.conditions.blackout {
            self.counters.blacked_out += 1;
            return;
        }
        if self.is_lost() {
            self.counters.lost += 1;
            return;
        }
        let packet = Packet {
            bytes: bytes.into(),
            entered: now,
            due: now,
        };
        match self.conditions.bottleneck {
            None => self.delay(packet, now),
            Some(hop) if hop.is_full_with(self.queued_bytes) => self.counters.queue_drops += 1,
            Some(hop) => self.wait_for(&hop, packet),
        }
    }

    fn wait_for(&mut self, hop: &Bottleneck, packet: Packet) {
        if self.queue.is_empty() {
            let unused_burst = hop.busy_with(hop.burst_bytes);
            self.free_at = self
                .free_at
                .max(packet.entered.saturating_sub(unused_burst));
        }
        self.queued_bytes += packet.bytes.len() as u64;
        self.queue.push_back(packet);
    }

    /// Serves the bottleneck up to `now`, at the times when it was free, not when this is called.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some((free_at, leaves)) = self.next_served() {
            if leaves > now {
                break;
            }
            let Some(packet) = self.queue.pop_front() else {
                break;
            };
            self.free_at = free_at;
            self.queued_bytes -= packet.bytes.len() as u64;
            self.waits.record(leaves.saturating_sub(packet.entered));
            if self.conditions.blackout {
                self.counters.blacked_out += 1;
            } else {
                self.delay(packet, leaves);
            }
        }
    }

    /// For the head of the queue: when the hop is free again, and when the packet leaves it.
    fn next_served(&self) -> Option<(Duration, Duration)> {
        let head = self.queue.front()?;
        let busy = match &self.conditions.bottleneck {
            Some(hop) => hop.busy_with(head.bytes.len() as u64),
            None => Duration::ZERO,
        };
        let free_at = self.free_at.saturating_add(busy);
        Some((free_at, free_at.max(head.entered)))
    }

    fn delay(&mut self, mut packet: Packet, from: Duration) {
        let jitter = self.conditions.jitter.mul_f64(self.chance.jitter.f64());
        let due = from
            .saturating_add(self.conditions.delay)
            .saturating_add(jitter);
        self.last_due = due.max(self.last_due);
        packet.due = self.last_due;
        if self.chance.reorder.f64() < self.conditions.reorder.ratio {
            packet.due += self.conditions.reorder.late_by;
        }
        let place = self
            .delay_line
            .partition_point(|other| other.due <= packet.due);
        self.delay_line.insert(place, packet);
    }

    fn is_lost(&mut self) -> bool {
        let Loss {
            ratio,
            mean_burst_packets,
        } = self.conditions.loss;
        if ratio <= 0.0 || ratio >= 1.0 {
            return ratio >= 1.0;
        }
        let draw = self.chance.loss.f64();
        if mean_burst_packets <= 1.0 {
            return draw < ratio;
        }
        self.in_loss_burst = if self.in_loss_burst {
            draw >= 1.0 / mean_burst_packets
        } else {
            draw < ratio / (mean_burst_packets * (1.0 - ratio))
        };
        self.in_loss_burst
    }

    /// The next packet that has served its delay by `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Box<[u8]>> {
        if self.delay_line.front()?.due > now {
            return None;
        }
        self.delay_line.pop_front().map(|packet| packet.bytes)
    }

    /// When this path next has something to do.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let served = self.next_served().map(|(_, leaves)| leaves);
        let due = self.delay_line.front().map(|packet| packet.due);
        served.into_iter().chain(due).min()
    }

    /// Counts what became of a packet from [`Path::pop_due`].
    pub(crate) fn count_delivery(&mut self, length: usize, accepted: bool) {
        if accepted {
            self.counters.out_packets += 1;
            self.counters.out_bytes += length as u64;
        } else {
            self.counters.refused += 1;
        }
    }

    pub(crate) fn counters(&self) -> DirectionCounters {
        DirectionCounters {
            under_way: (self.queue.len() + self.delay_line.len()) as u64,
            queued_bytes: self.queued_bytes,
            ..self.counters
        }
    }

    pub(crate) fn take_waits(&mut self) -> QueueWaits {
        std::mem::take(&mut self.waits)
    }
}

#[cfg(test)]
mod tests;
