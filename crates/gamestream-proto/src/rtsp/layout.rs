//! How Opus streams make up the channels of a sound, and how clients are told.

/// The most channels that clients take (`AUDIO_CONFIGURATION_MAX_CHANNEL_COUNT` in Limelight.h).
const MAX_CHANNELS: usize = 8;
/// From this channel on clients turn the mapping of normal quality: low frequencies come first there.
const TURNED_FROM: usize = 3;

/// Channels, streams and which stream holds which channel, in the order front left, front right,
/// centre, low frequencies, back left, back right, side left, side right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusLayout {
    channels: u8,
    streams: u8,
    coupled: u8,
    mapping: [u8; MAX_CHANNELS],
}

impl OpusLayout {
    /// A layout; nothing when it is none: 1 to 8 channels, no more coupled streams than streams, as
    /// many decoded channels as there are, each mapped within them.
    #[must_use]
    pub fn new(streams: u8, coupled: u8, mapping: &[u8]) -> Option<Self> {
        let channels = u8::try_from(mapping.len()).ok()?;
        let decoded = streams.checked_add(coupled)?;
        let valid = (1..=MAX_CHANNELS).contains(&mapping.len())
            && coupled <= streams
            && decoded == channels
            && mapping.iter().all(|place| *place < decoded);
        let mut all = [0; MAX_CHANNELS];
        all.get_mut(..mapping.len())?.copy_from_slice(mapping);
        valid.then_some(Self {
            channels,
            streams,
            coupled,
            mapping: all,
        })
    }

    /// A layout of the client's own, from the digits of `surroundParams`: 5.1 or 7.1, or nothing.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let number = |byte: &u8| byte.is_ascii_digit().then(|| byte - b'0');
        let numbers: Option<Vec<u8>> = digits.as_bytes().iter().map(number).collect();
        let numbers = numbers?;
        let [channels @ (6 | 8), streams, coupled, mapping @ ..] = &*numbers else {
            return None;
        };
        Self::new(*streams, *coupled, mapping).filter(|layout| layout.channels == *channels)
    }

    /// How many channels.
    #[must_use]
    pub const fn channels(&self) -> u8 {
        self.channels
    }

    /// How many streams.
    #[must_use]
    pub const fn streams(&self) -> u8 {
        self.streams
    }

    /// How many of the streams hold two channels.
    #[must_use]
    pub const fn coupled(&self) -> u8 {
        self.coupled
    }

    /// Which decoded channel each channel is.
    #[must_use]
    pub fn mapping(&self) -> &[u8] {
        &self.mapping[..usize::from(self.channels)]
    }

    /// The digits as clients read them.
    pub(super) fn digits(&self) -> String {
        let numbers = [self.channels, self.streams, self.coupled];
        let numbers = numbers.iter().chain(self.mapping());
        numbers.map(|number| char::from(b'0' + number)).collect()
    }

    /// This layout turned back: clients move the last channel of a normal quality 5.1 or 7.1 to the
    /// fourth place before they use it (RtspConnection.c, `parseOpusConfigurations`).
    pub(super) fn turned_back(mut self) -> Self {
        if self.channels == 6 || self.channels == 8 {
            self.mapping[TURNED_FROM..usize::from(self.channels)].rotate_left(1);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client makes of the digits of normal quality.
    fn as_client_reads(digits: &str) -> Vec<u8> {
        let channels = usize::from(digits.as_bytes()[0] - b'0');
        let sent: Vec<u8> = digits[3..].bytes().map(|byte| byte - b'0').collect();
        let mut mapping = sent.clone();
        if channels == 6 || channels == 8 {
            mapping[3] = sent[channels - 1];
            mapping[4..].copy_from_slice(&sent[3..channels - 1]);
        }
        mapping
    }

    #[test]
    fn clients_end_up_with_the_mapping_that_was_meant() {
        for layout in [
            OpusLayout::new(1, 1, &[0, 1]).unwrap(),
            OpusLayout::new(4, 2, &[0, 4, 1, 5, 2, 3]).unwrap(),
            OpusLayout::new(5, 3, &[0, 6, 1, 7, 2, 3, 4, 5]).unwrap(),
        ] {
            let digits = layout.turned_back().digits();
            assert_eq!(as_client_reads(&digits), layout.mapping(), "{digits}");
        }
        let surround = OpusLayout::new(4, 2, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert_eq!(surround.turned_back().digits(), "642012453");
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        assert!(OpusLayout::new(1, 1, &[0, 2]).is_none());
        assert!(OpusLayout::new(1, 2, &[0, 1, 2]).is_none());
        assert!(OpusLayout::new(2, 1, &[0, 1]).is_none());
        assert!(OpusLayout::new(0, 0, &[]).is_none());
        assert!(OpusLayout::new(9, 0, &[0; 9]).is_none());
        for digits in [
            "",
            "64",
            "642",
            "21101",
            "64201245",
            "642012456",
            "64201245x",
        ] {
            assert!(OpusLayout::from_digits(digits).is_none(), "{digits}");
        }
        let layout = OpusLayout::from_digits("642012453").unwrap();
        assert_eq!(
            (layout.channels(), layout.streams(), layout.coupled()),
            (6, 4, 2)
        );
        assert_eq!(layout.mapping(), [0, 1, 2, 4, 5, 3]);
    }
}
