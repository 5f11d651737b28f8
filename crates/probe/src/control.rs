//! Messages of the control connection: sealed, counted, and read (ControlStream.c). The connection
//! itself is elsewhere.

use serde::Serialize;

use crate::Error;
use crate::crypto::{Direction, GcmKey, Sealed, TAG_LEN, channel_nonce};
use crate::video::BlockStatus;

/// The letter of control in nonces.
const CHANNEL: u8 = b'C';
/// The only outer type there is.
const ENVELOPE: u16 = 1;
/// Type, length, counter, tag.
const ENVELOPE_LEN: usize = 8 + TAG_LEN;
/// Channel of everything that has none of its own.
const GENERIC: u8 = 0;
/// Channel of what repairs video.
const URGENT: u8 = 1;

/// A message to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    channel: u8,
    reliable: bool,
    kind: u16,
    body: Vec<u8>,
}

impl Message {
    /// An input event, already in its form.
    #[must_use]
    pub const fn input(channel: u8, body: Vec<u8>) -> Self {
        Self {
            channel,
            reliable: true,
            kind: 0x0206,
            body,
        }
    }

    /// Sent once and forgotten.
    #[must_use]
    pub fn unreliable(mut self) -> Self {
        self.reliable = false;
        self
    }

    const fn new(channel: u8, kind: u16, body: Vec<u8>) -> Self {
        Self {
            channel,
            reliable: true,
            kind,
            body,
        }
    }

    /// A keyframe, please; also how a session begins.
    #[must_use]
    pub fn keyframe() -> Self {
        Self::new(URGENT, 0x0302, vec![0, 0])
    }

    /// The first of the two messages that begin a session.
    #[must_use]
    pub fn start_a() -> Self {
        Self::new(GENERIC, 0x0302, vec![0, 0])
    }

    /// The second of them.
    #[must_use]
    pub fn start_b() -> Self {
        Self::new(GENERIC, 0x0307, vec![0])
    }

    /// Still here.
    #[must_use]
    pub fn ping() -> Self {
        Self::new(GENERIC, 0x0200, vec![4, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Frames that were not shown; refer to none of them.
    #[must_use]
    pub fn invalidate(first: u32, last: u32) -> Self {
        let mut body = vec![0; 24];
        body[..4].copy_from_slice(&first.to_le_bytes());
        body[8..12].copy_from_slice(&last.to_le_bytes());
        Self::new(URGENT, 0x0301, body)
    }

    /// A long-term reference has arrived.
    #[must_use]
    pub fn long_term(frame: u32) -> Self {
        let mut body = frame.to_le_bytes().to_vec();
        body.extend([0; 4]);
        Self::new(URGENT, 0x0350, body)
    }

    /// How a block with losses ended.
    #[must_use]
    pub fn block_status(status: &BlockStatus) -> Self {
        let mut body = status.frame.to_be_bytes().to_vec();
        let shorts = [
            status.highest,
            status.next_contiguous,
            status.missing,
            status.data,
            status.parity,
            status.received_data,
            status.received_parity,
        ];
        body.extend(shorts.into_iter().flat_map(u16::to_be_bytes));
        body.extend([status.percent, status.block, status.blocks]);
        Self::new(GENERIC, 0x5502, body).unreliable()
    }

    /// Any message at all, for trying what a host makes of it.
    #[must_use]
    pub const fn raw(channel: u8, kind: u16, body: Vec<u8>) -> Self {
        Self::new(channel, kind, body)
    }

    /// The ENet channel.
    #[must_use]
    pub const fn channel(&self) -> u8 {
        self.channel
    }

    /// Whether it is sent until it arrives.
    #[must_use]
    pub const fn reliable(&self) -> bool {
        self.reliable
    }

    /// What follows type and length.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The message in its envelope, as number `sequence` of its direction.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn seal(&self, key: &GcmKey, sequence: u32) -> Result<Vec<u8>, Error> {
        let mut plain = self.kind.to_le_bytes().to_vec();
        // No message is longer than a few hundred bytes, except on purpose.
        plain.extend((self.body.len() as u16).to_le_bytes());
        plain.extend(&self.body);
        seal(key, sequence, Direction::FromClient, &plain)
    }
}

/// Puts type, length and body into an envelope.
///
/// # Errors
/// [`Error::Crypto`].
pub fn seal(
    key: &GcmKey,
    sequence: u32,
    direction: Direction,
    plain: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut message = ENVELOPE.to_le_bytes().to_vec();
    message.extend(((4 + TAG_LEN + plain.len()) as u16).to_le_bytes());
    message.extend(sequence.to_le_bytes());
    message.extend([0; TAG_LEN]);
    message.extend(plain);
    let (envelope, text) = message.split_at_mut(ENVELOPE_LEN);
    let tag = key.seal(channel_nonce(sequence, direction, CHANNEL), text)?;
    envelope[8..].copy_from_slice(&tag);
    Ok(message)
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Not an envelope, or one whose length is wrong.
    #[error("not a sealed control message")]
    Envelope,
    /// Sealed with another key, or changed.
    #[error("a control message that does not decrypt")]
    NotAuthentic,
    /// Shorter than its type needs.
    #[error("a control message that is too short")]
    Short,
    /// A number that was used before.
    #[error("a control message with a number that was used before")]
    Replayed,
}

/// What a host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum HostEvent {
    /// Shake a pad.
    Rumble {
        /// Which one.
        pad: u16,
        /// The heavy motor.
        low: u16,
        /// The light motor.
        high: u16,
    },
    /// Shake a pad's triggers.
    TriggerRumble {
        /// Which one.
        pad: u16,
        /// The left one.
        left: u16,
        /// The right one.
        right: u16,
    },
    /// Report a pad's motion, or stop.
    MotionState {
        /// Which one.
        pad: u16,
        /// Reports a second; 0 stops.
        rate_hz: u16,
        /// 1 acceleration, 2 rotation.
        kind: u8,
    },
    /// Colour a pad.
    Led {
        /// Which one.
        pad: u16,
        /// Red.
        r: u8,
        /// Green.
        g: u8,
        /// Blue.
        b: u8,
    },
    /// Stiffen a pad's triggers.
    AdaptiveTriggers {
        /// Which one.
        pad: u16,
        /// 4 right, 8 left.
        flags: u8,
        /// Kind of the left effect.
        left_kind: u8,
        /// Kind of the right effect.
        right_kind: u8,
        /// Parameters of the left effect.
        left: [u8; 10],
        /// Parameters of the right effect.
        right: [u8; 10],
    },
    /// High dynamic range begins or ends.
    Hdr {
        /// Whether it is on.
        on: bool,
        /// Brightest the display gets, in nits.
        max_nits: u16,
    },
    /// The stream is over.
    Termination {
        /// Why; 0x80030023 is an ordinary end.
        code: u32,
    },
    /// Something that clients of today do not know.
    Unknown {
        /// Its type.
        kind: u16,
    },
}

/// The ordinary end of a stream (ControlStream.c).
pub const ENDED: u32 = 0x8003_0023;

/// Opens an envelope from the host: its number, and type, length and body.
///
/// # Errors
/// [`ControlError`].
pub fn open(
    key: &GcmKey,
    direction: Direction,
    message: &[u8],
) -> Result<(u32, Vec<u8>), ControlError> {
    let (envelope, ciphertext) = message
        .split_at_checked(ENVELOPE_LEN)
        .ok_or(ControlError::Envelope)?;
    let length = usize::from(u16::from_le_bytes([envelope[2], envelope[3]]));
    let sound = envelope[..2] == ENVELOPE.to_le_bytes() && length + 4 == message.len();
    if !sound || ciphertext.len() < 4 {
        return Err(ControlError::Envelope);
    }
    let sequence = u32::from_le_bytes([envelope[4], envelope[5], envelope[6], envelope[7]]);
    let mut plain = vec![0; ciphertext.len()];
    let sealed = Sealed {
        nonce: channel_nonce(sequence, direction, CHANNEL),
        tag: &envelope[8..],
        ciphertext,
    };
    key.open(&sealed, &mut plain)
        .map_err(|_| ControlError::NotAuthentic)?;
    Ok((sequence, plain))
}

/// Reads type, length and body.
///
/// # Errors
/// [`ControlError::Short`].
pub fn parse(plain: &[u8]) -> Result<HostEvent, ControlError> {
    let (head, body) = plain.split_at_checked(4).ok_or(ControlError::Short)?;
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let body = body.get(..length).ok_or(ControlError::Short)?;
    let short = |at: usize| -> Result<u16, ControlError> {
        let bytes = body.get(at..at + 2).ok_or(ControlError::Short)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    let byte = |at: usize| body.get(at).copied().ok_or(ControlError::Short);
    Ok(match u16::from_le_bytes([head[0], head[1]]) {
        0x010b => HostEvent::Rumble {
            pad: short(4)?,
            low: short(6)?,
            high: short(8)?,
        },
        0x5500 => HostEvent::TriggerRumble {
            pad: short(0)?,
            left: short(2)?,
            right: short(4)?,
        },
        0x5501 => HostEvent::MotionState {
            pad: short(0)?,
            rate_hz: short(2)?,
            kind: byte(4)?,
        },
        0x5502 => HostEvent::Led {
            pad: short(0)?,
            r: byte(2)?,
            g: byte(3)?,
            b: byte(4)?,
        },
        0x5503 => {
            let effect = |at: usize| {
                let bytes = body.get(at..).and_then(|rest| rest.first_chunk());
                bytes.copied().ok_or(ControlError::Short)
            };
            HostEvent::AdaptiveTriggers {
                pad: short(0)?,
                flags: byte(2)?,
                left_kind: byte(3)?,
                right_kind: byte(4)?,
                left: effect(5)?,
                right: effect(15)?,
            }
        }
        0x010e => HostEvent::Hdr {
            on: byte(0)? != 0,
            max_nits: short(17)?,
        },
        0x0109 => HostEvent::Termination {
            code: u32::from_be_bytes([byte(0)?, byte(1)?, byte(2)?, byte(3)?]),
        },
        kind => HostEvent::Unknown { kind },
    })
}

/// Opens what the host sends, and refuses numbers that were used before.
#[derive(Debug)]
pub struct Inbox {
    key: GcmKey,
    /// The next number of each ENet channel; messages of different channels may overtake each other.
    next: Vec<u32>,
}

impl Inbox {
    /// For one session.
    #[must_use]
    pub const fn new(key: GcmKey) -> Self {
        Self {
            key,
            next: Vec::new(),
        }
    }

    /// Opens and reads a message that came on `channel`.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn open(&mut self, channel: u8, message: &[u8]) -> Result<HostEvent, ControlError> {
        let (sequence, plain) = open(&self.key, Direction::FromHost, message)?;
        let channel = usize::from(channel);
        if self.next.len() <= channel {
            self.next.resize(channel + 1, 0);
        }
        if sequence < self.next[channel] {
            return Err(ControlError::Replayed);
        }
        self.next[channel] = sequence.saturating_add(1);
        parse(&plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from_host(sequence: u32, kind: u16, body: &[u8]) -> Vec<u8> {
        let mut plain = kind.to_le_bytes().to_vec();
        plain.extend((body.len() as u16).to_le_bytes());
        plain.extend(body);
        let key = GcmKey::new(&[1; 16]).unwrap();
        seal(&key, sequence, Direction::FromHost, &plain).unwrap()
    }

    #[test]
    fn what_a_host_says_is_read() {
        let mut inbox = Inbox::new(GcmKey::new(&[1; 16]).unwrap());
        let rumble = from_host(0, 0x010b, &[0, 0, 0, 0, 1, 0, 2, 0, 3, 0]);
        let read = inbox.open(0, &rumble).unwrap();
        assert_eq!(
            read,
            HostEvent::Rumble {
                pad: 1,
                low: 2,
                high: 3
            }
        );
        let end = from_host(1, 0x0109, &ENDED.to_be_bytes());
        assert_eq!(
            inbox.open(0, &end).unwrap(),
            HostEvent::Termination { code: ENDED }
        );
    }

    #[test]
    fn a_number_counts_once_a_channel() {
        let mut inbox = Inbox::new(GcmKey::new(&[1; 16]).unwrap());
        let message = from_host(5, 0x0109, &[0; 4]);
        assert!(inbox.open(0, &message).is_ok());
        assert_eq!(inbox.open(0, &message), Err(ControlError::Replayed));
        assert_eq!(
            inbox.open(0, &from_host(4, 0x0109, &[0; 4])),
            Err(ControlError::Replayed)
        );
        assert!(inbox.open(1, &from_host(4, 0x0109, &[0; 4])).is_ok());
    }

    #[test]
    fn a_changed_or_shortened_message_is_refused() {
        let mut inbox = Inbox::new(GcmKey::new(&[1; 16]).unwrap());
        let mut message = from_host(0, 0x0109, &[0; 4]);
        *message.last_mut().unwrap() ^= 1;
        assert_eq!(inbox.open(0, &message), Err(ControlError::NotAuthentic));
        assert_eq!(inbox.open(0, &message[..20]), Err(ControlError::Envelope));
        assert_eq!(
            inbox.open(0, &from_host(0, 0x5502, &[0; 2])),
            Err(ControlError::Short)
        );
    }

    #[test]
    fn the_status_of_a_block_has_the_bytes_of_the_clients() {
        let status = BlockStatus {
            frame: 0x0102_0304,
            percent: 20,
            block: 1,
            blocks: 2,
            ..BlockStatus::default()
        };
        let message = Message::block_status(&status);
        assert_eq!(message.body().len(), 21);
        assert_eq!(
            (&message.body()[..4], &message.body()[18..]),
            (&[1, 2, 3, 4][..], &[20, 1, 2][..])
        );
        assert!(!message.reliable());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
            let _ = Inbox::new(GcmKey::new(&[1; 16]).unwrap()).open(3, &bytes);
        }
    }
}
