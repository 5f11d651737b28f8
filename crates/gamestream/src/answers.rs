//! What each request over HTTP and HTTPS is answered with, and what follows from it.

use crate::host::Host;
use crate::house::{Granted, House};
use crate::identity::Identity;
use crate::lobby::{Launch, Lobby, STREAM_WITHIN};
use crate::paired::{Paired, PairedClient, PairedError};
use crate::pairing::Pairing;
use crate::registry::Registry;
use crate::session::lock;
use apps::{Mode, tenancy};
use control_api::EndReason;
use events::{ViewerId, ViewerIds};
use gamestream_proto::Error as ProtoError;
use gamestream_proto::constants::Ports;
use gamestream_proto::http::{
    self, App, Asked, DisplayMode, Failure, LaunchRequest, PairRequest, Refused, Request,
    ResumeRequest, ServerInfo, SessionParameters,
};
use gamestream_proto::pairing::PairReply;
use gamestream_proto::rtsp::{EncryptionPolicy, HostOffer, RtspSession, RtspSetup, Want};
use media::{FrameRate, MonoTime, Size};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// What is put in where a client goes on and does not say how.
const FALLBACK_MODE: DisplayMode = mode(1280, 720, 60);

/// What is offered to those who choose from a list; others ask for what they like.
const DISPLAY_MODES: [DisplayMode; 8] = [
    mode(1280, 720, 60),
    mode(1280, 720, 120),
    mode(1920, 1080, 30),
    mode(1920, 1080, 60),
    mode(1920, 1080, 120),
    mode(2560, 1440, 60),
    mode(2560, 1440, 120),
    mode(3840, 2160, 60),
];

/// Another rate than those in range does not compile.
const fn mode(width: u32, height: u32, fps: u32) -> DisplayMode {
    DisplayMode {
        size: Size::new(width, height),
        rate: match FrameRate::new(fps) {
            Ok(rate) => rate,
            Err(_) => panic!("a rate out of range"),
        },
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) client: SocketAddr,
    /// The address of this host that the client reached, and so can reach again.
    pub(crate) local: SocketAddr,
    pub(crate) https: bool,
    /// The certificate that the client showed, in DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// An answer.
pub(crate) enum Answer {
    Xml(String),
    Png(Vec<u8>),
    NotFound,
}

/// Everything that answers are made from.
pub(crate) struct Answers {
    pub(crate) identity: Identity,
    pub(crate) hostname: String,
    pub(crate) ports: Ports,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) paired: Arc<Mutex<Paired>>,
    pub(crate) pairing: Arc<Pairing>,
    pub(crate) lobby: Arc<Lobby>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) house: Arc<House>,
    pub(crate) viewers: ViewerIds,
}

/// What a client wants to stream.
enum What {
    App(LaunchRequest),
    /// Its app goes on.
    Going(ResumeRequest),
}

impl What {
    const fn refused(&self) -> Refused {
        match self {
            Self::App(_) => Refused::Launch,
            Self::Going(_) => Refused::Resume,
        }
    }
}

impl Answers {
    /// Answers a GET request for `target`.
    pub(crate) async fn answer(self: &Arc<Self>, target: &str, asker: &Asker) -> Answer {
        let request = match Request::parse(target) {
            Ok(request) => request,
            Err(ProtoError::NoSuchPath) => return Answer::NotFound,
            Err(error) => {
                tracing::debug!(client = %asker.client, %error, "a request was refused");
                if !asker.https {
                    // A step that makes no sense is none that comes next.
                    self.pairing.abandon(asker.client.ip());
                }
                return refused(Refused::Other, 400, &error.to_string());
            }
        };
        if !asker.https {
            return match request {
                Request::ServerInfo => self.server_info(asker, Asked::ByAnybody, None),
                Request::Pair(step) if step != PairRequest::Confirm => {
                    let reply = self.pairing.answer(&step, asker.client.ip()).await;
                    Answer::Xml(reply.to_xml())
                }
                // What clients say when pairing fails (`gs_unpair` in client.c); nothing is unpaired
                // for somebody without a certificate.
                Request::Unpair => {
                    self.pairing.abandon(asker.client.ip());
                    Answer::NotFound
                }
                _ => Answer::NotFound,
            };
        }
        let client = asker.certificate.as_deref().and_then(|certificate| {
            let paired = lock(&self.paired);
            paired.find(certificate, SystemTime::now()).cloned()
        });
        match client {
            Some(client) => self.answer_client(request, &client, asker).await,
            None => Answer::Xml(http::unauthorized()),
        }
    }

    async fn answer_client(
        self: &Arc<Self>,
        request: Request,
        client: &PairedClient,
        asker: &Asker,
    ) -> Answer {
        match request {
            Request::ServerInfo => {
                let running = self.house.shown(tenant(client));
                self.server_info(asker, Asked::ByPairedClient, running)
            }
            Request::Pair(_) => Answer::Xml(PairReply::Paired.to_xml()),
            Request::AppList => self.app_list(),
            Request::AppAsset(asset) => self.picture(asset.app_id),
            Request::Launch(launch) => self.stream(What::App(launch), client, asker).await,
            Request::Resume(resume) => self.stream(What::Going(resume), client, asker).await,
            Request::Cancel => {
                self.house.quit(tenant(client));
                Answer::Xml(http::cancelled())
            }
            Request::Unpair => match self.remove(client.id, EndReason::Quit) {
                Ok(_) => Answer::Xml(http::cancelled()),
                Err(error) => refused(Refused::Other, 500, &error.to_string()),
            },
        }
    }

    /// Forgets a client, and ends what it has: its sessions, and launches that became none yet.
    pub(crate) fn remove(&self, id: u32, reason: EndReason) -> Result<PairedClient, PairedError> {
        let client = lock(&self.paired).remove(id)?;
        for session in self.registry.of_client(client.fingerprint()) {
            session.end(reason);
        }
        for viewer in self.lobby.of_client(client.fingerprint()) {
            if self.registry.get(viewer).is_none() && self.lobby.leave(viewer) {
                self.house.gone(viewer, reason);
            }
        }
        Ok(client)
    }

    /// Whether a client is one still.
    fn knows(&self, client: &PairedClient) -> bool {
        let paired = lock(&self.paired);
        let found = paired.find(client.certificate_der(), SystemTime::now());
        found.is_some_and(|known| known.id == client.id)
    }

    fn app_list(&self) -> Answer {
        let apps = self.house.apps().iter().map(|app| App {
            id: app.id.get(),
            title: &app.name,
            hdr: false,
        });
        Answer::Xml(http::app_list(&apps.collect::<Vec<_>>()))
    }

    /// Clients show a picture of their own where there is none.
    fn picture(&self, app_id: i32) -> Answer {
        let bytes = self.house.app(app_id).map(|app| app.image_bytes());
        match bytes {
            Some(Ok(Some(bytes))) => Answer::Png(bytes),
            Some(Err(error)) => {
                tracing::warn!(%error, "an app has no picture");
                Answer::NotFound
            }
            Some(Ok(None)) | None => Answer::NotFound,
        }
    }

    fn server_info(&self, asker: &Asker, asked: Asked, running_app: Option<i32>) -> Answer {
        let local = asker.local.ip();
        let info = ServerInfo {
            asked,
            hostname: &self.hostname,
            unique_id: &self.identity.unique_id,
            ports: self.ports,
            codecs: self.host.codecs(),
            mac: asker.https.then(|| net::hardware_address(local)).flatten(),
            local_address: local,
            external_ip: None,
            running_app,
            display_modes: &DISPLAY_MODES,
            gpu: None,
        };
        Answer::Xml(info.to_xml())
    }

    /// Launch and resume: a place in the house, and one in the lobby, from which RTSP goes on.
    async fn stream(self: &Arc<Self>, what: What, client: &PairedClient, asker: &Asker) -> Answer {
        let (refusal, viewer) = (what.refused(), self.viewers.next());
        // Whoever hangs up before it has its place gives it back.
        let mut place = Place {
            house: &self.house,
            viewer,
            kept: false,
        };
        let (granted, parameters) = match self.ask_house(what, client, viewer).await {
            Ok(granted) => granted,
            Err((code, why)) => return refused(refusal, code, &why),
        };
        let encrypted = parameters.encrypts_rtsp();
        let rtsp = match self.rtsp(&parameters) {
            Ok(rtsp) => rtsp,
            Err(error) => return refused(refusal, 503, &error.to_string()),
        };
        let launch = Launch {
            viewer,
            client: client.clone(),
            address: asker.client.ip(),
            parameters,
        };
        place.kept = true;
        self.lobby.enter(launch, rtsp, MonoTime::now());
        // Looked at only now: whoever is removed later is found in the lobby.
        if !self.knows(client) {
            if self.lobby.leave(viewer) {
                self.house.gone(viewer, EndReason::Operator);
            }
            return Answer::Xml(http::unauthorized());
        }
        self.expect(viewer);
        tracing::info!(viewer = viewer.0, client = %client.name, resumed = granted.resumed, "launched");
        let url = http::session_url(encrypted, asker.local.ip(), self.ports.rtsp());
        Answer::Xml(match refusal {
            Refused::Resume => http::resumed(&url),
            _ => http::launched(&url),
        })
    }

    async fn ask_house(
        &self,
        what: What,
        client: &PairedClient,
        viewer: ViewerId,
    ) -> Result<(Granted, SessionParameters), (u16, String)> {
        let request = |mode: DisplayMode| tenancy::Request {
            client: tenant(client),
            name: client.name.clone(),
            mode: Mode {
                size: mode.size,
                fps: mode.rate,
            },
        };
        match what {
            What::App(launch) => {
                let app = self.house.app(launch.app_id);
                let app = app.ok_or_else(|| (404, "There is no such app".to_owned()))?;
                let granted = self.house.launch(request(launch.mode), app, viewer).await;
                let granted = granted.map_err(|why| (503, why.to_string()))?;
                Ok((granted, launch.session))
            }
            What::Going(resume) => {
                // Old clients do not say which mode they go on with; it stands in ANNOUNCE anyway.
                let mode = resume.mode.unwrap_or(FALLBACK_MODE);
                let granted = self.house.resume(request(mode), viewer).await;
                let granted = granted.map_err(|why| (503, why.to_string()))?;
                Ok((granted, resume.session))
            }
        }
    }

    /// A launch whose client does not come gives its place back.
    fn expect(self: &Arc<Self>, viewer: ViewerId) {
        let answers = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(STREAM_WITHIN).await;
            if answers.registry.get(viewer).is_none() && answers.lobby.leave(viewer) {
                answers.house.gone(viewer, EndReason::Timeout);
            }
        });
    }

    fn rtsp(&self, parameters: &SessionParameters) -> Result<RtspSession, ProtoError> {
        let mut random = [0_u8; 20];
        getrandom::fill(&mut random).map_err(|_| ProtoError::Crypto {
            doing: "making up random numbers",
        })?;
        let (ping, rest) = random.split_at(8);
        let (session_id, connect_data) = rest.split_at(8);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        RtspSession::new(RtspSetup {
            key: parameters.encrypts_rtsp().then(|| parameters.key.clone()),
            ports: self.ports,
            offer: self.offer(),
            ping: number(ping),
            connect_data: number(connect_data) as u32,
            session_id: number(session_id),
        })
    }

    fn offer(&self) -> HostOffer {
        HostOffer {
            pen_and_touch: self.host.takes_touch(),
            controller_touch: true,
            encryption: EncryptionPolicy {
                audio: Want::Offered,
                video: Some(Want::Offered),
            },
            reference_invalidation: self.host.invalidates_references(),
            codecs: self.host.codecs(),
        }
    }
}

/// A place that was asked for.
struct Place<'a> {
    house: &'a House,
    viewer: ViewerId,
    kept: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.house.gone(self.viewer, EndReason::Lost);
        }
    }
}

fn tenant(client: &PairedClient) -> tenancy::Client {
    tenancy::Client(*client.fingerprint().bytes())
}

fn refused(what: Refused, code: u16, message: &str) -> Answer {
    Answer::Xml(http::refused(what, Failure { code, message }))
}
