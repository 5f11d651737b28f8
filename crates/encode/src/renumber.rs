//! Gives the pictures of an x264 stream a wide `frame_num` of our own counting.
//!
//! libx264 counts in 4 or 5 bits, so that a loss across the wrap confuses decoders, and it counts
//! pictures that were coded but thrown away. Headers are written anew; coded macroblocks are only
//! moved, which CABAC's byte alignment allows.

use crate::h264::bits::{BitReader, BitWriter};

/// Bits of `frame_num` in our streams.
pub(crate) const FRAME_NUM_BITS: u8 = 16;

/// A header that is not what libx264 writes with our parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenumberError {
    #[error("a header ends too early")]
    Short,
    #[error("the sequence parameter set uses what we switched off")]
    ParameterSet,
    #[error("a slice header uses what we switched off")]
    Slice,
    #[error("a slice refers to another picture than it should")]
    Reference,
}

/// How libx264 counted one picture, and how we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Bits of `frame_num` in libx264's stream, from its parameter set.
    pub(crate) old_bits: u8,
    /// Pictures libx264 coded since its last IDR picture.
    pub(crate) old: u32,
    /// How many of its pictures back the reference is, from 1.
    pub(crate) old_distance: u32,
    /// Our number of the picture.
    pub(crate) new: u16,
    /// How many of our pictures back the reference is, from 1.
    pub(crate) new_distance: u32,
    /// Differs between IDR pictures in a row.
    pub(crate) idr_id: bool,
}

/// Appends a sequence parameter set with our width of `frame_num`. Returns libx264's width.
pub(crate) fn parameter_set(nal: &[u8], out: &mut Vec<u8>) -> Result<u8, RenumberError> {
    /// Profiles whose parameter sets carry chroma format and scaling lists.
    const HIGH_PROFILES: [u32; 4] = [100, 110, 122, 244];
    let header = *nal.first().ok_or(RenumberError::Short)?;
    let payload_bits = crate::h264::bits::Rbsp::of(nal).payload_bits();
    out.push(header);
    let mut copy = Copier::new(nal, out);
    let profile = copy.bits(8)?;
    copy.bits(16)?;
    copy.ue()?;
    if HIGH_PROFILES.contains(&profile) {
        let chroma_format = copy.ue()?;
        copy.ue()?;
        copy.ue()?;
        let scaling_lists = copy.bits(2)? & 1 != 0;
        if chroma_format != 1 || scaling_lists {
            return Err(RenumberError::ParameterSet);
        }
    }
    let old_bits = copy.read_ue()? + 4;
    copy.writer.ue(u32::from(FRAME_NUM_BITS) - 4);
    // Order type 2: no order counts in slice headers.
    if copy.ue()? != 2 || old_bits > u32::from(FRAME_NUM_BITS) {
        return Err(RenumberError::ParameterSet);
    }
    copy.ue()?; // pictures kept
    // A receiver meets gaps whenever it lost pictures; without this flag they are errors, on which
    // strict decoders stop.
    copy.read_bits(1)?;
    copy.writer.bit(true);
    while copy.read_bits < payload_bits {
        copy.bits(1)?;
    }
    copy.writer.bit(true);
    copy.writer.align(false);
    Ok(old_bits as u8)
}

/// Appends a slice with its picture's number and reference as we count.
pub(crate) fn slice(nal: &[u8], numbers: &Numbers, out: &mut Vec<u8>) -> Result<(), RenumberError> {
    let header = *nal.first().ok_or(RenumberError::Short)?;
    let is_idr = header & 0x1f == 5;
    out.push(header);
    let mut copy = Copier::new(nal, out);
    copy.ue()?; // first macroblock
    let predicted = match copy.ue()? % 5 {
        0 => true,
        2 => false,
        _ => return Err(RenumberError::Slice),
    };
    copy.ue()?; // picture parameter set
    let old = copy.read_bits(numbers.old_bits)?;
    if old != numbers.old & ((1 << numbers.old_bits) - 1) {
        return Err(RenumberError::Reference);
    }
    copy.writer.bits(numbers.new.into(), FRAME_NUM_BITS);
    if is_idr {
        copy.read_ue()?;
        copy.writer.ue(numbers.idr_id.into());
    }
    if predicted {
        reference(&mut copy, numbers)?;
    }
    if header & 0x60 != 0 {
        if is_idr {
            copy.bits(2)?;
        } else if copy.bits(1)? != 0 {
            return Err(RenumberError::Slice);
        }
    }
    if predicted {
        copy.ue()?; // initial CABAC state
    }
    copy.ue()?; // quantiser
    if copy.ue()? != 1 {
        copy.ue()?; // deblocking strengths
        copy.ue()?;
    }
    let Copier {
        reader, mut writer, ..
    } = copy;
    let (padding, mask, payload) = reader.align();
    if padding != mask {
        return Err(RenumberError::Slice);
    }
    writer.align(true);
    writer.payload(payload);
    Ok(())
}

/// The reference list of a P slice: the picture before, unless the list is modified.
fn reference(copy: &mut Copier<'_, '_>, numbers: &Numbers) -> Result<(), RenumberError> {
    const SUBTRACT: u32 = 0;
    const END: u32 = 3;
    if copy.bits(1)? != 0 && copy.ue()? != 0 {
        return Err(RenumberError::Slice); // more than one reference
    }
    let mut old_distance = 1;
    if copy.read_bits(1)? != 0 {
        if copy.read_ue()? != SUBTRACT {
            return Err(RenumberError::Reference);
        }
        old_distance = copy.read_ue()? + 1;
        if copy.read_ue()? != END {
            return Err(RenumberError::Reference);
        }
    }
    if old_distance != numbers.old_distance {
        return Err(RenumberError::Reference);
    }
    copy.writer.bit(numbers.new_distance != 1);
    if numbers.new_distance != 1 {
        copy.writer.ue(SUBTRACT);
        copy.writer.ue(numbers.new_distance.saturating_sub(1));
        copy.writer.ue(END);
    }
    Ok(())
}

/// Reads fields from one unit and writes most of them into another.
struct Copier<'r, 'w> {
    reader: BitReader<'r>,
    writer: BitWriter<'w>,
    read_bits: usize,
}

impl<'r, 'w> Copier<'r, 'w> {
    fn new(nal: &'r [u8], out: &'w mut Vec<u8>) -> Self {
        Self {
            reader: BitReader::of(nal),
            writer: BitWriter::new(out),
            read_bits: 0,
        }
    }

    fn read_bits(&mut self, count: u8) -> Result<u32, RenumberError> {
        self.read_bits += usize::from(count);
        self.reader.bits(count).ok_or(RenumberError::Short)
    }

    fn read_ue(&mut self) -> Result<u32, RenumberError> {
        let value = self.reader.ue().ok_or(RenumberError::Short)?;
        self.read_bits += 2 * (value + 1).ilog2() as usize + 1;
        Ok(value)
    }

    fn bits(&mut self, count: u8) -> Result<u32, RenumberError> {
        let value = self.read_bits(count)?;
        self.writer.bits(value, count);
        Ok(value)
    }

    fn ue(&mut self) -> Result<u32, RenumberError> {
        let value = self.read_ue()?;
        self.writer.ue(value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h264::bits::Rbsp;
    use proptest::prelude::*;

    /// The fields of a slice header that differ between pictures.
    #[derive(Clone, Debug)]
    struct Header {
        idr: bool,
        first_macroblock: u32,
        frame_num: u32,
        frame_num_bits: u8,
        idr_id: bool,
        distance: u32,
        quantiser: u32,
        deblocking: Option<(u32, u32)>,
    }

    /// Writes a slice as libx264 does (or as we do, which differs in the first fields only).
    fn slice_of(header: &Header, payload: &[u8]) -> Vec<u8> {
        let mut nal = vec![if header.idr { 0x65 } else { 0x41 }];
        let mut writer = BitWriter::new(&mut nal);
        writer.ue(header.first_macroblock);
        writer.ue(if header.idr { 7 } else { 5 });
        writer.ue(0);
        writer.bits(header.frame_num, header.frame_num_bits);
        if header.idr {
            writer.ue(header.idr_id.into());
            writer.bits(0, 2);
        } else {
            writer.bit(false);
            writer.bit(header.distance != 1);
            if header.distance != 1 {
                writer.ue(0);
                writer.ue(header.distance - 1);
                writer.ue(3);
            }
            writer.bit(false);
            writer.ue(0);
        }
        writer.ue(header.quantiser);
        match header.deblocking {
            None => writer.ue(1),
            Some((alpha, beta)) => {
                writer.ue(0);
                writer.ue(alpha);
                writer.ue(beta);
            }
        }
        writer.align(true);
        for byte in payload {
            writer.bits((*byte).into(), 8);
        }
        nal
    }

    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![4 => Just(0_u8), 1 => 1_u8..4, 2 => any::<u8>()]
    }

    prop_compose! {
        fn headers()(
            idr: bool,
            first_macroblock in 0_u32..9000,
            old in 0_u32..100_000,
            old_bits in 4_u8..6,
            new: u16,
            ids: [bool; 2],
            distances in (1_u32..17, 1_u32..17),
            quantiser in 0_u32..60,
            deblocking in prop::option::of((0_u32..13, 0_u32..13)),
        ) -> (Header, Header, Numbers) {
            let mask = (1 << old_bits) - 1;
            let before = Header {
                idr, first_macroblock, frame_num: old & mask, frame_num_bits: old_bits,
                idr_id: ids[0], distance: distances.0, quantiser, deblocking,
            };
            let after = Header {
                frame_num: new.into(), frame_num_bits: FRAME_NUM_BITS, idr_id: ids[1],
                distance: distances.1, ..before.clone()
            };
            let numbers = Numbers {
                old_bits, old, old_distance: distances.0, new, new_distance: distances.1,
                idr_id: ids[1],
            };
            (before, after, numbers)
        }
    }

    proptest! {
        #[test]
        fn slices_keep_all_but_their_numbers(
            (before, after, numbers) in headers(),
            payload in prop::collection::vec(byte(), 1..60),
        ) {
            let mut payload = payload;
            payload.push(0x80); // no unit ends in a zero byte
            let mut out = vec![];
            slice(&slice_of(&before, &payload), &numbers, &mut out).unwrap();
            prop_assert_eq!(out, slice_of(&after, &payload));
        }

        #[test]
        fn another_reference_or_number_than_ours_is_noticed(
            (before, _, numbers) in headers(), shift in 1_u32..15,
        ) {
            let nal = slice_of(&before, &[9, 9, 0x80]);
            let wrong = Numbers { old: numbers.old + shift, ..numbers };
            prop_assert!(slice(&nal, &wrong, &mut vec![]).is_err());
            if !before.idr {
                let wrong = Numbers { old_distance: numbers.old_distance + shift, ..numbers };
                prop_assert!(slice(&nal, &wrong, &mut vec![]).is_err());
            }
        }

        #[test]
        fn damaged_headers_never_panic(
            nal in prop::collection::vec(byte(), 0..40), (_, _, numbers) in headers(),
        ) {
            let _ = slice(&nal, &numbers, &mut vec![]);
            let _ = parameter_set(&nal, &mut vec![]);
        }
    }

    #[test]
    fn parameter_sets_get_the_wide_count_and_keep_the_rest() {
        // Main profile, level 3.1, 16 reference pictures, 1280x720, no VUI.
        let write = |bits: u8, gaps: bool| {
            let mut nal = vec![0x67];
            let mut writer = BitWriter::new(&mut nal);
            for byte in [77, 0, 31] {
                writer.bits(byte, 8);
            }
            writer.ue(0);
            writer.ue(u32::from(bits) - 4);
            writer.ue(2);
            writer.ue(16);
            writer.bit(gaps);
            writer.ue(79);
            writer.ue(44);
            writer.bits(0b1100, 4);
            writer.bit(true);
            writer.align(false);
            nal
        };
        let mut out = vec![];
        assert_eq!(parameter_set(&write(5, false), &mut out), Ok(5));
        assert_eq!(out, write(16, true));
        assert!(Rbsp::of(&out).payload_bits() > 60);
    }
}
