//! The file with this client's key and the certificates of the hosts it is paired with. Only its owner
//! may read it; a file that others may read is refused.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crypto::{from_hex, to_hex};
use crate::error::StateError;
use crate::{Error, HostAddress, Identity};

/// The file in the state folder.
const FILE: &str = "moonlight-client.json";
/// Larger than this is not such a file.
const MAX_FILE: u64 = 1 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    certificate: String,
    key: String,
    /// Certificates in hexadecimal DER, by `HOST:PORT`.
    #[serde(default)]
    hosts: BTreeMap<String, String>,
}

/// What this client knows across runs.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    identity: Identity,
    hosts: BTreeMap<String, String>,
}

impl State {
    /// Reads the state in `folder`, or makes a new key there.
    ///
    /// # Errors
    /// [`Error::State`].
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let wrong = |cause: StateError| Error::State {
            path: path.clone(),
            cause,
        };
        match read(&path) {
            Ok(kept) => {
                let identity = Identity::from_pem(kept.certificate, kept.key);
                let identity = identity.ok_or_else(|| wrong(StateError::Identity))?;
                Ok(Self {
                    path: path.clone(),
                    identity,
                    hosts: kept.hosts,
                })
            }
            Err(StateError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700);
                builder
                    .create(folder)
                    .map_err(|error| wrong(error.into()))?;
                let state = Self {
                    path: path.clone(),
                    identity: Identity::generate()?,
                    hosts: BTreeMap::new(),
                };
                state.save()?;
                Ok(state)
            }
            Err(cause) => Err(wrong(cause)),
        }
    }

    /// This client's key.
    #[must_use]
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate of a host that was paired with, in DER.
    #[must_use]
    pub(crate) fn host(&self, host: &HostAddress) -> Option<Vec<u8>> {
        from_hex(self.hosts.get(&host.to_string())?)
    }

    /// Remembers a host.
    ///
    /// # Errors
    /// [`Error::State`].
    pub(crate) fn remember(&mut self, host: &HostAddress, certificate: &[u8]) -> Result<(), Error> {
        self.hosts.insert(host.to_string(), to_hex(certificate));
        self.save()
    }

    /// Forgets a host; whether it was known.
    ///
    /// # Errors
    /// [`Error::State`].
    pub(crate) fn forget(&mut self, host: &HostAddress) -> Result<bool, Error> {
        let known = self.hosts.remove(&host.to_string()).is_some();
        self.save()?;
        Ok(known)
    }

    fn save(&self) -> Result<(), Error> {
        write(
            &self.path,
            &Kept {
                certificate: self.identity.certificate_pem().to_owned(),
                key: self.identity.key_pem().to_owned(),
                hosts: self.hosts.clone(),
            },
        )
        .map_err(|cause| Error::State {
            path: self.path.clone(),
            cause,
        })
    }
}

fn read(path: &Path) -> Result<Kept, StateError> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StateError::Open(mode));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Written beside and moved over, so that a crash leaves either the old file or the new one.
fn write(path: &Path, kept: &Kept) -> Result<(), StateError> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    // The mode above counts only where the file is new.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(&serde_json::to_vec_pretty(kept)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paired_host_is_known_to_the_next_run_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("deep/er");
        let host: HostAddress = "box:5000".parse().unwrap();
        let mut first = State::open(&inner).unwrap();
        first.remember(&host, &[1, 2, 3]).unwrap();
        let mut second = State::open(&inner).unwrap();
        assert_eq!(second.host(&host), Some(vec![1, 2, 3]));
        let same = (first.identity().key_pem(), second.identity().key_pem());
        assert_eq!(same.0, same.1);
        assert!(second.forget(&host).unwrap() && !second.forget(&host).unwrap());
        assert_eq!(State::open(&inner).unwrap().host(&host), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        State::open(folder.path()).unwrap();
        let file = folder.path().join(FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = State::open(folder.path()).unwrap_err();
        let open = Error::State {
            path: file,
            cause: StateError::Open(0o640),
        };
        assert_eq!(error.to_string(), open.to_string());
    }
}
