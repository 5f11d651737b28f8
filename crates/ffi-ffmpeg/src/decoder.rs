//! A decoder of libavcodec that gives each picture as soon as it has its access unit.

use crate::owned::{ContextBox, FrameBox, PacketBox};
use crate::{AGAIN, Coding, Error, integer, silence, sys, words};
use std::ffi::c_int;
use std::ptr;

/// The largest access unit taken.
const MOST_BYTES: usize = 64 << 20;

/// What a stream says about its colours, in the numbers of H.273 (1 is BT.709, 2 is unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Primaries.
    pub primaries: u32,
    /// Transfer characteristics.
    pub transfer: u32,
    /// Matrix.
    pub matrix: u32,
    /// Whether luma goes from 0 to 255 rather than from 16 to 235.
    pub full_range: bool,
}

/// One plane of a decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// From the first sample to the last; little endian, two bytes a sample, above 8 bits.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A decoded picture, valid until the next one: Y, U and V in 4:2:0.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Bits a sample: 8 or 10.
    pub bits: u8,
    /// The planes; those of the chroma are half as wide and high, rounded up.
    pub planes: [Plane<'a>; 3],
    /// What the stream says about the colours.
    pub colour: Colour,
    /// Whether the decoder knows that something of the picture is wrong: a part that it had to make
    /// up, or a reference that was missing. Pictures after it, which inherit the fault, do not say so.
    pub damaged: bool,
}

impl Picture<'_> {
    /// All samples row by row without padding: Y, then U, then V.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        let mut packed = Vec::new();
        for (number, plane) in self.planes.iter().enumerate() {
            let (row, _) = self.extent(number);
            for bytes in plane.bytes.chunks(plane.stride) {
                packed.extend_from_slice(&bytes[..row]);
            }
        }
        packed
    }

    /// Bytes of a row of a plane, and its rows.
    fn extent(&self, plane: usize) -> (usize, usize) {
        let (width, height) = match plane {
            0 => (self.width, self.height),
            _ => (self.width.div_ceil(2), self.height.div_ceil(2)),
        };
        let sample = usize::from(self.bits).div_ceil(8);
        (width as usize * sample, height as usize)
    }
}

/// An open decoder.
pub struct Decoder {
    context: ContextBox,
    packet: PacketBox,
    frame: FrameBox,
}

// SAFETY: libavcodec's contexts may be used from any thread, by one at a time; nothing shares ours.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Opens the first decoder that FFmpeg has for this, on one thread.
    ///
    /// # Errors
    /// [`Error::NoDecoder`], [`Error::Open`], [`Error::Memory`].
    pub fn open(coding: Coding) -> Result<Self, Error> {
        silence();
        // SAFETY: looks a number up in a static table.
        let codec = unsafe { sys::avcodec_find_decoder(coding.id()) };
        if codec.is_null() {
            return Err(Error::NoDecoder(coding));
        }
        let mut context = ContextBox::new(codec)?;
        let fields = context.fields_mut();
        fields.flags |= sys::AV_CODEC_FLAG_LOW_DELAY as c_int;
        fields.thread_count = 1;
        // SAFETY: a fresh context of this codec, no options.
        let code = unsafe { sys::avcodec_open2(context.as_ptr(), codec, ptr::null_mut()) };
        if code < 0 {
            return Err(Error::Open(words(code)));
        }
        Ok(Self {
            context,
            packet: PacketBox::new()?,
            frame: FrameBox::new()?,
        })
    }

    /// Decodes one access unit. `None` when it completes no picture.
    ///
    /// # Errors
    /// [`Error::Decode`] for bytes that are no picture here, [`Error::Layout`] for one that is not
    /// planar 4:2:0; the decoder goes on with what comes next.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Option<Picture<'_>>, Error> {
        if unit.is_empty() || unit.len() > MOST_BYTES {
            return Err(Error::Decode(format!("{} bytes", unit.len())));
        }
        self.load(unit)?;
        // SAFETY: an open decoder and a packet with the unit, of which it takes a reference.
        let code = unsafe { sys::avcodec_send_packet(self.context.as_ptr(), self.packet.as_ptr()) };
        if code < 0 {
            return Err(Error::Decode(words(code)));
        }
        // SAFETY: an open decoder and a frame of ours, which is emptied first.
        let code =
            unsafe { sys::avcodec_receive_frame(self.context.as_ptr(), self.frame.as_ptr()) };
        match code {
            AGAIN => Ok(None),
            code if code < 0 => Err(Error::Decode(words(code))),
            _ => view(&self.frame).map(Some),
        }
    }

    /// Puts a copy of the unit, with the padding that decoders read into, into the packet.
    fn load(&mut self, unit: &[u8]) -> Result<(), Error> {
        let length = integer(unit.len() as u32, "length")?;
        // SAFETY: a packet of ours; what was in it goes.
        unsafe { sys::av_packet_unref(self.packet.as_ptr()) };
        // SAFETY: an empty packet gets a buffer of `length` bytes and padding of zeros.
        if unsafe { sys::av_new_packet(self.packet.as_ptr(), length) } < 0 {
            return Err(Error::Memory);
        }
        let data = self.packet.fields_mut().data;
        // SAFETY: the buffer just allocated has `unit.len()` bytes and is nobody else's.
        unsafe { ptr::copy_nonoverlapping(unit.as_ptr(), data, unit.len()) };
        Ok(())
    }
}

fn view(frame: &FrameBox) -> Result<Picture<'_>, Error> {
    let fields = frame.fields();
    let bits = match fields.format {
        sys::AV_PIX_FMT_YUV420P | sys::AV_PIX_FMT_YUVJ420P => 8,
        sys::AV_PIX_FMT_YUV420P10LE => 10,
        _ => return Err(Error::Layout),
    };
    let nothing = Plane {
        bytes: &[],
        stride: 1,
    };
    let mut picture = Picture {
        width: u32::try_from(fields.width).map_err(|_| Error::Layout)?,
        height: u32::try_from(fields.height).map_err(|_| Error::Layout)?,
        bits,
        planes: [nothing; 3],
        colour: Colour {
            primaries: fields.color_primaries,
            transfer: fields.color_trc,
            matrix: fields.colorspace,
            full_range: fields.color_range == sys::AVCOL_RANGE_JPEG,
        },
        damaged: fields.flags & sys::AV_FRAME_FLAG_CORRUPT as c_int != 0
            || fields.decode_error_flags != 0,
    };
    for number in 0..3 {
        let (row, rows) = picture.extent(number);
        let stride = usize::try_from(fields.linesize[number]).map_err(|_| Error::Layout)?;
        let data = fields.data[number];
        if data.is_null() || stride < row || rows == 0 {
            return Err(Error::Layout);
        }
        picture.planes[number] = Plane {
            // SAFETY: the frame holds `rows` rows of `stride` bytes there, the last one at least
            // `row` long, until it is filled again, which takes the decoder exclusively.
            bytes: unsafe { std::slice::from_raw_parts(data, stride * (rows - 1) + row) },
            stride,
        };
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_picture_are_an_error_or_nothing() {
        for coding in [Coding::H264, Coding::Hevc, Coding::Av1] {
            let mut decoder = Decoder::open(coding).unwrap();
            for unit in [
                &[][..],
                &[0],
                &[0, 0, 0, 1, 0x65, 9, 9],
                &[0x12, 0, 0x0a, 1],
                &[255; 400],
            ] {
                let decoded = decoder.decode(unit);
                assert!(!matches!(decoded, Ok(Some(_))), "{coding:?} {unit:?}");
            }
        }
    }
}
