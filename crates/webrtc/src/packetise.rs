//! H.264 into RTP payloads (RFC 6184, packetization-mode 1): pure, one access unit at a time.

use encode::h264::nal_units;
use media::PacketBatch;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const NAL_REF_IDC: u8 = 0b0110_0000;
const NAL_TYPE: u8 = 0b0001_1111;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// Units that may share a packet: parameter sets, and the slices of a picture that hardly changed.
const MAX_TOGETHER: usize = 8;

/// Small units that wait to share a packet.
#[derive(Default)]
struct Together<'a> {
    units: [&'a [u8]; MAX_TOGETHER],
    count: usize,
    bytes: usize,
}

impl<'a> Together<'a> {
    fn fits(&self, unit: &[u8], max_payload: usize) -> bool {
        self.count < MAX_TOGETHER
            && unit.len() <= usize::from(u16::MAX)
            && 1 + self.bytes + 2 + unit.len() <= max_payload
    }

    fn add(&mut self, unit: &'a [u8]) {
        self.units[self.count] = unit;
        self.count += 1;
        self.bytes += 2 + unit.len();
    }

    fn flush(&mut self, batch: &mut PacketBatch) {
        let waiting = std::mem::take(self);
        match &waiting.units[..waiting.count] {
            [] => {}
            [one] => batch.push(&[one]),
            several => push_aggregate(several, batch),
        }
    }
}

/// Cuts an Annex B access unit into payloads of at most `max_payload` bytes, in order.
///
/// Small units that follow each other travel as one STAP-A; a unit that does not fit travels as
/// FU-A fragments of equal size, which lets the kernel segment them.
pub fn packetise(annex_b: &[u8], max_payload: usize, batch: &mut PacketBatch) {
    batch.clear();
    let mut together = Together::default();
    for unit in nal_units(annex_b) {
        if unit.is_empty() {
            continue;
        }
        if !together.fits(unit, max_payload) {
            together.flush(batch);
        }
        if together.fits(unit, max_payload) {
            together.add(unit);
        } else {
            push_unit(unit, max_payload, batch);
        }
    }
    together.flush(batch);
}

fn push_aggregate(units: &[&[u8]], batch: &mut PacketBatch) {
    let importance = units
        .iter()
        .map(|unit| unit[0] & NAL_REF_IDC)
        .max()
        .unwrap_or(0);
    let header = [importance | STAP_A];
    let mut lengths = [[0_u8; 2]; MAX_TOGETHER];
    for (length, unit) in lengths.iter_mut().zip(units) {
        // Checked before the unit was added: it fits sixteen bits.
        *length = (unit.len() as u16).to_be_bytes();
    }
    let mut parts: [&[u8]; 1 + 2 * MAX_TOGETHER] = [&[]; 1 + 2 * MAX_TOGETHER];
    parts[0] = &header;
    for (position, unit) in units.iter().enumerate() {
        parts[1 + position * 2] = &lengths[position];
        parts[2 + position * 2] = unit;
    }
    batch.push(&parts[..=units.len() * 2]);
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
    fn a_small_picture_is_one_packet_however_many_slices_it_has() {
        let mut batch = PacketBatch::default();
        packetise(&annex_b(&[unit(1, 300)]), 1200, &mut batch);
        assert_eq!(batch.len(), 1);
        let slices = [unit(1, 300), unit(1, 400), unit(1, 200)];
        packetise(&annex_b(&slices), 1200, &mut batch);
        assert_eq!(batch.len(), 1);
        assert_eq!(depacketise(&batch), slices);
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
