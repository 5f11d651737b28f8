//! Opus: what a stream is encoded as, the encoder and the decoder; refuses packets of differing sizes
//! where a stream is said to have a constant rate.

use crate::layout::{AudioFormat, ChannelLayout, FrameDuration, MAX_CHANNELS, SAMPLE_RATE_HZ};
use opus::{Application, Bitrate, MSDecoder, MSEncoder};
use std::time::Duration;

/// The largest packet of one Opus stream, by the standard, and what joins it to others.
const MAX_STREAM_BYTES: usize = 1275 + 2;
/// The lowest and highest rate that libopus takes for one channel.
const CHANNEL_BITRATE_BPS: std::ops::RangeInclusive<u32> = 6_000..=510_000;

/// What was wrong with a request to libopus.
#[derive(Debug, thiserror::Error)]
pub enum OpusError {
    /// Such a stream cannot be; another configuration can.
    #[error("Opus cannot be configured so: {0}")]
    Config(&'static str),
    /// The frame has not the shape that the encoder was made for.
    #[error("a frame of {got} values was given where {expected} are expected")]
    Shape {
        /// Values given.
        got: usize,
        /// Values of a frame.
        expected: usize,
    },
    /// libopus refused.
    #[error("libopus: {0}")]
    Library(#[from] opus::Error),
}

/// How the bits are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateControl {
    /// Every packet has one size.
    Constant,
    /// As much as each frame needs, the bitrate on average.
    Constrained,
}

/// How well GameStream clients want to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// For any link.
    #[default]
    Normal,
    /// One uncoupled stream for each surround channel, for links with bits to spare.
    High,
}

/// What a stream is encoded as. Two consumers with equal ones share an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpusConfig {
    /// Channels and frame length of the input.
    pub format: AudioFormat,
    /// Opus streams in a packet.
    pub streams: u8,
    /// How many of them, the first ones, are stereo.
    pub coupled: u8,
    /// For each channel the coded one it goes to, as in RFC 7845; unused ones are 0.
    pub mapping: [u8; MAX_CHANNELS],
    /// Rate of all streams together.
    pub bitrate_bps: u32,
    /// How packets may differ in size.
    pub rate: RateControl,
    /// Effort, 0 to 10.
    pub complexity: u8,
}

const IDENTITY: [u8; MAX_CHANNELS] = [0, 1, 2, 3, 4, 5, 6, 7];

/// As the channels of a layout, where fewer than all are used.
const fn identity(channels: usize) -> [u8; MAX_CHANNELS] {
    let mut mapping = IDENTITY;
    let mut unused = channels;
    while unused < MAX_CHANNELS {
        mapping[unused] = 0;
        unused += 1;
    }
    mapping
}

impl OpusConfig {
    /// What Moonlight clients are sent. They turn their error correction off when the sizes of
    /// packets differ (`RtpAudioQueue.c`), so the rate is constant.
    #[must_use]
    pub const fn gamestream(format: AudioFormat, quality: Quality) -> Self {
        let (streams, coupled, bitrate_bps) = match (format.layout, quality) {
            (ChannelLayout::Stereo, Quality::Normal) => (1, 1, 96_000),
            (ChannelLayout::Stereo, Quality::High) => (1, 1, 512_000),
            (ChannelLayout::Surround51, Quality::Normal) => (4, 2, 256_000),
            (ChannelLayout::Surround51, Quality::High) => (6, 0, 1_536_000),
            (ChannelLayout::Surround71, Quality::Normal) => (5, 3, 450_000),
            (ChannelLayout::Surround71, Quality::High) => (8, 0, 2_048_000),
        };
        Self {
            format,
            streams,
            coupled,
            mapping: identity(format.layout.channels()),
            bitrate_bps,
            rate: RateControl::Constant,
            complexity: 10,
        }
    }

    /// What browsers are sent: stereo, one ordinary Opus packet a frame.
    #[must_use]
    pub const fn webrtc(frame: FrameDuration, bitrate_bps: u32) -> Self {
        let format = AudioFormat {
            layout: ChannelLayout::Stereo,
            frame,
        };
        Self {
            format,
            streams: 1,
            coupled: 1,
            mapping: identity(2),
            bitrate_bps,
            rate: RateControl::Constrained,
            complexity: 10,
        }
    }

    /// The same with streams and mapping of a client's own choice, one number for each channel.
    ///
    /// # Errors
    /// [`OpusError::Config`] when the numbers do not fit the channels.
    pub fn with_streams(self, streams: u8, coupled: u8, mapping: &[u8]) -> Result<Self, OpusError> {
        if mapping.len() != self.format.layout.channels() {
            return Err(OpusError::Config("the mapping has not one entry a channel"));
        }
        let mut full = [0; MAX_CHANNELS];
        full[..mapping.len()].copy_from_slice(mapping);
        let config = Self {
            streams,
            coupled,
            mapping: full,
            ..self
        };
        config.check()?;
        Ok(config)
    }

    /// The mapping of the channels there are.
    #[must_use]
    pub fn mapping(&self) -> &[u8] {
        &self.mapping[..self.format.layout.channels()]
    }

    /// Bytes of every packet of a constant rate; the average of another.
    #[must_use]
    pub fn packet_bytes(&self) -> usize {
        let bit_samples = self.bitrate_bps as usize * self.format.frame.samples();
        // To the nearest byte, as libopus rounds.
        (bit_samples + 4 * SAMPLE_RATE_HZ as usize) / (8 * SAMPLE_RATE_HZ as usize)
    }

    fn max_packet_bytes(&self) -> usize {
        usize::from(self.streams) * MAX_STREAM_BYTES
    }

    fn check(&self) -> Result<(), OpusError> {
        let coded = u32::from(self.streams) + u32::from(self.coupled);
        let channels = self.format.layout.channels();
        if self.streams == 0 || self.coupled > self.streams || coded as usize > channels {
            return Err(OpusError::Config("the streams do not fit the channels"));
        }
        let carried = |index: u32| self.mapping().iter().any(|to| u32::from(*to) == index);
        if !(0..coded).all(carried) || self.mapping().iter().any(|to| u32::from(*to) >= coded) {
            return Err(OpusError::Config("the mapping does not fit the streams"));
        }
        if !CHANNEL_BITRATE_BPS.contains(&(self.bitrate_bps / coded)) {
            return Err(OpusError::Config("the bitrate is out of range"));
        }
        if self.complexity > 10 {
            return Err(OpusError::Config("the complexity is above 10"));
        }
        Ok(())
    }
}

/// Encodes frames of one shape. It looks ahead 2.5 ms and no more.
#[derive(Debug)]
pub struct OpusEncoder {
    config: OpusConfig,
    encoder: MSEncoder,
    lookahead: Duration,
}

impl OpusEncoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`OpusError`], for a configuration that cannot be.
    pub fn new(config: &OpusConfig) -> Result<Self, OpusError> {
        config.check()?;
        let mut encoder = MSEncoder::new(
            SAMPLE_RATE_HZ,
            config.streams,
            config.coupled,
            config.mapping(),
            Application::LowDelay,
        )?;
        let bitrate = i32::try_from(config.bitrate_bps)
            .map_err(|_| OpusError::Config("the bitrate is out of range"))?;
        encoder.set_bitrate(Bitrate::Bits(bitrate))?;
        encoder.set_vbr(config.rate == RateControl::Constrained)?;
        encoder.set_vbr_constraint(true)?;
        encoder.set_complexity(i32::from(config.complexity))?;
        let ahead = u64::try_from(encoder.get_lookahead()?).unwrap_or(0);
        Ok(Self {
            config: *config,
            encoder,
            lookahead: Duration::from_micros(ahead * 1_000_000 / u64::from(SAMPLE_RATE_HZ)),
        })
    }

    /// What it was made for.
    #[must_use]
    pub const fn config(&self) -> &OpusConfig {
        &self.config
    }

    /// How far what is decoded lags behind what was encoded.
    #[must_use]
    pub const fn lookahead(&self) -> Duration {
        self.lookahead
    }

    /// Encodes one frame into `packet`, whose former content goes and whose buffer is reused.
    ///
    /// # Errors
    /// [`OpusError::Shape`] for a frame of another format; what libopus says.
    pub fn encode(&mut self, values: &[f32], packet: &mut Vec<u8>) -> Result<(), OpusError> {
        let expected = self.config.format.values();
        if values.len() != expected {
            let got = values.len();
            return Err(OpusError::Shape { got, expected });
        }
        packet.resize(self.config.max_packet_bytes(), 0);
        let length = self.encoder.encode_float(values, packet)?;
        packet.truncate(length);
        Ok(())
    }
}

/// Decodes what [`OpusEncoder`] made, for tests and for a client that looks at a stream.
#[derive(Debug)]
pub struct OpusDecoder {
    format: AudioFormat,
    decoder: MSDecoder,
}

impl OpusDecoder {
    /// A decoder for such a stream.
    ///
    /// # Errors
    /// [`OpusError`], for a configuration that cannot be.
    pub fn new(config: &OpusConfig) -> Result<Self, OpusError> {
        config.check()?;
        let decoder = MSDecoder::new(
            SAMPLE_RATE_HZ,
            config.streams,
            config.coupled,
            config.mapping(),
        )?;
        Ok(Self {
            format: config.format,
            decoder,
        })
    }

    /// Decodes a packet into `values`; an empty one stands for a lost one and is concealed.
    ///
    /// # Errors
    /// [`OpusError::Shape`] where the packet lasts another time than a frame; what libopus says
    /// of a damaged packet.
    pub fn decode(&mut self, packet: &[u8], values: &mut Vec<f32>) -> Result<(), OpusError> {
        let expected = self.format.values();
        values.resize(expected, 0.0);
        let samples = self.decoder.decode_float(packet, values, false)?;
        let got = samples * self.format.layout.channels();
        if got == expected {
            return Ok(());
        }
        Err(OpusError::Shape { got, expected })
    }
}
