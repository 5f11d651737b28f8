//! H.264 into RTP payloads (RFC 6184, packetization-mode 1): pure, one access unit at a time.

use encode::h264::nal_units;
use media::PacketBatch;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const NAL_REF_IDC: u8 = 0b0110_0000;
const NAL_TYPE: u8 = 0b0001_1111;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// Parameter sets: small units that ride together.
const SPS: u8 = 7;
const PPS: u8 = 8;

/// Cuts an Annex B access unit into payloads of at most `max_payload` bytes, in order.
///
/// Parameter sets travel as one STAP-A; a unit that does not fit travels as FU-A fragments of
/// equal size, which lets the kernel segment them.
pub fn packetise(annex_b: &[u8], max_payload: usize, batch: &mut PacketBatch) {
    batch.clear();
    let mut sets: [&[u8]; 4] = [&[]; 4];
    let mut set_count = 0;
    for unit in nal_units(annex_b) {
        let Some(&header) = unit.first() else {
            continue;
        };
        let is_set = matches!(header & NAL_TYPE, SPS | PPS);
        if is_set && set_count < sets.len() && unit.len() <= usize::from(u16::MAX) {
            sets[set_count] = unit;
            set_count += 1;
            continue;
        }
        flush_sets(&sets[..set_count], max_payload, batch);
        set_count = 0;
        push_unit(unit, max_payload, batch);
    }
    flush_sets(&sets[..set_count], max_payload, batch);
}

fn flush_sets(sets: &[&[u8]], max_payload: usize, batch: &mut PacketBatch) {
    let total: usize = 1 + sets.iter().map(|set| set.len() + 2).sum::<usize>();
    if sets.len() < 2 || total > max_payload {
        for set in sets {
            push_unit(set, max_payload, batch);
        }
        return;
    }
    let importance = sets
        .iter()
        .map(|set| set[0] & NAL_REF_IDC)
        .max()
        .unwrap_or(0);
    let mut lengths = [[0_u8; 2]; 4];
    let header = [importance | STAP_A];
    let mut parts: [&[u8]; 9] = [&[]; 9];
    parts[0] = &header;
    for (length, set) in lengths.iter_mut().zip(sets) {
        // Checked when the set was collected: it fits sixteen bits.
        *length = (set.len() as u16).to_be_bytes();
    }
    for (position, set) in sets.iter().enumerate() {
        parts[1 + position * 2] = &lengths[position];
        parts[2 + position * 2] = set;
    }
    batch.push(&parts[..=sets.len() * 2]);
}

fn push_unit(unit: &[u8], max_payload: usize, batch: &mut PacketBatch) {
    if unit.len() <= max_payload {
        batch.push(&[unit]);
        return;
    }
    let (header, body) = (unit[0], &unit[1..]);
    let room = max_payload.saturating_sub(2).max(1);
    let fragments = body.len().div_ceil(room);
    // Equal fragments, the last one shorter at most: no tiny tail, and ready for segmentation.
    let size = body.len().div_ceil(fragments);
    for (position, fragment) in body.chunks(size).enumerate() {
        let start = if position == 0 { FU_START } else { 0 };
        let end = if (position + 1) * size >= body.len() {
            FU_END
        } else {
            0
        };
        let indicator = (header & NAL_REF_IDC) | FU_A;
        batch.push(&[&[indicator, start | end | (header & NAL_TYPE)], fragment]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Puts payloads together again, as a receiver does.
    fn depacketise(batch: &PacketBatch) -> Vec<Vec<u8>> {
        let mut units = Vec::new();
        let mut fragment: Vec<u8> = Vec::new();
        for payload in batch.iter() {
            match payload[0] & NAL_TYPE {
                STAP_A => {
                    let mut rest = &payload[1..];
                    while rest.len() > 2 {
                        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                        units.push(rest[2..2 + length].to_vec());
                        rest = &rest[2 + length..];
                    }
                    assert!(rest.is_empty());
                }
                FU_A => {
                    if payload[1] & FU_START != 0 {
                        assert!(fragment.is_empty());
                        fragment.push((payload[0] & NAL_REF_IDC) | (payload[1] & NAL_TYPE));
                    }
                    fragment.extend_from_slice(&payload[2..]);
                    if payload[1] & FU_END != 0 {
                        units.push(std::mem::take(&mut fragment));
                    }
                }
                _ => units.push(payload.to_vec()),
            }
        }
        assert!(fragment.is_empty(), "the last fragment is marked");
        units
    }

    fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
        units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat())
            .collect()
    }

    fn unit(kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0x60 | kind];
        bytes.extend((1..length).map(|n| (n % 250) as u8 + 1));
        bytes
    }

    #[test]
    fn an_idr_is_one_stap_and_equal_fragments() {
        let units = [unit(7, 20), unit(8, 6), unit(5, 5000)];
        let mut batch = PacketBatch::default();
        packetise(&annex_b(&units), 1200, &mut batch);
        assert_eq!(depacketise(&batch), units);
        let sizes: Vec<_> = batch.iter().map(<[u8]>::len).collect();
        assert_eq!(sizes.len(), 6);
        assert!(
            sizes[1..5].iter().all(|size| *size == sizes[1]),
            "{sizes:?}"
        );
    }

    #[test]
    fn a_small_picture_is_one_packet() {
        let mut batch = PacketBatch::default();
        packetise(&annex_b(&[unit(1, 300)]), 1200, &mut batch);
        assert_eq!(batch.len(), 1);
    }

    proptest! {
        #[test]
        fn every_unit_comes_back_whole(
            lengths in prop::collection::vec((1_u8..=8, 1_usize..6000), 1..8),
            max_payload in 100_usize..1400,
        ) {
            let units: Vec<_> =
                lengths.iter().map(|&(kind, length)| unit(kind, length)).collect();
            let mut batch = PacketBatch::default();
            packetise(&annex_b(&units), max_payload, &mut batch);
            prop_assert!(batch.iter().all(|payload| payload.len() <= max_payload));
            prop_assert_eq!(depacketise(&batch), units);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut batch = PacketBatch::default();
            packetise(&bytes, 1200, &mut batch);
        }
    }
}
