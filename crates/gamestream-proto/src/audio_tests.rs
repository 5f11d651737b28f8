//! Packets against a client that repairs blocks after RtpAudioQueue.c and decrypts after AudioStream.c.

use aws_lc_rs::cipher::{DecryptionContext, PaddedBlockDecryptingKey};
use proptest::prelude::*;

use super::*;
use crate::test_field::Field;

const KEY: AudioKey = AudioKey {
    key: *b"sixteen bytes !!",
    key_id: 0xffff_fffe,
};
const MATRIX: [[u8; 4]; 2] = [[0x77, 0x40, 0x38, 0x0e], [0xc7, 0xa7, 0x0d, 0x6c]];
const FRAME_MS: u32 = 5;

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// One block of a client, and what its header says.
#[derive(Debug, Default)]
struct ClientBlock {
    base: Option<(u16, u32)>,
    shards: [Option<Vec<u8>>; 6],
}

impl ClientBlock {
    fn receive(&mut self, packet: &[u8]) {
        assert_eq!((packet[0], be32(packet, 8)), (0x80, 0));
        let (base, place, payload) = match packet[1] {
            97 => {
                let sequence = be16(packet, 2);
                let base = sequence / 4 * 4;
                let since_base = u32::from(sequence - base) * FRAME_MS;
                let timestamp = be32(packet, 4).wrapping_sub(since_base);
                ((base, timestamp), usize::from(sequence % 4), &packet[12..])
            }
            127 => {
                assert_eq!((be32(packet, 4), packet[13], be32(packet, 20)), (0, 97, 0));
                let base = (be16(packet, 14), be32(packet, 16));
                assert_eq!(base.0 % 4, 0, "blocks begin at multiples of four");
                let index = packet[12];
                let sequence = base.0.wrapping_add(4 + u16::from(index));
                assert_eq!(be16(packet, 2), sequence);
                (base, 4 + usize::from(index), &packet[24..])
            }
            other => panic!("payload type {other}"),
        };
        assert_eq!(*self.base.get_or_insert(base), base);
        let before = self.shards[place].replace(payload.to_vec());
        assert!(before.is_none(), "a duplicate");
        let mut sizes = self.shards.iter().flatten().map(Vec::len);
        let first = sizes.next();
        assert!(sizes.all(|size| Some(size) == first), "one size a block");
    }

    /// The four Opus frames, decrypted.
    fn frames(mut self, key: Option<&AudioKey>) -> Vec<Vec<u8>> {
        Field::new().repair_with(&mut self.shards, 4, |row, column| MATRIX[row][column]);
        let (base, _) = self.base.unwrap();
        let data = (0..4).zip(self.shards.into_iter().take(4).flatten());
        data.map(|(place, payload)| match key {
            Some(key) => open(key, base + place, payload),
            None => payload,
        })
        .collect()
    }
}

fn open(key: &AudioKey, sequence: u16, mut payload: Vec<u8>) -> Vec<u8> {
    let mut vector = [0; 16];
    let number = u64::from(key.key_id) + u64::from(sequence);
    vector[..4].copy_from_slice(&(number as u32).to_be_bytes());
    let unbound = UnboundCipherKey::new(&AES_128, &key.key).unwrap();
    let opener = PaddedBlockDecryptingKey::cbc_pkcs7(unbound).unwrap();
    let context = DecryptionContext::Iv128(FixedLength::from(vector));
    opener.decrypt(&mut payload, context).unwrap().to_vec()
}

fn opus(number: usize, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|i| (i * 31 + number * 97 + i * i / 7) as u8)
        .collect()
}

fn packets_of(host: &mut AudioPacketiser, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut batch = PacketBatch::default();
    let mut packets = Vec::new();
    for frame in frames {
        host.packetise(frame, &mut batch).unwrap();
        packets.extend(batch.iter().map(<[u8]>::to_vec));
    }
    packets
}

proptest! {
    #[test]
    fn any_two_of_six_packets_may_be_lost(
        bytes in 1..=MAX_PAYLOAD - 1,
        encrypted in any::<bool>(),
        lost in (0..6usize, 0..6usize),
    ) {
        let key = encrypted.then_some(&KEY);
        let mut host = AudioPacketiser::new(FRAME_MS as u8, key).unwrap();
        for block in 0..2 {
            let frames: Vec<_> = (0..4).map(|i| opus(block * 4 + i, bytes)).collect();
            let packets = packets_of(&mut host, &frames);
            prop_assert_eq!(packets.len(), 6);
            let mut client = ClientBlock::default();
            for (index, packet) in packets.iter().enumerate() {
                prop_assert!(packet.len() <= MAX_DATAGRAM);
                if index != lost.0 && index != lost.1 {
                    client.receive(packet);
                }
            }
            prop_assert_eq!(client.frames(key), frames);
        }
    }
}

#[test]
fn sequence_numbers_and_timestamps_wrap() {
    let mut host = AudioPacketiser::new(FRAME_MS as u8, Some(&KEY)).unwrap();
    host.sequence = 65_532;
    host.timestamp_ms = u32::MAX - 21;
    for block in 0..2 {
        let frames: Vec<_> = (0..4).map(|i| opus(block * 4 + i, 60)).collect();
        let packets = packets_of(&mut host, &frames);
        let mut client = ClientBlock::default();
        packets[2..]
            .iter()
            .for_each(|packet| client.receive(packet));
        assert_eq!(client.frames(Some(&KEY)), frames);
    }
    assert_eq!((host.sequence, host.timestamp_ms), (4, 18));
}

#[test]
fn parity_follows_every_fourth_packet() {
    let mut host = AudioPacketiser::new(10, None).unwrap();
    let frames: Vec<_> = (0..9).map(|i| opus(i, 120)).collect();
    let types: Vec<u8> = packets_of(&mut host, &frames)
        .iter()
        .map(|p| p[1])
        .collect();
    let (data, block) = (97, [97, 97, 97, 97, 127, 127]);
    assert_eq!(types, [&block[..], &block, &[data]].concat());
    assert_eq!((host.sequence, host.timestamp_ms), (9, 90));
}

#[test]
fn a_block_with_frames_of_two_sizes_has_no_parity() {
    let mut host = AudioPacketiser::new(5, None).unwrap();
    let frames = [60, 60, 61, 60, 60, 60, 60, 60].map(|bytes| opus(1, bytes));
    assert_eq!(packets_of(&mut host, &frames[..4]).len(), 4);
    assert_eq!(packets_of(&mut host, &frames[4..]).len(), 6);
}

#[test]
fn frames_that_clients_cannot_take_are_refused_and_cost_no_number() {
    let mut batch = PacketBatch::default();
    for (key, most) in [(None, 1376), (Some(&KEY), 1375)] {
        let mut host = AudioPacketiser::new(5, key).unwrap();
        assert_eq!(host.max_frame_bytes(), most);
        let too_large = PacketError::AudioTooLarge {
            bytes: most + 1,
            most,
        };
        let refused = host.packetise(&opus(0, most + 1), &mut batch);
        assert_eq!(refused, Err(too_large));
        assert_eq!(
            host.packetise(&[], &mut batch),
            Err(PacketError::EmptyFrame)
        );
        assert!(batch.is_empty());
        let frames: Vec<_> = (0..4).map(|i| opus(i, most)).collect();
        let packets = packets_of(&mut host, &frames);
        assert!(packets.iter().all(|packet| packet.len() <= MAX_DATAGRAM));
        let mut client = ClientBlock::default();
        packets[..4]
            .iter()
            .for_each(|packet| client.receive(packet));
        assert_eq!(client.base, Some((0, 0)));
    }
}
