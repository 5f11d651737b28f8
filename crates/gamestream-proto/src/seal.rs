//! The seal that control and RTSP put on their messages with a session's key. It counts nothing: which
//! sequence numbers are taken is decided by those who use it.

use crate::{Error, StreamKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;

/// Length of the tag that proves where a message comes from.
pub(crate) const TAG_BYTES: usize = 16;

/// Whose messages a seal is for: the two ends never use one nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Client,
    Host,
}

impl Origin {
    const fn byte(self) -> u8 {
        match self {
            Self::Client => b'C',
            Self::Host => b'H',
        }
    }
}

/// What a seal is on; each has its own nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Control,
    Rtsp,
}

impl Channel {
    const fn byte(self) -> u8 {
        match self {
            Self::Control => b'C',
            Self::Rtsp => b'R',
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Control => "control message",
            Self::Rtsp => "RTSP message",
        }
    }
}

/// AES-128-GCM with the nonces of one channel: the sequence number in little endian, zeros, who
/// sends, and the channel (ControlStream.c `encryptControlMessage`, RtspConnection.c
/// `sealRtspMessage`).
pub(crate) struct Seal {
    key: LessSafeKey,
    channel: Channel,
}

impl Seal {
    pub(crate) fn new(key: &StreamKey, channel: Channel) -> Result<Self, Error> {
        let unbound = UnboundKey::new(&AES_128_GCM, key.bytes());
        let unbound = unbound.map_err(|_| Error::Crypto {
            doing: "taking a session's key",
        })?;
        Ok(Self {
            key: LessSafeKey::new(unbound),
            channel,
        })
    }

    fn nonce(&self, origin: Origin, sequence: u32) -> Nonce {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&sequence.to_le_bytes());
        bytes[10] = origin.byte();
        bytes[11] = self.channel.byte();
        Nonce::assume_unique_for_key(bytes)
    }

    /// Encrypts in place and returns the tag. A sequence number is used once for each origin.
    pub(crate) fn seal(
        &self,
        origin: Origin,
        sequence: u32,
        text: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Error> {
        let failed = || Error::Crypto {
            doing: "sealing a message",
        };
        let nonce = self.nonce(origin, sequence);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), text);
        let tag = tag.map_err(|_| failed())?;
        tag.as_ref().try_into().map_err(|_| failed())
    }

    /// Decrypts `sealed` into `plain`, which has its length.
    pub(crate) fn open(
        &self,
        origin: Origin,
        sequence: u32,
        sealed: Sealed<'_>,
        plain: &mut [u8],
    ) -> Result<(), Error> {
        let nonce = self.nonce(origin, sequence);
        self.key
            .open_separate_gather(nonce, Aad::empty(), sealed.text, sealed.tag, plain)
            .map_err(|_| Error::Forged {
                what: self.channel.message(),
            })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({:?})", self.channel)
    }
}

/// Ciphertext and its tag, which stand apart on the wire.
#[derive(Clone, Copy)]
pub(crate) struct Sealed<'a> {
    pub(crate) tag: &'a [u8],
    pub(crate) text: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_for_its_channel_origin_and_number_only() {
        let key = StreamKey::new([7; 16]);
        let control = Seal::new(&key, Channel::Control).unwrap();
        let rtsp = Seal::new(&key, Channel::Rtsp).unwrap();
        let mut text = *b"hello";
        let tag = control.seal(Origin::Client, 3, &mut text).unwrap();
        let sealed = Sealed {
            tag: &tag,
            text: &text,
        };
        let mut plain = [0; 5];
        control.open(Origin::Client, 3, sealed, &mut plain).unwrap();
        assert_eq!(&plain, b"hello");
        assert!(control.open(Origin::Client, 4, sealed, &mut plain).is_err());
        assert!(control.open(Origin::Host, 3, sealed, &mut plain).is_err());
        assert!(rtsp.open(Origin::Client, 3, sealed, &mut plain).is_err());
    }
}
