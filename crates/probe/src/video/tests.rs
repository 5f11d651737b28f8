//! Streams of whole frames through queue and gate, with loss in between.

use media::MonoTime;
use proptest::prelude::*;

use super::sender::Sender;
use super::*;
use crate::options::Codec;

/// What came out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Unit(u32, Vec<u8>),
    Invalidate(u32, u32),
    NeedKeyframe,
    Unusable(u32),
    Status(u32),
}

struct Receiver {
    queue: BlockQueue,
    gate: FrameGate,
    seen: Vec<Seen>,
}

impl Receiver {
    fn new(packet_size: usize, codec: Codec, invalidates: bool) -> Self {
        Self {
            queue: BlockQueue::new(packet_size),
            gate: FrameGate::new(codec, invalidates),
            seen: Vec::new(),
        }
    }

    fn push(&mut self, packets: &[Vec<u8>]) {
        for packet in packets {
            let (gate, seen) = (&mut self.gate, &mut self.seen);
            self.queue.push(packet, MonoTime::ZERO, &mut |event| {
                let mut note = Vec::new();
                let mut sink = |event: FrameEvent<'_>| {
                    note.push(match event {
                        FrameEvent::Unit(unit) => Seen::Unit(unit.index, unit.bitstream.to_vec()),
                        FrameEvent::Invalidate { first, last } => Seen::Invalidate(first, last),
                        FrameEvent::NeedKeyframe => Seen::NeedKeyframe,
                        FrameEvent::Unusable { index } => Seen::Unusable(index),
                    });
                };
                match event {
                    BlockEvent::Frame(raw) => gate.frame(&raw, &mut sink),
                    BlockEvent::Lost { through } => gate.lost(through, &mut sink),
                    BlockEvent::Status(status) => seen.push(Seen::Status(status.frame)),
                }
                seen.extend(note);
            });
        }
    }

    fn shown(&self) -> Vec<u32> {
        let unit = |seen: &Seen| match seen {
            Seen::Unit(index, _) => Some(*index),
            _ => None,
        };
        self.seen.iter().filter_map(unit).collect()
    }

    fn violations(&self) -> Vec<Violation> {
        let all = self
            .queue
            .violations()
            .keys()
            .chain(self.gate.violations().keys());
        all.copied().collect()
    }
}

/// A keyframe of AV1, whose header alone decides, filled with its own number.
fn bitstream(index: u32, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(index.into());
    let mut bytes: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
    // The last byte is not zero, so that trailing padding shows.
    if let Some(last) = bytes.last_mut() {
        *last |= 1;
    }
    bytes
}

const KEY: u8 = 2;
const PREDICTED: u8 = 1;
const REPAIRED: u8 = 5;

#[test]
fn frames_of_every_size_come_out_as_they_went_in() {
    let mut sender = Sender::new(128, 20);
    sender.max_block = 40;
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    let sizes = [1, 103, 104, 105, 112, 1000, 5000, 17_000];
    for (index, len) in (1u32..).zip(sizes) {
        receiver.push(&sender.frame(index, KEY, &bitstream(index, len)));
    }
    let expected = (1u32..)
        .zip(sizes)
        .map(|(index, len)| Seen::Unit(index, bitstream(index, len)));
    assert_eq!(receiver.seen, expected.collect::<Vec<_>>());
    assert_eq!(receiver.violations(), []);
}

#[test]
fn a_frame_that_lost_no_more_than_its_parity_is_repaired_and_reported() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    let mut packets = sender.frame(1, KEY, &bitstream(1, 3000));
    let parity = packets.len() - 27;
    packets.drain(3..3 + parity);
    receiver.push(&packets);
    assert_eq!(
        receiver.seen,
        [Seen::Status(1), Seen::Unit(1, bitstream(1, 3000))]
    );
    assert_eq!(receiver.queue.counts().recovered_packets, parity as u64);
}

#[test]
fn a_hopeless_frame_is_reported_before_it_ends_and_repaired_by_a_later_one() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    receiver.push(&sender.frame(1, KEY, &bitstream(1, 100)));
    let mut lost = sender.frame(2, PREDICTED, &bitstream(2, 3000));
    lost.drain(2..12);
    receiver.push(&lost[..6]);
    assert_eq!(
        receiver.seen.last(),
        Some(&Seen::Invalidate(2, 2)),
        "with most of it to come"
    );
    receiver.push(&lost[6..]);
    receiver.push(&sender.frame(3, PREDICTED, &bitstream(3, 100)));
    receiver.push(&sender.frame(4, REPAIRED, &bitstream(4, 100)));
    receiver.push(&sender.frame(5, PREDICTED, &bitstream(5, 100)));
    let expected = [Seen::Status(2), Seen::Unusable(3), Seen::Invalidate(2, 3)];
    assert_eq!(receiver.seen[2..5], expected);
    assert_eq!(receiver.shown(), [1, 4, 5]);
}

#[test]
fn a_host_that_does_not_mark_its_repair_leaves_the_picture_frozen() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    receiver.push(&sender.frame(1, KEY, &bitstream(1, 100)));
    sender.frame(2, PREDICTED, &bitstream(2, 100));
    for index in 3..200 {
        receiver.push(&sender.frame(index, PREDICTED, &bitstream(index, 100)));
    }
    assert_eq!(receiver.shown(), [1]);
    let keyframes = receiver
        .seen
        .iter()
        .filter(|&seen| *seen == Seen::NeedKeyframe);
    assert_eq!(keyframes.count(), 1, "once, after 120 frames");
}

#[test]
fn without_invalidation_a_loss_is_answered_by_a_keyframe_once_the_network_is_back() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, false);
    receiver.push(&sender.frame(1, KEY, &bitstream(1, 100)));
    sender.frame(2, PREDICTED, &bitstream(2, 100));
    receiver.push(&sender.frame(3, PREDICTED, &bitstream(3, 100)));
    receiver.push(&sender.frame(4, PREDICTED, &bitstream(4, 100)));
    receiver.push(&sender.frame(5, KEY, &bitstream(5, 100)));
    assert_eq!(receiver.shown(), [1, 5]);
    let asked: Vec<_> = receiver
        .seen
        .iter()
        .filter(|&seen| *seen == Seen::NeedKeyframe)
        .collect();
    assert_eq!(asked.len(), 1);
}

#[test]
fn a_lost_block_of_several_loses_the_frame_alone() {
    let mut sender = Sender::new(128, 0);
    sender.max_block = 10;
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    receiver.push(&sender.frame(1, KEY, &bitstream(1, 2900)));
    let mut packets = sender.frame(2, PREDICTED, &bitstream(2, 2900));
    packets.drain(8..19);
    receiver.push(&packets);
    receiver.push(&sender.frame(3, REPAIRED, &bitstream(3, 2900)));
    assert_eq!(receiver.shown(), [1, 3]);
    let told = receiver.seen.contains(&Seen::Invalidate(2, 2));
    assert!(
        told,
        "{:?}",
        receiver
            .seen
            .iter()
            .filter(|seen| !matches!(seen, Seen::Unit(..)))
            .collect::<Vec<_>>()
    );
}

#[test]
fn packets_that_overtake_each_other_inside_a_frame_do_no_harm() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    let mut packets = sender.frame(1, KEY, &bitstream(1, 3000));
    packets.reverse();
    receiver.push(&packets);
    assert_eq!(receiver.shown(), [1]);
    assert!(receiver.queue.counts().reordered > 0);
}

#[test]
fn a_parity_count_by_floor_is_seen_as_the_error_it_is() {
    // 21 data packets at 20 %: clients count 5 parity packets, a host that rounds down sends 4.
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::Av1, true);
    let mut packets = sender.frame(1, KEY, &bitstream(1, 21 * 112 - 8));
    packets.drain(21..);
    let data: Vec<Vec<u8>> = packets
        .iter()
        .map(|packet| {
            let mut shard = packet.clone();
            shard[..8].fill(0);
            shard[28..].get_mut(..4).unwrap().fill(0);
            shard
        })
        .collect();
    let parity = crate::fec::parity_of(&data, 4, crate::fec::Matrix::Cauchy { parity: 4 });
    for (at, mut shard) in (21u16..).zip(parity) {
        let first = u16::from_be_bytes([packets[0][2], packets[0][3]]);
        shard[0] = 0x90;
        shard[2..4].copy_from_slice(&first.wrapping_add(at).to_be_bytes());
        shard[4..8].copy_from_slice(&packets[0][4..8]);
        shard[20..28].copy_from_slice(&packets[1][20..28]);
        let info = u32::from(at) << 12 | 21 << 22 | 20 << 4;
        shard[28..32].copy_from_slice(&info.to_le_bytes());
        packets.push(shard);
    }
    packets.remove(5);
    receiver.push(&packets);
    assert_eq!(receiver.shown(), [0; 0]);
    assert!(!receiver.violations().is_empty());
}

#[test]
fn a_keyframe_behind_a_long_sei_is_told_rather_than_shown() {
    let mut sender = Sender::new(128, 20);
    let mut receiver = Receiver::new(128, Codec::H264, true);
    let sets = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 1, 2];
    let slice = [0, 0, 0, 1, 0x65, 1, 2, 3];
    let sei = [&[0, 0, 0, 1, 6][..], &[0x55; 150]].concat();
    receiver.push(&sender.frame(1, KEY, &[&sets[..], &sei, &slice].concat()));
    assert_eq!(receiver.shown(), [0; 0]);
    assert_eq!(receiver.violations(), [Violation::HiddenKeyframe]);
    receiver.push(&sender.frame(2, KEY, &[&sets[..], &slice].concat()));
    assert_eq!(receiver.shown(), [2]);
}

#[test]
fn a_sealed_packet_opens_to_what_was_sealed() {
    use crate::crypto::GcmKey;
    let key = GcmKey::new(&[6; 16]).unwrap();
    let packet = Sender::new(128, 20)
        .frame(1, KEY, &bitstream(1, 10))
        .swap_remove(0);
    let mut nonce = [0; 12];
    nonce[0] = 9;
    nonce[11] = b'V';
    let mut text = packet.clone();
    let tag = key.seal(nonce, &mut text).unwrap();
    let datagram = [&nonce[..], &1u32.to_le_bytes(), &tag, &text].concat();
    let mut out = vec![0; 200];
    assert_eq!(unseal(&key, &datagram, &mut out), Some(packet.len()));
    assert_eq!(out[..packet.len()], packet);
}

proptest! {
    /// Whatever is lost, what is shown is what was sent, in order, and everything is shown once a
    /// keyframe follows.
    #[test]
    fn under_any_loss_only_true_frames_are_shown(
        seed: u64,
        percent in 0u8..=40,
        loss in 0.0f64..0.4,
        invalidates: bool,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut sender = Sender::new(128, percent);
        sender.max_block = 12;
        let mut receiver = Receiver::new(128, Codec::Av1, invalidates);
        let len = |index: u32| 1 + (index as usize * 997) % 4000;
        for index in 1..40 {
            let kind = if index % 7 == 1 { KEY } else { PREDICTED };
            let mut packets = sender.frame(index, kind, &bitstream(index, len(index)));
            packets.retain(|_| random.f64() >= loss);
            receiver.push(&packets);
        }
        receiver.push(&sender.frame(40, KEY, &bitstream(40, 500)));
        for seen in &receiver.seen {
            if let Seen::Unit(index, bytes) = seen {
                prop_assert_eq!(bytes, &bitstream(*index, if *index == 40 { 500 } else { len(*index) }));
            }
        }
        let shown = receiver.shown();
        prop_assert!(shown.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(shown.last(), Some(&40));
        prop_assert_eq!(receiver.violations(), []);
    }

    #[test]
    fn any_bytes_in_any_order_end_quietly(
        seed: u64,
        flips in proptest::collection::vec((0usize..40, 0usize..128, any::<u8>()), 0..40),
    ) {
        let mut sender = Sender::new(96, 30);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut packets: Vec<_> = (1..6).flat_map(|index| sender.frame(index, KEY, &bitstream(index, 700))).collect();
        random.shuffle(&mut packets);
        for (at, byte, value) in flips {
            let at = at % packets.len();
            if let Some(slot) = packets[at].get_mut(byte) {
                *slot = value;
            }
        }
        Receiver::new(96, Codec::H264, true).push(&packets);
    }
}
