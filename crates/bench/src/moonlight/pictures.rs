//! Decodes what the client receives, reads both barcodes from the pixels, and notes when. It keeps no
//! picture.

use super::watching::Records;
use media::Size;
use probe::sdp::OpusLayout;
use probe::{AudioDecoder, Codec, Decoders, VideoDecoder};
use std::sync::Arc;

/// Gives a stream its decoder.
pub(super) struct Readers {
    records: Arc<Records>,
    source: Size,
}

impl Readers {
    /// For pictures of a source of this size.
    pub(super) const fn new(records: Arc<Records>, source: Size) -> Self {
        Self { records, source }
    }
}

impl Decoders for Readers {
    #[cfg(feature = "ffmpeg")]
    fn video(&self, codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        reader::Reader::open(codec, &self.records, self.source)
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn video(&self, _codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        self.records.problem(format!("cannot read {}", self.source));
        None
    }

    /// Sound is received and not listened to.
    fn audio(&self, _layout: &OpusLayout, _packet_ms: u32) -> Option<Box<dyn AudioDecoder>> {
        None
    }
}

/// Whether this build can read pictures at all.
pub(crate) const fn can_read() -> bool {
    cfg!(feature = "ffmpeg")
}

/// What decodes.
#[cfg(feature = "ffmpeg")]
pub(super) fn decoder_version() -> String {
    format!("FFmpeg {}", ffi_ffmpeg::version())
}

/// What decodes.
#[cfg(not(feature = "ffmpeg"))]
pub(super) fn decoder_version() -> String {
    "no decoder".to_owned()
}

#[cfg(feature = "ffmpeg")]
mod reader {
    //! With libavcodec's decoders.

    use super::Records;
    use crate::page::wall_ms;
    use capture::barcode::{self, Barcode};
    use ffi_ffmpeg::{Coding, Decoder, Picture};
    use media::{MonoTime, Size};
    use probe::{Codec, CodedUnit, DecodeFailed, Decoded, VideoDecoder};
    use std::sync::Arc;

    pub(super) struct Reader {
        decoder: Decoder,
        records: Arc<Records>,
        source: Size,
    }

    impl Reader {
        pub(super) fn open(
            codec: Codec,
            records: &Arc<Records>,
            source: Size,
        ) -> Option<Box<dyn VideoDecoder>> {
            let coding = match codec {
                Codec::H264 => Coding::H264,
                Codec::Hevc => Coding::Hevc,
                Codec::Av1 => Coding::Av1,
            };
            match Decoder::open(coding) {
                Ok(decoder) => Some(Box::new(Self {
                    decoder,
                    records: Arc::clone(records),
                    source,
                })),
                Err(error) => {
                    records.problem(error.to_string());
                    None
                }
            }
        }
    }

    impl VideoDecoder for Reader {
        fn decode(&mut self, unit: &CodedUnit) -> Result<Decoded, DecodeFailed> {
            let began = MonoTime::now();
            let picture = self.decoder.decode(&unit.bytes).map_err(|_| DecodeFailed)?;
            let Some(picture) = picture else {
                return Ok(Decoded::default());
            };
            let decoder_ms = MonoTime::now().since(began).as_secs_f64() * 1000.0;
            let code = read(&picture, self.source, 0);
            let readable_ms = wall_ms();
            let received_ms = unit.complete_at.wall_us() as f64 / 1000.0;
            self.records.pictures(|batch| {
                let rtp = Some(unit.timestamp);
                match code {
                    Some(code) => {
                        batch
                            .frames
                            .push((readable_ms, rtp, code.time_us as f64, code.frame));
                        batch
                            .sights
                            .push((rtp, None, Some(received_ms), Some(decoder_ms)));
                    }
                    None => batch.unreadable += 1,
                }
            });
            if Barcode::fits_with_presses(self.source)
                && let Some(presses) = read(&picture, self.source, barcode::SIZE.width)
            {
                let shown = (
                    wall_ms(),
                    Some(unit.timestamp),
                    presses.time_us as f64,
                    presses.frame,
                );
                self.records.show_presses(shown);
            }
            Ok(Decoded {
                pictures: 1,
                damaged: picture.damaged.into(),
                size: Some(Size::new(picture.width, picture.height)),
            })
        }
    }

    /// The code that begins `left` pixels from the left of the source.
    fn read(picture: &Picture<'_>, source: Size, left: u32) -> Option<Barcode> {
        if picture.bits != 8 || !Barcode::fits(source) {
            return None;
        }
        let scale = [
            picture.width as f32 / source.width as f32,
            picture.height as f32 / source.height as f32,
        ];
        let left = (left as f32 * scale[0]).round() as u32;
        let luma = picture.planes[0];
        let at = |x: u32, y: u32| {
            let at = y as usize * luma.stride + (left + x) as usize;
            luma.bytes.get(at).copied().unwrap_or(0)
        };
        Barcode::read_scaled(at, scale.map(|scale| scale * barcode::CELL_PX as f32))
    }
}
