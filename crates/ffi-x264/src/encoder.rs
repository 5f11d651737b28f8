//! An open encoder: planes in, NAL units out, pictures forgotten on request.

use crate::{Error, Params};
use std::ptr::NonNull;
use x264_sys as sys;

/// The three planes of a 4:2:0 picture.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Luma.
    pub y: &'a [u8],
    /// Blue difference.
    pub u: &'a [u8],
    /// Red difference.
    pub v: &'a [u8],
    /// Bytes from one luma row to the next.
    pub luma_stride: usize,
    /// Bytes from one chroma row to the next.
    pub chroma_stride: usize,
}

/// How a picture is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureType {
    /// Without reference, with parameter sets before it.
    Idr,
    /// From the newest picture that is not forgotten.
    Predicted,
}

/// One picture to encode.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Pixels.
    pub planes: Planes<'a>,
    /// The macroblocks whose pixels are those of the picture before this one, from left to right and
    /// then down; empty where nothing is known. They are skipped, unless this picture refers to an
    /// older one or asks for a finer quantiser.
    pub unchanged: &'a [bool],
    /// How to code it.
    pub kind: PictureType,
    /// Quantiser of every macroblock, within the range of the parameters.
    pub quantiser: u8,
    /// A number that grows with every picture; [`Encoder::invalidate`] names pictures by it.
    pub number: i64,
}

/// One coded picture, valid until the encoder is used again.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    /// How it was coded: the library makes an IDR picture when nothing is left to refer to.
    pub kind: PictureType,
    nals: &'a [sys::x264_nal_t],
}

impl<'a> Encoded<'a> {
    /// The NAL units in order, without start codes.
    pub fn nals(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.nals.iter().map(|nal| {
            let bytes = usize::try_from(nal.i_payload).unwrap_or(0);
            let start_code = if nal.b_long_startcode != 0 { 4 } else { 3 };
            if bytes <= start_code {
                return &[][..];
            }
            // SAFETY: after a successful encode the library keeps `i_payload` bytes at `p_payload`
            // unchanged until the encoder is used again, which the lifetime `'a` (a borrow of the
            // encoder) rules out.
            let with_start_code = unsafe { std::slice::from_raw_parts(nal.p_payload, bytes) };
            &with_start_code[start_code..]
        })
    }
}

/// An open libx264 encoder.
pub struct Encoder {
    raw: NonNull<sys::x264_t>,
    width: usize,
    height: usize,
    /// What the library reads of [`Picture::unchanged`], while it codes the picture.
    block_info: Vec<u8>,
}

// SAFETY: libx264 keeps no thread-local state; an encoder may be used from any thread as long as
// calls do not overlap, and every method takes `&mut self`.
unsafe impl Send for Encoder {}

impl Encoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// [`Error::Open`] for refused parameters, [`Error::Delays`] if pictures would be held back.
    pub fn open(mut params: Params) -> Result<Self, Error> {
        // SAFETY: `params.raw` is initialised, holds no pointers of ours, and is copied.
        let raw = unsafe { sys::x264_encoder_open(&raw mut params.raw) };
        let raw = NonNull::new(raw).ok_or(Error::Open)?;
        let encoder = Self {
            raw,
            width: usize::try_from(params.raw.i_width).unwrap_or(0),
            height: usize::try_from(params.raw.i_height).unwrap_or(0),
            block_info: Vec::new(),
        };
        // SAFETY: `raw` is open.
        let delayed = unsafe { sys::x264_encoder_maximum_delayed_frames(encoder.raw.as_ptr()) };
        if delayed == 0 {
            Ok(encoder)
        } else {
            Err(Error::Delays)
        }
    }

    /// Encodes one picture.
    ///
    /// # Errors
    /// [`Error::ShortPlane`] and [`Error::MapSize`] before anything happened; [`Error::Encode`] and
    /// [`Error::NoOutput`] leave the encoder in an unknown state: open a new one.
    pub fn encode(&mut self, picture: &Picture<'_>) -> Result<Encoded<'_>, Error> {
        self.check(&picture.planes)?;
        let mut input = raw_picture(picture);
        if !picture.unchanged.is_empty() {
            input.prop.mb_info = self.info_of(picture.unchanged)?;
        }
        // SAFETY: a plain C struct without niches: all zeros are valid, and the library only
        // writes to it.
        let mut output: sys::x264_picture_t = unsafe { std::mem::zeroed() };
        let mut nals: *mut sys::x264_nal_t = std::ptr::null_mut();
        let mut count = 0;
        // SAFETY: the encoder is open; the planes were checked to hold `height` rows of `width`
        // bytes at their strides, and the library only reads them, before it returns. `mb_info` is
        // null or holds a byte for each macroblock; the library looks at that of the picture it codes
        // alone, which it has done when it returns, as no picture is held back.
        let bytes = unsafe {
            sys::x264_encoder_encode(
                self.raw.as_ptr(),
                &raw mut nals,
                &raw mut count,
                &raw mut input,
                &raw mut output,
            )
        };
        if bytes < 0 {
            return Err(Error::Encode);
        }
        let count = usize::try_from(count).unwrap_or(0);
        if bytes == 0 || count == 0 || nals.is_null() {
            return Err(Error::NoOutput);
        }
        // SAFETY: the library returned `count` units at `nals`, unchanged until its next call;
        // the result borrows `self` mutably, so that there is none while it lives.
        let nals = unsafe { std::slice::from_raw_parts(nals, count) };
        let kind = if output.i_type == sys::X264_TYPE_IDR as i32 {
            PictureType::Idr
        } else {
            PictureType::Predicted
        };
        Ok(Encoded { kind, nals })
    }

    /// Makes the encoder forget the picture `first` and all coded after it.
    ///
    /// # Errors
    /// [`Error::Invalidate`].
    pub fn invalidate(&mut self, first: i64) -> Result<(), Error> {
        // SAFETY: the encoder is open and no encode is running.
        match unsafe { sys::x264_encoder_invalidate_reference(self.raw.as_ptr(), first) } {
            0 => Ok(()),
            _ => Err(Error::Invalidate),
        }
    }

    fn info_of(&mut self, unchanged: &[bool]) -> Result<*mut u8, Error> {
        if unchanged.len() != self.width.div_ceil(16) * self.height.div_ceil(16) {
            return Err(Error::MapSize);
        }
        let info = |same: &bool| u8::from(*same) * sys::X264_MBINFO_CONSTANT as u8;
        self.block_info.clear();
        self.block_info.extend(unchanged.iter().map(info));
        Ok(self.block_info.as_mut_ptr())
    }

    fn check(&self, planes: &Planes<'_>) -> Result<(), Error> {
        let fits = |plane: &[u8], stride: usize, width: usize, rows: usize| {
            stride >= width && i32::try_from(stride).is_ok() && {
                let needed = stride
                    .saturating_mul(rows.saturating_sub(1))
                    .saturating_add(width);
                plane.len() >= needed
            }
        };
        let (half_width, half_height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let all = fits(planes.y, planes.luma_stride, self.width, self.height)
            && fits(planes.u, planes.chroma_stride, half_width, half_height)
            && fits(planes.v, planes.chroma_stride, half_width, half_height);
        if all { Ok(()) } else { Err(Error::ShortPlane) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: `raw` came from a successful open and is closed only here.
        unsafe { sys::x264_encoder_close(self.raw.as_ptr()) }
    }
}

fn raw_picture(picture: &Picture<'_>) -> sys::x264_picture_t {
    // SAFETY: a plain C struct for which all zeros are valid; the call then sets its defaults.
    let mut raw: sys::x264_picture_t = unsafe { std::mem::zeroed() };
    // SAFETY: `raw` is a whole, writable struct.
    unsafe { sys::x264_picture_init(&raw mut raw) };
    let planes = &picture.planes;
    raw.i_type = match picture.kind {
        PictureType::Idr => sys::X264_TYPE_IDR,
        PictureType::Predicted => sys::X264_TYPE_P,
    } as i32;
    raw.i_qpplus1 = i32::from(picture.quantiser) + 1;
    raw.i_pts = picture.number;
    raw.img.i_csp = sys::X264_CSP_I420 as i32;
    raw.img.i_plane = 3;
    // The library takes plain pointers but only reads through them.
    raw.img.plane[..3]
        .copy_from_slice(&[planes.y, planes.u, planes.v].map(|p| p.as_ptr().cast_mut()));
    let strides = [
        planes.luma_stride,
        planes.chroma_stride,
        planes.chroma_stride,
    ];
    raw.img.i_stride[..3].copy_from_slice(&strides.map(|stride| stride as i32));
    raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    fn open(width: u32, height: u32) -> Encoder {
        let params = Params::new(Preset::Ultrafast).unwrap();
        let params = params.size(width, height).rate(60).kept_pictures(4);
        Encoder::open(params.sliced_threads(1)).unwrap()
    }

    fn picture<'a>(bytes: &'a [u8], stride: usize, rows: usize, number: i64) -> Picture<'a> {
        let (y, chroma) = bytes.split_at(stride * rows);
        let (u, v) = chroma.split_at(stride * rows / 4);
        Picture {
            planes: Planes {
                y,
                u,
                v,
                luma_stride: stride,
                chroma_stride: stride / 2,
            },
            unchanged: &[],
            kind: if number == 0 {
                PictureType::Idr
            } else {
                PictureType::Predicted
            },
            quantiser: 30,
            number,
        }
    }

    #[test]
    fn each_picture_gives_one_access_unit_at_once() {
        let mut encoder = open(64, 48);
        let bytes = vec![90; 64 * 48 * 3 / 2];
        let first = encoder.encode(&picture(&bytes, 64, 48, 0)).unwrap();
        assert_eq!(first.kind, PictureType::Idr);
        let types: Vec<u8> = first.nals().map(|nal| nal[0] & 31).collect();
        assert_eq!(
            types,
            [7, 8, 6, 5],
            "SPS, PPS, the library's own SEI, IDR slice"
        );
        let second = encoder.encode(&picture(&bytes, 64, 48, 1)).unwrap();
        assert_eq!(second.kind, PictureType::Predicted);
        assert_eq!(second.nals().count(), 1);
    }

    #[test]
    fn short_planes_are_refused_before_the_library_sees_them() {
        let mut encoder = open(64, 48);
        let bytes = vec![90; 64 * 48 * 3 / 2];
        let whole = picture(&bytes, 64, 48, 0);
        for (y, u, luma_stride) in [
            (64 * 48 - 1, 32 * 24, 64),
            (64 * 48, 7, 64),
            (64 * 48, 768, 63),
        ] {
            let mut short = whole;
            short.planes.y = &short.planes.y[..y];
            short.planes.u = &short.planes.u[..u];
            short.planes.luma_stride = luma_stride;
            assert_eq!(encoder.encode(&short).unwrap_err(), Error::ShortPlane);
        }
        assert!(encoder.encode(&whole).is_ok());
    }

    fn coded_bytes(encoder: &mut Encoder, picture: &Picture<'_>) -> usize {
        let coded = encoder.encode(picture).unwrap();
        coded.nals().map(<[u8]>::len).sum()
    }

    #[test]
    fn a_map_of_unchanged_macroblocks_has_to_fit_and_is_believed() {
        let mut encoder = open(64, 48);
        let grey = vec![90; 64 * 48 * 3 / 2];
        let noise: Vec<u8> = (0..64 * 48 * 3 / 2)
            .map(|i: u32| ((i * i) >> 3) as u8)
            .collect();
        encoder.encode(&picture(&grey, 64, 48, 0)).unwrap();
        let mut lie = picture(&noise, 64, 48, 1);
        lie.unchanged = &[true; 11];
        assert_eq!(encoder.encode(&lie).unwrap_err(), Error::MapSize);
        lie.unchanged = &[true; 12];
        let believed = coded_bytes(&mut encoder, &lie);
        assert!(believed < 20, "{believed} bytes of skipped macroblocks");
        // A finer picture has to look, and so has one that refers past the last.
        lie.number = 2;
        lie.quantiser = 25;
        let finer = coded_bytes(&mut encoder, &lie);
        encoder.invalidate(2).unwrap();
        lie.number = 3;
        lie.quantiser = 30;
        let older = coded_bytes(&mut encoder, &lie);
        assert!(finer > 100 && older > 100, "{finer} and {older} bytes");
    }

    #[test]
    fn forgetting_every_picture_makes_the_next_an_idr() {
        let mut encoder = open(64, 48);
        let bytes = vec![90; 64 * 48 * 3 / 2];
        for number in 0..3 {
            encoder.encode(&picture(&bytes, 64, 48, number)).unwrap();
        }
        encoder.invalidate(2).unwrap();
        let next = encoder.encode(&picture(&bytes, 64, 48, 3)).unwrap();
        assert_eq!(next.kind, PictureType::Predicted);
        encoder.invalidate(0).unwrap();
        let next = encoder.encode(&picture(&bytes, 64, 48, 4)).unwrap();
        assert_eq!(next.kind, PictureType::Idr);
    }

    #[test]
    fn impossible_sizes_do_not_open() {
        for (width, height) in [(0, 48), (63, 48), (64, 47), (20_000, 48)] {
            let params = Params::new(Preset::Ultrafast).unwrap().size(width, height);
            assert_eq!(Encoder::open(params.rate(60)).err(), Some(Error::Open));
        }
    }
}
