//! This client's key and certificate, and the few things that are read out of certificates. It keeps
//! nothing; the state file does.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, RsaKeyPair, UnparsedPublicKey};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::der::Decode;

use crate::Error;

/// The name in client certificates; hosts show it nowhere.
const COMMON_NAME: &str = "NVIDIA GameStream Client";

/// A key and the certificate that goes with it.
#[derive(Clone)]
pub struct Identity {
    certificate_pem: String,
    key_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// A new RSA key of 2048 bits, self-signed: hosts take no other (nvhttp.cpp).
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn generate() -> Result<Self, Error> {
        let failed = |_| Error::Crypto("making a key");
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(failed)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, COMMON_NAME);
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A key and a certificate that were kept; nothing if they are not usable.
    #[must_use]
    pub fn from_pem(certificate_pem: String, key_pem: String) -> Option<Self> {
        let identity = Self {
            certificate_pem,
            key_pem,
        };
        identity.certificate()?;
        identity.signing_key()?;
        Some(identity)
    }

    /// The certificate as it is sent in pairing.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The key as it is kept.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The certificate for TLS.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).ok()
    }

    /// The key for TLS.
    pub(crate) fn key(&self) -> Option<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).ok()
    }

    fn signing_key(&self) -> Option<RsaKeyPair> {
        RsaKeyPair::from_pkcs8(self.key()?.secret_der()).ok()
    }

    /// RSA-PKCS1-SHA256 over `message`.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = || Error::Crypto("signing");
        let key = self.signing_key().ok_or_else(failed)?;
        let mut signed = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signed)
            .map_err(|_| failed())?;
        Ok(signed)
    }
}

/// What pairing needs to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The certificate itself.
    pub der: Vec<u8>,
    /// The signature under it: both sides mix it into their hashes.
    pub signature: Vec<u8>,
    /// The key in it, as PKCS#1 has it.
    public_key: Vec<u8>,
}

impl CertificateFacts {
    /// Reads a certificate in PEM.
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        Self::from_der(&CertificateDer::from_pem_slice(pem).ok()?)
    }

    /// Reads a certificate in DER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        let details = parsed.tbs_certificate();
        let key = &details.subject_public_key_info().subject_public_key;
        Some(Self {
            der: der.to_vec(),
            signature: parsed.signature().raw_bytes().to_vec(),
            public_key: key.raw_bytes().to_vec(),
        })
    }

    /// Whether the owner of this certificate signed `message` (RSA-PKCS1-SHA256).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        let algorithm = &signature::RSA_PKCS1_2048_8192_SHA256;
        let key = UnparsedPublicKey::new(algorithm, &self.public_key);
        key.verify(message, signed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_identity_signs_what_its_certificate_verifies() {
        let identity = Identity::generate().unwrap();
        let facts = CertificateFacts::from_pem(identity.certificate_pem().as_bytes()).unwrap();
        assert_eq!(facts.signature.len(), 256);
        let signed = identity.sign(b"secret").unwrap();
        assert!(facts.verifies(b"secret", &signed));
        assert!(!facts.verifies(b"other", &signed));
        let kept = Identity::from_pem(
            identity.certificate_pem().to_owned(),
            identity.key_pem().to_owned(),
        );
        assert!(kept.is_some());
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert_eq!(CertificateFacts::from_pem(b"nonsense"), None);
        assert_eq!(CertificateFacts::from_der(&[0x30, 0x82, 0xff, 0xff]), None);
        assert!(Identity::from_pem(String::new(), String::new()).is_none());
    }
}
