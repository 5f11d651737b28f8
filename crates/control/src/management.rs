//! The management socket: the same JSON-RPC for programs of this user on this machine, one message a
//! line, with an administrator's role. Other users cannot reach it, and are refused if they do.

use crate::app::App;
use crate::error::Error;
use control_api::{EndReason, Via};
use rustix::process::geteuid;
use serde_json::{Value, json};
use sessions::{Conversation, Identity, MAX_MESSAGE_BYTES, Out, Peer, Taken};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 16;
/// A client hears the answer to a call within this, or gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the socket of the host on `port` is: in `runtime_dir` (`$XDG_RUNTIME_DIR`), or in a folder of
/// this user's under `/tmp`.
#[must_use]
pub fn socket_path(runtime_dir: Option<&Path>, port: u16) -> PathBuf {
    let folder = match runtime_dir {
        Some(folder) => folder.join("heliostat"),
        None => PathBuf::from(format!("/tmp/heliostat-{}", geteuid().as_raw())),
    };
    folder.join(format!("{port}.sock"))
}

/// An open socket, removed when dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket. One that a host left behind is replaced; one that is in use is not.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let refused = |source| Error::Management {
            path: path.to_owned(),
            source,
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        own_folder(folder).map_err(|source| Error::Management {
            path: folder.to_owned(),
            source,
        })?;
        if BlockingStream::connect(path).is_ok() {
            return Err(refused(io::ErrorKind::AddrInUse.into()));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
            _ => {}
        }
        let listener = std::os::unix::net::UnixListener::bind(path).map_err(refused)?;
        let socket = Self {
            listener,
            path: path.to_owned(),
        };
        // The folder keeps others out until this is done.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(refused)?;
        socket.listener.set_nonblocking(true).map_err(refused)?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the folder, or makes sure that it is this user's alone.
fn own_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let private = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0;
    if private {
        Ok(())
    } else {
        let why = "it must be a folder that belongs to this user alone (mode 0700)";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

/// Serves the socket until the server stops.
pub(crate) async fn serve(socket: Socket, app: &Arc<App>) {
    let listener = socket.listener.try_clone().and_then(UnixListener::from_std);
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the management socket cannot be served");
            return;
        }
    };
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::select! {
        () = app.stopped() => {}
        () = accept_all(&listener, app, &permits) => {}
    }
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    // Conversations that do not end in time are cut off.
    let _ = timeout(app.limits.teardown, permits.acquire_many(all)).await;
    drop(socket);
}

async fn accept_all(listener: &UnixListener, app: &Arc<App>, permits: &Arc<Semaphore>) {
    while let Ok(permit) = Arc::clone(permits).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) if is_own(&stream) => {
                let app = Arc::clone(app);
                tokio::spawn(async move {
                    converse(&app, stream).await;
                    drop(permit);
                });
            }
            Ok(_) => tracing::warn!("another user tried the management socket"),
            Err(error) => {
                tracing::warn!(%error, "the management socket could not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_own(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred().map(|peer| peer.uid());
    // The superuser could read this process's memory anyway.
    peer.is_ok_and(|uid| uid == geteuid().as_raw() || uid == 0)
}

/// The lines that a client sends. One that is too long is cut, so that it is seen to be too long.
struct Lines {
    read: tokio::io::BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line; nothing at the end. What was read of a line is kept when the wait is given up.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let most = (MAX_MESSAGE_BYTES + 2).saturating_sub(self.line.len());
        let mut bounded = (&mut self.read).take(most as u64);
        bounded.read_until(b'\n', &mut self.line).await?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(line))
    }
}

async fn converse(app: &Arc<App>, stream: UnixStream) {
    let peer = Peer::new(Identity::local_admin(), Via::Stdio, None);
    let Some(mut conversation) = app.hub.converse(peer) else {
        return;
    };
    let (read, mut write) = stream.into_split();
    let mut lines = Lines {
        read: tokio::io::BufReader::new(read),
        line: Vec::new(),
    };
    let mut send = async |text: String| {
        let line = text + "\n";
        matches!(
            timeout(app.limits.write, write.write_all(line.as_bytes())).await,
            Ok(Ok(()))
        )
    };
    let reason = loop {
        let text = tokio::select! {
            biased;
            () = app.stopped() => break EndReason::HostStopped,
            out = conversation.next() => match out {
                Out::Text(text) => Some(text),
                Out::End(_) => break EndReason::Quit,
            },
            line = lines.next() => match line {
                Ok(None) => break EndReason::Quit,
                Err(_) => break EndReason::Lost,
                Ok(Some(line)) => match take(&mut conversation, &line) {
                    Ok(text) => text,
                    Err(too_long) => {
                        send(too_long).await;
                        break EndReason::Error;
                    }
                },
            },
        };
        if let Some(text) = text
            && !send(text).await
        {
            break EndReason::Lost;
        }
    };
    for text in conversation.finish(reason).await {
        if !send(text).await {
            return;
        }
    }
}

/// What to answer at once; the error is the last answer.
fn take(conversation: &mut Conversation, line: &[u8]) -> Result<Option<String>, String> {
    match conversation.take(line) {
        Taken::Nothing => Ok(None),
        Taken::Reply(text) => Ok(Some(text)),
        Taken::TooLong(text) => Err(text),
    }
}

/// A program that manages a host on this machine.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<BlockingStream>,
    calls: u64,
}

/// Why a call to a host failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No host listens there.
    #[error("no host of this user listens on {}: {source}", path.display())]
    NoHost {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke off.
    #[error("the host broke off: {0}")]
    Broken(#[from] io::Error),
    /// The host answered with something else than JSON-RPC.
    #[error("the host answers with something else: {0}")]
    Nonsense(#[from] serde_json::Error),
    /// The host refused.
    #[error("{message}")]
    Refused {
        /// JSON-RPC's number for it.
        code: i64,
        /// Why.
        message: String,
    },
}

impl Client {
    /// Connects to the host whose socket is at `path`.
    ///
    /// # Errors
    /// [`ClientError::NoHost`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let no_host = |source| ClientError::NoHost {
            path: path.to_owned(),
            source,
        };
        let stream = BlockingStream::connect(path).map_err(no_host)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(no_host)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(no_host)?;
        Ok(Self {
            stream: BufReader::new(stream),
            calls: 0,
        })
    }

    /// Calls a method and waits for its result.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, ClientError> {
        self.calls += 1;
        let id = self.calls;
        let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.stream
            .get_mut()
            .write_all(format!("{call}\n").as_bytes())?;
        loop {
            let mut answer = self.read_line()?;
            // What the host tells by itself is for others.
            if answer.get("method").is_some() || answer["id"] != id {
                continue;
            }
            let error = &answer["error"];
            if error.is_null() {
                return Ok(answer["result"].take());
            }
            let details = error["data"].as_str().map(|data| format!(": {data}"));
            let message = error["message"].as_str().unwrap_or("no reason given");
            return Err(ClientError::Refused {
                code: error["code"].as_i64().unwrap_or_default(),
                message: message.to_owned() + &details.unwrap_or_default(),
            });
        }
    }

    fn read_line(&mut self) -> Result<Value, ClientError> {
        let mut line = Vec::new();
        let most = 4 * MAX_MESSAGE_BYTES as u64;
        (&mut self.stream).take(most).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}
