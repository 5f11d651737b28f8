//! The host with its front door: page, signalling and logins on one port, media beside it.

use crate::config::{Config, is_loopback};
use crate::jetkvm;
use crate::media_host::MediaHost;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The source cannot be streamed as asked.
    #[error(transparent)]
    Source(#[from] capture::SourceError),
    /// The encoder does not work here.
    #[error(transparent)]
    Encoder(#[from] encode::EncodeError),
    /// Input cannot be taken.
    #[error(transparent)]
    Input(#[from] input::InputError),
    /// The front door did not open.
    #[error(transparent)]
    FrontDoor(#[from] control::Error),
    /// The statistics did not start.
    #[error(transparent)]
    Stats(#[from] stats::Error),
    /// The media socket could not be bound.
    #[error("no UDP socket for media on {address}: {source}")]
    MediaSocket {
        /// The address.
        address: SocketAddr,
        /// Reason.
        source: std::io::Error,
    },
    /// JetKVM clients cannot be served.
    #[error("JetKVM clients cannot be served: {path}: {why}")]
    JetKvm {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Moonlight clients cannot be served.
    #[error(transparent)]
    Moonlight(#[from] gamestream::Error),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// What a started host tells its user.
#[derive(Clone, Debug)]
pub struct Started {
    /// The link that opens straight into the stream.
    pub link: String,
    /// The token with which players fetch the stream from `/whep`; none with open access.
    pub player_token: Option<String>,
    /// Which source, and why.
    pub source: String,
    /// Which encoder, and why.
    pub encoder: String,
    /// How JetKVM clients get in, if they are served.
    pub jetkvm: Option<String>,
    /// Fingerprint of the certificate, with TLS.
    pub fingerprint: Option<String>,
}

/// A running host. Dropping it stops everything.
pub struct Host {
    // Dropped in this order: no new clients, then everything else.
    server: control::Handle,
    _media: MediaHost,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("address", &self.server.local_addr())
            .finish_non_exhaustive()
    }
}

/// What the host tells while it runs.
pub struct Callbacks {
    /// Takes each link after the first one, as it is made.
    pub on_link: Box<dyn Fn(&str) + Send + Sync>,
    /// An administrator asked the host to stop.
    pub on_quit: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

impl Host {
    /// Starts everything.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left running then.
    pub fn start(
        config: &Config,
        version: &str,
        callbacks: Callbacks,
    ) -> Result<(Self, Started), HostError> {
        let mut door = door_config(config);
        let mut jetkvm = None;
        if config.jetkvm {
            let opened = jetkvm::open(config)?;
            door.jetkvm = Some(opened.door);
            jetkvm = Some(opened.words);
        }
        let bound = control::Server::bind(&door)?;
        let runtime_dir = config.runtime_dir.as_deref();
        let port = bound.local_addr().port();
        door.management = Some(control::management::socket_path(runtime_dir, port));
        let (media, choices) =
            MediaHost::start(config, version, bound.local_addr(), callbacks.on_quit)?;
        let (first_link, on_link) = keep_first(callbacks.on_link);
        let parts = control::Parts {
            hub: media.hub().clone(),
            on_link,
        };
        let server = bound.start(&door, parts)?;
        media.set_tcp_port(server.local_addr().port());
        let started = Started {
            link: first_link
                .get()
                .cloned()
                .unwrap_or_else(|| server.url().to_owned()),
            player_token: (!config.open_access).then(|| server.player_token().to_owned()),
            source: choices.source,
            encoder: choices.encoder,
            jetkvm,
            fingerprint: server.fingerprint().map(ToString::to_string),
        };
        let host = Self {
            server,
            _media: media,
        };
        Ok((host, started))
    }

    /// Where the host listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }
}

type OnLink = Box<dyn Fn(&str) + Send + Sync>;

/// The first link goes into the start message, the later ones to whoever prints them.
fn keep_first(on_link: OnLink) -> (Arc<OnceLock<String>>, OnLink) {
    let first = Arc::new(OnceLock::new());
    let keep = Arc::clone(&first);
    let split = move |link: &str| {
        if keep.set(link.to_owned()).is_err() {
            on_link(link);
        }
    };
    (first, Box::new(split))
}

fn door_config(config: &Config) -> control::Config {
    let mut door = control::Config::new(config.listen, config.state_dir.clone());
    if config.open_access {
        door.access = control::AccessMode::Open;
    }
    if !is_loopback(config.listen.ip()) {
        door.addresses = webrtc::reachable_addresses(config.listen.ip());
        door.names = rustix::system::uname()
            .nodename()
            .to_str()
            .map(|name| vec![name.to_owned()])
            .unwrap_or_default();
    }
    door
}
