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
