//! The envelope of control messages: opens what clients send, once and in order, and seals what the
//! host sends. Nothing is taken that is not sealed.

use super::client::ClientMessage;
use super::host::HostMessage;
use super::replay::Taken;
use crate::input::Lane;
use crate::seal::{Channel, Origin, Seal, Sealed, TAG_BYTES};
use crate::{Error, StreamKey};

/// The longest message; official clients stay below 300 bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024;
/// What every envelope begins with.
const ENCRYPTED: u16 = 0x0001;
/// Kind, length and sequence number.
const HEAD_BYTES: usize = 8;
/// Kind and length of the message inside.
const INNER_HEAD_BYTES: usize = 4;

fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "control message",
        why,
    }
}

/// Opens the messages of one client.
#[derive(Debug)]
pub struct ControlOpener {
    seal: Seal,
    taken: Taken,
}

impl ControlOpener {
    /// For a session with this key.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library fails.
    pub fn new(key: &StreamKey) -> Result<Self, Error> {
        Ok(Self {
            seal: Seal::new(key, Channel::Control)?,
            taken: Taken::new(),
        })
    }

    /// Reads one packet of ENet, whatever channel it came over.
    ///
    /// # Errors
    /// [`Error::Unencrypted`], [`Error::Forged`] and [`Error::Malformed`] for what the client did not
    /// send; [`Error::Replayed`] for what came before, or too late in its lane; [`Error::Unknown`]
    /// for what came later than this host. None of them is a reason to end the session: anybody can
    /// send the host a packet.
    pub fn open(&mut self, packet: &[u8]) -> Result<ClientMessage, Error> {
        let (sequence, sealed) = envelope(packet)?;
        self.taken.check(sequence)?;
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let plain = &mut buffer[..sealed.text.len()];
        self.seal.open(Origin::Client, sequence, sealed, plain)?;
        self.taken.take(sequence);
        let message = inner(plain)?;
        if let ClientMessage::Input(input) = &message
            && let Some(lane) = Lane::of(input)
        {
            self.taken.follow(lane, sequence)?;
        }
        Ok(message)
    }
}

/// Sequence number, tag and ciphertext.
fn envelope(packet: &[u8]) -> Result<(u32, Sealed<'_>), Error> {
    let (kind, rest) = split_u16(packet)?;
    if kind != ENCRYPTED {
        return Err(Error::Unencrypted {
            what: "control message",
        });
    }
    if packet.len() > MAX_MESSAGE_BYTES {
        return Err(Error::TooLong {
            what: "control message",
            limit_bytes: MAX_MESSAGE_BYTES,
        });
    }
    let (length, rest) = split_u16(rest)?;
    if usize::from(length) != rest.len() {
        return Err(malformed("its length is not what it says"));
    }
    let short = || malformed("it is too short");
    let (sequence, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (tag, text) = rest.split_at_checked(TAG_BYTES).ok_or_else(short)?;
    if text.len() < INNER_HEAD_BYTES {
        return Err(short());
    }
    Ok((u32::from_le_bytes(*sequence), Sealed { tag, text }))
}

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let split = bytes.split_first_chunk();
    let (number, rest) = split.ok_or_else(|| malformed("it is too short"))?;
    Ok((u16::from_le_bytes(*number), rest))
}

fn inner(plain: &[u8]) -> Result<ClientMessage, Error> {
    let (kind, rest) = split_u16(plain)?;
    let (length, payload) = split_u16(rest)?;
    if usize::from(length) != payload.len() {
        return Err(malformed("the length inside is not what it says"));
    }
    ClientMessage::parse(kind, payload)
}

/// Seals the messages of the host, numbered from 0.
#[derive(Debug)]
pub struct ControlSealer {
    seal: Seal,
    next: Option<u32>,
}

impl ControlSealer {
    /// For a session with this key: one for each session, or nonces would repeat.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library fails.
    pub fn new(key: &StreamKey) -> Result<Self, Error> {
        Ok(Self {
            seal: Seal::new(key, Channel::Control)?,
            next: Some(0),
        })
    }

    /// Writes a message into `packet`, in place of what is there.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library fails, or when all sequence numbers are used up.
    pub fn seal(&mut self, message: &HostMessage, packet: &mut Vec<u8>) -> Result<(), Error> {
        let sequence = self.next.ok_or(Error::Crypto {
            doing: "numbering a control message",
        })?;
        packet.clear();
        packet.resize(HEAD_BYTES + TAG_BYTES + INNER_HEAD_BYTES, 0);
        message.write(packet);
        let (head, text) = packet.split_at_mut(HEAD_BYTES + TAG_BYTES);
        let payload_bytes = (text.len() - INNER_HEAD_BYTES) as u16;
        text[..2].copy_from_slice(&message.kind().to_le_bytes());
        text[2..4].copy_from_slice(&payload_bytes.to_le_bytes());
        let tag = self.seal.seal(Origin::Host, sequence, text)?;
        let length = (size_of::<u32>() + TAG_BYTES + text.len()) as u16;
        head[..2].copy_from_slice(&ENCRYPTED.to_le_bytes());
        head[2..4].copy_from_slice(&length.to_le_bytes());
        head[4..8].copy_from_slice(&sequence.to_le_bytes());
        head[8..].copy_from_slice(&tag);
        self.next = sequence.checked_add(1);
        Ok(())
    }
}
