//! What JetKVM clients need of this host: a password and a name, kept in owner-only files.

use crate::config::Config;
use crate::serve::HostError;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest password, and shortest.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=128;
/// Letters and digits that nobody mixes up.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How JetKVM clients get in.
pub(crate) struct JetKvmDoor {
    pub(crate) door: control::JetKvm,
    /// For people: where the password is, or what it is when it was just made up.
    pub(crate) words: String,
}

/// Finds password and name, or makes them up.
///
/// # Errors
/// [`HostError::JetKvm`] names the file and what is wrong with it.
pub(crate) fn open(config: &Config) -> Result<JetKvmDoor, HostError> {
    let name = config.state_dir.join("jetkvm-device-id");
    let (device_id, _) = read_or_make(&name, 16)?;
    let own = config.state_dir.join("jetkvm-password");
    let (path, password, made) = match &config.jetkvm_password_file {
        Some(path) => (path.clone(), read(path)?, false),
        None => {
            let (password, made) = read_or_make(&own, 16)?;
            (own, password, made)
        }
    };
    if !PASSWORD_BYTES.contains(&password.len()) {
        let (low, high) = (PASSWORD_BYTES.start(), PASSWORD_BYTES.end());
        return Err(wrong(
            &path,
            &format!("a password must have {low} to {high} bytes"),
        ));
    }
    let words = if made {
        format!("password {password} (kept in {})", path.display())
    } else {
        format!("password in {}", path.display())
    };
    Ok(JetKvmDoor {
        door: control::JetKvm {
            device_id,
            password,
        },
        words,
    })
}

fn wrong(path: &Path, why: &dyn fmt::Display) -> HostError {
    HostError::JetKvm {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// The text of an owner-only file.
fn read(path: &PathBuf) -> Result<String, HostError> {
    let mut file = File::open(path).map_err(|error| wrong(path, &error))?;
    let mode = file.metadata().map_err(|error| wrong(path, &error))?.mode();
    if mode & 0o077 != 0 {
        let why = format!("others may read it: chmod 600 {}", path.display());
        return Err(wrong(path, &why));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|error| wrong(path, &error))?;
    Ok(text.trim().to_owned())
}

/// The text of an owner-only file, made up when there is none; and whether it was.
fn read_or_make(path: &PathBuf, letters: usize) -> Result<(String, bool), HostError> {
    if let Some(folder) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| wrong(folder, &error))?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok((read(path)?, false)),
        Err(error) => return Err(wrong(path, &error)),
    };
    let mut random = vec![0; letters];
    getrandom::fill(&mut random).map_err(|error| wrong(path, &error))?;
    let text: String = random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect();
    file.write_all(text.as_bytes())
        .map_err(|error| wrong(path, &error))?;
    Ok((text, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Resolved, Surroundings};
    use std::os::unix::fs::PermissionsExt;

    fn config(state: &Path, file: Option<&Path>) -> Config {
        let mut around = Surroundings::default();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        around.flags.insert("state-dir".to_owned(), text(state));
        if let Some(file) = file {
            let name = "jetkvm-password-file".to_owned();
            around.flags.insert(name, text(file));
        }
        Resolved::load(&around).unwrap().config
    }

    #[test]
    fn a_password_is_made_up_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("state"), None);
        let first = open(&config).unwrap();
        assert!(first.words.contains(&first.door.password), "told once");
        let second = open(&config).unwrap();
        assert_eq!(first.door.password, second.door.password);
        assert_eq!(first.door.device_id, second.door.device_id);
        assert!(!second.words.contains(&second.door.password));
        let file = config.state_dir.join("jetkvm-password");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_password_that_others_can_read_or_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "long enough\n").unwrap();
        let config = config(folder.path(), Some(&file));
        let set = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o644);
        let error = open(&config).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        set(0o600);
        assert_eq!(open(&config).unwrap().door.password, "long enough");
        std::fs::write(&file, "short").unwrap();
        let error = open(&config).err().unwrap().to_string();
        assert!(error.contains("8 to 128"), "{error}");
    }
}
