//! The host's side of video for tests, written from the wire format: frames to blocks with parity to
//! packets. Tests alone use it.

use super::packet::{FLAG_END, FLAG_PICTURE, FLAG_START, HEADER_LEN};
use crate::fec::{Matrix, parity_of};

/// Makes packets of `packet_size` bytes and the RTP header.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) packet_size: usize,
    pub(crate) percent: u8,
    pub(crate) max_block: usize,
    sequence: u16,
    stream_index: u32,
}

impl Sender {
    pub(crate) fn new(packet_size: usize, percent: u8) -> Self {
        Self {
            packet_size,
            percent,
            max_block: 200,
            sequence: 65_000,
            stream_index: 0xff_fff0,
        }
    }

    /// The packets of one frame, in order.
    pub(crate) fn frame(&mut self, index: u32, kind: u8, bitstream: &[u8]) -> Vec<Vec<u8>> {
        let payload_len = self.packet_size - 16;
        let mut payload = vec![1, 0x2a, 0, kind, 0, 0, 0, 0];
        payload.extend_from_slice(bitstream);
        let last = match payload.len() % payload_len {
            0 => payload_len,
            rest => rest,
        };
        payload[4..6].copy_from_slice(&(last as u16).to_le_bytes());
        payload.resize(payload.len().next_multiple_of(payload_len), 0);
        let parts: Vec<&[u8]> = payload.chunks(payload_len).collect();
        let blocks = parts.len().div_ceil(self.max_block);
        let size = parts.len().div_ceil(blocks);
        let blocks: Vec<&[&[u8]]> = parts.chunks(size).collect();
        let count = blocks.len() as u8;
        let made = blocks.iter().zip(0u8..);
        made.flat_map(|(parts, at)| self.block(index, (at, count), parts))
            .collect()
    }

    fn block(&mut self, frame: u32, (at, count): (u8, u8), parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut shards: Vec<Vec<u8>> = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let mut shard = vec![0; HEADER_LEN];
            let mut flags = FLAG_PICTURE;
            flags |= if number == 0 { FLAG_START } else { 0 };
            flags |= if number + 1 == parts.len() {
                FLAG_END
            } else {
                0
            };
            let index = self.stream_index.wrapping_add(number as u32) << 8;
            shard[16..20].copy_from_slice(&index.to_le_bytes());
            shard[20..24].copy_from_slice(&frame.to_le_bytes());
            shard[24] = flags;
            shard[26] = 0x10;
            shard[27] = at << 4 | (count - 1) << 6;
            shard.extend_from_slice(part);
            shards.push(shard);
        }
        let parity = (parts.len() * usize::from(self.percent)).div_ceil(100) as u8;
        shards.extend(parity_of(&shards, parity, Matrix::Cauchy { parity }));
        for (number, shard) in shards.iter_mut().enumerate() {
            let sequence = self.sequence.wrapping_add(number as u16);
            shard[0] = 0x90;
            shard[2..4].copy_from_slice(&sequence.to_be_bytes());
            shard[4..8].copy_from_slice(&(frame * 1500).to_be_bytes());
            shard[20..24].copy_from_slice(&frame.to_le_bytes());
            shard[27] = at << 4 | (count - 1) << 6;
            let info =
                (number as u32) << 12 | (parts.len() as u32) << 22 | u32::from(self.percent) << 4;
            shard[28..32].copy_from_slice(&info.to_le_bytes());
        }
        self.sequence = self.sequence.wrapping_add(shards.len() as u16);
        self.stream_index = self.stream_index.wrapping_add(shards.len() as u32) & 0xff_ffff;
        shards
    }
}
