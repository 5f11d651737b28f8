//! The frame around sealed RTSP messages, in both directions. Plain text is refused, and so is what
//! was taken before.

use super::message::{MAX_BODY_BYTES, MAX_HEAD_BYTES};
use crate::seal::{Channel, Origin, Seal, Sealed, TAG_BYTES};
use crate::{Error, StreamKey};

/// Marks a frame as sealed; the other bits are the length (RtspConnection.c, `ENC_RTSP_HEADER`).
const SEALED: u32 = 0x8000_0000;
const HEAD_BYTES: usize = 8 + TAG_BYTES;
const MAX_TEXT_BYTES: usize = MAX_HEAD_BYTES + 4 + MAX_BODY_BYTES;

/// The seal of one session, over all its connections.
#[derive(Debug)]
pub(super) struct SealedRtsp {
    seal: Seal,
    /// The last number that the client used in this session.
    taken: Option<u32>,
    /// The last number that the host used.
    given: u32,
}

impl SealedRtsp {
    pub(super) fn new(key: &StreamKey) -> Result<Self, Error> {
        Ok(Self {
            seal: Seal::new(key, Channel::Rtsp)?,
            taken: None,
            given: 0,
        })
    }

    /// The length of the frame that `received` begins with; nothing while more has to come.
    pub(super) fn length(received: &[u8]) -> Result<Option<usize>, Error> {
        let Some(text_bytes) = text_bytes(received)? else {
            return Ok(None);
        };
        let total = HEAD_BYTES + text_bytes;
        Ok((received.len() >= total).then_some(total))
    }

    /// Opens one whole frame.
    pub(super) fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        let malformed = || Error::Malformed {
            what: "sealed RTSP message",
            why: "it has not the length it says",
        };
        let text_bytes = text_bytes(frame)?.ok_or_else(malformed)?;
        let (head, text) = frame.split_at_checked(HEAD_BYTES).ok_or_else(malformed)?;
        if text.len() != text_bytes {
            return Err(malformed());
        }
        let sequence = be32(&head[4..]).ok_or_else(malformed)?;
        if self.taken.is_some_and(|taken| sequence <= taken) {
            return Err(Error::Replayed {
                what: "RTSP message",
                sequence,
            });
        }
        let tag = &head[8..];
        let mut plain = vec![0; text_bytes];
        let sealed = Sealed { tag, text };
        self.seal
            .open(Origin::Client, sequence, sealed, &mut plain)?;
        self.taken = Some(sequence);
        Ok(plain)
    }

    /// Seals one message.
    pub(super) fn seal(&mut self, mut text: Vec<u8>) -> Result<Vec<u8>, Error> {
        let failed = || Error::Crypto {
            doing: "sealing an RTSP message",
        };
        let text_bytes = u32::try_from(text.len()).ok().filter(|len| len < &SEALED);
        let kind = SEALED | text_bytes.ok_or_else(failed)?;
        self.given = self.given.checked_add(1).ok_or_else(failed)?;
        let tag = self.seal.seal(Origin::Host, self.given, &mut text)?;
        let mut frame = Vec::with_capacity(HEAD_BYTES + text.len());
        frame.extend_from_slice(&kind.to_be_bytes());
        frame.extend_from_slice(&self.given.to_be_bytes());
        frame.extend_from_slice(&tag);
        frame.append(&mut text);
        Ok(frame)
    }
}

fn be32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// How long the message inside is, once that has come.
fn text_bytes(received: &[u8]) -> Result<Option<usize>, Error> {
    if received.first().is_some_and(|first| first & 0x80 == 0) {
        return Err(Error::Unencrypted {
            what: "RTSP message",
        });
    }
    let Some(kind) = be32(received) else {
        return Ok(None);
    };
    let text_bytes = (kind & !SEALED) as usize;
    if text_bytes > MAX_TEXT_BYTES {
        return Err(Error::TooLong {
            what: "sealed RTSP message",
            limit_bytes: MAX_TEXT_BYTES,
        });
    }
    Ok(Some(text_bytes))
}
