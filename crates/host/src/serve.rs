//! Starts every part in the order they need each other, and stops them in reverse.

use crate::config::{Config, is_loopback};
use crate::front::{Endings, Front, StateBoard};
use capture::{SourceOptions, SourceSpec};
use events::EventRing;
use media::{Bitrate, Codec, StreamParams};
use pipeline::{OpenedEncoder, Pipeline, PipelineParts};
use stats::Collector;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use webrtc::{Engine, EngineConfig, EngineParts};

/// Events that may wait for the statistics: more than a second of everything that can happen.
const EVENT_RING: usize = 8192;
/// Bandwidth believed in before anything was measured: enough for a good first second on a home
/// network, little enough not to jam a slow line.
const INITIAL_ESTIMATE_BPS: u64 = 6_000_000;
/// Pictures that invalidation reaches back to.
const REFERENCE_PICTURES: usize = 10;

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The source cannot be streamed as asked.
    #[error(transparent)]
    Source(#[from] capture::SourceError),
    /// The encoder does not work here.
    #[error(transparent)]
    Encoder(#[from] encode::EncodeError),
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
    /// Fingerprint of the certificate, with TLS.
    pub fingerprint: Option<String>,
}

/// A running host. Dropping it stops everything.
pub struct Host {
    // Dropped in this order: no new clients, then no sessions, then no pictures, then no numbers.
    server: control::Handle,
    _engine: Arc<Engine>,
    _pipeline: Arc<Pipeline>,
    _collector: Collector,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("address", &self.server.local_addr())
            .finish_non_exhaustive()
    }
}

/// Takes each new link as it is made.
pub type OnLink = Box<dyn Fn(&str) + Send + Sync>;

impl Host {
    /// Starts everything. Links made after the first one go to `on_link`.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left running then.
    pub fn start(
        config: &Config,
        version: &str,
        on_link: OnLink,
    ) -> Result<(Self, Started), HostError> {
        let (spec, source_reason) = choose_source(config)?;
        let chosen = encode::probe(&config.encoder)?;
        let door = door_config(config);
        let bound = control::Server::bind(&door)?;
        let (sink, ring) = EventRing::new(EVENT_RING);
        let collector = Collector::start(ring)?;
        let board = Arc::new(StateBoard::new(
            version,
            config.fps.fps(),
            &spec,
            &source_reason,
        ));
        let pipeline = start_pipeline(config, spec, sink.clone(), &board)?;

        let endings = Endings::default();
        let engine = start_engine(config, bound.local_addr(), &sink, &pipeline, &endings)?;
        let front = Front {
            engine: Arc::clone(&engine),
            endings,
            board,
        };
        let (first_link, on_link) = keep_first(on_link);
        let parts = control::Parts {
            engine: Arc::new(front),
            stats: collector.reader(),
            on_link,
        };
        let server = bound.start(&door, parts)?;
        engine.set_tcp_port(server.local_addr().port());
        let started = Started {
            link: first_link
                .get()
                .cloned()
                .unwrap_or_else(|| server.url().to_owned()),
            player_token: (!config.open_access).then(|| server.player_token().to_owned()),
            source: source_reason,
            encoder: format!("{}, {}", chosen.name, chosen.reason),
            fingerprint: server.fingerprint().map(ToString::to_string),
        };
        let host = Self {
            server,
            _engine: engine,
            _pipeline: pipeline,
            _collector: collector,
        };
        Ok((host, started))
    }

    /// Where the host listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }
}

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

/// Settles what `auto` means, so that a lost desktop comes back as that desktop. A named source
/// that is away now may come later.
fn choose_source(config: &Config) -> Result<(SourceSpec, String), HostError> {
    let options = SourceOptions {
        size: config.size,
        rate: config.fps,
    };
    match capture::open(&config.source, options) {
        Ok(opened) => Ok((opened.spec, opened.reason)),
        Err(error) if error.is_temporary() && config.source != SourceSpec::Auto => {
            tracing::warn!(%error, "the source is away; it is tried again when somebody watches");
            Ok((config.source.clone(), error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

fn start_pipeline(
    config: &Config,
    spec: SourceSpec,
    events: events::EventSink,
    board: &Arc<StateBoard>,
) -> Result<Arc<Pipeline>, HostError> {
    let params = StreamParams {
        size: config.size,
        rate: config.fps,
        bitrate: config.bitrate,
        codec: Codec::H264,
        profile: config.profile,
    };
    let options = SourceOptions {
        size: config.size,
        rate: config.fps,
    };
    let choice = config.encoder;
    let board = Arc::clone(board);
    let parts = PipelineParts {
        number: 1,
        params,
        encoder_threads: config.encoder_threads,
        reference_pictures: REFERENCE_PICTURES,
        keep_alive: Some(pipeline::KEEP_ALIVE),
        open_source: Arc::new(move || capture::open(&spec, options).map(|opened| opened.source)),
        open_encoder: Arc::new(move |config| {
            let (encoder, chosen) = encode::open(&choice, config)?;
            Ok(OpenedEncoder {
                encoder,
                reason: chosen.reason,
            })
        }),
        events,
        on_status: Box::new(move |status| board.show(status)),
    };
    Pipeline::start(parts)
        .map(Arc::new)
        .map_err(HostError::Thread)
}

fn start_engine(
    config: &Config,
    door: SocketAddr,
    events: &events::EventSink,
    pipeline: &Arc<Pipeline>,
    endings: &Endings,
) -> Result<Arc<Engine>, HostError> {
    let parts = |udp: SocketAddr| {
        let (pipeline, endings) = (Arc::clone(pipeline), endings.clone());
        EngineParts {
            config: EngineConfig {
                udp,
                idle_timeout: config.idle_timeout,
                initial_estimate: Bitrate::clamped(INITIAL_ESTIMATE_BPS),
            },
            events: events.clone(),
            pipeline: Box::new(move || Ok(Arc::clone(&pipeline))),
            on_channel: Box::new(|_, _| {}),
            on_end: Box::new(move |viewer, reason| endings.ended(viewer, reason)),
        }
    };
    // The same number for TCP and UDP makes one firewall rule; any other serves as well.
    let any = SocketAddr::new(door.ip(), 0);
    let engine = Engine::start(parts(door)).or_else(|error| {
        tracing::warn!(%error, address = %door, "media takes another UDP port");
        Engine::start(parts(any))
    });
    let refused = |source| HostError::MediaSocket {
        address: any,
        source,
    };
    engine.map(Arc::new).map_err(refused)
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
