//! The key and certificate that clients know this host by: made once, kept in one private file, never
//! replaced, because clients pin the certificate when they pair.

use crate::error::Error;
use gamestream_proto::pairing::{Fingerprint, HostIdentity, IdentityPem};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const FILE: &str = "moonlight-host.pem";
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";

/// Who the host is.
pub(crate) struct Identity {
    /// For pairing.
    pub(crate) pairing: Arc<HostIdentity>,
    /// For HTTPS, which takes any client certificate: whose it is, is looked up afterwards.
    pub(crate) tls: Arc<ServerConfig>,
    /// Names the host for ever.
    pub(crate) unique_id: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("unique_id", &self.unique_id)
            .finish_non_exhaustive()
    }
}

/// The kept identity, or a new one when there is none.
///
/// # Errors
/// [`Error::Identity`]; a file that cannot be used is left as it is.
pub(crate) fn open(state_dir: &Path, now: SystemTime) -> Result<Identity, Error> {
    let path = state_dir.join(FILE);
    let wrong = |why: String| Error::Identity {
        path: path.clone(),
        why,
    };
    let kept = private_file::read(&path).map_err(|error| wrong(error.to_string()))?;
    let text = match kept {
        Some(bytes) => String::from_utf8(bytes).map_err(|_| wrong("it is no text".to_owned()))?,
        None => {
            let made = HostIdentity::generate(now).map_err(|error| wrong(error.to_string()))?;
            let text = made.certificate + &made.key;
            private_file::replace(&path, text.as_bytes())
                .map_err(|error| wrong(error.to_string()))?;
            text
        }
    };
    read(&text).map_err(wrong)
}

fn read(text: &str) -> Result<Identity, String> {
    let at = text.find(KEY_BEGINS).ok_or("it holds no private key")?;
    let (certificate, key) = text.split_at(at);
    let pem = IdentityPem {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let pairing = HostIdentity::from_pem(&pem).map_err(|error| error.to_string())?;
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| format!("its key cannot be read: {error}"))?;
    let unique_id = unique_id(&certificate);
    let tls = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(Arc::new(crate::tls::AnyClient::default()))
        .with_single_cert(vec![certificate], key)
        .map_err(|error| error.to_string())?;
    Ok(Identity {
        pairing: Arc::new(pairing),
        tls: Arc::new(tls),
        unique_id,
    })
}

/// A name in the shape of a UUID that lasts as long as the certificate.
fn unique_id(certificate: &CertificateDer<'_>) -> String {
    let digits: String = Fingerprint::of(certificate)
        .to_string()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(32)
        .collect();
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|range| digits[range].to_owned())
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), SystemTime::now()).unwrap();
        let second = open(folder.path(), SystemTime::now()).unwrap();
        assert_eq!(first.unique_id, second.unique_id);
        assert_eq!(first.unique_id.len(), 36);
        assert_eq!(
            first.pairing.certificate_pem(),
            second.pairing.certificate_pem()
        );
    }

    #[test]
    fn what_cannot_be_used_is_told_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), SystemTime::now()).unwrap();
        let path = folder.path().join(FILE);
        let good = std::fs::read_to_string(&path).unwrap();
        let at = good.find(KEY_BEGINS).unwrap();
        let other = HostIdentity::generate(SystemTime::now()).unwrap();
        let mixed = good[..at].to_owned() + &other.key;
        for bad in ["", &good[..at], &good[at..], &mixed] {
            private_file::replace(&path, bad.as_bytes()).unwrap();
            let error = open(folder.path(), SystemTime::now()).unwrap_err();
            assert!(error.to_string().contains(FILE), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }
}
