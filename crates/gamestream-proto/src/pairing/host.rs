//! The host's certificate and key: made once, kept by somebody else, never rotated, because clients
//! refuse a host whose certificate has changed.

use super::peer::{parse, rsa_public_key};
use crate::Error;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// About twenty years: clients pin the certificate and do not look at its dates.
const VALID_FOR: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
const COMMON_NAME: &str = "Heliostat GameStream Host";

/// A certificate and its key, to be stored where only the owner reads them.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPem {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl fmt::Debug for IdentityPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityPem(..)")
    }
}

/// The certificate and key, ready for pairing.
pub struct HostIdentity {
    certificate_pem: String,
    signature: Vec<u8>,
    key: RsaKeyPair,
}

impl fmt::Debug for HostIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostIdentity(..)")
    }
}

impl HostIdentity {
    /// A new RSA key of 2048 bits and a certificate that it signs itself, valid from a day before
    /// `now` for about twenty years.
    ///
    /// # Errors
    /// [`Error::Generate`] when the cryptographic library fails.
    pub fn generate(now: SystemTime) -> Result<IdentityPem, Error> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, COMMON_NAME);
        params.not_before = (now - DAY).into();
        params.not_after = (now - DAY + VALID_FOR).into();
        let certificate = params.self_signed(&key)?;
        Ok(IdentityPem {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Reads a kept identity.
    ///
    /// # Errors
    /// [`Error::Certificate`] when one of the two cannot be read or they do not belong together.
    pub fn from_pem(pem: &IdentityPem) -> Result<Self, Error> {
        let refused = |why| Error::Certificate {
            what: "host's certificate",
            why,
        };
        let der = CertificateDer::from_pem_slice(pem.certificate.as_bytes())
            .map_err(|_| refused("it is not PEM"))?;
        let parsed = parse(&der).ok_or_else(|| refused("it is not a certificate"))?;
        let public = rsa_public_key(&parsed).ok_or_else(|| refused("its key is not RSA"))?;
        let key = private_key(pem).ok_or_else(|| refused("its private key is not RSA"))?;
        if key.public_key().as_ref() != public {
            return Err(refused("its private key is another's"));
        }
        Ok(Self {
            certificate_pem: pem.certificate.clone(),
            signature: parsed.signature().raw_bytes().to_vec(),
            key,
        })
    }

    /// The certificate, as clients get it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The signature in the certificate, which both ends hash.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Signs with RSA, PKCS#1 and SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let rng = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature)
            .map_err(|_| Error::Crypto {
                doing: "signing for a client",
            })?;
        Ok(signature)
    }
}

fn private_key(pem: &IdentityPem) -> Option<RsaKeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}
