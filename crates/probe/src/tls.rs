//! TLS towards a paired host: our certificate is shown, and the host's must be the very one that
//! pairing brought. Names, dates and authorities mean nothing here.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

use crate::{Error, Identity};

/// Settings for connections to the host with this certificate.
pub(crate) fn config(identity: &Identity, pinned: Vec<u8>) -> Result<Arc<ClientConfig>, Error> {
    towards(identity, Some(pinned))
}

/// Settings for connections to whoever answers.
pub(crate) fn config_for_anybody(identity: &Identity) -> Result<Arc<ClientConfig>, Error> {
    towards(identity, None)
}

fn towards(identity: &Identity, pinned: Option<Vec<u8>>) -> Result<Arc<ClientConfig>, Error> {
    let unusable = || Error::Crypto("this client's certificate");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Pinned {
        certificate: pinned,
        provider: Arc::clone(&provider),
    });
    let certificate = identity.certificate().ok_or_else(unusable)?;
    let key = identity.key().ok_or_else(unusable)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Crypto("TLS versions"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![certificate], key)
        .map_err(|_| unusable())?;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Pinned {
    /// Without one any will do.
    certificate: Option<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let pinned = self.certificate.as_deref();
        if pinned.is_none_or(|pinned| end_entity.as_ref() == pinned) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
