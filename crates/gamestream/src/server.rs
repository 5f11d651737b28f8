//! The server: binds every port before anything starts, starts its threads and tasks, and ends them
//! in reverse.

use crate::answers::Answers;
use crate::control::{Control, ControlParts};
use crate::discovery::Announcement;
use crate::error::Error;
use crate::host::Host;
use crate::house::{House, HouseParts};
use crate::http::Door;
use crate::identity;
use crate::lobby::Lobby;
use crate::paired::{ClientChange, Paired, PairedClient, PairedError};
use crate::pairing::{Pairing, PendingPairing, PinEntered, PinRefused};
use crate::pings::Pings;
use crate::registry::Registry;
use crate::rtsp::RtspPort;
use crate::session::{Said, lock};
use crate::start::Starter;
use apps::catalogue::Catalogue;
use apps::journal::Journal;
use apps::tenancy::Rules;
use control_api::EndReason;
use events::{EventSink, ViewerId, ViewerIds};
use gamestream_proto::constants::Ports;
use input::Feedback;
use net::{Alarm, Port, ServiceClass};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Asked of the kernel for each direction of a media port; it may grant less.
const MEDIA_BUFFER_BYTES: usize = 32 << 20;
/// Threads that are stuck may take this long to end; then the server goes without them.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Of the control port.
const CONTROL_BUFFER_BYTES: usize = 1 << 20;

/// How the server runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; an unspecified address serves every interface.
    pub listen: IpAddr,
    /// Which ports.
    pub ports: Ports,
    /// What people call the host.
    pub name: String,
    /// Where its identity and its clients are kept, and what it owes for its apps.
    pub state_dir: PathBuf,
    /// A client that is silent for this long is gone.
    pub idle_timeout: Duration,
    /// Video and sound say toward private addresses how urgent they are.
    pub marks_packets: bool,
    /// The apps that clients may start.
    pub apps: Catalogue,
    /// Who may stream beside whom, and how long apps wait for their client.
    pub rules: Rules,
}

/// What the server works with.
pub struct Parts {
    /// How it runs.
    pub config: Config,
    /// The host around it.
    pub host: Arc<dyn Host>,
    /// Where telemetry goes.
    pub events: EventSink,
    /// Numbers for new sessions.
    pub viewers: ViewerIds,
    /// Where requests are answered.
    pub runtime: Handle,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A running server. Dropping it ends every stream and closes every port.
pub struct Server {
    // Dropped in this order: no new clients, then no streams, then no ports.
    stop: watch::Sender<bool>,
    announcement: Option<Announcement>,
    control: Option<Control>,
    _pings: Pings,
    registry: Arc<Registry>,
    house: Arc<House>,
    paired: Arc<Mutex<Paired>>,
    pairing: Arc<Pairing>,
    answers: Arc<Answers>,
    ports: Ports,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("ports", &self.ports)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// Every port, bound.
struct Bound {
    http: TcpListener,
    https: TcpListener,
    rtsp: TcpListener,
    video: Arc<Port>,
    audio: Arc<Port>,
    control: Arc<Port>,
}

impl Bound {
    fn bind(config: &Config, runtime: &Handle) -> Result<Self, Error> {
        let ports = config.ports;
        let tcp = |port: u16, what: &'static str| {
            let failed = |source| Error::Port {
                protocol: "TCP",
                port,
                what,
                source,
            };
            let _entered = runtime.enter();
            let listener = std::net::TcpListener::bind((config.listen, port)).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            TcpListener::from_std(listener).map_err(failed)
        };
        let udp = |port: u16, what: &'static str, buffer_bytes: usize| {
            let address = SocketAddr::new(config.listen, port);
            Port::bind(address, buffer_bytes).map_err(|source| Error::Port {
                protocol: "UDP",
                port,
                what,
                source,
            })
        };
        let class = |class| config.marks_packets.then_some(class);
        Ok(Self {
            http: tcp(ports.http(), "HTTP")?,
            https: tcp(ports.https(), "HTTPS")?,
            rtsp: tcp(ports.rtsp(), "RTSP")?,
            video: Arc::new(
                udp(ports.video(), "video", MEDIA_BUFFER_BYTES)?.marked(class(ServiceClass::CS5)),
            ),
            audio: Arc::new(
                udp(ports.audio(), "audio", MEDIA_BUFFER_BYTES)?.marked(class(ServiceClass::CS6)),
            ),
            control: Arc::new(udp(ports.control(), "control", CONTROL_BUFFER_BYTES)?),
        })
    }

    /// Answers on the TCP ports until the server stops.
    fn serve(
        self,
        runtime: &Handle,
        answers: &Arc<Answers>,
        starter: Arc<Starter>,
        stopping: &watch::Receiver<bool>,
    ) {
        let tls = Arc::clone(&answers.identity.tls);
        for (listener, tls) in [(self.http, None), (self.https, Some(tls))] {
            let door = Door {
                listener,
                tls,
                answers: Arc::clone(answers),
                stopping: stopping.clone(),
            };
            runtime.spawn(door.serve());
        }
        let rtsp = RtspPort {
            listener: self.rtsp,
            lobby: Arc::clone(&answers.lobby),
            starter,
            stopping: stopping.clone(),
        };
        runtime.spawn(rtsp.serve());
    }
}

impl Server {
    /// Binds every port and starts to serve.
    ///
    /// # Errors
    /// [`Error`]; nothing is left running then.
    pub fn start(parts: Parts) -> Result<Self, Error> {
        let Parts {
            config,
            host,
            events,
            viewers,
            runtime,
        } = parts;
        let system = |what| move |source: io::Error| Error::System { what, source };
        let identity = identity::open(&config.state_dir, SystemTime::now())?;
        let paired = Arc::new(Mutex::new(Paired::open(&config.state_dir)?));
        let bound = Bound::bind(&config, &runtime)?;
        warn_of_small_buffers(&bound.video);
        let alarm = Alarm::new().map_err(system("descriptor"))?;
        let registry = Arc::new(Registry::new(alarm.clone()));
        let lobby = Arc::new(Lobby::default());
        let house = house(&config, &host, &lobby, &registry);
        let (video, audio) = (Arc::clone(&bound.video), Arc::clone(&bound.audio));
        let pings = Pings::start(video, audio, Arc::clone(&registry));
        let pings = pings.map_err(system("thread"))?;
        let control = Control::start(ControlParts {
            port: Arc::clone(&bound.control),
            registry: Arc::clone(&registry),
            host: Arc::clone(&host),
            alarm: alarm.clone(),
            idle_timeout: config.idle_timeout,
        });
        let control = control.map_err(system("thread"))?;
        let starter = Arc::new(Starter {
            host: Arc::clone(&host),
            registry: Arc::clone(&registry),
            video: Arc::clone(&bound.video),
            audio: Arc::clone(&bound.audio),
            events,
            control: alarm,
            house: Arc::clone(&house),
            lobby: Arc::clone(&lobby),
        });
        let pairing = Pairing::new(Arc::clone(&identity.pairing), Arc::clone(&paired));
        let pairing = Arc::new(pairing);
        let announcement = Announcement::start(&config, &identity.unique_id);
        let (stop, stopping) = watch::channel(false);
        let answers = Arc::new(Answers {
            identity,
            hostname: config.name,
            ports: config.ports,
            host,
            paired: Arc::clone(&paired),
            pairing: Arc::clone(&pairing),
            lobby,
            registry: Arc::clone(&registry),
            house: Arc::clone(&house),
            viewers,
        });
        bound.serve(&runtime, &answers, starter, &stopping);
        runtime.spawn(tend(Arc::clone(&pairing), Arc::clone(&house), stopping));
        Ok(Self {
            stop,
            announcement,
            control: Some(control),
            _pings: pings,
            registry,
            house,
            paired,
            pairing,
            answers,
            ports: config.ports,
        })
    }

    /// Whether the host can be found on the local network by its name.
    #[must_use]
    pub const fn is_announced(&self) -> bool {
        self.announcement.is_some()
    }

    /// The clients that wait for their PIN, the longest waiting first.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingPairing> {
        self.pairing.pending()
    }

    /// Changes after [`Self::pending`] does.
    #[must_use]
    pub fn pending_changed(&self) -> watch::Receiver<()> {
        self.pairing.pending_changed()
    }

    /// Takes the PIN that a client shows: of the client `which`, or of the only one that waits. `name`
    /// is what it is called from then on. Whether the PIN was right shows once the client goes on.
    ///
    /// # Errors
    /// [`PinRefused`], in words.
    pub fn enter_pin(
        &self,
        pin: &str,
        which: Option<u64>,
        name: Option<&str>,
    ) -> Result<PinEntered, PinRefused> {
        self.pairing.enter_pin(pin, which, name)
    }

    /// Sends a client away that waits for its PIN; `false` when there is none of that number.
    pub fn refuse_pairing(&self, which: u64) -> bool {
        self.pairing.refuse(which)
    }

    /// The paired clients, also those whose time is over.
    #[must_use]
    pub fn clients(&self) -> Vec<PairedClient> {
        lock(&self.paired).all().to_vec()
    }

    /// Changes after [`Self::clients`] does.
    #[must_use]
    pub fn clients_changed(&self) -> watch::Receiver<()> {
        lock(&self.paired).changed()
    }

    /// Changes a client; writes a file. What its sessions may do from then on, and when its time is
    /// over, is for the host around the server to see to: it alone knows who drives.
    ///
    /// # Errors
    /// [`PairedError`]; nothing was changed then.
    pub fn change_client(
        &self,
        id: u32,
        change: &ClientChange,
    ) -> Result<PairedClient, PairedError> {
        lock(&self.paired).change(id, change)
    }

    /// Forgets a client, its sessions and its launches; writes a file.
    ///
    /// # Errors
    /// [`PairedError`]; nothing was changed then.
    pub fn remove_client(&self, id: u32) -> Result<PairedClient, PairedError> {
        self.answers.remove(id, EndReason::Operator)
    }

    /// Ends a session. `false` when there is none of that number here.
    pub fn close(&self, viewer: ViewerId, reason: EndReason) -> bool {
        let session = self.registry.get(viewer);
        session.is_some_and(|session| {
            session.end(reason);
            true
        })
    }

    /// Whether the session is one of this server's.
    #[must_use]
    pub fn has(&self, viewer: ViewerId) -> bool {
        self.registry.get(viewer).is_some()
    }

    /// Asks for a keyframe on behalf of a session.
    pub fn request_keyframe(&self, viewer: ViewerId) {
        if let Some(session) = self.registry.get(viewer) {
            session.request(crate::session::VideoRequest::Keyframe);
        }
    }

    /// Says something to a session's devices.
    pub fn feedback(&self, viewer: ViewerId, feedback: Feedback) {
        if let Some(session) = self.registry.get(viewer) {
            session.say(Said::Feedback(feedback));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.announcement = None;
        self.control = None;
        self.registry.wait_empty(STOP_WITHIN);
        self.house.close();
    }
}

fn house(
    config: &Config,
    host: &Arc<dyn Host>,
    lobby: &Arc<Lobby>,
    registry: &Arc<Registry>,
) -> Arc<House> {
    let around = Arc::clone(host);
    let journal = Journal::open(&config.state_dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "if this host is killed, nobody undoes what its apps change");
        Journal::default()
    });
    House::new(HouseParts {
        catalogue: config.apps.clone(),
        journal,
        rules: config.rules,
        surroundings: Box::new(move || around.surroundings()),
        lobby: Arc::clone(lobby),
        registry: Arc::clone(registry),
    })
}

/// A keyframe leaves in one burst, which a small buffer does not hold.
fn warn_of_small_buffers(port: &Port) {
    let granted = port.send_buffer_bytes().unwrap_or(MEDIA_BUFFER_BYTES);
    if granted < MEDIA_BUFFER_BYTES / 4 {
        tracing::warn!(
            granted_kib = granted >> 10,
            "the kernel grants small socket buffers: large pictures may lose packets; \
             sudo sysctl -w net.core.wmem_max={MEDIA_BUFFER_BYTES} net.core.rmem_max={MEDIA_BUFFER_BYTES}"
        );
    }
}

async fn tend(pairing: Arc<Pairing>, house: Arc<House>, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => {}
        () = pairing.watch_the_clock() => {}
        () = house.watch_the_clock() => {}
    }
}
