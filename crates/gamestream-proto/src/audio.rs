//! Audio as clients receive it: Opus frames in, RTP packets out, with parity after every fourth and,
//! where agreed, encrypted. Encodes nothing and sends nothing.
//!
//! Wire formats are those of RtpAudioQueue.c and AudioStream.c of the client, and of
//! `audioBroadcastThread` in Sunshine's stream.cpp.

mod layout;

use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use media::PacketBatch;

pub use layout::{AudioQuality, LAYOUTS, OpusLayout, SAMPLE_RATE_HZ};

use crate::fec::{AUDIO_DATA_SHARDS, AUDIO_PARITY_SHARDS, encode_audio};
use crate::packet_error::PacketError;

/// The most bytes of a datagram that clients take (AudioStream.c, `MAX_PACKET_SIZE`).
const MAX_DATAGRAM: usize = 1400;
/// Bytes of the RTP header (Video.h, `FIXED_RTP_HEADER_SIZE`).
const RTP: usize = 12;
/// Bytes that follow it in a parity packet (RtpAudioQueue.h, `AUDIO_FEC_HEADER`).
const PARITY: usize = 12;
/// The most bytes of a payload; parity is as long as data. A multiple of the cipher's block.
const MAX_PAYLOAD: usize = MAX_DATAGRAM - RTP - PARITY;
/// Bytes of a block of AES.
const CIPHER_BLOCK: usize = 16;

/// RTP payload types (RtpAudioQueue.c).
const DATA_TYPE: u8 = 97;
const PARITY_TYPE: u8 = 127;
/// Version 2.
const RTP_FIRST_BYTE: u8 = 0x80;

/// What audio is encrypted with: both were sent with the launch request.
#[derive(Clone, Copy)]
pub struct AudioKey {
    /// `rikey`.
    pub key: [u8; 16],
    /// `rikeyid`, a signed number there, whose bits count here.
    pub key_id: u32,
}

/// Makes the packets of one audio stream. Owns its counters, so one lives as long as the stream.
#[derive(Debug)]
pub struct AudioPacketiser {
    cipher: Option<Cipher>,
    frame_ms: u8,
    /// Of the next data packet. Parity has numbers of the next block, which clients ignore.
    sequence: u16,
    /// Of the next data packet, in milliseconds.
    timestamp_ms: u32,
    block: Block,
}

/// Payloads of the block so far, back to back.
#[derive(Debug)]
struct Block {
    sequence: u16,
    timestamp_ms: u32,
    /// The payload at hand; its memory is kept.
    payload: Vec<u8>,
    data: Vec<u8>,
    parity: Vec<u8>,
    /// Bytes of each payload; nothing once they differ.
    payload_bytes: Option<usize>,
}

impl AudioPacketiser {
    /// A packetiser at the start of its stream, for frames of `frame_ms` milliseconds
    /// (`x-nv-aqos.packetDuration`); with a key, every payload is encrypted.
    ///
    /// # Errors
    /// [`PacketError::Encryption`] where the crypto library does not take the key.
    pub fn new(frame_ms: u8, key: Option<&AudioKey>) -> Result<Self, PacketError> {
        Ok(Self {
            cipher: key.map(Cipher::new).transpose()?,
            frame_ms,
            sequence: 0,
            timestamp_ms: 0,
            block: Block {
                sequence: 0,
                timestamp_ms: 0,
                payload: Vec::with_capacity(MAX_PAYLOAD),
                data: Vec::with_capacity(MAX_PAYLOAD * AUDIO_DATA_SHARDS),
                parity: Vec::with_capacity(MAX_PAYLOAD * AUDIO_PARITY_SHARDS),
                payload_bytes: None,
            },
        })
    }

    /// The most bytes of an Opus frame.
    #[must_use]
    pub const fn max_frame_bytes(&self) -> usize {
        match self.cipher {
            Some(_) => MAX_PAYLOAD - 1,
            None => MAX_PAYLOAD,
        }
    }

    /// Replaces what is in `batch` by the packet of an Opus frame, and, after the last of four, their
    /// parity.
    ///
    /// All frames have to be of one size, which is hard constant bitrate. A client that sees two
    /// sizes in one block uses no parity any more (RtpAudioQueue.c, `incompatibleServer`); such a
    /// block is sent without.
    ///
    /// # Errors
    /// [`PacketError::EmptyFrame`] and [`PacketError::AudioTooLarge`], after which the batch is empty
    /// and the stream where it was; [`PacketError::Encryption`] if the library fails.
    pub fn packetise(&mut self, opus: &[u8], batch: &mut PacketBatch) -> Result<(), PacketError> {
        batch.clear();
        if opus.is_empty() {
            return Err(PacketError::EmptyFrame);
        }
        if opus.len() > self.max_frame_bytes() {
            return Err(PacketError::AudioTooLarge {
                bytes: opus.len(),
                most: self.max_frame_bytes(),
            });
        }
        self.block.payload.clear();
        self.block.payload.extend_from_slice(opus);
        if let Some(cipher) = &self.cipher {
            cipher.seal(self.sequence, &mut self.block.payload)?;
        }
        let place = usize::from(self.sequence) % AUDIO_DATA_SHARDS;
        if place == 0 {
            self.block.begin(self.sequence, self.timestamp_ms);
        }
        let header = RtpHeader {
            payload_type: DATA_TYPE,
            sequence: self.sequence,
            timestamp: self.timestamp_ms,
        };
        batch.push(&[&header.bytes(), &self.block.payload]);
        self.block.keep();
        self.sequence = self.sequence.wrapping_add(1);
        let frame_ms = u32::from(self.frame_ms);
        self.timestamp_ms = self.timestamp_ms.wrapping_add(frame_ms);
        if place + 1 == AUDIO_DATA_SHARDS {
            self.block.push_parity(batch)?;
        }
        Ok(())
    }
}

impl Block {
    fn begin(&mut self, sequence: u16, timestamp_ms: u32) {
        self.sequence = sequence;
        self.timestamp_ms = timestamp_ms;
        self.data.clear();
        self.payload_bytes = Some(self.payload.len());
    }

    /// Adds the payload at hand.
    fn keep(&mut self) {
        self.data.extend_from_slice(&self.payload);
        self.payload_bytes = self
            .payload_bytes
            .filter(|bytes| *bytes == self.payload.len());
    }

    fn push_parity(&mut self, batch: &mut PacketBatch) -> Result<(), PacketError> {
        let Some(bytes) = self.payload_bytes else {
            return Ok(());
        };
        self.parity.resize(bytes * AUDIO_PARITY_SHARDS, 0);
        encode_audio(&self.data, &mut self.parity)?;
        for (index, shard) in (0..).zip(self.parity.chunks_exact(bytes)) {
            let header = RtpHeader {
                payload_type: PARITY_TYPE,
                sequence: self.sequence.wrapping_add(AUDIO_DATA_SHARDS as u16 + index),
                timestamp: 0,
            };
            batch.push(&[&header.bytes(), &self.parity_header(index as u8), shard]);
        }
        Ok(())
    }

    /// What a client restores the headers of lost packets from.
    fn parity_header(&self, index: u8) -> [u8; PARITY] {
        let mut header = [0; PARITY];
        header[0] = index;
        header[1] = DATA_TYPE;
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp_ms.to_be_bytes());
        header
    }
}

struct RtpHeader {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl RtpHeader {
    /// With the source zero.
    fn bytes(self) -> [u8; RTP] {
        let mut header = [0; RTP];
        header[0] = RTP_FIRST_BYTE;
        header[1] = self.payload_type;
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header
    }
}

/// Encrypts payloads (AudioStream.c, `decodeInputData`).
#[derive(Debug)]
struct Cipher {
    key: PaddedBlockEncryptingKey,
    key_id: u32,
}

impl Cipher {
    fn new(key: &AudioKey) -> Result<Self, PacketError> {
        let bytes = UnboundCipherKey::new(&AES_128, &key.key);
        let bound = bytes.and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
        Ok(Self {
            key: bound.map_err(|_| PacketError::Encryption)?,
            key_id: key.key_id,
        })
    }

    /// The first four bytes of the vector are the key's number plus the packet's.
    fn seal(&self, sequence: u16, payload: &mut Vec<u8>) -> Result<(), PacketError> {
        let number = self.key_id.wrapping_add(u32::from(sequence));
        let mut vector = [0; CIPHER_BLOCK];
        vector[..4].copy_from_slice(&number.to_be_bytes());
        let context = EncryptionContext::Iv128(FixedLength::from(vector));
        let sealed = self.key.less_safe_encrypt(payload, context);
        sealed.map(|_| ()).map_err(|_| PacketError::Encryption)
    }
}

#[cfg(test)]
#[path = "audio_tests.rs"]
mod tests;
