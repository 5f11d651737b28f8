//! The ciphers and hashes of the protocol as small functions over bytes: AES-ECB for pairing, AES-GCM
//! for RTSP, control and video, AES-CBC for audio. It keeps no counters; callers own their nonces.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
    PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;

use crate::Error;

/// Bytes of a key of AES-128.
pub const KEY_LEN: usize = 16;
/// Bytes of a GCM tag.
pub const TAG_LEN: usize = 16;
/// Bytes of a GCM nonce.
pub const NONCE_LEN: usize = 12;

/// Something that does not decrypt: other key, or not what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not decrypt")]
pub struct NotAuthentic;

/// Random bytes.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::Crypto("no random numbers"))?;
    Ok(bytes)
}

/// SHA-256 of the parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// AES-128-ECB without padding, as pairing uses it; the length is a multiple of 16.
///
/// # Errors
/// Another length.
pub fn ecb_encrypt(key: &[u8; KEY_LEN], data: &mut [u8]) -> Result<(), Error> {
    let failed = |_| Error::Crypto("AES-ECB");
    let key = UnboundCipherKey::new(&AES_128, key).map_err(failed)?;
    let key = EncryptingKey::ecb(key).map_err(failed)?;
    let context = EncryptionContext::None;
    key.less_safe_encrypt(data, context).map_err(failed)?;
    Ok(())
}

/// The inverse of [`ecb_encrypt`].
///
/// # Errors
/// Another length.
pub fn ecb_decrypt(key: &[u8; KEY_LEN], data: &mut [u8]) -> Result<(), Error> {
    let failed = |_| Error::Crypto("AES-ECB");
    let key = UnboundCipherKey::new(&AES_128, key).map_err(failed)?;
    let key = DecryptingKey::ecb(key).map_err(failed)?;
    let context = DecryptionContext::None;
    key.decrypt(data, context).map_err(failed)?;
    Ok(())
}

/// A session's key for everything that is sealed with AES-128-GCM.
pub struct GcmKey(LessSafeKey);

impl std::fmt::Debug for GcmKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GcmKey")
    }
}

impl GcmKey {
    /// The key made of these bytes.
    ///
    /// # Errors
    /// Never for 16 bytes, as far as the library goes.
    pub fn new(key: &[u8; KEY_LEN]) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| Error::Crypto("AES-GCM"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts in place and gives the tag.
    ///
    /// # Errors
    /// Longer than GCM allows.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], data: &mut [u8]) -> Result<[u8; TAG_LEN], Error> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::empty(), data);
        let sealed = sealed.map_err(|_| Error::Crypto("AES-GCM"))?;
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(sealed.as_ref());
        Ok(tag)
    }

    /// Decrypts `sealed` into `out`, which has the same length.
    ///
    /// # Errors
    /// The tag does not fit.
    pub fn open(&self, sealed: &Sealed<'_>, out: &mut [u8]) -> Result<(), NotAuthentic> {
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let (text, tag) = (sealed.ciphertext, sealed.tag);
        let opened = self
            .0
            .open_separate_gather(nonce, Aad::empty(), text, tag, out);
        opened.map_err(|_| NotAuthentic)
    }
}

/// One sealed message.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// Its nonce.
    pub nonce: [u8; NONCE_LEN],
    /// Its tag.
    pub tag: &'a [u8],
    /// Its text.
    pub ciphertext: &'a [u8],
}

/// The nonce of message `sequence` of a channel: little-endian counter, and two letters that keep
/// directions and channels apart (RtspConnection.c, ControlStream.c).
#[must_use]
pub fn channel_nonce(sequence: u32, direction: Direction, channel: u8) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[..4].copy_from_slice(&sequence.to_le_bytes());
    nonce[10] = match direction {
        Direction::FromClient => b'C',
        Direction::FromHost => b'H',
    };
    nonce[11] = channel;
    nonce
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// This program.
    FromClient,
    /// The host.
    FromHost,
}

/// A session's key for audio: AES-128-CBC with padding, the packet's number in the IV (AudioStream.c).
pub struct AudioKey {
    key: PaddedBlockDecryptingKey,
    key_id: u32,
}

impl std::fmt::Debug for AudioKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AudioKey")
    }
}

impl AudioKey {
    /// The key of a session, with the number that came with it (`rikeyid`).
    ///
    /// # Errors
    /// Never for 16 bytes, as far as the library goes.
    pub fn new(key: &[u8; KEY_LEN], key_id: u32) -> Result<Self, Error> {
        let failed = |_| Error::Crypto("AES-CBC");
        let key = UnboundCipherKey::new(&AES_128, key).map_err(failed)?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(failed)?;
        Ok(Self { key, key_id })
    }

    /// Decrypts the payload of packet `sequence` in place and gives what it held.
    ///
    /// # Errors
    /// The padding is not one.
    pub fn open<'a>(&self, sequence: u16, data: &'a mut [u8]) -> Result<&'a [u8], NotAuthentic> {
        let iv = audio_iv(self.key_id, sequence);
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let opened = self.key.decrypt(data, context).map_err(|_| NotAuthentic)?;
        Ok(opened)
    }
}

/// What the host does with audio; for tests that play the host.
///
/// # Errors
/// Never for 16 bytes, as far as the library goes.
pub fn seal_audio(key: &[u8; KEY_LEN], iv: [u8; 16], payload: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |_| Error::Crypto("AES-CBC");
    let key = UnboundCipherKey::new(&AES_128, key).map_err(failed)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
    let mut sealed = payload.to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut sealed, context)
        .map_err(failed)?;
    Ok(sealed)
}

/// The IV of an audio packet: key number plus sequence number, big-endian, then zeros (AudioStream.c).
#[must_use]
pub fn audio_iv(key_id: u32, sequence: u16) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..4].copy_from_slice(&key_id.wrapping_add(u32::from(sequence)).to_be_bytes());
    iv
}

/// Lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Bytes of hexadecimal of either case; nothing for anything else.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    digits.chunks_exact(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_nonce_alone() {
        let key = GcmKey::new(&[7; 16]).unwrap();
        let nonce = channel_nonce(3, Direction::FromClient, b'C');
        let mut text = *b"hello";
        let tag = key.seal(nonce, &mut text).unwrap();
        let mut out = [0; 5];
        let sealed = Sealed {
            nonce,
            tag: &tag,
            ciphertext: &text,
        };
        key.open(&sealed, &mut out).unwrap();
        assert_eq!(&out, b"hello");
        let other = Sealed {
            nonce: channel_nonce(3, Direction::FromHost, b'C'),
            ..sealed
        };
        assert_eq!(key.open(&other, &mut out), Err(NotAuthentic));
    }

    #[test]
    fn audio_opens_under_its_own_number_and_grows_by_padding() {
        let sealed = seal_audio(&[1; 16], audio_iv(99, 4), b"opus").unwrap();
        assert_eq!(sealed.len(), 16);
        let key = AudioKey::new(&[1; 16], 99).unwrap();
        assert_eq!(key.open(4, &mut sealed.clone()).unwrap(), b"opus");
        assert_ne!(key.open(5, &mut sealed.clone()).ok(), Some(&b"opus"[..]));
    }

    #[test]
    fn hexadecimal_of_odd_length_or_other_letters_is_none() {
        assert_eq!(from_hex("0aFF"), Some(vec![10, 255]));
        assert_eq!(from_hex("0a1"), None);
        assert_eq!(from_hex("zz"), None);
        assert_eq!(to_hex(&[10, 255]), "0aff");
    }

    #[test]
    fn pairing_blocks_survive_there_and_back() {
        let mut data = [5; 32];
        ecb_encrypt(&[9; 16], &mut data).unwrap();
        assert_eq!(data[..16], data[16..], "ECB has no chaining");
        ecb_decrypt(&[9; 16], &mut data).unwrap();
        assert_eq!(data, [5; 32]);
        assert!(ecb_encrypt(&[9; 16], &mut [0; 15]).is_err());
    }
}
