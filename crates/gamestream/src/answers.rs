//! What each request over HTTP and HTTPS is answered with, and what follows from it.

use crate::host::Host;
use crate::identity::Identity;
use crate::lobby::{Launch, Lobby};
use crate::paired::{Paired, PairedClient};
use crate::pairing::Pairing;
use crate::registry::Registry;
use crate::session::lock;
use control_api::EndReason;
use events::ViewerIds;
use gamestream_proto::Error as ProtoError;
use gamestream_proto::constants::Ports;
use gamestream_proto::http::{
    self, App, Asked, Failure, PairRequest, Refused, Request, ServerInfo, SessionParameters,
};
use gamestream_proto::pairing::PairReply;
use gamestream_proto::rtsp::{EncryptionPolicy, HostOffer, RtspSession, RtspSetup, Want};
use media::MonoTime;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

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
    pub(crate) viewers: ViewerIds,
}

/// The one app there is: the screen as it is.
const DESKTOP: App<'static> = App {
    id: 1,
    title: "Desktop",
    hdr: false,
};

impl Answers {
    /// Answers a GET request for `target`.
    pub(crate) async fn answer(&self, target: &str, asker: &Asker) -> Answer {
        let request = match Request::parse(target) {
            Ok(request) => request,
            Err(ProtoError::NoSuchPath) => return Answer::NotFound,
            Err(error) => {
                tracing::debug!(client = %asker.client, %error, "a request was refused");
                return refused(Refused::Other, 400, &error.to_string());
            }
        };
        if !asker.https {
            return match request {
                Request::ServerInfo => self.server_info(asker, Asked::ByAnybody),
                Request::Pair(step) if step != PairRequest::Confirm => {
                    let reply = self.pairing.answer(&step, asker.client.ip()).await;
                    Answer::Xml(reply.to_xml())
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
        &self,
        request: Request,
        client: &PairedClient,
        asker: &Asker,
    ) -> Answer {
        match request {
            Request::ServerInfo => self.server_info(asker, Asked::ByPairedClient),
            Request::Pair(_) => Answer::Xml(PairReply::Paired.to_xml()),
            Request::AppList => Answer::Xml(http::app_list(&[DESKTOP])),
            Request::AppAsset(_) => Answer::NotFound,
            Request::Launch(launch) => {
                self.stream(Refused::Launch, launch.session, client, asker)
                    .await
            }
            Request::Resume(resume) => {
                self.stream(Refused::Resume, resume.session, client, asker)
                    .await
            }
            Request::Cancel => {
                for session in self.registry.of_client(client.fingerprint()) {
                    session.end(EndReason::Quit);
                }
                Answer::Xml(http::cancelled())
            }
            Request::Unpair => {
                let removed = lock(&self.paired).remove(client.id);
                match removed {
                    Ok(_) => Answer::Xml(http::cancelled()),
                    Err(error) => refused(Refused::Other, 500, &error.to_string()),
                }
            }
        }
    }

    fn server_info(&self, asker: &Asker, asked: Asked) -> Answer {
        let info = ServerInfo {
            asked,
            hostname: &self.hostname,
            unique_id: &self.identity.unique_id,
            ports: self.ports,
            codecs: self.host.codecs(),
            mac: None,
            local_address: asker.local.ip(),
            external_ip: None,
            running_app: None,
            display_modes: &[],
            gpu: None,
        };
        Answer::Xml(info.to_xml())
    }

    /// Launch and resume: a place in the lobby, from which RTSP goes on.
    async fn stream(
        &self,
        what: Refused,
        parameters: SessionParameters,
        client: &PairedClient,
        asker: &Asker,
    ) -> Answer {
        let encrypted = parameters.encrypts_rtsp();
        let rtsp = match self.rtsp(&parameters) {
            Ok(rtsp) => rtsp,
            Err(error) => return refused(what, 503, &error.to_string()),
        };
        let launch = Launch {
            viewer: self.viewers.next(),
            client: client.clone(),
            address: asker.client.ip(),
            parameters,
        };
        self.lobby.enter(launch, rtsp, MonoTime::now());
        let url = http::session_url(encrypted, asker.local.ip(), self.ports.rtsp());
        Answer::Xml(match what {
            Refused::Resume => http::resumed(&url),
            _ => http::launched(&url),
        })
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
            pen_and_touch: true,
            controller_touch: true,
            encryption: EncryptionPolicy {
                audio: Want::Offered,
                video: Some(Want::Offered),
            },
            reference_invalidation: self.host.invalidates_references(),
            codecs: self.host.codecs(),
            normal_layouts: Vec::new(),
            high_layouts: Vec::new(),
            custom_layout: None,
        }
    }
}

fn refused(what: Refused, code: u16, message: &str) -> Answer {
    Answer::Xml(http::refused(what, Failure { code, message }))
}
