//! RTP headers without an extension block where there is nothing to extend.
//!
//! The library announces an extension block in every packet, if only an empty one, and authenticates
//! it. One client made for JetKVM devices forwards packets without that block but with the bit that
//! announces it, which ruins them. So this wraps the cryptography, which sees every header before
//! it is authenticated: the empty block is left out there, and from the packet on its way out.

use std::sync::OnceLock;
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, CryptoProvider, Sha1HmacProvider,
    SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// Header up to the extension block; the library sends no contributing sources.
const FIXED_BYTES: usize = 12;
/// An empty extension block: what kind it is, and its length of zero words.
const BLOCK_BYTES: usize = 4;
const EMPTY_BLOCK: [u8; BLOCK_BYTES] = [0xbe, 0xde, 0, 0];
/// Version 2 and the extension bit; padding may be set besides.
const VERSION_AND_EXTENSION: u8 = 0x90;
const EXTENSION_BIT: u8 = 0x10;
const PADDING_BIT: u8 = 0x20;
/// RTCP's packet types without the bit that RTP has its marker in (RFC 5761).
const RTCP: std::ops::RangeInclusive<u8> = 64..=95;

/// The packet's fixed header as it goes out, if it has an empty extension block.
fn bare(packet: &[u8]) -> Option<[u8; FIXED_BYTES]> {
    let mut fixed: [u8; FIXED_BYTES] = *packet.first_chunk()?;
    let extended = fixed[0] & !PADDING_BIT == VERSION_AND_EXTENSION;
    let media = !RTCP.contains(&(fixed[1] & 0x7f));
    let empty = packet.get(FIXED_BYTES..FIXED_BYTES + BLOCK_BYTES)? == EMPTY_BLOCK;
    fixed[0] &= !EXTENSION_BIT;
    (extended && media && empty).then_some(fixed)
}

/// Takes the empty extension block out of a packet that [`provider`]'s cryptography protected.
pub(crate) fn strip(packet: &mut Vec<u8>) {
    if let Some(fixed) = bare(packet) {
        packet.drain(..BLOCK_BYTES);
        packet[..FIXED_BYTES].copy_from_slice(&fixed);
    }
}

/// The library's own cryptography, for packets that will be [stripped](strip).
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &Bare,
        sha1_hmac_provider: &Bare,
        ..inner().clone()
    }
}

fn inner() -> &'static CryptoProvider {
    static INNER: OnceLock<CryptoProvider> = OnceLock::new();
    INNER.get_or_init(str0m::crypto::from_feature_flags)
}

#[derive(Debug)]
struct Bare;

impl Sha1HmacProvider for Bare {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let inner = inner().sha1_hmac_provider;
        if let [packet, index] = payloads
            && let Some(fixed) = bare(packet)
        {
            let rest = &packet[FIXED_BYTES + BLOCK_BYTES..];
            return inner.sha1_hmac(key, &[&fixed, rest, index]);
        }
        inner.sha1_hmac(key, payloads)
    }
}

impl SrtpProvider for Bare {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        inner().srtp_provider.aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Bare
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Bare
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let inner = inner().srtp_provider;
        inner.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let inner = inner().srtp_provider;
        inner.srtp_aes_256_ecb_round(key, input, output);
    }
}

/// A cipher of the library's that authenticates bare headers.
#[derive(Debug)]
struct BareCipher<C: ?Sized>(Box<C>);

macro_rules! bare_cipher {
    ($factory:ident, $cipher:ident, $key_bytes:literal, $of_inner:ident) => {
        impl $factory for Bare {
            fn create_cipher(&self, key: [u8; $key_bytes], encrypt: bool) -> Box<dyn $cipher> {
                let inner = inner().srtp_provider.$of_inner();
                Box::new(BareCipher(inner.create_cipher(key, encrypt)))
            }
        }

        impl $cipher for BareCipher<dyn $cipher> {
            fn encrypt(
                &mut self,
                iv: &[u8; 12],
                aad: &[u8],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<(), CryptoError> {
                match bare(aad) {
                    Some(fixed) => self.0.encrypt(iv, &fixed, input, output),
                    None => self.0.encrypt(iv, aad, input, output),
                }
            }

            fn decrypt(
                &mut self,
                iv: &[u8; 12],
                aads: &[&[u8]],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<usize, CryptoError> {
                self.0.decrypt(iv, aads, input, output)
            }
        }
    };
}

bare_cipher!(
    SupportedAeadAes128Gcm,
    AeadAes128GcmCipher,
    16,
    aead_aes_128_gcm
);
bare_cipher!(
    SupportedAeadAes256Gcm,
    AeadAes256GcmCipher,
    32,
    aead_aes_256_gcm
);

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 12] = [0x90, 0xe6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

    fn packet(first: u8, second: u8, block: [u8; 4]) -> Vec<u8> {
        let mut packet = HEADER.to_vec();
        packet.extend(block);
        packet.extend(b"payload");
        (packet[0], packet[1]) = (first, second);
        packet
    }

    fn stripped(mut packet: Vec<u8>) -> Vec<u8> {
        strip(&mut packet);
        packet
    }

    #[test]
    fn an_empty_block_goes_and_with_it_the_bit() {
        let mut expected = packet(0x80, 0xe6, EMPTY_BLOCK);
        expected.drain(12..16);
        assert_eq!(stripped(packet(0x90, 0xe6, EMPTY_BLOCK)), expected);
        expected[0] = 0xa0;
        assert_eq!(stripped(packet(0xb0, 0xe6, EMPTY_BLOCK)), expected);
    }

    #[test]
    fn a_tag_is_that_of_the_stripped_packet() {
        let (key, index) = ([7; 20], [0; 4]);
        let hmac = |provider: &CryptoProvider, packet: &[u8]| {
            let hmac = provider.sha1_hmac_provider;
            hmac.sha1_hmac(&key, &[packet, &index])
        };
        let sent = packet(0x90, 0xe6, EMPTY_BLOCK);
        let tag = hmac(&provider(), &sent);
        assert_eq!(tag, hmac(inner(), &stripped(sent)));
        let report = packet(0x90, 200, EMPTY_BLOCK);
        assert_eq!(hmac(&provider(), &report), hmac(inner(), &report));
    }

    #[test]
    fn whatever_else_stays_as_it_is() {
        let full = [0xbe, 0xde, 0, 1];
        let others = [
            packet(0x80, 0xe6, EMPTY_BLOCK),
            packet(0x91, 0xe6, EMPTY_BLOCK),
            packet(0x90, 0xe6, full),
            packet(0x90, 200, EMPTY_BLOCK),
            HEADER.to_vec(),
            vec![0x90],
            Vec::new(),
        ];
        for other in others {
            assert_eq!(stripped(other.clone()), other);
        }
    }
}
