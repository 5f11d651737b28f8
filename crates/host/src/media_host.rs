//! Everything of a host but its front door: source, encoder, sessions, input and numbers, started in
//! the order they need each other and stopped in reverse.

use crate::board::StateBoard;
use crate::clipboard::ClipboardBoard;
use crate::config::Config;
use crate::cursor::CursorDesk;
use crate::desk::SessionDesk;
use crate::engine::{Endings, HubSlot, MediaEngine, OnQuit};
use crate::input::{Injectors, display_of};
use crate::moonlight::{self, MoonlightParts, MoonlightSlot};
use crate::serve::HostError;
use crate::sound::Sound;
use crate::stream::{OnSource, Stream, StreamParts, size_for};
use capture::{SourceOptions, SourceSpec};
use events::{EventRing, EventSink, ViewerIds};
use input::{Desk, TargetArea};
use media::Bitrate;
use sessions::{Hub, HubParts, HubThread, Limits};
use stats::Collector;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use webrtc::{Engine, EngineConfig, EngineParts};

/// Events that may wait for the statistics: more than a second of everything that can happen.
const EVENT_RING: usize = 8192;
/// Bandwidth believed in before anything was measured: enough for a good first second on a home
/// network, little enough not to jam a slow line.
const INITIAL_ESTIMATE_BPS: u64 = 6_000_000;

/// What was chosen at the start, for people.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    pub(crate) source: String,
    pub(crate) encoder: String,
}

/// A running host without a front door. Dropping it stops everything.
pub(crate) struct MediaHost {
    // Dropped in this order: no sessions, then no connections, then no pictures, then no numbers.
    moonlight: MoonlightSlot,
    hub: HubThread,
    engine: Arc<Engine>,
    stream: Arc<Stream>,
    sound: Arc<Sound>,
    _desk: Desk,
    _collector: Collector,
}

impl fmt::Debug for MediaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHost").finish_non_exhaustive()
    }
}

impl MediaHost {
    /// Starts everything, with media on the UDP address `media`.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left running then.
    pub(crate) fn start(
        config: &Config,
        version: &str,
        media: SocketAddr,
        on_quit: OnQuit,
    ) -> Result<(Self, Choices), HostError> {
        // First, because it may change the screen.
        gamestream::recover(&config.state_dir);
        let (source, choices) = choose(config)?;
        let (events, ring) = EventRing::new(EVENT_RING);
        let collector = Collector::start(ring)?;
        let board = Arc::new(StateBoard::new(version, config.fps.fps()));
        board.chose_source(&source, &choices.source);

        let (hub_slot, moonlight) = (HubSlot::default(), MoonlightSlot::default());
        let (devices, session_desk) = Devices::start(config, &source, &hub_slot, &moonlight)?;
        let cursor = &devices.cursor;
        let parts = StreamParts {
            config,
            source,
            events: events.clone(),
            board: Arc::clone(&board),
            cursor: Arc::clone(cursor),
            area: devices.area.clone(),
        };
        let stream = Stream::start(parts, devices.followers()).map_err(HostError::Thread)?;
        let stream = Arc::new(stream);

        let sound = Arc::new(Sound::new(config, &board));
        let endings = Endings::default();
        let ends = devices.ends(&endings);
        let net = Net {
            media,
            events,
            viewers: ViewerIds::default(),
        };
        let engine = start_engine(config, &net, (&stream, &sound), (ends, hub_slot.clone()))?;
        let media_engine = MediaEngine {
            engine: Arc::clone(&engine),
            moonlight: moonlight.clone(),
            endings,
            board,
            stream: Arc::clone(&stream),
            sound: Arc::clone(&sound),
            cursor: Arc::clone(cursor),
            clipboard: Arc::clone(&devices.clipboard),
            on_quit,
        };
        let hub = Hub::start(HubParts {
            engine: Arc::new(media_engine),
            desk: Arc::new(session_desk),
            stats: collector.reader(),
            limits: Limits::default(),
            policy: config.control,
        });
        let hub = hub.map_err(HostError::Thread)?;
        hub_slot.fill(hub.hub().downgrade());
        let host = Self {
            moonlight,
            hub,
            engine,
            stream,
            sound,
            _desk: devices.desk.clone(),
            _collector: collector,
        };
        host.serve_moonlight(config, &devices, (hub_slot, net))?;
        Ok((host, choices))
    }

    /// Serves Moonlight clients, if it is to.
    fn serve_moonlight(
        &self,
        config: &Config,
        devices: &Devices,
        (hub_slot, net): (HubSlot, Net),
    ) -> Result<(), HostError> {
        if !config.moonlight.enabled {
            return Ok(());
        }
        let parts = MoonlightParts {
            config,
            hub: self.hub(),
            stream: Arc::clone(&self.stream),
            cursor: Arc::clone(&devices.cursor),
            audio: Arc::clone(self.sound.pipeline()),
            desk: devices.desk.clone(),
            hub_slot,
            events: net.events,
            viewers: net.viewers,
        };
        moonlight::start(&self.moonlight, parts)
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.hub.hub()
    }

    /// Names the port on which ICE-TCP connections are accepted and handed over.
    pub(crate) fn set_tcp_port(&self, port: u16) {
        self.engine.set_tcp_port(port);
    }
}

impl Drop for MediaHost {
    fn drop(&mut self) {
        // Its sessions tell the hub of their end, so it goes first.
        self.moonlight.stop();
    }
}

/// Where input goes, and what the source tells besides pictures.
struct Devices {
    injectors: Injectors,
    desk: Desk,
    clipboard: Arc<ClipboardBoard>,
    cursor: Arc<CursorDesk>,
    area: TargetArea,
}

impl Devices {
    fn start(
        config: &Config,
        source: &SourceSpec,
        hub: &HubSlot,
        moonlight: &MoonlightSlot,
    ) -> Result<(Self, SessionDesk), HostError> {
        let area = TargetArea::default();
        let injectors = Injectors::new(config, area.clone());
        let (desk, session_desk) = injectors.start(source, hub.clone(), moonlight.clone())?;
        let clipboard = Arc::new(ClipboardBoard::new(config.clipboard));
        clipboard.follow(source);
        let devices = Self {
            injectors,
            desk,
            clipboard,
            cursor: Arc::new(CursorDesk::new(config.cursor)),
            area,
        };
        Ok((devices, session_desk))
    }

    /// Who has to hear that a session is over.
    fn ends(&self, endings: &Endings) -> Ends {
        Ends {
            endings: endings.clone(),
            cursor: Arc::clone(&self.cursor),
            desk: self.desk.clone(),
        }
    }

    /// What has to hear of another source.
    fn followers(&self) -> OnSource {
        let follows = Followers {
            injectors: self.injectors.clone(),
            desk: self.desk.clone(),
            clipboard: Arc::clone(&self.clipboard),
            area: self.area.clone(),
        };
        Box::new(move |source| follows.follow(source))
    }
}

/// What goes where the source goes.
struct Followers {
    injectors: Injectors,
    desk: Desk,
    clipboard: Arc<ClipboardBoard>,
    area: TargetArea,
}

impl Followers {
    fn follow(&self, source: &SourceSpec) {
        // A source without a screen says nothing of where it looks.
        if display_of(source).is_none() {
            self.area.set(None);
        }
        self.desk.switch(self.injectors.for_source(source));
        self.clipboard.follow(source);
    }
}

/// Settles what `auto` means, so that a lost desktop comes back as that desktop. A named source
/// that is away now may come later.
fn choose(config: &Config) -> Result<(SourceSpec, Choices), HostError> {
    let options = SourceOptions {
        size: size_for(&config.source, config.size),
        rate: config.fps,
    };
    let (spec, source) = match capture::open(&config.source, options) {
        Ok(opened) => (opened.spec, opened.reason),
        Err(error) if error.is_temporary() && config.source != SourceSpec::Auto => {
            tracing::warn!(%error, "the source is away; it is tried again when somebody watches");
            (config.source.clone(), error.to_string())
        }
        Err(error) => return Err(error.into()),
    };
    let encoder = encode::probe(&config.encoder)?;
    let encoder = format!("{}, {}", encoder.name, encoder.reason);
    Ok((spec, Choices { source, encoder }))
}

/// Everybody who has to hear that a session is over.
struct Ends {
    endings: Endings,
    cursor: Arc<CursorDesk>,
    desk: Desk,
}

/// What engines of all kinds share.
struct Net {
    /// Where media goes.
    media: SocketAddr,
    events: EventSink,
    viewers: ViewerIds,
}

fn start_engine(
    config: &Config,
    net: &Net,
    (stream, sound): (&Arc<Stream>, &Sound),
    (ends, hub): (Ends, HubSlot),
) -> Result<Arc<Engine>, HostError> {
    let ends = Arc::new(ends);
    let parts = |udp: SocketAddr| {
        let (stream, ends, hub) = (Arc::clone(stream), Arc::clone(&ends), hub.clone());
        EngineParts {
            config: EngineConfig {
                udp,
                idle_timeout: config.idle_timeout,
                initial_estimate: Bitrate::clamped(INITIAL_ESTIMATE_BPS),
            },
            events: net.events.clone(),
            viewers: net.viewers.clone(),
            pipeline: Box::new(move || Ok(Arc::clone(stream.pipeline()))),
            sound: sound.for_viewers(),
            on_channel: Box::new(move |viewer, event| hub.channel_event(viewer, event)),
            on_end: Box::new(move |viewer, reason| {
                ends.desk.gone(viewer);
                ends.cursor.left(viewer);
                ends.endings.ended(viewer, reason);
            }),
        }
    };
    // The same number for TCP and UDP makes one firewall rule; any other serves as well.
    let media = net.media;
    let any = SocketAddr::new(media.ip(), 0);
    let engine = Engine::start(parts(media)).or_else(|error| {
        tracing::warn!(%error, address = %media, "media takes another UDP port");
        Engine::start(parts(any))
    });
    let socket_error = |source| HostError::MediaSocket {
        address: any,
        source,
    };
    engine.map(Arc::new).map_err(socket_error)
}
