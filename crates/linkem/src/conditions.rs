//! What a link does to the packets of one direction. Data only: nothing here knows time or packets.

use std::ops::{Index, IndexMut};
use std::time::Duration;

/// Which way a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the streaming host to its viewer: where the data flows.
    HostToClient,
    /// From the viewer back to the host: input and feedback.
    ClientToHost,
}

impl Direction {
    /// Both directions, the one that carries the data first.
    pub const BOTH: [Direction; 2] = [Direction::HostToClient, Direction::ClientToHost];
}

/// One value for each direction, indexed by [`Direction`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PerDirection<T> {
    /// The value for packets from host to client.
    #[serde(rename = "h2c")]
    pub host_to_client: T,
    /// The value for packets from client to host.
    #[serde(rename = "c2h")]
    pub client_to_host: T,
}

impl<T> Index<Direction> for PerDirection<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        match direction {
            Direction::HostToClient => &self.host_to_client,
            Direction::ClientToHost => &self.client_to_host,
        }
    }
}

impl<T> IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::HostToClient => &mut self.host_to_client,
            Direction::ClientToHost => &mut self.client_to_host,
        }
    }
}

/// How packets of one direction are treated. The default is a perfect wire.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Added to every packet, one way.
    pub delay: Duration,
    /// At most this much more, drawn evenly for each packet. It lets no packet overtake another.
    pub jitter: Duration,
    /// Packets that those behind them overtake.
    pub reorder: Reorder,
    /// Packets that vanish by chance.
    pub loss: Loss,
    /// A slow hop with a queue in front of it; `None` is a wire without a limit.
    pub bottleneck: Option<Bottleneck>,
    /// While true, every packet that arrives or waits at the bottleneck vanishes.
    pub blackout: bool,
}

/// Random loss, in bursts when asked (a two-state Gilbert model).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Share of packets lost in the long run, 0 to 1.
    pub ratio: f64,
    /// Mean number of packets lost in a row; 1 or less loses each packet independently.
    pub mean_burst_packets: f64,
}

impl Loss {
    /// Independent loss of this share of packets.
    pub const fn random(ratio: f64) -> Self {
        Self {
            ratio,
            mean_burst_packets: 1.0,
        }
    }

    /// This share of packets, lost `mean_burst_packets` in a row on average.
    pub const fn bursts(ratio: f64, mean_burst_packets: f64) -> Self {
        Self {
            ratio,
            mean_burst_packets,
        }
    }
}

impl Default for Loss {
    fn default() -> Self {
        Self::random(0.0)
    }
}

/// Packets that come too late by chance, after others that were sent behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reorder {
    /// Share of packets that come late, 0 to 1.
    pub ratio: f64,
    /// How much later than otherwise.
    pub late_by: Duration,
}

/// A hop of limited rate, with the queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// Bits a second, IP headers included. Zero passes nothing and lets the queue fill.
    pub rate_bps: u64,
    /// What may wait before the tail is dropped.
    pub queue: QueueLimit,
    /// Bytes that may pass at once after the hop was idle, as a token bucket has it.
    pub burst_bytes: u64,
}

/// When a packet finds the queue full: once what waits before it exceeds this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// The time that the hop needs for what waits.
    Time(Duration),
    /// The bytes that wait.
    Bytes(u64),
}

impl Bottleneck {
    /// How long the hop is busy with this many bytes.
    pub(crate) fn busy_with(&self, bytes: u64) -> Duration {
        if self.rate_bps == 0 {
            return Duration::MAX;
        }
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.rate_bps);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether a packet that finds this many bytes waiting is dropped.
    pub(crate) fn is_full_with(&self, queued_bytes: u64) -> bool {
        match self.queue {
            QueueLimit::Time(limit) => queued_bytes > 0 && self.busy_with(queued_bytes) > limit,
            QueueLimit::Bytes(limit) => queued_bytes > limit,
        }
    }
}
