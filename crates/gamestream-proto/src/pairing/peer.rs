//! A client's certificate: what names the client, and what its signatures are checked with. Dates and
//! issuers are not looked at: clients make their certificates themselves, often with a wrong clock.

use crate::Error;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fmt;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// SHA-256 of a certificate: names a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER, as TLS has it.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate_der).as_ref());
        Self(bytes)
    }

    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&bytes.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Vec<u8>,
    fingerprint: Fingerprint,
    public_key: Vec<u8>,
    signature: Vec<u8>,
}

impl ClientCertificate {
    /// Reads what a client sends in the first step of pairing.
    ///
    /// # Errors
    /// [`Error::Certificate`] for anything but a certificate with an RSA key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let refused = |why| Error::Certificate {
            what: "client's certificate",
            why,
        };
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| refused("it is not PEM"))?;
        let parsed = parse(&der).ok_or_else(|| refused("it is not a certificate"))?;
        let public = rsa_public_key(&parsed).ok_or_else(|| refused("its key is not RSA"))?;
        Ok(Self {
            fingerprint: Fingerprint::of(&der),
            public_key: public.to_vec(),
            signature: parsed.signature().raw_bytes().to_vec(),
            der: der.to_vec(),
        })
    }

    /// The certificate in DER: what TLS shows, to be compared byte for byte.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What names the client.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The signature in the certificate, which both ends hash.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether the client's key made this signature.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        key.verify(message, signature).is_ok()
    }
}

pub(super) fn parse(der: &CertificateDer<'_>) -> Option<Certificate> {
    Certificate::from_der(der).ok()
}

/// The key in PKCS#1, when it is one of RSA.
pub(super) fn rsa_public_key(certificate: &Certificate) -> Option<&[u8]> {
    let info = certificate.tbs_certificate().subject_public_key_info();
    let key = info.subject_public_key.as_bytes();
    key.filter(|_| info.algorithm.oid == RSA_ENCRYPTION)
}
