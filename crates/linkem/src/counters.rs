//! What a link has done so far, counted in packets and bytes of IP.

use crate::PerDirection;

/// The counters of one direction. Every packet that came in is in exactly one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DirectionCounters {
    /// Packets that entered the link.
    pub in_packets: u64,
    /// Bytes that entered the link.
    pub in_bytes: u64,
    /// Packets handed to the other side.
    pub out_packets: u64,
    /// Bytes handed to the other side.
    pub out_bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets that found the queue of the bottleneck full.
    pub queue_drops: u64,
    /// Packets that a blackout swallowed.
    pub blacked_out: u64,
    /// Packets that the kernel of the other side refused.
    pub refused: u64,
    /// Packets still under way: waiting at the bottleneck or in the delay.
    pub under_way: u64,
    /// Bytes that wait at the bottleneck now.
    pub queued_bytes: u64,
}

/// The counters of a link at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Counters {
    /// When they were read, in Unix milliseconds, so that other logs can be laid beside them.
    pub t_ms: f64,
    /// One set for each direction.
    #[serde(flatten)]
    pub directions: PerDirection<DirectionCounters>,
}

impl std::ops::Deref for Counters {
    type Target = PerDirection<DirectionCounters>;

    fn deref(&self) -> &Self::Target {
        &self.directions
    }
}
