//! One session's RTSP, from OPTIONS to PLAY: what each request is answered with, in which order they
//! may come, and the stream that comes out of it. Connections and their ends are somebody else's.

use super::announce::StreamRequest;
use super::message::{Method, Request, Response, Status};
use super::offer::HostOffer;
use super::sealed::SealedRtsp;
use crate::constants::Ports;
use crate::{Error, StreamKey};
use std::fmt;

/// What a session begins with. The random values tie the other connections to it.
pub struct RtspSetup {
    /// The key of the launch, when the client said that it encrypts RTSP.
    pub key: Option<StreamKey>,
    /// Where the host listens.
    pub ports: Ports,
    /// What it can do.
    pub offer: HostOffer,
    /// Random. Written as sixteen digits, clients repeat it in their first packets of sound and
    /// pictures.
    pub ping: u64,
    /// Random. Clients connect to the control stream with it.
    pub connect_data: u32,
    /// Random. Clients repeat it in later requests.
    pub session_id: u64,
}

impl fmt::Debug for RtspSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RtspSetup(..)")
    }
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    audio: bool,
    video: bool,
    control: bool,
    /// A stream was announced, and taken.
    announced: bool,
}

/// A session's RTSP.
#[derive(Debug)]
pub struct RtspSession {
    setup: RtspSetup,
    sealed: Option<SealedRtsp>,
    progress: Progress,
}

/// What follows from a request. The connection is closed after the answer.
#[derive(Debug)]
pub enum Turn {
    /// It is answered.
    Reply(Vec<u8>),
    /// A stream is asked for: start it, and then answer with [`RtspSession::answer`].
    Announced {
        /// Which stream.
        request: Box<StreamRequest>,
        /// What is to be answered.
        pending: PendingAnnounce,
    },
    /// It is answered, and the client has everything it needs: it will connect.
    Playing(Vec<u8>),
    /// It is answered, and the stream that it asks for cannot be.
    Refused {
        /// The answer.
        reply: Vec<u8>,
        /// Why, for the log.
        why: Error,
    },
}

/// An ANNOUNCE that is not answered yet.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct PendingAnnounce {
    sequence: u32,
}

impl RtspSession {
    /// A session of a launch or a resume.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library fails.
    pub fn new(setup: RtspSetup) -> Result<Self, Error> {
        let sealed = setup.key.as_ref().map(SealedRtsp::new).transpose()?;
        Ok(Self {
            setup,
            sealed,
            progress: Progress::default(),
        })
    }

    /// What clients repeat in their first packets of sound and pictures.
    #[must_use]
    pub fn ping_payload(&self) -> [u8; 16] {
        let mut payload = [0; 16];
        payload.copy_from_slice(digits(self.setup.ping).as_bytes());
        payload
    }

    /// What clients connect to the control stream with.
    #[must_use]
    pub const fn connect_data(&self) -> u32 {
        self.setup.connect_data
    }

    /// The length of the message that `received` begins with; nothing while more has to come.
    ///
    /// # Errors
    /// [`Error::Unencrypted`], [`Error::TooLong`], [`Error::Malformed`]: the connection is closed
    /// without an answer.
    pub fn message_length(&self, received: &[u8]) -> Result<Option<usize>, Error> {
        if self.sealed.is_some() {
            SealedRtsp::length(received)
        } else {
            Request::length(received)
        }
    }

    /// Takes one whole message.
    ///
    /// # Errors
    /// [`Error::Forged`] when it is another session's, which may be asked in turn;
    /// [`Error::Unencrypted`], [`Error::Replayed`] and [`Error::Malformed`] for what the client did
    /// not send. In all these cases nothing has changed, and the connection is closed without an
    /// answer: it would tell a stranger that there is a session.
    pub fn take(&mut self, message: &[u8]) -> Result<Turn, Error> {
        let opened;
        let plain = match &mut self.sealed {
            Some(sealed) => {
                opened = sealed.open(message)?;
                &opened
            }
            None => message,
        };
        let request = Request::parse(plain)?;
        let sequence = request.sequence;
        match self.step(&request) {
            Ok(Step::Reply(reply)) => self.out(reply).map(Turn::Reply),
            Ok(Step::Playing(reply)) => self.out(reply).map(Turn::Playing),
            Ok(Step::Announced(request)) => Ok(Turn::Announced {
                request,
                pending: PendingAnnounce { sequence },
            }),
            Ok(Step::Refused(why)) => {
                let reply = Response::new(Status::BadRequest, sequence).finish();
                let reply = self.out(reply)?;
                Ok(Turn::Refused { reply, why })
            }
            Err(status) => {
                let reply = Response::new(status, sequence).finish();
                self.out(reply).map(Turn::Reply)
            }
        }
    }

    /// Answers an announced stream: [`Status::Ok`] once it has started, else why it has not.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library fails.
    #[expect(clippy::needless_pass_by_value, reason = "it is answered once")]
    pub fn answer(&mut self, pending: PendingAnnounce, status: Status) -> Result<Vec<u8>, Error> {
        self.progress.announced = status == Status::Ok;
        self.out(Response::new(status, pending.sequence).finish())
    }

    fn out(&mut self, reply: Vec<u8>) -> Result<Vec<u8>, Error> {
        match &mut self.sealed {
            Some(sealed) => sealed.seal(reply),
            None => Ok(reply),
        }
    }

    fn step(&mut self, request: &Request<'_>) -> Result<Step, Status> {
        let named = request.header("Session");
        if named.is_some_and(|named| named != digits(self.setup.session_id)) {
            return Err(Status::SessionNotFound);
        }
        let ok = || Response::new(Status::Ok, request.sequence);
        match request.method {
            Method::Options => Ok(Step::Reply(ok().finish())),
            Method::Describe => Ok(Step::Reply(ok().sdp(&self.setup.offer.to_sdp()))),
            Method::Setup => self.set_up(request).map(Step::Reply),
            Method::Announce => self.announce(request),
            Method::Play if self.progress.announced => Ok(Step::Playing(ok().finish())),
            Method::Play => Err(Status::WrongState),
            Method::Other => Err(Status::NotImplemented),
        }
    }

    /// Targets are `streamid=audio/0/0`, `streamid=video/0/0` and `streamid=control/13/0`.
    fn set_up(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Status> {
        let target = request.target.strip_prefix("streamid=");
        let stream = target.and_then(|target| target.split('/').next());
        let ports = self.setup.ports;
        let (done, port) = match stream {
            Some("audio") => (&mut self.progress.audio, ports.audio()),
            Some("video") => (&mut self.progress.video, ports.video()),
            Some("control") => (&mut self.progress.control, ports.control()),
            _ => return Err(Status::NotFound),
        };
        *done = true;
        let session = format!("{};timeout = 90", digits(self.setup.session_id));
        let reply = Response::new(Status::Ok, request.sequence)
            .header("Session", &session)
            .header("Transport", &format!("server_port={port}"));
        let reply = if stream == Some("control") {
            reply.header("X-SS-Connect-Data", &self.setup.connect_data.to_string())
        } else {
            reply.header("X-SS-Ping-Payload", &digits(self.setup.ping))
        };
        Ok(reply.finish())
    }

    fn announce(&mut self, request: &Request<'_>) -> Result<Step, Status> {
        let progress = self.progress;
        let set_up = progress.audio && progress.video && progress.control;
        if !set_up || progress.announced {
            return Err(Status::WrongState);
        }
        let offer = &self.setup.offer;
        let stream = StreamRequest::parse(request.body, request.header("Host"), offer);
        let stream = match stream {
            Ok(stream) => stream,
            Err(why) => return Ok(Step::Refused(why)),
        };
        // Without version 2 of the control stream's encryption its nonces repeat.
        if !stream.encryption.control || !offer.encryption.allows(stream.encryption) {
            return Err(Status::Forbidden);
        }
        Ok(Step::Announced(Box::new(stream)))
    }
}

enum Step {
    Reply(Vec<u8>),
    Announced(Box<StreamRequest>),
    Refused(Error),
    Playing(Vec<u8>),
}

fn digits(number: u64) -> String {
    format!("{number:016X}")
}
