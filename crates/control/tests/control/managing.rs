//! The management socket: who reaches it, and what goes over it.

use crate::host::{Host, PATIENCE};
use control::management::{Client, ClientError, socket_path};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

struct Managed {
    host: Host,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn managed() -> Managed {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(Some(folder.path()), 8080);
    let host = Host::with(|config| config.management = Some(path.clone()));
    Managed {
        host,
        path,
        _folder: folder,
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_program_of_this_user_manages_the_host() {
    let m = managed();
    assert!(m.path.ends_with("heliostat/8080.sock"));
    assert_eq!(
        (mode(&m.path), mode(m.path.parent().unwrap())),
        (0o600, 0o700)
    );
    let mut client = Client::connect(&m.path).unwrap();
    let wanted = json!({"role": "viewer", "forSeconds": 60});
    let link = client.call("createShareLink", &wanted).unwrap();
    assert_eq!(m.host.get(&m.host.path_of(&link["url"]), &[]).status, 200);
    let refused = client.call("pauseVideo", &json!({})).unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused { code: -32001, .. }),
        "{refused}"
    );
    // It is answered before the host stops.
    assert_eq!(client.call("quit", &json!({})).unwrap(), Value::Null);
    while !m.host.engine.quit.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

#[test]
fn the_socket_goes_with_the_host_and_a_stale_one_is_replaced() {
    let Managed {
        host,
        path,
        _folder,
    } = managed();
    let second = Host::try_with(|config| config.management = Some(path.clone()));
    assert!(
        second.err().unwrap().to_string().contains("8080.sock"),
        "it is in use"
    );
    drop(host);
    assert!(!path.exists());
    assert!(matches!(
        Client::connect(&path),
        Err(ClientError::NoHost { .. })
    ));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let host = Host::with(|config| config.management = Some(path.clone()));
    Client::connect(&path)
        .unwrap()
        .call("ping", &json!({}))
        .unwrap();
    drop(host);
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("heliostat");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = shared.join("8080.sock");
    let refused = Host::try_with(|config| config.management = Some(path.clone()));
    assert!(
        refused
            .err()
            .unwrap()
            .to_string()
            .contains("this user alone")
    );
}

#[test]
fn nonsense_is_answered_and_what_is_too_long_ends_the_connection() {
    let m = managed();
    let mut stream = UnixStream::connect(&m.path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut answer = || loop {
        let line: Value = serde_json::from_str(&lines.next()?.ok()?).unwrap();
        if line.get("method").is_none() {
            return Some(line);
        }
    };
    stream
        .write_all(b"nonsense\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n")
        .unwrap();
    assert_eq!(answer().unwrap()["error"]["code"], -32700);
    assert_eq!(answer().unwrap()["id"], 1);
    let long = vec![b'x'; sessions::MAX_MESSAGE_BYTES + 2];
    stream.write_all(&long).unwrap();
    assert_eq!(answer().unwrap()["error"]["code"], -32600);
    assert_eq!(answer(), None);
}
