//! Packets of one access unit in one contiguous buffer, ready to be cut by stride or by range.

use std::ops::Range;

/// A pooled run of packets that share one allocation; clearing keeps the capacity.
#[derive(Clone, Debug, Default)]
pub struct PacketBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl PacketBatch {
    /// An empty batch with room for `packets` packets of `packet_bytes` each.
    #[must_use]
    pub fn with_capacity(packets: usize, packet_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(packets * packet_bytes),
            ends: Vec::with_capacity(packets),
        }
    }

    /// Forgets all packets, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends one packet made of `parts`, back to back.
    pub fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
    }

    /// Number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no packet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all packets together.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// One packet.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.range(index).map(|range| &self.bytes[range])
    }

    /// All packets in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back_whole_and_in_order() {
        let mut batch = PacketBatch::with_capacity(4, 8);
        batch.push(&[b"ab", b"c"]);
        batch.push(&[]);
        batch.push(&[b"defg"]);
        let all: Vec<_> = batch.iter().collect();
        assert_eq!(all, [&b"abc"[..], b"", b"defg"]);
        assert_eq!((batch.len(), batch.total_bytes()), (3, 7));
        assert_eq!(batch.get(3), None);
    }

    #[test]
    fn clearing_keeps_the_memory() {
        let mut batch = PacketBatch::with_capacity(2, 100);
        batch.push(&[&[7; 90]]);
        let before = batch.bytes.capacity();
        batch.clear();
        assert!(batch.is_empty());
        assert_eq!(batch.bytes.capacity(), before);
    }
}
