//! Cuts access units into packets. Owns the counters of one stream (sequence, packet index, nonce),
//! so one of these lives as long as the session's key; it neither sends nor paces.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use media::Rtp90k;

use super::blocks::{Block, Blocks, MAX_BLOCK_PACKETS, MAX_BLOCKS, Protection};
use super::headers::{
    BlockPlace, DataHeader, ENCRYPTION, FRAME, NONCE, PictureType, RTP, SentHeader, VIDEO,
    frame_header,
};
use crate::fec::{Rows, VideoFec};
use crate::packet_error::PacketError;

/// The smallest packet size; clients never ask for less than 1024.
pub const MIN_PACKET_SIZE: usize = 200;
/// The largest: what a UDP datagram holds besides the headers before it.
pub const MAX_PACKET_SIZE: usize = 65_456;

/// What the client and the host agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSettings {
    /// `x-nv-video[0].packetSize`: bytes of a packet after the RTP header, which has 16 more. The
    /// client has already taken off what encryption adds.
    pub packet_size: usize,
    /// Parity.
    pub protection: Protection,
}

/// One encoded picture.
#[derive(Clone, Copy, Debug)]
pub struct VideoFrame<'a> {
    /// Counts pictures from 1. One that is left out is a lost picture to the client.
    pub number: u32,
    /// How it can be decoded.
    pub picture: PictureType,
    /// When it was captured. Two pictures never share one.
    pub timestamp: Rtp90k,
    /// From capture to here, in tenths of a millisecond; 0 where it is not known.
    pub host_latency_tenth_ms: u16,
    /// Whether the client shall acknowledge it as a long-term reference.
    pub long_term: bool,
    /// The bitstream: Annex B, or OBUs of AV1.
    pub data: &'a [u8],
}

/// The packets of one picture in one buffer, all of one length, in the order to send them in: data
/// before parity within a block, one block after the other. Keeps its memory from picture to picture.
#[derive(Debug, Default)]
pub struct VideoBatch {
    /// Longer than what is used after a larger picture.
    bytes: Vec<u8>,
    packets: usize,
    stride: usize,
    parity: usize,
}

impl VideoBatch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            packets: 0,
            stride: 0,
            parity: 0,
        }
    }

    /// All packets, back to back.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.packets * self.stride]
    }

    /// Bytes of each packet.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Number of packets.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.packets
    }

    /// Whether there is no packet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// How many of the packets are parity.
    #[must_use]
    pub const fn parity_len(&self) -> usize {
        self.parity
    }

    /// Packet by packet.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes().chunks_exact(self.stride.max(1))
    }

    /// Forgets all packets, keeps the memory.
    pub const fn clear(&mut self) {
        self.packets = 0;
        self.parity = 0;
    }

    /// Makes room for packets whose bytes are still those of an earlier picture.
    fn prepare(&mut self, blocks: Blocks, stride: usize) {
        self.packets = blocks.total();
        self.parity = blocks.iter().map(|block| block.parity).sum();
        self.stride = stride;
        let needed = self.packets * stride;
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
    }
}

/// Makes the packets of one video stream.
#[derive(Debug)]
pub struct VideoPacketiser {
    settings: VideoSettings,
    fec: VideoFec,
    cipher: Option<Cipher>,
    /// Of the next packet. Its lower bits are the RTP sequence number and the packet index.
    pub(super) next_packet: u32,
}

impl VideoPacketiser {
    /// A packetiser at the start of its stream; with a key, every packet is encrypted. Two of them
    /// with one key would use nonces twice, so there is one as long as a key lives.
    ///
    /// # Errors
    /// [`PacketError::PacketSize`] outside of [`MIN_PACKET_SIZE`] to [`MAX_PACKET_SIZE`],
    /// [`PacketError::Encryption`] where the crypto library does not take the key.
    pub fn new(settings: VideoSettings, key: Option<&[u8; 16]>) -> Result<Self, PacketError> {
        if !(MIN_PACKET_SIZE..=MAX_PACKET_SIZE).contains(&settings.packet_size) {
            return Err(PacketError::PacketSize {
                bytes: settings.packet_size,
                least: MIN_PACKET_SIZE,
                most: MAX_PACKET_SIZE,
            });
        }
        Ok(Self {
            settings,
            fec: VideoFec::new(),
            cipher: key.map(Cipher::new).transpose()?,
            next_packet: 0,
        })
    }

    /// From the next picture on, so much parity.
    pub const fn set_protection(&mut self, protection: Protection) {
        self.settings.protection = protection;
    }

    /// How much parity the next picture gets.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.settings.protection
    }

    /// Bytes of a datagram.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.prefix() + RTP + self.settings.packet_size
    }

    /// Bytes of the bitstream that fit into the first packet of a picture.
    #[must_use]
    pub const fn first_payload_bytes(&self) -> usize {
        self.payload() - FRAME
    }

    /// The most bytes a picture may have.
    #[must_use]
    pub const fn max_frame_bytes(&self) -> usize {
        MAX_BLOCKS * MAX_BLOCK_PACKETS * self.payload() - FRAME
    }

    /// Replaces what is in `batch` by the packets of a picture. Allocates only while `batch` grows.
    ///
    /// # Errors
    /// [`PacketError::EmptyFrame`] and [`PacketError::FrameTooLarge`], after which the batch is empty
    /// and the stream goes on as if the picture had been lost; [`PacketError::Block`] and
    /// [`PacketError::Encryption`] if a library fails.
    pub fn packetise(
        &mut self,
        frame: &VideoFrame<'_>,
        batch: &mut VideoBatch,
    ) -> Result<(), PacketError> {
        batch.clear();
        if frame.data.is_empty() {
            return Err(PacketError::EmptyFrame);
        }
        let payload = self.payload();
        let packets = (FRAME + frame.data.len()).div_ceil(payload);
        let too_large = PacketError::FrameTooLarge {
            bytes: frame.data.len(),
            most: self.max_frame_bytes(),
        };
        let blocks = Blocks::plan(packets, self.settings.protection).ok_or(too_large)?;
        batch.prepare(blocks, self.stride());
        let filled = self.fill(frame, blocks, &mut batch.bytes);
        if filled.is_err() {
            batch.clear();
        }
        filled
    }

    fn fill(
        &mut self,
        frame: &VideoFrame<'_>,
        blocks: Blocks,
        mut bytes: &mut [u8],
    ) -> Result<(), PacketError> {
        let mut content = Content::new(frame, self.payload());
        let count = blocks.count();
        for (index, block) in blocks.iter().enumerate() {
            let (packets, rest) = bytes.split_at_mut(block.packets() * self.stride());
            let place = BlockPlace { index, count };
            self.fill_block(frame, &mut content, (block, place), packets)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Data, then parity over it, then what each packet tells by itself, then encryption: the client
    /// undoes them in the opposite order.
    fn fill_block(
        &mut self,
        frame: &VideoFrame<'_>,
        content: &mut Content<'_>,
        (block, place): (Block, BlockPlace),
        packets: &mut [u8],
    ) -> Result<(), PacketError> {
        let (prefix, stride) = (self.prefix(), self.stride());
        let (data, parity) = packets.split_at_mut(block.data * stride);
        for (shard, packet) in data.chunks_exact_mut(stride).enumerate() {
            let packet = &mut packet[prefix..];
            let header = DataHeader {
                packet_index: self.next_packet.wrapping_add(shard as u32),
                frame_index: frame.number,
                first: shard == 0,
                last: shard + 1 == block.data,
                long_term: frame.long_term,
                block: place,
            };
            header.write(packet);
            content.fill(&mut packet[RTP + VIDEO..]);
        }
        let rows = Rows {
            stride,
            offset: prefix,
            length: stride - prefix,
        };
        self.fec.encode(rows, data, parity)?;
        for (shard, packet) in packets.chunks_exact_mut(stride).enumerate() {
            let header = SentHeader {
                sequence: self.next_packet as u16,
                timestamp: frame.timestamp.0,
                frame_index: frame.number,
                block: place,
                shard,
                data_shards: block.data,
                percent: block.percent,
            };
            header.write(&mut packet[prefix..]);
            self.next_packet = self.next_packet.wrapping_add(1);
            if let Some(cipher) = &mut self.cipher {
                cipher.seal(frame.number, packet)?;
            }
        }
        Ok(())
    }

    const fn prefix(&self) -> usize {
        match self.cipher {
            Some(_) => ENCRYPTION,
            None => 0,
        }
    }

    /// Bytes of content in each packet.
    const fn payload(&self) -> usize {
        self.settings.packet_size - VIDEO
    }
}

/// What the payloads of a picture are filled with: its header, its bitstream, then zeros. The last
/// packet is as long as the others, like Sunshine's; decoders skip the zeros, and for AV1 the header
/// says where they begin (VideoDepacketizer.c, `lastPacketPayloadLength`).
struct Content<'a> {
    header: Option<[u8; FRAME]>,
    data: &'a [u8],
}

impl<'a> Content<'a> {
    fn new(frame: &VideoFrame<'a>, payload: usize) -> Self {
        let last = (FRAME + frame.data.len()) % payload;
        let last = if last == 0 { payload } else { last };
        // A payload is below `MAX_PACKET_SIZE`, which has 16 bits.
        let header = frame_header(frame.picture, frame.host_latency_tenth_ms, last as u16);
        Self {
            header: Some(header),
            data: frame.data,
        }
    }

    fn fill(&mut self, mut payload: &mut [u8]) {
        if let Some(header) = self.header.take() {
            let (front, rest) = payload.split_at_mut(FRAME);
            front.copy_from_slice(&header);
            payload = rest;
        }
        let (now, later) = self.data.split_at(payload.len().min(self.data.len()));
        let (content, padding) = payload.split_at_mut(now.len());
        content.copy_from_slice(now);
        padding.fill(0);
        self.data = later;
    }
}

/// Encrypts packets in place (stream.cpp; VideoStream.c decrypts).
#[derive(Debug)]
struct Cipher {
    key: LessSafeKey,
    /// Of the next nonce. 2^64 packets are more than any session sends.
    counter: u64,
}

impl Cipher {
    fn new(key: &[u8; 16]) -> Result<Self, PacketError> {
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| PacketError::Encryption)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            counter: 0,
        })
    }

    /// Encrypts what follows the prefix, and fills the prefix: nonce, frame number, tag. The frame
    /// number lets the client skip parity that it no longer needs before it decrypts it.
    fn seal(&mut self, frame_number: u32, packet: &mut [u8]) -> Result<(), PacketError> {
        let mut nonce = [0; NONCE];
        nonce[..8].copy_from_slice(&self.counter.to_le_bytes());
        nonce[NONCE - 1] = b'V';
        self.counter += 1;
        let (prefix, content) = packet.split_at_mut(ENCRYPTION);
        let sealed = self.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            content,
        );
        let tag = sealed.map_err(|_| PacketError::Encryption)?;
        prefix[..NONCE].copy_from_slice(&nonce);
        prefix[NONCE..16].copy_from_slice(&frame_number.to_le_bytes());
        prefix[16..].copy_from_slice(tag.as_ref());
        Ok(())
    }
}
