//! What the front door is told at its start. Every default is a bound on what a stranger can use up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Who may watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Whoever opened a one-time link.
    #[default]
    Login,
    /// Every program and user on this machine. Refused beyond loopback.
    Open,
}

/// When connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// On every address but loopback, where nobody can listen in.
    #[default]
    BeyondLoopback,
    /// On every address.
    Always,
}

/// Everything the front door needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may watch.
    pub access: AccessMode,
    /// When to encrypt.
    pub tls: TlsMode,
    /// Where the generated certificate is kept; created when missing.
    pub state_dir: PathBuf,
    /// Names of this machine besides `localhost`, for the certificate and the check of `Host`.
    pub names: Vec<String>,
    /// Addresses of this machine, for the certificate and the printed link.
    pub addresses: Vec<IpAddr>,
    /// Where the management socket is made, if there is to be one: its folder is created when missing
    /// and must belong to this user alone.
    pub management: Option<PathBuf>,
    /// Clients made for JetKVM devices are served as well.
    pub jetkvm: Option<JetKvm>,
    /// Bounds.
    pub limits: Limits,
}

/// How clients made for JetKVM devices are served.
#[derive(Clone)]
pub struct JetKvm {
    /// What tells this host from other devices.
    pub device_id: String,
    /// What they log in with, as administrators. With open access they need not.
    pub password: String,
}

impl fmt::Debug for JetKvm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("JetKvm");
        shown
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Listens on `listen` with a login, with TLS beyond loopback.
    #[must_use]
    pub fn new(listen: SocketAddr, state_dir: PathBuf) -> Self {
        Self {
            listen,
            access: AccessMode::default(),
            tls: TlsMode::default(),
            state_dir,
            names: Vec::new(),
            addresses: Vec::new(),
            management: None,
            jetkvm: None,
            limits: Limits::default(),
        }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.tls == TlsMode::Always || !self.listen.ip().to_canonical().is_loopback()
    }
}

/// Bounds on time and number.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time, ICE-TCP ones not counted after they were handed over.
    pub connections: usize,
    /// From the first byte to a complete request header, and for a TLS handshake.
    pub request_head: Duration,
    /// A session whose WebSocket is silent for this long ends.
    pub session_silence: Duration,
    /// A WebSocket that is silent for this long is closed.
    pub connection_silence: Duration,
    /// One message is written to a WebSocket within this.
    pub write: Duration,
    /// Teardown of the whole server takes no longer than this.
    pub teardown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            request_head: Duration::from_secs(10),
            session_silence: Duration::from_secs(3),
            connection_silence: Duration::from_secs(30),
            write: Duration::from_secs(10),
            teardown: Duration::from_secs(2),
        }
    }
}
