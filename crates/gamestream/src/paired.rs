//! The clients that were paired: known by certificate alone, kept in one private file, each with what
//! it may do. It refuses to know what a session is.

use control_api::{InputRights, Role};
use gamestream_proto::pairing::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Clients at most.
pub const MAX_CLIENTS: usize = 256;
/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 64;
const FILE: &str = "moonlight-clients.json";

/// One paired client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PairedClient {
    /// Its number, never given twice.
    pub id: u32,
    /// What people call it.
    pub name: String,
    /// Its certificate, as hexadecimal DER.
    certificate: Certificate,
    /// What it may do.
    pub role: Role,
    /// Which classes of its input count.
    pub rights: InputRights,
    /// When it was paired, in seconds of the Unix epoch.
    pub paired_at: u64,
    /// When it stops being one, in seconds of the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl PairedClient {
    /// Its certificate, in DER.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate.0
    }

    /// Who it is.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate.0)
    }

    /// Whether its time is not over at `now_s`, in seconds of the Unix epoch.
    fn stands(&self, now_s: u64) -> bool {
        self.expires_at.is_none_or(|expires| now_s < expires)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Certificate(Vec<u8>);

impl Serialize for Certificate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.0.len() * 2);
        for byte in &self.0 {
            // A string takes whatever is written.
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes().chunks_exact(2);
        let whole = digits.remainder().is_empty();
        let byte = |pair: &[u8]| {
            let digit = |at: usize| (pair[at] as char).to_digit(16);
            Some((digit(0)? * 16 + digit(1)?) as u8)
        };
        let bytes: Option<Vec<u8>> = digits.map(byte).collect();
        let bytes = bytes.filter(|bytes| whole && !bytes.is_empty());
        bytes.map(Self).ok_or_else(|| {
            D::Error::custom("certificate: not an even number of hexadecimal digits")
        })
    }
}

/// What to change about a client; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientChange {
    /// What people call it.
    pub name: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// Which classes of its input count.
    pub rights: Option<InputRights>,
    /// When it stops being one, in seconds of the Unix epoch; inside, nothing means never.
    pub expires_at: Option<Option<u64>>,
}

/// Why the list of clients was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PairedError {
    /// The file cannot be used; it is left as it is.
    #[error("the paired Moonlight clients in {} cannot be used: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such client.
    #[error("there is no paired client {0}")]
    Unknown(u32),
    /// There are as many as there may be.
    #[error("there are {MAX_CLIENTS} paired clients already: remove one first")]
    TooMany,
    /// A value that cannot be used.
    #[error("{field}: {message}")]
    Value {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    /// The number that the next client gets.
    next_id: u32,
    clients: Vec<PairedClient>,
}

/// The paired clients, and the file they are kept in.
#[derive(Debug)]
pub(crate) struct Paired {
    path: PathBuf,
    kept: Kept,
    /// Told after every change.
    changed: watch::Sender<()>,
}

impl Paired {
    /// Reads the clients kept in `state_dir`; without a file there are none.
    ///
    /// # Errors
    /// [`PairedError::File`].
    pub(crate) fn open(state_dir: &Path) -> Result<Self, PairedError> {
        let path = state_dir.join(FILE);
        let wrong = |why: String| PairedError::File {
            path: path.clone(),
            why,
        };
        let bytes = private_file::read(&path).map_err(|error| wrong(error.to_string()))?;
        let kept = match bytes {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?
            }
            None => Kept {
                next_id: 1,
                ..Kept::default()
            },
        };
        let changed = watch::Sender::new(());
        Ok(Self {
            path,
            kept,
            changed,
        })
    }

    /// Changes after [`Self::all`] does.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// All of them, also those whose time is over, in the order in which they were paired.
    #[must_use]
    pub(crate) fn all(&self) -> &[PairedClient] {
        &self.kept.clients
    }

    /// The client with that certificate, if it is one now.
    #[must_use]
    pub(crate) fn find(&self, certificate_der: &[u8], now: SystemTime) -> Option<&PairedClient> {
        let mut clients = self.kept.clients.iter();
        clients
            .find(|client| client.certificate.0 == certificate_der)
            .filter(|client| client.stands(seconds(now)))
    }

    /// The client of that number.
    ///
    /// # Errors
    /// [`PairedError::Unknown`].
    pub(crate) fn get(&self, id: u32) -> Result<&PairedClient, PairedError> {
        let mut clients = self.kept.clients.iter();
        clients
            .find(|client| client.id == id)
            .ok_or(PairedError::Unknown(id))
    }

    /// Takes a client in. One that was paired before keeps its number, its name and what it may do,
    /// but its time begins anew.
    ///
    /// # Errors
    /// [`PairedError`]; nothing was changed then.
    pub(crate) fn add(
        &mut self,
        certificate_der: &[u8],
        name: &str,
        now: SystemTime,
    ) -> Result<PairedClient, PairedError> {
        let known = self.kept.clients.iter();
        let known = known
            .clone()
            .position(|client| client.certificate.0 == certificate_der);
        let paired_at = seconds(now);
        let client = match known {
            Some(at) => PairedClient {
                paired_at,
                expires_at: None,
                ..self.kept.clients[at].clone()
            },
            None if self.kept.clients.len() >= MAX_CLIENTS => return Err(PairedError::TooMany),
            None => PairedClient {
                id: self.kept.next_id,
                name: self.free_name(name),
                certificate: Certificate(certificate_der.to_owned()),
                role: Role::Admin,
                rights: InputRights::ALL,
                paired_at,
                expires_at: None,
            },
        };
        let next_id = self.kept.next_id + u32::from(known.is_none());
        let mut clients = self.kept.clients.clone();
        match known {
            Some(at) => clients[at] = client.clone(),
            None => clients.push(client.clone()),
        }
        self.keep(Kept { next_id, clients })?;
        Ok(client)
    }

    /// Changes what is known of a client.
    ///
    /// # Errors
    /// [`PairedError`]; nothing was changed then.
    pub(crate) fn change(
        &mut self,
        id: u32,
        change: &ClientChange,
    ) -> Result<PairedClient, PairedError> {
        let mut client = self.get(id)?.clone();
        if let Some(name) = &change.name {
            client.name = checked_name(name)?;
        }
        if let Some(role) = change.role {
            if role == Role::Player {
                let (field, message) = ("role", "a client is viewer, controller or admin");
                return Err(PairedError::Value { field, message });
            }
            client.role = role;
        }
        client.rights = change.rights.unwrap_or(client.rights);
        client.expires_at = change.expires_at.unwrap_or(client.expires_at);
        let replaced = |known: &PairedClient| match known.id == id {
            true => client.clone(),
            false => known.clone(),
        };
        let clients = self.kept.clients.iter().map(replaced).collect();
        let next_id = self.kept.next_id;
        self.keep(Kept { next_id, clients })?;
        Ok(client)
    }

    /// Forgets a client.
    ///
    /// # Errors
    /// [`PairedError`]; nothing was changed then.
    pub(crate) fn remove(&mut self, id: u32) -> Result<PairedClient, PairedError> {
        let client = self.get(id)?.clone();
        let others = self.kept.clients.iter().filter(|known| known.id != id);
        let clients = others.cloned().collect();
        let next_id = self.kept.next_id;
        self.keep(Kept { next_id, clients })?;
        Ok(client)
    }

    /// Kept only once it is written.
    fn keep(&mut self, kept: Kept) -> Result<(), PairedError> {
        let wrong = |why: String| PairedError::File {
            path: self.path.clone(),
            why,
        };
        let bytes = serde_json::to_vec_pretty(&kept).map_err(|error| wrong(error.to_string()))?;
        private_file::replace(&self.path, &bytes).map_err(|error| wrong(error.to_string()))?;
        self.kept = kept;
        self.changed.send_replace(());
        Ok(())
    }

    /// Clients all call themselves the same; people tell them apart by number.
    fn free_name(&self, wanted: &str) -> String {
        let taken = |name: &str| self.kept.clients.iter().any(|client| client.name == name);
        let plain: String = wanted
            .chars()
            .filter(|letter| !letter.is_control())
            .take(MAX_NAME_CHARS - 4)
            .collect();
        let plain = match plain.trim() {
            // What every client of libgamestream and moonlight-qt sends.
            "" | "roth" => "Moonlight",
            name => name,
        };
        let numbered = (2..).map(|number| format!("{plain} {number}"));
        let mut names = std::iter::once(plain.to_owned()).chain(numbered);
        names.find(|name| !taken(name)).unwrap_or_default()
    }
}

fn checked_name(name: &str) -> Result<String, PairedError> {
    let name = name.trim();
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(name.to_owned());
    }
    let (field, message) = ("name", "it must be 1 to 64 characters");
    Err(PairedError::Value { field, message })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn now() -> SystemTime {
        UNIX_EPOCH + NOW
    }

    #[test]
    fn clients_are_kept_across_a_restart_and_their_numbers_are_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut paired = Paired::open(folder.path()).unwrap();
        let first = paired.add(b"one", "roth", now()).unwrap();
        let second = paired.add(b"two", "roth", now()).unwrap();
        assert_eq!((first.id, first.name.as_str()), (1, "Moonlight"));
        assert_eq!((second.id, second.name.as_str()), (2, "Moonlight 2"));
        paired.remove(2).unwrap();
        let mut paired = Paired::open(folder.path()).unwrap();
        assert_eq!(paired.all(), std::slice::from_ref(&first));
        assert_eq!(paired.find(b"one", now()), Some(&first));
        assert_eq!(paired.find(b"two", now()), None);
        assert_eq!(paired.add(b"two", "TV", now()).unwrap().id, 3);
    }

    #[test]
    fn a_client_whose_time_is_over_is_a_stranger() {
        let folder = tempfile::tempdir().unwrap();
        let mut paired = Paired::open(folder.path()).unwrap();
        let id = paired.add(b"one", "TV", now()).unwrap().id;
        let change = ClientChange {
            expires_at: Some(Some(NOW.as_secs() + 60)),
            ..ClientChange::default()
        };
        paired.change(id, &change).unwrap();
        let later = now() + Duration::from_secs(60);
        assert!(paired.find(b"one", now()).is_some());
        assert!(paired.find(b"one", later).is_none());
        // Pairing again is what renews it, under the same number.
        assert_eq!(paired.add(b"one", "other", later).unwrap().id, id);
        assert_eq!(paired.find(b"one", later).unwrap().name, "TV");
    }

    #[test]
    fn bad_changes_name_the_field_and_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut paired = Paired::open(folder.path()).unwrap();
        let client = paired.add(b"one", "TV", now()).unwrap();
        let name = |name: &str| ClientChange {
            name: Some(name.to_owned()),
            ..ClientChange::default()
        };
        let long = "x".repeat(65);
        for bad in [name(""), name("a\nb"), name(&long)] {
            let error = paired.change(client.id, &bad).unwrap_err().to_string();
            assert!(error.starts_with("name:"), "{error}");
        }
        let player = ClientChange {
            role: Some(Role::Player),
            ..ClientChange::default()
        };
        let error = paired.change(client.id, &player).unwrap_err().to_string();
        assert!(error.starts_with("role:"), "{error}");
        assert!(matches!(paired.remove(9), Err(PairedError::Unknown(9))));
        assert_eq!(Paired::open(folder.path()).unwrap().all(), [client]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Paired::open(folder.path())
            .unwrap()
            .add(b"one", "TV", now())
            .unwrap();
        let path = folder.path().join(FILE);
        for bad in ["", "{}", r#"{"nextId":1,"clients":[{"id":1}]}"#] {
            private_file::replace(&path, bad.as_bytes()).unwrap();
            let error = Paired::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(FILE), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }
}
