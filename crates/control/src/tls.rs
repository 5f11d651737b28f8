//! The certificate: made once, kept in one private file, and never silently replaced.

use crate::config::Config;
use crate::error::Error;
use crate::origin::Authority;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_cert::der::Decode;

/// Certificate and key in one file: there is no moment at which only one of them is new.
const FILE: &str = "tls.pem";
/// Marks a certificate as ours to renew.
const COMMON_NAME: &str = "Heliostat (made by itself)";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Apple's systems refuse certificates that are valid for more than 825 days.
const VALID_FOR: Duration = Duration::from_secs(820 * 24 * 3600);
/// Renewed this long before its end, so that it does not run out under a running host.
const RENEW_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// SHA-256 of the certificate, as browsers show it: `AB:CD:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = Sha256::digest(certificate.as_ref());
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Self(bytes.join(":"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the TLS server presents.
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) fingerprint: Fingerprint,
}

/// The kept certificate, or a new one when there is none or when it runs out.
pub(crate) fn identity(config: &Config) -> Result<Identity, Error> {
    let path = config.state_dir.join(FILE);
    let kept = match fs::read(&path) {
        Ok(pem) => Some(read(&path, &pem)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(&path, &error)),
    };
    match kept {
        Some(kept) if kept.expires > SystemTime::now() + RENEW_BEFORE => Ok(kept.identity),
        Some(kept) if !kept.ours => Err(unusable(&path, &"it expires within two weeks")),
        _ => {
            let pem = make(config)?;
            private_file::replace(&path, pem.as_bytes()).map_err(|source| {
                let path = path.clone();
                Error::StateDirectory { path, source }
            })?;
            Ok(read(&path, pem.as_bytes())?.identity)
        }
    }
}

struct Kept {
    identity: Identity,
    expires: SystemTime,
    ours: bool,
}

fn unusable(path: &Path, why: &dyn fmt::Display) -> Error {
    Error::CertificateUnusable {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn read(path: &Path, pem: &[u8]) -> Result<Kept, Error> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))?;
    let Some(first) = chain.first() else {
        return Err(unusable(path, &"it holds no certificate"));
    };
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        unusable(
            path,
            &format_args!("its private key cannot be read: {error}"),
        )
    })?;
    let parsed = x509_cert::Certificate::from_der(first).map_err(|error| unusable(path, &error))?;
    let details = parsed.tbs_certificate();
    let expires = UNIX_EPOCH + details.validity().not_after.to_unix_duration();
    let ours = details.subject().to_string().contains(COMMON_NAME);
    let fingerprint = Fingerprint::of(first);
    let mut server = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable(path, &error))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Kept {
        identity: Identity {
            server: Arc::new(server),
            fingerprint,
        },
        expires,
        ours,
    })
}

fn make(config: &Config) -> Result<String, Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(subject_names(config))?;
    params
        .distinguished_name
        .push(DnType::CommonName, COMMON_NAME);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day back, for clocks that go a little wrong.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + VALID_FOR - DAY).into();
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// Everything this host may be called. Names that no browser would take are left out.
fn subject_names(config: &Config) -> Vec<String> {
    let mut addresses: BTreeSet<String> =
        config.addresses.iter().map(ToString::to_string).collect();
    addresses.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    if !config.listen.ip().is_unspecified() {
        addresses.insert(config.listen.ip().to_string());
    }
    let names = config
        .names
        .iter()
        .filter(|name| Authority::parse(name).is_some());
    let mut all = vec!["localhost".to_owned()];
    all.extend(names.cloned());
    all.extend(addresses);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(directory: &Path) -> Config {
        let mut config = Config::new(([0, 0, 0, 0], 8443).into(), directory.join("state"));
        config.names = vec!["workstation.lan".to_owned(), "not a name".to_owned()];
        config
    }

    #[test]
    fn a_certificate_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let first = identity(&config).unwrap().fingerprint;
        assert_eq!(identity(&config).unwrap().fingerprint, first);
        assert_eq!(first.to_string().len(), 32 * 3 - 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&config.state_dir), 0o700);
        assert_eq!(mode(&config.state_dir.join(FILE)), 0o600);
        assert_eq!(fs::read_dir(&config.state_dir).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        identity(&config).unwrap();
        let path = config.state_dir.join(FILE);
        let good = fs::read_to_string(&path).unwrap();
        let (certificate, key) = good.split_once("-----BEGIN PRIVATE KEY").unwrap();
        let key = format!("-----BEGIN PRIVATE KEY{key}");
        let other_key = KeyPair::generate().unwrap().serialize_pem();
        let bad = [
            "",
            "nonsense",
            certificate,
            &key,
            &(certificate.to_owned() + &other_key),
        ];
        for content in bad {
            fs::write(&path, content).unwrap();
            let error = identity(&config)
                .err()
                .expect("the file is unusable")
                .to_string();
            assert!(
                error.contains("tls.pem") && error.contains("Move the file away"),
                "{error}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    fn keep_expired(config: &Config, common_name: &str) -> Fingerprint {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_after = (SystemTime::now() - DAY).into();
        let certificate = params.self_signed(&key).unwrap();
        fs::create_dir_all(&config.state_dir).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        fs::write(config.state_dir.join(FILE), pem).unwrap();
        Fingerprint::of(certificate.der())
    }

    #[test]
    fn our_own_expired_certificate_is_renewed_but_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let old = keep_expired(&config, COMMON_NAME);
        assert_ne!(identity(&config).unwrap().fingerprint, old);
        keep_expired(&config, "Somebody's own");
        assert!(matches!(
            identity(&config),
            Err(Error::CertificateUnusable { .. })
        ));
    }

    #[test]
    fn the_certificate_names_the_host_and_its_addresses() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        config.addresses = vec!["192.0.2.7".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let names = subject_names(&config);
        assert_eq!(
            names,
            [
                "localhost",
                "workstation.lan",
                "127.0.0.1",
                "192.0.2.7",
                "::1"
            ]
        );
    }
}
