//! The decoders of this build, as the probe wants them: libavcodec's for video and libopus for audio.
//! A build without FFmpeg looks at bitstreams only.

use audio::{AudioFormat, ChannelLayout, FrameDuration, OpusConfig, OpusDecoder, Quality};
use probe::sdp::OpusLayout;
use probe::{AudioDecoder, Codec, DecodeFailed, Decoders, VideoDecoder};

/// What this build has.
#[derive(Debug)]
pub(crate) struct Built;

impl Decoders for Built {
    #[cfg(feature = "ffmpeg")]
    fn video(&self, codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        ffmpeg::open(codec)
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn video(&self, _codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        None
    }

    fn audio(&self, layout: &OpusLayout, packet_ms: u32) -> Option<Box<dyn AudioDecoder>> {
        let format = AudioFormat {
            layout: ChannelLayout::from_channels(layout.channels.into())?,
            frame: FrameDuration::from_ms(packet_ms)?,
        };
        let config = OpusConfig::gamestream(format, Quality::Normal);
        let config = config.with_streams(layout.streams, layout.coupled, &layout.mapping);
        match config.and_then(|config| OpusDecoder::new(&config)) {
            Ok(decoder) => Some(Box::new(Opus {
                decoder,
                values: Vec::new(),
            })),
            Err(error) => {
                tracing::warn!(%error, "sound is not decoded");
                None
            }
        }
    }
}

struct Opus {
    decoder: OpusDecoder,
    values: Vec<f32>,
}

impl AudioDecoder for Opus {
    fn decode(&mut self, packet: Option<&[u8]>, out: &mut Vec<f32>) -> Result<(), DecodeFailed> {
        let packet = packet.unwrap_or(&[]);
        let decoded = self.decoder.decode(packet, &mut self.values);
        decoded.map_err(|_| DecodeFailed)?;
        out.extend_from_slice(&self.values);
        Ok(())
    }
}

#[cfg(feature = "ffmpeg")]
mod ffmpeg {
    //! libavcodec's decoders.

    use ffi_ffmpeg::{Coding, Decoder};
    use media::Size;
    use probe::{Codec, CodedUnit, DecodeFailed, Decoded, VideoDecoder};

    struct Video(Decoder);

    pub(super) fn open(codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        let coding = match codec {
            Codec::H264 => Coding::H264,
            Codec::Hevc => Coding::Hevc,
            Codec::Av1 => Coding::Av1,
        };
        match Decoder::open(coding) {
            Ok(decoder) => Some(Box::new(Video(decoder))),
            Err(error) => {
                tracing::warn!(%error, "pictures are not decoded");
                None
            }
        }
    }

    impl VideoDecoder for Video {
        fn decode(&mut self, unit: &CodedUnit) -> Result<Decoded, DecodeFailed> {
            let picture = self.0.decode(&unit.bytes).map_err(|_| DecodeFailed)?;
            Ok(picture.map_or_else(Decoded::default, |picture| Decoded {
                pictures: 1,
                damaged: picture.damaged.into(),
                size: Some(Size::new(picture.width, picture.height)),
            }))
        }
    }
}
