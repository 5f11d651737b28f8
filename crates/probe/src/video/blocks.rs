//! Packets to whole frames: blocks are collected in order, repaired from parity, and joined. What cannot
//! be repaired is told as soon as it is certain. It does not look into frames.
//!
//! The rules of order are those of RtpVideoQueue.c: a packet of a later block or frame ends the wait for
//! the one before.

use media::MonoTime;

use super::packet::{FLAG_END, FLAG_PICTURE, FLAG_START, HEADER_LEN, RTP_LEN};
use super::{VideoPacket, Violation, Violations, parse_packet};
use crate::fec::{self, Matrix};

/// Shards that a code over bytes can tell apart.
const MAX_CODED_SHARDS: usize = 255;

/// What the queue has to say.
#[derive(Debug)]
pub enum BlockEvent<'a> {
    /// A frame is complete.
    Frame(RawFrame<'a>),
    /// Every frame up to and including this one that was not delivered will never be.
    Lost {
        /// Its number.
        through: u32,
    },
    /// How a block that lost packets ended; clients tell the host.
    Status(BlockStatus),
}

/// A complete frame, header and all.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// Frame number.
    pub index: u32,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Payloads of all data packets, joined, with the padding of the last.
    pub payload: &'a [u8],
    /// How much of it came in the first packet.
    pub first_packet_len: usize,
    /// How much of it came in the last packet.
    pub last_packet_len: usize,
    /// When its first packet came.
    pub first_at: MonoTime,
    /// When it was complete.
    pub complete_at: MonoTime,
    /// Data packets.
    pub packets: u32,
    /// Data packets that were recovered.
    pub recovered: u32,
    /// Whether the host asks for an acknowledgement.
    pub long_term: bool,
}

/// How a block stood when the wait for it ended (Video.h, `SS_FRAME_FEC_STATUS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockStatus {
    /// Frame number.
    pub frame: u32,
    /// Highest sequence number that came.
    pub highest: u16,
    /// The first sequence number that did not.
    pub next_contiguous: u16,
    /// Holes below the highest.
    pub missing: u16,
    /// Data packets in the block.
    pub data: u16,
    /// Parity packets in the block.
    pub parity: u16,
    /// Data packets that came.
    pub received_data: u16,
    /// Parity packets that came.
    pub received_parity: u16,
    /// Parity in percent.
    pub percent: u8,
    /// Which block.
    pub block: u8,
    /// How many blocks.
    pub blocks: u8,
}

/// What the queue counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// Packets that were taken.
    pub packets: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets for what was over already.
    pub late: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Data packets that were recovered.
    pub recovered_packets: u64,
    /// Blocks that were given up.
    pub failed_blocks: u64,
}

#[derive(Debug, Default)]
struct Open {
    frame: u32,
    block: u8,
    last_block: u8,
    timestamp: u32,
    base: u16,
    data: u16,
    parity: u16,
    percent: u8,
    present: Vec<bool>,
    received_data: u16,
    received_parity: u16,
    highest: u16,
    missing: u16,
    long_term: bool,
}

/// Collects packets of one stream.
#[derive(Debug)]
pub struct BlockQueue {
    stride: usize,
    /// The frame that is awaited or under way.
    current: u32,
    next_block: u8,
    reported: bool,
    open: Option<Open>,
    spare: Vec<bool>,
    shards: Vec<u8>,
    frame: Vec<u8>,
    first_packet_len: usize,
    first_at: MonoTime,
    frame_packets: u32,
    frame_recovered: u32,
    last_timestamp: Option<u32>,
    /// Since reordering was seen, a hole is no proof of loss.
    reorders: bool,
    counts: BlockCounts,
    violations: Violations,
}

impl BlockQueue {
    /// For packets of `packet_size` bytes and the RTP header.
    #[must_use]
    pub fn new(packet_size: usize) -> Self {
        Self {
            stride: packet_size + RTP_LEN,
            current: 1,
            next_block: 0,
            reported: false,
            open: None,
            spare: Vec::new(),
            shards: Vec::new(),
            frame: Vec::new(),
            first_packet_len: 0,
            first_at: MonoTime::ZERO,
            frame_packets: 0,
            frame_recovered: 0,
            last_timestamp: None,
            reorders: false,
            counts: BlockCounts::default(),
            violations: Violations::new(),
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn counts(&self) -> BlockCounts {
        self.counts
    }

    /// What the host did that it may not.
    #[must_use]
    pub const fn violations(&self) -> &Violations {
        &self.violations
    }

    /// Takes a packet, unsealed.
    pub fn push(&mut self, bytes: &[u8], now: MonoTime, sink: &mut dyn FnMut(BlockEvent<'_>)) {
        let Some(packet) = parse_packet(bytes).filter(|_| bytes.len() <= self.stride) else {
            self.violate(Violation::Malformed);
            return;
        };
        let behind = packet.frame.wrapping_sub(self.current).cast_signed() < 0
            || packet.frame == self.current && packet.block < self.next_block;
        if behind {
            self.counts.late += 1;
            return;
        }
        let fits = |open: &Open| open.frame == packet.frame && open.block == packet.block;
        if !self.open.as_ref().is_some_and(fits) && !self.begin(&packet, now, sink) {
            return;
        }
        if !self.keep(&packet, bytes) {
            return;
        }
        self.judge(now, sink);
    }

    fn violate(&mut self, violation: Violation) {
        *self.violations.entry(violation).or_default() += 1;
    }

    fn lost(&mut self, through: u32, sink: &mut dyn FnMut(BlockEvent<'_>)) {
        self.frame.clear();
        sink(BlockEvent::Lost { through });
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.spare = open.present;
        }
    }

    /// Gives up what is under way and goes on after `frame`.
    fn skip_past(&mut self, frame: u32, sink: &mut dyn FnMut(BlockEvent<'_>)) {
        if !self.reported {
            self.lost(frame, sink);
        }
        self.reported = true;
        self.frame.clear();
        self.current = frame.wrapping_add(1);
        self.next_block = 0;
        self.close();
    }

    /// Begins the block of `packet`; whether it did.
    fn begin(
        &mut self,
        packet: &VideoPacket,
        now: MonoTime,
        sink: &mut dyn FnMut(BlockEvent<'_>),
    ) -> bool {
        if let Some(open) = &self.open {
            let (status, frame) = (open.status(), open.frame);
            self.counts.failed_blocks += 1;
            sink(BlockEvent::Status(status));
            if frame == packet.frame {
                self.skip_past(frame, sink);
                return false;
            }
            self.close();
        }
        let same_frame = self.current == packet.frame;
        let expected = if same_frame { self.next_block } else { 0 };
        if packet.block != expected {
            if !same_frame {
                self.reported = false;
            }
            self.skip_past(packet.frame, sink);
            return false;
        }
        if !same_frame {
            // Only the last one needs telling: whoever listens knows what it saw last.
            if self.current.wrapping_add(1) != packet.frame || !self.reported {
                self.lost(packet.frame.wrapping_sub(1), sink);
            }
            self.frame.clear();
            self.current = packet.frame;
        }
        self.reported = false;
        self.next_block = packet.block;
        if packet.block == 0 {
            self.begin_frame(packet, now);
        }
        self.open_block(packet)
    }

    fn begin_frame(&mut self, packet: &VideoPacket, now: MonoTime) {
        self.frame.clear();
        self.first_packet_len = 0;
        self.first_at = now;
        self.frame_packets = 0;
        self.frame_recovered = 0;
        if self.last_timestamp == Some(packet.timestamp) {
            self.violate(Violation::Timestamp);
        }
        self.last_timestamp = Some(packet.timestamp);
    }

    fn open_block(&mut self, packet: &VideoPacket) -> bool {
        let (data, parity) = (packet.data_shards, packet.parity_shards());
        let total = usize::from(data) + usize::from(parity);
        if data == 0 || parity > 0 && total > MAX_CODED_SHARDS {
            self.violate(Violation::BlockTooLarge);
            return false;
        }
        let mut present = std::mem::take(&mut self.spare);
        present.clear();
        present.resize(total, false);
        self.shards.resize(total * self.stride, 0);
        let base = packet.sequence.wrapping_sub(packet.shard);
        self.open = Some(Open {
            frame: packet.frame,
            block: packet.block,
            last_block: packet.last_block,
            timestamp: packet.timestamp,
            base,
            data,
            parity,
            percent: packet.parity_percent,
            present,
            highest: base.wrapping_sub(1),
            ..Open::default()
        });
        true
    }

    /// Puts the packet in its place; whether it is new.
    fn keep(&mut self, packet: &VideoPacket, bytes: &[u8]) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let agrees = packet.data_shards == open.data
            && packet.parity_percent == open.percent
            && packet.last_block == open.last_block
            && packet.sequence.wrapping_sub(packet.shard) == open.base;
        let timestamp = packet.timestamp == open.timestamp;
        let at = usize::from(packet.sequence.wrapping_sub(open.base));
        let Some(present) = open.present.get_mut(at) else {
            self.violate(Violation::OutsideBlock);
            return false;
        };
        if std::mem::replace(present, true) {
            self.counts.duplicates += 1;
            return false;
        }
        self.counts.packets += 1;
        let ahead = packet.sequence.wrapping_sub(open.highest).cast_signed();
        if ahead > 0 {
            open.missing += ahead.unsigned_abs() - 1;
            open.highest = packet.sequence;
        } else {
            open.missing = open.missing.saturating_sub(1);
            self.counts.reordered += 1;
            self.reorders = true;
        }
        let is_data = at < usize::from(open.data);
        if is_data {
            open.received_data += 1;
            open.long_term |= packet.extra_flags & 1 != 0;
        } else {
            open.received_parity += 1;
        }
        let last = at + 1 == usize::from(open.data);
        let slot = &mut self.shards[at * self.stride..(at + 1) * self.stride];
        slot[..bytes.len()].copy_from_slice(bytes);
        slot[bytes.len()..].fill(0);
        if bytes.len() < self.stride && !(is_data && last) {
            self.violate(Violation::ShortPacket);
        }
        if !agrees {
            self.violate(Violation::BlockDisagrees);
        }
        if !timestamp {
            self.violate(Violation::Timestamp);
        }
        true
    }

    /// Completes the block if it can be, or tells that it cannot.
    fn judge(&mut self, now: MonoTime, sink: &mut dyn FnMut(BlockEvent<'_>)) {
        let Some(open) = &self.open else {
            return;
        };
        let (data, received) = (open.data, open.received_data + open.received_parity);
        if received < data {
            let hopeless = open.missing > open.parity && !self.reorders;
            if hopeless && !self.reported {
                let frame = open.frame;
                self.reported = true;
                self.lost(frame, sink);
            }
            return;
        }
        if self.reported {
            // The prediction was wrong: packets of this stream overtake each other.
            self.reorders = true;
        }
        let missing = u32::from(data - open.received_data);
        let (frame, status) = (open.frame, open.status());
        if missing > 0 {
            sink(BlockEvent::Status(status));
            if !self.repair() {
                self.skip_past(frame, sink);
                return;
            }
            self.counts.recovered_packets += u64::from(missing);
            self.frame_recovered += missing;
        }
        if !self.join() {
            self.skip_past(frame, sink);
            return;
        }
        self.advance(now, sink);
    }

    fn repair(&mut self) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        // Parity without data shards beyond 255 was refused when the block was opened.
        let (Ok(data), Ok(parity)) = (u8::try_from(open.data), u8::try_from(open.parity)) else {
            return false;
        };
        let mut block = fec::Block {
            bytes: &mut self.shards,
            stride: self.stride,
            data,
            present: &open.present,
        };
        fec::recover(&mut block, Matrix::Cauchy { parity }).is_ok()
    }

    /// Appends the block's payloads to the frame; whether the block is sound.
    fn join(&mut self) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let mut previous: Option<u32> = None;
        let mut found = None;
        let mut last_len = 0;
        for at in 0..usize::from(open.data) {
            let shard = &self.shards[at * self.stride..(at + 1) * self.stride];
            let index = u32::from_le_bytes([0, shard[17], shard[18], shard[19]]) >> 8;
            if previous.is_some_and(|previous| (previous + 1) & 0xff_ffff != index) {
                found = Some(Violation::StreamIndex);
            }
            previous = Some(index);
            let (first, last) = (at == 0, at + 1 == usize::from(open.data));
            let edges = if first { FLAG_START } else { 0 } | if last { FLAG_END } else { 0 };
            if shard[24] & !FLAG_PICTURE != edges {
                found = Some(Violation::Flags);
            }
            last_len = shard.len() - HEADER_LEN;
            if self.frame.is_empty() {
                self.first_packet_len = last_len;
            }
            self.frame.extend_from_slice(&shard[HEADER_LEN..]);
        }
        self.frame_packets += u32::from(open.data);
        debug_assert!(last_len <= self.frame.len());
        if let Some(violation) = found {
            self.violate(violation);
        }
        found.is_none()
    }

    fn advance(&mut self, now: MonoTime, sink: &mut dyn FnMut(BlockEvent<'_>)) {
        let Some(open) = &self.open else {
            return;
        };
        let (block, last_block) = (open.block, open.last_block);
        let (timestamp, long_term) = (open.timestamp, open.long_term);
        self.close();
        if block < last_block {
            self.next_block = block + 1;
            return;
        }
        sink(BlockEvent::Frame(RawFrame {
            index: self.current,
            timestamp,
            payload: &self.frame,
            first_packet_len: self.first_packet_len,
            last_packet_len: self.stride - HEADER_LEN,
            first_at: self.first_at,
            complete_at: now,
            packets: self.frame_packets,
            recovered: self.frame_recovered,
            long_term,
        }));
        self.frame.clear();
        self.current = self.current.wrapping_add(1);
        self.next_block = 0;
        self.reported = false;
    }
}

impl Open {
    fn status(&self) -> BlockStatus {
        let first_hole = self.present.iter().position(|&present| !present);
        let contiguous = first_hole.unwrap_or(self.present.len());
        BlockStatus {
            frame: self.frame,
            highest: self.highest,
            // A block has at most 1023 shards with its parity within 255.
            next_contiguous: self.base.wrapping_add(contiguous as u16),
            missing: self.missing,
            data: self.data,
            parity: self.parity,
            received_data: self.received_data,
            received_parity: self.received_parity,
            percent: self.percent,
            block: self.block,
            blocks: self.last_block + 1,
        }
    }
}
