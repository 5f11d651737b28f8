//! Audio from datagrams to Opus packets, as a pure function of packets: blocks of four with two of
//! parity, decryption, and what could not be had (RtpAudioQueue.c, AudioStream.c). It does not decode.

use crate::crypto::AudioKey;
use crate::fec::{self, Matrix};

const RTP_LEN: usize = 12;
const PARITY_HEADER_LEN: usize = 12;
const DATA: usize = 4;
const PARITY: usize = 2;
/// Largest packet clients take (AudioStream.c).
const MAX_PACKET: usize = 1400;
const TYPE_AUDIO: u8 = 97;
const TYPE_PARITY: u8 = 127;

/// What the queue counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioCounts {
    /// Data packets.
    pub packets: u64,
    /// Parity packets.
    pub parity: u64,
    /// Data packets that were recovered.
    pub recovered: u64,
    /// Data packets that could not be had.
    pub lost: u64,
    /// Packets that are not what they should be.
    pub malformed: u64,
    /// Packets that do not decrypt.
    pub not_authentic: u64,
    /// Packets whose size differs from the others of their block: clients switch recovery off for good.
    pub size_changes: u64,
    /// Packets for what was over already.
    pub late: u64,
}

#[derive(Debug)]
struct Block {
    base: u16,
    size: usize,
    bytes: Vec<u8>,
    present: [bool; DATA + PARITY],
    /// How many of the data packets have been handed on.
    delivered: usize,
}

/// Collects the packets of one stream.
#[derive(Debug)]
pub struct AudioQueue {
    key: Option<AudioKey>,
    block: Option<Block>,
    next_base: Option<u16>,
    spare: Vec<u8>,
    text: Vec<u8>,
    counts: AudioCounts,
}

impl AudioQueue {
    /// For a stream that is sealed with `key`, or plain.
    #[must_use]
    pub fn new(key: Option<AudioKey>) -> Self {
        Self {
            key,
            block: None,
            next_base: None,
            spare: Vec::new(),
            text: Vec::new(),
            counts: AudioCounts::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn counts(&self) -> AudioCounts {
        self.counts
    }

    /// Takes a datagram; `sink` gets each Opus packet in order, or nothing where one is missing.
    pub fn push(&mut self, datagram: &[u8], sink: &mut dyn FnMut(Option<&[u8]>)) {
        let Some((base, at, payload)) = read(datagram) else {
            self.counts.malformed += 1;
            return;
        };
        if at < DATA {
            self.counts.packets += 1;
        } else {
            self.counts.parity += 1;
        }
        let behind = |next: u16| base.wrapping_sub(next).cast_signed() < 0;
        if self.next_base.is_some_and(behind) {
            self.counts.late += u64::from(at < DATA);
            return;
        }
        if self.block.as_ref().is_some_and(|block| block.base != base) {
            // A later block has begun: what is missing of this one is not awaited any longer.
            self.finish(sink);
        }
        if let Some(next) = self.next_base {
            self.skip(next, base, sink);
        }
        let mut block = self
            .block
            .take()
            .unwrap_or_else(|| self.begin(base, payload.len()));
        if block.size != payload.len() {
            self.counts.size_changes += 1;
            self.block = Some(block);
            return;
        }
        if !block.present[at] {
            block.present[at] = true;
            block.bytes[at * block.size..][..block.size].copy_from_slice(payload);
        }
        self.recover(&mut block);
        self.deliver(&mut block, sink);
        if block.delivered == DATA {
            self.end(block);
        } else {
            self.block = Some(block);
        }
    }

    fn begin(&mut self, base: u16, size: usize) -> Block {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        bytes.resize((DATA + PARITY) * size, 0);
        self.next_base = Some(base);
        Block {
            base,
            size,
            bytes,
            present: [false; DATA + PARITY],
            delivered: 0,
        }
    }

    fn end(&mut self, block: Block) {
        self.next_base = Some(block.base.wrapping_add(DATA as u16));
        self.spare = block.bytes;
    }

    /// Whole blocks that never came.
    fn skip(&mut self, next: u16, base: u16, sink: &mut dyn FnMut(Option<&[u8]>)) {
        let packets = base.wrapping_sub(next);
        self.counts.lost += u64::from(packets);
        for _ in 0..packets.min(64) {
            sink(None);
        }
        self.next_base = Some(base);
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Option<&[u8]>)) {
        let Some(mut block) = self.block.take() else {
            return;
        };
        while block.delivered < DATA {
            if block.present[block.delivered] {
                self.deliver(&mut block, sink);
            } else {
                self.counts.lost += 1;
                block.delivered += 1;
                sink(None);
            }
        }
        self.end(block);
    }

    fn recover(&mut self, block: &mut Block) {
        let have = block.present.iter().filter(|&&present| present).count();
        let missing = block.present[..DATA]
            .iter()
            .filter(|&&present| !present)
            .count();
        if missing == 0 || have < DATA {
            return;
        }
        let present = block.present;
        let mut shards = fec::Block {
            bytes: &mut block.bytes,
            stride: block.size,
            data: DATA as u8,
            present: &present,
        };
        if fec::recover(&mut shards, Matrix::Audio).is_ok() {
            self.counts.recovered += missing as u64;
            block.present[..DATA].fill(true);
        }
    }

    /// Hands on what is next and there.
    fn deliver(&mut self, block: &mut Block, sink: &mut dyn FnMut(Option<&[u8]>)) {
        while block.delivered < DATA && block.present[block.delivered] {
            let at = block.delivered;
            block.delivered += 1;
            let payload = &block.bytes[at * block.size..][..block.size];
            let Some(key) = &self.key else {
                sink(Some(payload));
                continue;
            };
            self.text.clear();
            self.text.extend_from_slice(payload);
            let sequence = block.base.wrapping_add(at as u16);
            match key.open(sequence, &mut self.text) {
                Ok(opus) => sink(Some(opus)),
                Err(_) => {
                    self.counts.not_authentic += 1;
                    sink(None);
                }
            }
        }
    }
}

/// The block a datagram belongs to, its place there, and what it carries.
fn read(datagram: &[u8]) -> Option<(u16, usize, &[u8])> {
    if datagram.len() > MAX_PACKET {
        return None;
    }
    let (rtp, rest) = datagram.split_at_checked(RTP_LEN)?;
    let sequence = u16::from_be_bytes([rtp[2], rtp[3]]);
    let (base, at, payload) = match rtp[1] {
        TYPE_AUDIO => (sequence & !3, usize::from(sequence & 3), rest),
        TYPE_PARITY => {
            let (header, parity) = rest.split_at_checked(PARITY_HEADER_LEN)?;
            let base = u16::from_be_bytes([header[2], header[3]]);
            let sound = usize::from(header[0]) < PARITY && base & 3 == 0;
            sound.then_some((base, DATA + usize::from(header[0]), parity))?
        }
        _ => return None,
    };
    (rtp[0] & 0xc0 == 0x80 && !payload.is_empty()).then_some((base, at, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{audio_iv, seal_audio};
    use crate::fec::parity_of;
    use proptest::prelude::*;

    const KEY: [u8; 16] = [4; 16];
    const KEY_ID: u32 = 0xffff_fff0;

    /// Six datagrams a block, as a host sends them.
    fn stream(blocks: u16, sealed: bool) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for block in 0..blocks {
            let base = 65_528u16.wrapping_add(block * 4);
            let payload = |at: u16| {
                let sequence = base.wrapping_add(at);
                let opus = [sequence.to_be_bytes(); 10].concat();
                let iv = audio_iv(KEY_ID, sequence);
                if sealed {
                    seal_audio(&KEY, iv, &opus).unwrap()
                } else {
                    opus
                }
            };
            let data: Vec<Vec<u8>> = (0..4).map(payload).collect();
            for (at, data) in (0u16..).zip(&data) {
                let sequence = base.wrapping_add(at).to_be_bytes();
                let rtp = [0x80, 97, sequence[0], sequence[1], 0, 0, 0, 0, 0, 0, 0, 0];
                out.push([&rtp[..], data].concat());
            }
            for (at, parity) in (0u8..).zip(parity_of(&data, 2, Matrix::Audio)) {
                let base = base.to_be_bytes();
                let rtp = [0x80, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                let header = [at, 97, base[0], base[1], 0, 0, 0, 0, 0, 0, 0, 0];
                out.push([&rtp[..], &header, &parity].concat());
            }
        }
        out
    }

    fn play(datagrams: &[Vec<u8>], sealed: bool) -> (Vec<Option<u16>>, AudioCounts) {
        let key = sealed.then(|| AudioKey::new(&KEY, KEY_ID).unwrap());
        let mut queue = AudioQueue::new(key);
        let mut heard = Vec::new();
        for datagram in datagrams {
            queue.push(datagram, &mut |opus| {
                heard.push(opus.map(|opus| u16::from_be_bytes([opus[0], opus[1]])));
            });
        }
        (heard, queue.counts())
    }

    #[test]
    fn every_packet_is_heard_in_order_across_the_wrap() {
        for sealed in [false, true] {
            let (heard, counts) = play(&stream(4, sealed), sealed);
            let all: Vec<_> = (0..16).map(|at| Some(65_528u16.wrapping_add(at))).collect();
            assert_eq!(heard, all);
            assert_eq!((counts.packets, counts.parity, counts.lost), (16, 8, 0));
        }
    }

    #[test]
    fn two_losses_in_a_block_are_recovered_and_three_are_told() {
        let mut datagrams = stream(3, true);
        datagrams.drain(7..9);
        let (heard, counts) = play(&datagrams, true);
        assert_eq!((heard.len(), counts.recovered, counts.lost), (12, 2, 0));
        assert!(heard.iter().all(Option::is_some));
        let mut datagrams = stream(3, true);
        datagrams.drain(7..10);
        let (heard, counts) = play(&datagrams, true);
        assert_eq!((heard.len(), counts.recovered, counts.lost), (12, 0, 3));
        assert_eq!(
            heard[4..9].iter().filter(|heard| heard.is_none()).count(),
            3
        );
    }

    #[test]
    fn a_block_that_never_came_is_counted() {
        let mut datagrams = stream(3, false);
        datagrams.drain(6..12);
        let (heard, counts) = play(&datagrams, false);
        assert_eq!((heard.len(), counts.lost), (12, 4));
    }

    #[test]
    fn packets_of_another_size_are_told() {
        let mut datagrams = stream(1, false);
        datagrams[2].push(0);
        let (_, counts) = play(&datagrams, false);
        assert_eq!((counts.size_changes, counts.recovered), (1, 1));
    }

    proptest! {
        #[test]
        fn any_order_and_any_loss_end_quietly(picks in proptest::collection::vec(0usize..60, 0..120)) {
            let all = stream(10, true);
            let datagrams: Vec<_> = picks.iter().map(|&at| all[at].clone()).collect();
            let (heard, _) = play(&datagrams, true);
            let heard: Vec<u16> = heard.into_iter().flatten().collect();
            let ordered = heard.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]).cast_signed() > 0);
            prop_assert!(ordered);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut queue = AudioQueue::new(None);
            queue.push(&bytes, &mut |_| {});
            let mut parity = vec![0x80, 127];
            parity.extend(bytes);
            queue.push(&parity, &mut |_| {});
        }
    }
}
