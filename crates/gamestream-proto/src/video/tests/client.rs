//! A client as far as video packets go, after RtpVideoQueue.c and VideoDepacketizer.c: what it
//! rejects is rejected here, what it asserts is asserted, and it repairs and joins what it gets.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::test_field::Field;

const CONTAINS_PICTURE: u8 = 1;
const END: u8 = 2;
const START: u8 = 4;

/// A picture as it comes out of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) number: u32,
    pub(super) code: u8,
    pub(super) host_latency: u16,
    pub(super) timestamp: u32,
    pub(super) long_term: bool,
    pub(super) data: Vec<u8>,
}

/// The headers of one packet, decrypted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) packet_index: u32,
    pub(super) frame_index: u32,
    pub(super) flags: u8,
    extra_flags: u8,
    pub(super) block: u8,
    pub(super) last_block: u8,
    pub(super) shard: usize,
    pub(super) data: usize,
    pub(super) percent: usize,
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

impl Header {
    pub(super) fn read(packet: &[u8]) -> Self {
        assert_eq!(packet[0] & 0x10, 0x10, "extension");
        assert_eq!(packet[8..16], [0; 8], "source and reserved bytes");
        let info = le32(packet, 28);
        Self {
            sequence: be16(packet, 2),
            timestamp: u32::from_be_bytes(packet[4..8].try_into().expect("four bytes")),
            packet_index: le32(packet, 16) >> 8,
            frame_index: le32(packet, 20),
            flags: packet[24],
            extra_flags: packet[25],
            block: packet[27] >> 4 & 3,
            last_block: packet[27] >> 6 & 3,
            shard: ((info & 0x3f_f000) >> 12) as usize,
            data: (info >> 22) as usize,
            percent: ((info & 0xff0) >> 4) as usize,
        }
    }

    /// As the client counts them.
    #[allow(clippy::manual_div_ceil, reason = "the client's own words")]
    pub(super) fn parity(&self) -> usize {
        (self.data * self.percent + 99) / 100
    }
}

/// Whether `a` comes before `b`, around the wrap.
fn before16(a: u16, b: u16) -> bool {
    a.wrapping_sub(b) > u16::MAX / 2
}

/// The block that is being received.
#[derive(Debug)]
struct Block {
    lowest: u16,
    first: Header,
    shards: Vec<Option<Vec<u8>>>,
}

#[derive(Debug)]
pub(super) struct Client {
    field: Field,
    packet_size: usize,
    key: Option<[u8; 16]>,
    frame: u32,
    block_number: u8,
    block: Option<Block>,
    next_sequence: u16,
    complete: Vec<Vec<u8>>,
    last_packet_index: u32,
    pub(super) pictures: Vec<Picture>,
    pub(super) repaired: usize,
}

impl Client {
    /// A client before the first packet.
    pub(super) fn new(packet_size: usize, key: Option<[u8; 16]>) -> Self {
        Self {
            field: Field::new(),
            packet_size,
            key,
            frame: 1,
            block_number: 0,
            block: None,
            next_sequence: 0,
            complete: Vec::new(),
            last_packet_index: 0xff_ffff,
            pictures: Vec::new(),
            repaired: 0,
        }
    }

    /// A client in the middle of a stream, before the packet with this index.
    pub(super) fn before(self, packet: u32, frame: u32) -> Self {
        Self {
            frame,
            next_sequence: packet as u16,
            last_packet_index: packet.wrapping_sub(1) & 0xff_ffff,
            ..self
        }
    }

    /// What is in a datagram.
    pub(super) fn open(&self, datagram: &[u8]) -> Vec<u8> {
        let Some(key) = self.key else {
            return datagram.to_vec();
        };
        let (prefix, sealed) = datagram.split_at(32);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
        let nonce = Nonce::try_assume_unique_for_key(&prefix[..12]).expect("a nonce");
        let mut packet = [sealed, &prefix[16..32]].concat();
        let opened = key.open_in_place(nonce, Aad::empty(), &mut packet);
        let length = opened.expect("what the host sealed").len();
        packet.truncate(length);
        assert_eq!(le32(prefix, 12), Header::read(&packet).frame_index);
        packet
    }

    pub(super) fn receive(&mut self, datagram: &[u8]) {
        let packet = self.open(datagram);
        assert_eq!(packet.len(), self.packet_size + 16);
        let header = Header::read(&packet);
        if before16(header.sequence, self.next_sequence)
            || before16(header.frame_index as u16, self.frame as u16)
            || header.frame_index == self.frame && header.block < self.block_number
        {
            return;
        }
        if header.frame_index != self.frame || header.block != self.block_number {
            self.block = None;
            self.complete.clear();
            let expected = if header.frame_index == self.frame {
                self.block_number
            } else {
                0
            };
            self.frame = header.frame_index;
            self.block_number = header.block;
            if header.block != expected {
                // A block was lost, and the frame with it.
                self.frame = self.frame.wrapping_add(1);
                self.block_number = 0;
                return;
            }
        }
        let lowest = header.sequence.wrapping_sub(header.shard as u16);
        let block = self.block.get_or_insert_with(|| Block {
            lowest,
            first: header,
            shards: vec![None; header.data + header.parity()],
        });
        self.next_sequence = block.lowest;
        assert_eq!(lowest, block.lowest);
        assert_eq!(header.data, block.first.data);
        assert_eq!(header.percent, block.first.percent);
        assert_eq!(header.last_block, block.first.last_block);
        assert_eq!(header.timestamp, block.first.timestamp);
        let place = &mut block.shards[header.shard];
        assert!(place.replace(packet).is_none(), "a duplicate");
        if block.shards.iter().flatten().count() == block.first.data {
            self.finish_block();
        }
    }

    fn finish_block(&mut self) {
        let Some(Block {
            lowest,
            first,
            mut shards,
        }) = self.block.take()
        else {
            return;
        };
        let lost: Vec<bool> = shards.iter().map(Option::is_none).collect();
        if lost[..first.data].contains(&true) {
            self.field.repair(&mut shards, first.data);
        }
        for (index, shard) in shards.into_iter().take(first.data).enumerate() {
            let mut packet = shard.expect("received or repaired");
            if lost[index] {
                self.repaired += 1;
                packet[0] = 0x90;
                packet[2..4].copy_from_slice(&lowest.wrapping_add(index as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&first.timestamp.to_be_bytes());
                packet[20..24].copy_from_slice(&first.frame_index.to_le_bytes());
                packet[27] = (first.last_block << 2 | first.block) << 4;
                let flags = Header::read(&packet).flags;
                assert!(index > 0 || flags & START != 0);
                assert!(index + 1 < first.data || flags & END != 0);
                assert_eq!(flags & !(START | END), CONTAINS_PICTURE);
            }
            self.complete.push(packet);
        }
        if first.block < first.last_block {
            self.block_number += 1;
        } else {
            self.join();
            self.frame = self.frame.wrapping_add(1);
            self.block_number = 0;
        }
    }

    /// The depacketiser: what it calls a corrupt frame fails the test.
    fn join(&mut self) {
        let packets = std::mem::take(&mut self.complete);
        let mut data = Vec::new();
        let mut first_payload = None;
        let mut long_term = false;
        for (number, packet) in packets.iter().enumerate() {
            let header = Header::read(packet);
            let next = self.last_packet_index.wrapping_add(1) & 0xff_ffff;
            let ahead = header.packet_index.wrapping_sub(next) & 0xff_ffff;
            assert!(ahead <= 0xff_ffff / 2, "packet index goes back");
            assert!(
                header.flags & START != 0 || ahead == 0,
                "packet index skips"
            );
            self.last_packet_index = header.packet_index;
            let flags = header.flags & !CONTAINS_PICTURE;
            let opens = (flags == START || flags == START | END) && header.block == 0;
            let closes = flags & END != 0 && header.block == header.last_block;
            assert_eq!(opens, number == 0);
            assert_eq!(closes, number + 1 == packets.len());
            let payload = &packet[32..];
            data.extend_from_slice(payload);
            first_payload.get_or_insert((payload[..8].to_vec(), header));
            long_term = header.extra_flags & 1 != 0;
        }
        let (start, header) = first_payload.expect("a packet");
        assert_eq!((start[0], &start[6..8]), (1, &[0, 0][..]));
        let last = usize::from(u16::from_le_bytes([start[4], start[5]]));
        let payload = self.packet_size - 16;
        assert!(last > 0 && last <= payload);
        let end = data.len() - payload + last;
        assert!(data[end..].iter().all(|&byte| byte == 0), "padding");
        self.pictures.push(Picture {
            number: header.frame_index,
            code: start[3],
            host_latency: u16::from_le_bytes([start[1], start[2]]),
            timestamp: header.timestamp,
            long_term,
            data: data[8..end].to_vec(),
        });
    }
}
