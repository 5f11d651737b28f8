//! Packets against a client that was written after the rules of the real one.

mod client;

use media::Rtp90k;
use proptest::prelude::*;

use super::*;
use crate::packet_error::PacketError;
use client::{Client, Header, Picture};

const KEY: [u8; 16] = *b"sixteen bytes !!";

/// Bytes that look random, and are not.
fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = (0..count.div_ceil(8)).flat_map(|_| next().to_le_bytes());
    words.take(count).collect()
}

/// A host and its client.
struct Stream {
    host: VideoPacketiser,
    client: Client,
    batch: VideoBatch,
}

impl Stream {
    fn new(packet_size: usize, percent: u8, key: Option<[u8; 16]>) -> Self {
        let settings = VideoSettings {
            packet_size,
            protection: Protection::new(percent, 2),
        };
        Self {
            host: VideoPacketiser::new(settings, key.as_ref()).unwrap(),
            client: Client::new(packet_size, key),
            batch: VideoBatch::new(),
        }
    }

    /// Starts both at this packet and this frame.
    fn from(mut self, packet: u32, frame: u32) -> Self {
        self.host.next_packet = packet;
        self.client = self.client.before(packet, frame);
        self
    }

    /// Sends a frame; `lost` gets the headers of each packet.
    fn send(&mut self, frame: &VideoFrame<'_>, mut lost: impl FnMut(Header) -> bool) {
        self.host.packetise(frame, &mut self.batch).unwrap();
        assert_eq!(
            self.batch.bytes().len(),
            self.batch.len() * self.batch.stride()
        );
        for datagram in self.batch.iter() {
            if !lost(Header::read(&self.client.open(datagram))) {
                self.client.receive(datagram);
            }
        }
    }

    /// Sends a frame that the client must get.
    fn deliver(&mut self, frame: &VideoFrame<'_>, lost: impl FnMut(Header) -> bool) {
        let before = self.client.pictures.len();
        self.send(frame, lost);
        let picture = &self.client.pictures[before..];
        assert!(
            picture == [expected(frame)],
            "frame {} is not what was sent",
            frame.number
        );
    }
}

fn frame(number: u32, data: &[u8]) -> VideoFrame<'_> {
    VideoFrame {
        number,
        picture: PictureType::Predicted,
        timestamp: Rtp90k(number.wrapping_mul(1500)),
        host_latency_tenth_ms: 123,
        long_term: false,
        data,
    }
}

fn expected(frame: &VideoFrame<'_>) -> Picture {
    Picture {
        number: frame.number,
        code: match frame.picture {
            PictureType::Predicted => 1,
            PictureType::Idr => 2,
            PictureType::IntraRefresh => 4,
            PictureType::PredictedAfterLoss => 5,
        },
        host_latency: frame.host_latency_tenth_ms,
        timestamp: frame.timestamp.0,
        long_term: frame.long_term,
        data: frame.data.to_vec(),
    }
}

/// Loses, in each block, as many packets as it has parity, wherever `seed` says.
fn within_parity(seed: u64) -> impl FnMut(Header) -> bool {
    let mut state = seed | 1;
    let mut block = (0, 0);
    let (mut left, mut to_lose) = (0, 0);
    move |header| {
        if left == 0 || block != (header.frame_index, header.block) {
            block = (header.frame_index, header.block);
            left = header.data + header.parity();
            to_lose = header.parity();
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        let lost = (state >> 33) as usize % left < to_lose;
        to_lose -= usize::from(lost);
        left -= 1;
        lost
    }
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1..4_000usize,
        4 => 4_000..100_000usize,
        1 => 100_000..1_000_000usize,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_frame_survives_any_loss_within_its_parity(
        lengths in proptest::collection::vec(sizes(), 1..4),
        packet_size in 480..=1456usize,
        percent in 0..=110u8,
        encrypted in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut stream = Stream::new(packet_size, percent, encrypted.then_some(KEY));
        for (number, length) in (1..).zip(lengths) {
            let data = bytes(length, seed ^ u64::from(number));
            stream.deliver(&frame(number, &data), within_parity(seed));
        }
    }
}

#[test]
fn every_block_size_around_the_largest_is_repaired() {
    for packets in 121..=213 {
        let mut stream = Stream::new(480, 20, None);
        let data = bytes(packets * 464 - 8, packets as u64);
        let mut lost = 0;
        stream.deliver(&frame(1, &data), |header| {
            lost += usize::from(header.shard < header.parity());
            header.shard < header.parity()
        });
        assert_eq!(stream.client.repaired, lost);
        assert!(lost >= packets / 5, "{packets} packets");
    }
}

#[test]
fn frames_of_200_kb_are_repaired_in_two_three_and_four_blocks() {
    let data = bytes(200_000, 7);
    for (packet_size, percent, blocks) in [(1392, 100, 2), (480, 20, 3), (480, 80, 4)] {
        let mut stream = Stream::new(packet_size, percent, None);
        let mut last_block = 0;
        let mut lose = within_parity(3);
        stream.deliver(&frame(1, &data), |header| {
            last_block = header.last_block;
            lose(header)
        });
        assert_eq!(last_block + 1, blocks);
        assert!(stream.client.repaired > 0);
    }
}

#[test]
fn what_is_told_about_a_picture_arrives() {
    let mut stream = Stream::new(1024, 20, None);
    let data = bytes(5_000, 1);
    let pictures = [
        PictureType::Idr,
        PictureType::Predicted,
        PictureType::IntraRefresh,
        PictureType::PredictedAfterLoss,
    ];
    for (number, picture) in (1..).zip(pictures) {
        let frame = VideoFrame {
            picture,
            long_term: number == 2,
            host_latency_tenth_ms: number as u16 * 1000,
            ..frame(number, &data)
        };
        stream.deliver(&frame, |_| false);
    }
}

#[test]
fn the_smallest_frame_survives_the_loss_of_all_but_one_packet() {
    for kept in 0..3 {
        let mut stream = Stream::new(1392, 20, None);
        stream.deliver(&frame(1, b"x"), |header| header.shard != kept);
        assert_eq!(stream.batch.len(), 3);
    }
}

#[test]
fn sequence_numbers_packet_indices_and_timestamps_wrap() {
    for start in [0xfff0, 0xff_fff0, u32::MAX - 15] {
        let mut stream = Stream::new(480, 50, Some(KEY)).from(start, u32::MAX - 1);
        for (step, number) in [u32::MAX - 1, u32::MAX, 0, 1].into_iter().enumerate() {
            let data = bytes(4_000, step as u64);
            let frame = VideoFrame {
                timestamp: Rtp90k(u32::MAX - 2_000).wrapping_step(step as u32),
                ..frame(number, &data)
            };
            stream.deliver(&frame, within_parity(step as u64));
        }
        assert!(stream.host.next_packet.wrapping_sub(start) > 16);
    }
}

/// Steps of a frame at 60 a second.
trait WrappingStep {
    fn wrapping_step(self, frames: u32) -> Self;
}

impl WrappingStep for Rtp90k {
    fn wrapping_step(self, frames: u32) -> Self {
        Self(self.0.wrapping_add(frames * 1500))
    }
}

/// Digests (FNV-1a) of packets that were put together apart from this code, in the order of Sunshine's
/// `videoBroadcastThread`, with parity of nanors.
#[test]
fn every_byte_of_a_frame_is_where_clients_expect_it() {
    let whole = [
        (1392, 25_000, PictureType::Predicted, 0xbcb7_baac_a9c5_96aa),
        (
            1024,
            5,
            PictureType::PredictedAfterLoss,
            0x4f14_7cc3_8364_5104,
        ),
        (480, 300_000, PictureType::Idr, 0x5cd3_eab5_a337_1696_u64),
    ];
    for (case, (packet_size, length, picture, digest)) in (0..).zip(whole) {
        let mut stream = Stream::new(packet_size, 20, None).from(0xfff0, 1);
        let data = bytes(length, 77 + u64::from(case));
        let frame = VideoFrame {
            picture,
            timestamp: Rtp90k(0xfffe_fdfc),
            host_latency_tenth_ms: 0x3039,
            long_term: case == 1,
            ..frame(0x0102_0304 + case, &data)
        };
        stream.host.packetise(&frame, &mut stream.batch).unwrap();
        let step =
            |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let made = stream
            .batch
            .bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, step);
        assert_eq!(made, digest, "{length} bytes: {made:#x}");
    }
}

#[test]
fn sequence_numbers_run_on_over_parity_and_frames() {
    let mut stream = Stream::new(480, 20, None);
    let data = bytes(150_000, 5);
    let mut next = 0;
    for number in 1..=2 {
        stream.send(&frame(number, &data), |header| {
            assert_eq!(u32::from(header.sequence), next);
            if header.shard < header.data {
                assert_eq!(header.packet_index, next);
            }
            next += 1;
            false
        });
    }
    assert_eq!(stream.host.next_packet, next);
}

#[test]
fn data_comes_before_parity_and_blocks_in_order() {
    let mut stream = Stream::new(480, 20, None);
    let data = bytes(300_000, 5);
    let mut order = Vec::new();
    stream.send(&frame(1, &data), |header| {
        order.push((header.block, header.shard));
        false
    });
    assert!(order.is_sorted() && order.last().unwrap().0 == 3);
    assert_eq!(order.len(), stream.batch.len());
    let parity = stream.batch.parity_len();
    assert_eq!(stream.batch.len() - parity, 300_008usize.div_ceil(464));
}

#[test]
fn a_frame_with_more_lost_than_its_parity_is_lost_alone() {
    let mut stream = Stream::new(1024, 20, None);
    let data = bytes(20_000, 2);
    stream.deliver(&frame(1, &data), |_| false);
    stream.send(&frame(2, &data), |header| header.shard <= header.parity());
    assert_eq!(stream.client.pictures.len(), 1);
    stream.deliver(&frame(3, &data), |_| false);
    assert_eq!(stream.client.repaired, 0);
}

#[test]
fn a_frame_that_no_header_can_count_is_refused_and_the_stream_goes_on() {
    let mut stream = Stream::new(480, 20, None);
    let most = stream.host.max_frame_bytes();
    assert_eq!(most, 4 * 1023 * 464 - 8);
    let data = bytes(most + 1, 9);
    stream.deliver(&frame(1, &data[..10_000]), |_| false);
    let refused = stream.host.packetise(&frame(2, &data), &mut stream.batch);
    let too_large = PacketError::FrameTooLarge {
        bytes: most + 1,
        most,
    };
    assert_eq!(refused, Err(too_large));
    assert!(stream.batch.is_empty() && stream.batch.bytes().is_empty());
    stream.deliver(&frame(3, &data[..most]), |_| false);
    assert_eq!(stream.batch.parity_len(), 0);
    let refused = stream.host.packetise(&frame(4, &[]), &mut stream.batch);
    assert_eq!(refused, Err(PacketError::EmptyFrame));
}

#[test]
fn the_percentage_changes_between_frames() {
    let mut stream = Stream::new(1024, 20, None);
    let data = bytes(50_000, 4);
    for (number, percent) in (1..).zip([20, 50, 0, 35]) {
        let protection = stream.host.protection().with_percent(percent);
        stream.host.set_protection(protection);
        stream.deliver(&frame(number, &data), within_parity(8));
        let announced = usize::from(percent);
        assert_eq!(stream.batch.parity_len(), (50 * announced).div_ceil(100));
    }
}

#[test]
fn encrypted_packets_never_share_a_nonce() {
    let mut stream = Stream::new(480, 20, Some(KEY));
    let data = bytes(100_000, 3);
    let mut nonces = std::collections::BTreeSet::new();
    let mut packets = 0;
    for number in 1..=3 {
        stream.deliver(&frame(number, &data), |_| false);
        for datagram in stream.batch.iter() {
            assert_eq!((datagram.len(), datagram[11]), (480 + 16 + 32, b'V'));
            nonces.insert(datagram[..12].to_vec());
            packets += 1;
        }
    }
    assert_eq!(nonces.len(), packets);
}

#[test]
fn nothing_of_an_earlier_picture_is_left_in_the_padding() {
    let mut stream = Stream::new(1024, 20, None);
    stream.deliver(&frame(1, &vec![0xff; 50_000]), |_| false);
    stream.deliver(&frame(2, b"short"), |header| header.shard == 0);
    assert_eq!(stream.client.repaired, 1);
}

#[test]
fn packet_sizes_that_cannot_be_sent_are_refused() {
    let protection = Protection::new(20, 2);
    for (packet_size, possible) in [(199, false), (200, true), (65_456, true), (65_457, false)] {
        let settings = VideoSettings {
            packet_size,
            protection,
        };
        let made = VideoPacketiser::new(settings, None);
        assert_eq!(made.is_ok(), possible, "{packet_size}");
    }
    let mut stream = Stream::new(65_456, 20, Some(KEY));
    stream.deliver(&frame(1, &bytes(300_000, 1)), within_parity(1));
    assert!(stream.batch.stride() <= 65_507);
}
