//! How channels are spread over Opus streams, and how that is announced. The encoder and the
//! announcement read one table, because a client decodes by what was announced.

/// Opus always runs at this rate here (AudioStream.c).
pub const SAMPLE_RATE_HZ: u32 = 48_000;

/// The most channels of a layout.
const MAX_CHANNELS: usize = 8;
/// The channel from which on announced mappings are turned: the low-frequency one, after three.
const TURNED_FROM: usize = 3;

/// What a client asks for with `x-nv-audio.surround.AudioQuality`, or for stereo with the host's name
/// in its requests (rtsp.cpp, `cmd_announce`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioQuality {
    /// Pairs of channels share a stream.
    Normal,
    /// Surround channels have a stream each.
    High,
}

/// How the channels of a stream are coded. The channels come in the order front left, front right,
/// centre, low frequency, back left, back right, side left, side right, as far as there are so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusLayout {
    /// Quality that this is the layout of.
    pub quality: AudioQuality,
    /// Channels: 2, 6 or 8.
    pub channels: u8,
    /// Opus streams, coupled ones first.
    pub streams: u8,
    /// How many of the streams carry two channels.
    pub coupled_streams: u8,
    /// Of all streams together; constant, in bits a second.
    pub bitrate_bps: u32,
    mapping: [u8; MAX_CHANNELS],
}

/// Every layout, in the order in which they are announced: for each number of channels, a client
/// takes the first for normal and the second for high quality (RtspConnection.c,
/// `parseOpusConfigurations`).
///
/// Numbers of streams and bitrates are Sunshine's (audio.cpp). Its normal quality couples the centre
/// with the low-frequency channel; here the pairs are left and right.
pub const LAYOUTS: [OpusLayout; 6] = [
    OpusLayout {
        quality: AudioQuality::Normal,
        channels: 2,
        streams: 1,
        coupled_streams: 1,
        bitrate_bps: 96_000,
        mapping: [0, 1, 0, 0, 0, 0, 0, 0],
    },
    OpusLayout {
        quality: AudioQuality::High,
        channels: 2,
        streams: 1,
        coupled_streams: 1,
        bitrate_bps: 512_000,
        mapping: [0, 1, 0, 0, 0, 0, 0, 0],
    },
    OpusLayout {
        quality: AudioQuality::Normal,
        channels: 6,
        streams: 4,
        coupled_streams: 2,
        bitrate_bps: 256_000,
        mapping: [0, 1, 4, 5, 2, 3, 0, 0],
    },
    OpusLayout {
        quality: AudioQuality::High,
        channels: 6,
        streams: 6,
        coupled_streams: 0,
        bitrate_bps: 1_536_000,
        mapping: [0, 1, 2, 3, 4, 5, 0, 0],
    },
    OpusLayout {
        quality: AudioQuality::Normal,
        channels: 8,
        streams: 5,
        coupled_streams: 3,
        bitrate_bps: 450_000,
        mapping: [0, 1, 6, 7, 2, 3, 4, 5],
    },
    OpusLayout {
        quality: AudioQuality::High,
        channels: 8,
        streams: 8,
        coupled_streams: 0,
        bitrate_bps: 2_048_000,
        mapping: [0, 1, 2, 3, 4, 5, 6, 7],
    },
];

impl OpusLayout {
    /// The layout for so many channels; nothing where clients know none.
    #[must_use]
    pub fn find(channels: u8, quality: AudioQuality) -> Option<Self> {
        let fits = |layout: &Self| layout.channels == channels && layout.quality == quality;
        LAYOUTS.into_iter().find(fits)
    }

    /// For each channel, which channel of the coded streams it is: what the encoder is given
    /// (`opus_multistream_encoder_create`), and what the decoder ends up with.
    #[must_use]
    pub fn encoder_mapping(&self) -> &[u8] {
        &self.mapping[..usize::from(self.channels)]
    }

    /// What a client reads after `a=fmtp:97 surround-params=`: the numbers of channels, streams and
    /// coupled streams and the mapping, a digit each.
    ///
    /// For surround in normal quality, a client moves the last entry of the mapping behind the third
    /// (RtspConnection.c, `parseOpusConfigurations`), so it is announced the other way round.
    #[must_use]
    pub fn surround_params(&self) -> String {
        let mut mapping = self.mapping;
        let channels = usize::from(self.channels);
        if self.quality == AudioQuality::Normal && channels > TURNED_FROM {
            mapping[TURNED_FROM..channels].rotate_left(1);
        }
        let numbers = [self.channels, self.streams, self.coupled_streams];
        let digits = numbers.iter().chain(&mapping[..channels]);
        digits.map(|number| char::from(b'0' + number)).collect()
    }

    /// Bytes of each Opus frame of so many milliseconds, rounded down.
    #[must_use]
    pub const fn frame_bytes(&self, frame_ms: u8) -> usize {
        (self.bitrate_bps as usize) * (frame_ms as usize) / 8000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `parseOpusConfigurations` makes of the first or second announcement.
    fn parsed(params: &str, quality: AudioQuality) -> Vec<u8> {
        let digits: Vec<u8> = params.bytes().map(|digit| digit - b'0').collect();
        let channels = usize::from(digits[0]);
        let announced = &digits[3..];
        assert_eq!(announced.len(), channels);
        let mut mapping = announced.to_vec();
        if quality == AudioQuality::Normal && channels > 2 {
            mapping[3] = announced[channels - 1];
            mapping[4..].copy_from_slice(&announced[3..channels - 1]);
        }
        mapping
    }

    #[test]
    fn clients_end_up_with_the_mapping_of_the_encoder() {
        for layout in LAYOUTS {
            let params = layout.surround_params();
            assert_eq!(parsed(&params, layout.quality), layout.encoder_mapping());
        }
    }

    #[test]
    fn every_coded_channel_is_heard_once_and_pairs_are_left_and_right() {
        for layout in LAYOUTS {
            let mut heard = layout.encoder_mapping().to_vec();
            heard.sort_unstable();
            let coded: Vec<u8> = (0..layout.streams + layout.coupled_streams).collect();
            assert_eq!(heard, coded);
            for pair in 0..layout.coupled_streams {
                let channel_of = |coded: u8| {
                    let mapping = layout.encoder_mapping();
                    mapping.iter().position(|&entry| entry == coded).unwrap()
                };
                let (left, right) = (channel_of(2 * pair), channel_of(2 * pair + 1));
                assert!([(0, 1), (4, 5), (6, 7)].contains(&(left, right)));
            }
        }
    }

    #[test]
    fn announcements_are_those_that_were_computed_by_hand() {
        let all = LAYOUTS.map(|layout| layout.surround_params());
        let expected = [
            "21101",
            "21101",
            "642014235",
            "660012345",
            "85301623457",
            "88001234567",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn layouts_are_found_by_channels_and_quality() {
        let stereo = OpusLayout::find(2, AudioQuality::High).unwrap();
        assert_eq!(stereo.bitrate_bps, 512_000);
        assert_eq!(OpusLayout::find(4, AudioQuality::Normal), None);
        for layout in LAYOUTS {
            assert_eq!(
                OpusLayout::find(layout.channels, layout.quality),
                Some(layout)
            );
        }
    }

    #[test]
    fn frames_of_the_lengths_that_clients_ask_for_fit_into_packets() {
        for layout in LAYOUTS {
            assert!(layout.frame_bytes(5) <= 1375, "{layout:?}");
            // For high-quality surround they ask for 5 ms (SdpGenerator.c).
            let long = layout.quality == AudioQuality::Normal || layout.channels == 2;
            assert!(!long || layout.frame_bytes(10) <= 1375);
        }
        assert_eq!(LAYOUTS[0].frame_bytes(5), 60);
    }
}
