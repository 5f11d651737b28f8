//! An encoder of libavcodec that gives the access unit of a picture as soon as it has the picture.

use crate::owned::{ContextBox, Dictionary, FrameBox, PacketBox};
use crate::surfaces::Surfaces;
use crate::{AGAIN, Error, find_encoder, integer, silence, sys, words};
use std::ffi::c_int;
use std::path::Path;

/// Pictures between keyframes that nobody asked for: the most that drivers take.
const LONGEST_GROUP: c_int = i16::MAX as c_int;
/// BT.709 in the numbers of H.273.
const BT709: u32 = 1;

/// How an encoder is opened.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// FFmpeg's name of it, such as `libx265`.
    pub encoder: &'a str,
    /// Pixels across, even.
    pub width: u32,
    /// Pixels down, even.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// What the stream may take.
    pub rates: Rates,
    /// Threads that share a picture.
    pub threads: u32,
    /// Slices a picture is cut into, where the encoder can.
    pub slices: u32,
    /// Options of the encoder; those it does not know are passed over, as they differ between
    /// versions.
    pub options: &'a [(&'a str, &'a str)],
    /// The VA-API device whose memory the encoder takes pictures from; `None` for ordinary memory.
    pub device: Option<&'a Path>,
}

/// What a stream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Bits a second on average.
    pub target_bps: u32,
    /// Bits a second at most; 0 leaves it to the encoder.
    pub most_bps: u32,
    /// Bits a second at least; 0 leaves it to the encoder.
    pub least_bps: u32,
    /// Bits that may come early or late; 0 leaves it to the encoder.
    pub buffer_bits: u32,
}

/// The planes of a picture: 4:2:0, 8 bits, BT.709 limited range.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Luma.
    pub y: &'a [u8],
    /// Blue difference.
    pub u: &'a [u8],
    /// Red difference.
    pub v: &'a [u8],
    /// Bytes from one row of `y` to the next.
    pub luma_stride: usize,
    /// Bytes from one row of `u` and `v` to the next.
    pub chroma_stride: usize,
}

/// The access unit of one picture. The bytes are valid until the next picture.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    /// Bytes of the stream.
    pub data: &'a [u8],
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// An open encoder.
pub struct Encoder {
    context: ContextBox,
    picture: FrameBox,
    packet: PacketBox,
    surfaces: Option<Surfaces>,
    size: Size,
    number: i64,
}

// SAFETY: libavcodec's contexts may be used from any thread, by one at a time; nothing shares ours.
unsafe impl Send for Encoder {}

#[derive(Clone, Copy)]
struct Size {
    width: usize,
    height: usize,
}

impl Encoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// [`Error::NoEncoder`], [`Error::Open`] with FFmpeg's reason, [`Error::Setting`],
    /// [`Error::Memory`].
    pub fn open(settings: &Settings<'_>) -> Result<Self, Error> {
        silence();
        let codec = find_encoder(settings.encoder)?;
        let mut context = ContextBox::new(codec)?;
        apply(settings, context.fields_mut())?;
        let surfaces = settings
            .device
            .map(|device| Surfaces::attach(&mut context, device));
        let surfaces = surfaces.transpose()?;
        let mut options = Dictionary::of(settings.options)?;
        // SAFETY: a fresh context of this codec, and a dictionary whose place FFmpeg may change.
        let code = unsafe { sys::avcodec_open2(context.as_ptr(), codec, options.place()) };
        if code < 0 {
            return Err(Error::Open(words(code)));
        }
        let format = match surfaces {
            Some(_) => sys::AV_PIX_FMT_NV12,
            None => sys::AV_PIX_FMT_YUV420P,
        };
        Ok(Self {
            picture: picture(context.fields(), format)?,
            context,
            packet: PacketBox::new()?,
            surfaces,
            size: Size {
                width: settings.width as usize,
                height: settings.height as usize,
            },
            number: 0,
        })
    }

    /// Changes what the stream may take from the next picture on, if the encoder looks (`libx264`
    /// and NVENC do).
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn set_rates(&mut self, rates: Rates) -> Result<(), Error> {
        apply_rates(rates, self.context.fields_mut())
    }

    /// Codes one picture.
    ///
    /// # Errors
    /// [`Error::ShortPlane`] before FFmpeg sees anything; [`Error::Picture`], [`Error::KeptBack`].
    pub fn encode(&mut self, planes: &Planes<'_>, keyframe: bool) -> Result<Encoded<'_>, Error> {
        check(planes, self.size)?;
        // SAFETY: a frame of ours with buffers; the encoder may still hold on to them.
        let code = unsafe { sys::av_frame_make_writable(self.picture.as_ptr()) };
        if code < 0 {
            return Err(Error::Memory);
        }
        self.fill(planes);
        let picture = match &mut self.surfaces {
            Some(surfaces) => surfaces.upload(&self.picture)?,
            None => &mut self.picture,
        };
        let fields = picture.fields_mut();
        fields.pts = self.number;
        fields.pict_type = match keyframe {
            true => sys::AV_PICTURE_TYPE_I,
            false => sys::AV_PICTURE_TYPE_NONE,
        };
        self.number += 1;
        // SAFETY: an open encoder and a complete picture, of which it takes references.
        let code = unsafe { sys::avcodec_send_frame(self.context.as_ptr(), picture.as_ptr()) };
        if code < 0 {
            return Err(Error::Picture(words(code)));
        }
        self.take()
    }

    /// The access unit of the picture just sent.
    fn take(&mut self) -> Result<Encoded<'_>, Error> {
        // SAFETY: an open encoder and a packet of ours, which is emptied first.
        let code =
            unsafe { sys::avcodec_receive_packet(self.context.as_ptr(), self.packet.as_ptr()) };
        match code {
            AGAIN => return Err(Error::KeptBack),
            code if code < 0 => return Err(Error::Picture(words(code))),
            _ => {}
        }
        let packet = self.packet.fields();
        if packet.pts != self.number - 1 {
            return Err(Error::KeptBack);
        }
        let length = usize::try_from(packet.size).unwrap_or(0);
        if packet.data.is_null() || length == 0 {
            return Err(Error::Picture("the access unit is empty".to_owned()));
        }
        Ok(Encoded {
            // SAFETY: the packet owns `size` bytes there until it is filled again, which takes
            // `self` exclusively.
            data: unsafe { std::slice::from_raw_parts(packet.data, length) },
            keyframe: packet.flags & sys::AV_PKT_FLAG_KEY as c_int != 0,
        })
    }

    /// Copies the planes into the picture, which is writable; their lengths are checked.
    fn fill(&mut self, planes: &Planes<'_>) {
        let Size { width, height } = self.size;
        let (half_width, half_height) = (width / 2, height / 2);
        let interleaved = self.surfaces.is_some();
        let mut target = Target(&mut self.picture);
        for row in 0..height {
            let from = &planes.y[row * planes.luma_stride..][..width];
            target.row(0, row, width).copy_from_slice(from);
        }
        for row in 0..half_height {
            let from = |plane: &'_ [u8]| row * planes.chroma_stride..plane.len();
            let (u, v) = (&planes.u[from(planes.u)], &planes.v[from(planes.v)]);
            let (u, v) = (&u[..half_width], &v[..half_width]);
            if interleaved {
                let pairs = target.row(1, row, width).chunks_exact_mut(2);
                for ((pair, u), v) in pairs.zip(u).zip(v) {
                    pair.copy_from_slice(&[*u, *v]);
                }
            } else {
                target.row(1, row, half_width).copy_from_slice(u);
                target.row(2, row, half_width).copy_from_slice(v);
            }
        }
    }
}

/// A writable picture.
struct Target<'a>(&'a mut FrameBox);

impl Target<'_> {
    /// The first `bytes` of a row; the caller keeps within the picture.
    fn row(&mut self, plane: usize, row: usize, bytes: usize) -> &mut [u8] {
        let fields = self.0.fields();
        let stride = usize::try_from(fields.linesize[plane]).unwrap_or(0);
        assert!(bytes <= stride && !fields.data[plane].is_null());
        // SAFETY: FFmpeg allocated the plane with at least `stride` bytes for each row of the
        // picture, aligned up; `row` is one of them, and the picture is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(fields.data[plane].add(row * stride), bytes) }
    }
}

fn apply(settings: &Settings<'_>, fields: &mut sys::AVCodecContext) -> Result<(), Error> {
    if !settings.width.is_multiple_of(2) || !settings.height.is_multiple_of(2) {
        return Err(Error::Setting("width and height must be even"));
    }
    fields.width = integer(settings.width, "width")?;
    fields.height = integer(settings.height, "height")?;
    let fps = integer(settings.fps.max(1), "fps")?;
    fields.time_base = sys::AVRational { num: 1, den: fps };
    fields.framerate = sys::AVRational { num: fps, den: 1 };
    fields.pix_fmt = sys::AV_PIX_FMT_YUV420P;
    apply_rates(settings.rates, fields)?;
    fields.gop_size = LONGEST_GROUP;
    fields.max_b_frames = 0;
    fields.flags |= (sys::AV_CODEC_FLAG_LOW_DELAY | sys::AV_CODEC_FLAG_CLOSED_GOP) as c_int;
    fields.refs = 1;
    fields.slices = integer(settings.slices, "slices")?;
    fields.thread_count = integer(settings.threads, "threads")?;
    fields.thread_type = sys::FF_THREAD_SLICE as c_int;
    fields.color_range = sys::AVCOL_RANGE_MPEG;
    fields.color_primaries = BT709;
    fields.color_trc = BT709;
    fields.colorspace = BT709;
    Ok(())
}

fn apply_rates(rates: Rates, fields: &mut sys::AVCodecContext) -> Result<(), Error> {
    fields.bit_rate = rates.target_bps.into();
    fields.rc_max_rate = rates.most_bps.into();
    fields.rc_min_rate = rates.least_bps.into();
    fields.rc_buffer_size = integer(rates.buffer_bits, "buffer")?;
    Ok(())
}

/// An empty picture of the size of the stream.
fn picture(context: &sys::AVCodecContext, format: sys::AVPixelFormat) -> Result<FrameBox, Error> {
    let mut frame = FrameBox::new()?;
    let fields = frame.fields_mut();
    fields.format = format;
    (fields.width, fields.height) = (context.width, context.height);
    fields.color_range = context.color_range;
    fields.color_primaries = context.color_primaries;
    fields.color_trc = context.color_trc;
    fields.colorspace = context.colorspace;
    // SAFETY: format and size are set, and there are no buffers yet.
    let code = unsafe { sys::av_frame_get_buffer(frame.as_ptr(), 0) };
    if code < 0 {
        return Err(Error::Memory);
    }
    Ok(frame)
}

fn check(planes: &Planes<'_>, size: Size) -> Result<(), Error> {
    let fits = |plane: &[u8], stride: usize, width: usize, rows: usize| {
        stride >= width
            && stride
                .checked_mul(rows.saturating_sub(1))
                .and_then(|bytes| bytes.checked_add(width))
                .is_some_and(|needed| plane.len() >= needed)
    };
    let (half_width, half_height) = (size.width / 2, size.height / 2);
    let all = fits(planes.y, planes.luma_stride, size.width, size.height)
        && fits(planes.u, planes.chroma_stride, half_width, half_height)
        && fits(planes.v, planes.chroma_stride, half_width, half_height);
    if all { Ok(()) } else { Err(Error::ShortPlane) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coding, Decoder};

    const WIDTH: usize = 192;
    const HEIGHT: usize = 128;

    fn rates(target_bps: u32) -> Rates {
        Rates {
            target_bps,
            most_bps: target_bps,
            least_bps: 0,
            buffer_bits: target_bps / 15,
        }
    }

    /// FFmpeg's own use of libx264, which builds of Debian have.
    fn settings() -> Settings<'static> {
        Settings {
            encoder: "libx264",
            width: WIDTH as u32,
            height: HEIGHT as u32,
            fps: 60,
            rates: rates(800_000),
            threads: 1,
            slices: 1,
            options: &[
                ("preset", "ultrafast"),
                ("tune", "zerolatency"),
                ("forced-idr", "1"),
            ],
            device: None,
        }
    }

    fn noise(seed: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(747_796_405) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        };
        (0..WIDTH * HEIGHT * 3 / 2).map(|_| next()).collect()
    }

    fn planes(bytes: &[u8]) -> Planes<'_> {
        let (y, chroma) = bytes.split_at(WIDTH * HEIGHT);
        let (u, v) = chroma.split_at(WIDTH * HEIGHT / 4);
        Planes {
            y,
            u,
            v,
            luma_stride: WIDTH,
            chroma_stride: WIDTH / 2,
        }
    }

    #[test]
    fn each_picture_gives_its_access_unit_and_keyframes_come_when_asked_for() {
        let mut encoder = Encoder::open(&settings()).unwrap();
        for number in 0..6 {
            let coded = encoder
                .encode(&planes(&noise(number)), number == 4)
                .unwrap();
            assert_eq!(coded.keyframe, number == 0 || number == 4, "{number}");
        }
    }

    /// Pictures that the decoder calls damaged, of six of which the third is changed by `change`.
    fn damaged(change: impl Fn(&mut Vec<u8>)) -> usize {
        let mut encoder = Encoder::open(&settings()).unwrap();
        let mut decoder = Decoder::open(Coding::H264).unwrap();
        let mut damaged = 0;
        for number in 0..6 {
            let coded = encoder.encode(&planes(&noise(number)), false).unwrap();
            let mut unit = coded.data.to_vec();
            if number == 2 {
                change(&mut unit);
            }
            let picture = decoder.decode(&unit);
            damaged += usize::from(picture.is_ok_and(|shown| shown.is_some_and(|it| it.damaged)));
        }
        damaged
    }

    #[test]
    fn a_damaged_bitstream_makes_damaged_pictures_and_a_sound_one_none() {
        assert_eq!(damaged(|_| {}), 0);
        let torn = damaged(|unit| unit.truncate(unit.len() / 2));
        assert!(torn > 0, "the half of a picture");
        let changed = damaged(|unit| {
            let middle = unit.len() / 2;
            unit[middle..middle + 64].fill(0xa5);
        });
        assert!(changed > 0, "other bytes in the middle");
    }

    /// What the last 20 of 30 pictures take.
    fn bytes(encoder: &mut Encoder, first: u32) -> usize {
        let sizes: Vec<usize> = (first..first + 30)
            .map(|number| {
                let coded = encoder.encode(&planes(&noise(number)), false);
                coded.unwrap().data.len()
            })
            .collect();
        sizes[10..].iter().sum()
    }

    #[test]
    fn new_rates_show_in_the_pictures_after() {
        let mut encoder = Encoder::open(&settings()).unwrap();
        let before = bytes(&mut encoder, 0);
        encoder.set_rates(rates(400_000)).unwrap();
        let after = bytes(&mut encoder, 30);
        assert!(after * 10 < before * 7, "{before} bytes, then {after}");
    }

    #[test]
    fn an_encoder_that_looks_ahead_is_told_from_one_that_does_not() {
        let options = [("preset", "ultrafast"), ("rc-lookahead", "10"), ("bf", "2")];
        let patient = Settings {
            options: &options,
            ..settings()
        };
        let mut encoder = Encoder::open(&patient).unwrap();
        let outcome = encoder.encode(&planes(&noise(1)), false).map(drop);
        assert_eq!(outcome, Err(Error::KeptBack));
    }

    #[test]
    fn what_cannot_be_is_refused_before_ffmpeg_sees_it() {
        let wrong = |change: fn(&mut Settings<'static>)| {
            let mut settings = settings();
            change(&mut settings);
            Encoder::open(&settings).err()
        };
        let missing = wrong(|settings| settings.encoder = "no such thing");
        assert_eq!(missing, Some(Error::NoEncoder("no such thing".to_owned())));
        assert!(matches!(
            wrong(|settings| settings.width = 33),
            Some(Error::Setting(_))
        ));
        assert!(matches!(
            wrong(|settings| settings.encoder = "a\0b"),
            Some(Error::Setting(_))
        ));
        assert!(matches!(
            wrong(|settings| settings.width = 0),
            Some(Error::Open(_))
        ));
        let nowhere = wrong(|settings| settings.device = Some(Path::new("/dev/null")));
        assert!(matches!(nowhere, Some(Error::Open(_))), "{nowhere:?}");

        let mut encoder = Encoder::open(&settings()).unwrap();
        let bytes = noise(1);
        let whole = planes(&bytes);
        for (y, u, luma_stride) in [
            (WIDTH * HEIGHT - 1, WIDTH * HEIGHT / 4, WIDTH),
            (WIDTH * HEIGHT, 7, WIDTH),
            (WIDTH * HEIGHT, WIDTH * HEIGHT / 4, WIDTH - 1),
        ] {
            let mut short = whole;
            short.y = &short.y[..y];
            short.u = &short.u[..u];
            short.luma_stride = luma_stride;
            assert_eq!(
                encoder.encode(&short, false).map(drop),
                Err(Error::ShortPlane)
            );
        }
        assert!(encoder.encode(&whole, false).is_ok());
    }
}
