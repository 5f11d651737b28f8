//! Moonlight clients at this host: their server, its place among the sessions, and what they see and
//! do. Rules about who may what are the hub's.

use crate::config::{Config, MoonlightCodecs};
use crate::cursor::CursorDesk;
use crate::engine::HubSlot;
use crate::pairing::Paired;
use crate::serve::HostError;
use crate::stream::{Side, Stream, Watched};
use audio::AudioPipeline;
use control_api::{EndReason, Via};
use encode::BACKENDS;
use events::{EventSink, ViewerId, ViewerIds};
use gamestream::{Begun, CodecMode, CodecSupport, Server, Surroundings};
use input::{Desk, Feedback, InputEvent, PenEvent};
use media::{Codec, StreamParams};
use pipeline::Pipeline;
use sessions::{Admission, Hub, Identity, LoginId, Session};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Somebody who does not drive and goes on pressing keys reaches for control this often.
const REACH_EVERY: Duration = Duration::from_secs(1);

/// The server, once there is one: what it needs is made first, and calls it later.
#[derive(Clone, Default)]
pub(crate) struct MoonlightSlot(Arc<Mutex<Option<Arc<Server>>>>);

impl fmt::Debug for MoonlightSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoonlightSlot").finish_non_exhaustive()
    }
}

impl MoonlightSlot {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Server>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server, while it runs.
    pub(crate) fn get(&self) -> Option<Arc<Server>> {
        self.lock().clone()
    }

    fn fill(&self, server: Server) {
        *self.lock() = Some(Arc::new(server));
    }

    /// Ends every stream and closes every port.
    pub(crate) fn stop(&self) {
        let server = self.lock().take();
        drop(server);
    }

    /// Hands feedback to a session's devices; `false` when it is none of a Moonlight client.
    pub(crate) fn feedback(&self, viewer: ViewerId, feedback: Feedback) -> bool {
        let server = self.get().filter(|server| server.has(viewer));
        server.is_some_and(|server| {
            server.feedback(viewer, feedback);
            true
        })
    }
}

/// What the server is started from.
pub(crate) struct MoonlightParts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) hub: &'a Hub,
    pub(crate) stream: Arc<Stream>,
    pub(crate) cursor: Arc<CursorDesk>,
    pub(crate) audio: Arc<AudioPipeline>,
    pub(crate) desk: Desk,
    pub(crate) hub_slot: HubSlot,
    pub(crate) events: EventSink,
    pub(crate) viewers: ViewerIds,
}

/// Starts to serve Moonlight clients.
///
/// # Errors
/// [`HostError::Moonlight`]; nothing is left running then.
pub(crate) fn start(slot: &MoonlightSlot, parts: MoonlightParts<'_>) -> Result<(), HostError> {
    let config = parts.config;
    let name = config.moonlight.name.clone().unwrap_or_else(|| {
        let system = rustix::system::uname();
        system.nodename().to_string_lossy().into_owned()
    });
    let host = MoonlightHost {
        codecs: codecs(config.moonlight.codecs),
        audio: parts.audio,
        stream: parts.stream,
        cursor: parts.cursor,
        desk: parts.desk,
        input: parts.hub.desk().state(),
        hub: parts.hub_slot,
        guests: Mutex::default(),
    };
    let server = Server::start(gamestream::Parts {
        config: gamestream::Config {
            listen: config.listen.ip(),
            ports: config.moonlight.ports,
            name,
            state_dir: config.state_dir.clone(),
            idle_timeout: config.idle_timeout,
            marks_packets: config.moonlight.dscp,
            apps: config.moonlight.apps.clone(),
            rules: config.moonlight.rules,
        },
        host: Arc::new(host),
        events: parts.events,
        viewers: parts.viewers,
        runtime: parts.hub.runtime().clone(),
    })?;
    slot.fill(server);
    let paired = Paired(slot.clone());
    parts.hub.set_moonlight(Arc::new(paired));
    Ok(())
}

/// What clients are told: they take the newest codec that is offered, whatever it costs the host.
fn codecs(offered: MoonlightCodecs) -> CodecSupport {
    let working = match offered {
        MoonlightCodecs::H264 => Vec::new(),
        MoonlightCodecs::Auto => encode::hardware_codecs(),
        MoonlightCodecs::All => encode::codecs(),
    };
    let h264 = CodecSupport::default().with(CodecMode::H264);
    working.into_iter().fold(h264, |all, codec| {
        all.with(match codec {
            Codec::H264 => CodecMode::H264,
            Codec::Hevc => CodecMode::Hevc,
            Codec::Av1 => CodecMode::Av1,
        })
    })
}

/// One session of a Moonlight client.
struct Guest {
    session: Session,
    /// Told when the engine is done with it.
    over: oneshot::Sender<EndReason>,
    watches: Option<Arc<Side>>,
    reached: Option<Instant>,
}

struct MoonlightHost {
    codecs: CodecSupport,
    audio: Arc<AudioPipeline>,
    stream: Arc<Stream>,
    cursor: Arc<CursorDesk>,
    desk: Desk,
    /// What input reaches the host.
    input: watch::Receiver<control_api::InputState>,
    hub: HubSlot,
    guests: Mutex<HashMap<ViewerId, Guest>>,
}

impl MoonlightHost {
    fn guests(&self) -> MutexGuard<'_, HashMap<ViewerId, Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Input of a session without control: whoever presses something wants it.
    fn reach(&self, viewer: ViewerId) {
        let mut guests = self.guests();
        let Some(guest) = guests.get_mut(&viewer) else {
            return;
        };
        let recently = guest.reached.is_some_and(|at| at.elapsed() < REACH_EVERY);
        if recently || guest.session.handle().controls() {
            return;
        }
        guest.reached = Some(Instant::now());
        let handle = guest.session.handle();
        drop(guests);
        handle.reach_for_control();
    }

    /// A place in the client's picture, as a place in the main one.
    fn placed(&self, viewer: ViewerId, [x, y]: [u16; 2]) -> [u16; 2] {
        let side = {
            let guests = self.guests();
            guests.get(&viewer).and_then(|guest| guest.watches.clone())
        };
        match side {
            Some(side) => self.stream.area().boxed(side.area.unboxed([x, y])),
            None => [x, y],
        }
    }
}

impl gamestream::Host for MoonlightHost {
    fn codecs(&self) -> CodecSupport {
        self.codecs
    }

    fn invalidates_references(&self) -> bool {
        BACKENDS.first().is_some_and(|first| first.name == "x264")
    }

    fn takes_touch(&self) -> bool {
        self.input.borrow().touch
    }

    fn pipeline(&self, viewer: ViewerId, params: &StreamParams) -> Result<Arc<Pipeline>, String> {
        let watched = self.stream.with_params(params);
        let watched = watched.map_err(|error| error.to_string())?;
        let (pipeline, side) = match watched {
            Watched::Main(pipeline) => {
                // Moonlight draws no pointer of its own.
                self.cursor.joined(viewer, false);
                (pipeline, None)
            }
            Watched::Side(side) => {
                self.cursor.left(viewer);
                (Arc::clone(&side.pipeline), Some(side))
            }
        };
        if let Some(guest) = self.guests().get_mut(&viewer) {
            guest.watches = side;
        }
        Ok(pipeline)
    }

    fn audio(&self) -> Arc<AudioPipeline> {
        Arc::clone(&self.audio)
    }

    fn begin(&self, session: Begun) -> Result<(), String> {
        let hub = self.hub.hub().ok_or("the host is stopping")?;
        let (over, engine_ended) = oneshot::channel();
        let client = session.client;
        let admission = Admission {
            viewer: session.viewer,
            identity: Identity {
                role: client.role,
                login: LoginId::of_client(client.id),
                name: Some(client.name),
                rights: client.rights,
            },
            via: Via::Moonlight,
            address: Some(session.address),
            channels: None,
            notices: None,
            engine_ended,
        };
        let admitted = hub.admit(admission).map_err(|error| error.to_string())?;
        let guest = Guest {
            session: admitted.0,
            over,
            watches: None,
            reached: None,
        };
        self.guests().insert(session.viewer, guest);
        Ok(())
    }

    fn ended(&self, viewer: ViewerId, reason: EndReason) {
        let guest = self.guests().remove(&viewer);
        self.desk.gone(viewer);
        self.cursor.left(viewer);
        if let Some(Guest { session, over, .. }) = guest {
            // Whoever ended it may not wait for the word.
            let _ = over.send(reason);
            session.close(reason);
        }
    }

    /// Apps draw on the display that is streamed.
    fn surroundings(&self) -> Surroundings {
        let display = self.stream.display().and_then(|display| display.name);
        Surroundings {
            set: display
                .map(|name| ("DISPLAY".into(), name.into()))
                .into_iter()
                .collect(),
            ..Surroundings::default()
        }
    }

    fn input(&self, viewer: ViewerId, mut event: InputEvent) {
        if let InputEvent::MoveTo { x, y }
        | InputEvent::Touch { x, y, .. }
        | InputEvent::Pen(PenEvent { x, y, .. }) = &mut event
        {
            [*x, *y] = self.placed(viewer, [*x, *y]);
        }
        if is_deliberate(&event) {
            self.reach(viewer);
        }
        // What the desk does not take is counted there; the client cannot be told.
        let _ = self.desk.inject(viewer, event);
    }
}

/// Whether somebody means to change something, rather than brushes against the mouse.
const fn is_deliberate(event: &InputEvent) -> bool {
    match event {
        InputEvent::Key { down, .. } | InputEvent::Button { down, .. } => *down,
        InputEvent::Text(_)
        | InputEvent::Wheel { .. }
        | InputEvent::Touch { .. }
        | InputEvent::Pen(_) => true,
        InputEvent::MoveTo { .. } | InputEvent::MoveBy { .. } | InputEvent::Pad(_) => false,
    }
}
