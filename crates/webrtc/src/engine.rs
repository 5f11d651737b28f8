//! The handle that the rest of the host holds: offers go in, sessions live on the network thread.

use crate::channels::OnChannel;
use crate::net::NetThread;
use crate::wire::Wire;
use audio::AudioPipeline;
use control_api::EndReason;
use events::{EventSink, ViewerId, ViewerIds};
use media::{Bitrate, ChannelId, Message};
use net::Alarm;
use net::UdpPort;
use pipeline::Pipeline;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longest offer that is looked at.
pub const MAX_SDP_BYTES: usize = 64 << 10;
/// Asked of the kernel for each direction; it may grant less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Sessions at once.
pub const MAX_SESSIONS: usize = 64;

/// How the engine runs.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Address of the UDP socket; port 0 takes any.
    pub udp: SocketAddr,
    /// A session that nothing was heard from for this long ends.
    pub idle_timeout: Duration,
    /// Bandwidth believed in before anything was measured.
    pub initial_estimate: Bitrate,
}

/// Whom a session speaks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// A browser with our page, or any player of standard WebRTC.
    #[default]
    Page,
    /// A client made for a JetKVM device: payload type 102 where it is offered, no header
    /// extensions, and a keyframe every two seconds until it has asked for one itself.
    JetKvm,
}

/// How one session is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// Whom it speaks to.
    pub flavour: Flavour,
}

/// Why an offer was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Not an SDP offer that can be understood.
    #[error("the SDP offer cannot be read: {0}")]
    Malformed(String),
    /// Neither a video section with a codec in common, nor data channels without any video.
    #[error("the SDP offer has no video section with H.264 in packetization-mode 1")]
    NoCommonCodec,
    /// Too many sessions, or no pipeline.
    #[error("no more sessions now: {0}")]
    Busy(String),
}

/// An answered offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The new session.
    pub viewer: ViewerId,
    /// SDP answer with every candidate in it.
    pub sdp: String,
}

/// Takes the outcome of an offer, on the network thread; must not block.
pub type OnAnswer = Box<dyn FnOnce(Result<Answer, OfferError>) + Send>;
/// Finds the pipeline for a new session, on the network thread; must not block.
pub type FindPipeline = Box<dyn Fn() -> Result<Arc<Pipeline>, String> + Send>;
/// Hears of each session's end, on the network thread; must not block.
pub type OnEnd = Box<dyn Fn(ViewerId, EndReason) + Send>;

/// Hears that a pause, a resume or a mute is in effect, or (`false`) that there is no such session; on the
/// network thread; must not block.
pub type OnDone = Box<dyn FnOnce(bool) + Send>;

pub(crate) enum Command {
    Offer {
        sdp: String,
        options: SessionOptions,
        on_answer: OnAnswer,
    },
    Candidate {
        viewer: ViewerId,
        candidate: String,
    },
    Close {
        viewer: ViewerId,
        reason: EndReason,
    },
    Send {
        viewer: ViewerId,
        channel: ChannelId,
        message: Message,
    },
    Pause {
        viewer: ViewerId,
        paused: bool,
        on_done: OnDone,
    },
    Mute {
        viewer: ViewerId,
        muted: bool,
        on_done: OnDone,
    },
    Keyframe(ViewerId),
    Lead(Option<ViewerId>),
    AcceptTcp(TcpStream),
    TcpPort(u16),
    Stop,
}

/// What the engine needs from the host.
pub struct EngineParts {
    /// How it runs.
    pub config: EngineConfig,
    /// Where telemetry goes.
    pub events: EventSink,
    /// Numbers for new sessions.
    pub viewers: ViewerIds,
    /// Finds the pipeline for a new session.
    pub pipeline: FindPipeline,
    /// The host's sound, if viewers may hear it.
    pub sound: Option<Arc<AudioPipeline>>,
    /// Hears of data channels and their messages.
    pub on_channel: OnChannel,
    /// Hears of each session's end.
    pub on_end: OnEnd,
}

impl fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineParts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The WebRTC engine: one socket, one thread, all sessions. Dropping it ends them.
#[derive(Debug)]
pub struct Engine {
    commands: Sender<Command>,
    alarm: Alarm,
    udp: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Binds the socket and starts the network thread.
    ///
    /// # Errors
    /// When the address is taken or the system gives no thread.
    pub fn start(parts: EngineParts) -> io::Result<Self> {
        let udp_port = UdpPort::bind(parts.config.udp, SOCKET_BUFFER_BYTES)?;
        let udp = udp_port.bound();
        let alarm = Alarm::new()?;
        let (commands, inbox): (Sender<Command>, Receiver<Command>) = channel();
        let (wire, bell) = (Wire::new(udp_port), alarm.clone());
        let thread = thread::Builder::new()
            .name("webrtc-net".into())
            .spawn(move || NetThread::new(parts, wire, bell, inbox).run())?;
        Ok(Self {
            commands,
            alarm,
            udp,
            thread: Some(thread),
        })
    }

    /// Address of the UDP socket.
    #[must_use]
    pub const fn udp(&self) -> SocketAddr {
        self.udp
    }

    fn command(&self, command: Command) {
        // The thread outlives every handle, so a failed send is a panic already reported there.
        if self.commands.send(command).is_ok() {
            self.alarm.ring();
        }
    }

    /// Answers an offer with a new session. An offer of data channels alone makes one that never
    /// takes a lease.
    pub fn offer(&self, sdp: String, options: SessionOptions, on_answer: OnAnswer) {
        self.command(Command::Offer {
            sdp,
            options,
            on_answer,
        });
    }

    /// Takes a candidate of the viewer's, as in `a=candidate:`.
    pub fn candidate(&self, viewer: ViewerId, candidate: String) {
        self.command(Command::Candidate { viewer, candidate });
    }

    /// Ends a session.
    pub fn close(&self, viewer: ViewerId, reason: EndReason) {
        self.command(Command::Close { viewer, reason });
    }

    /// Sends a message. What a client does not take in time is bounded by
    /// [`MAX_BUFFERED_BYTES`](crate::MAX_BUFFERED_BYTES) a channel: beyond it an unreliable channel
    /// drops the message, and a session with a reliable one ends. Messages to channels and sessions
    /// that are gone are dropped.
    pub fn send(&self, viewer: ViewerId, channel: ChannelId, message: Message) {
        self.command(Command::Send {
            viewer,
            channel,
            message,
        });
    }

    /// Gives the session's leases back: neither picture nor sound is sent until
    /// [`resume`](Self::resume), while the connection and its channels live on. Pausing a paused session changes nothing.
    pub fn pause(&self, viewer: ViewerId, on_done: OnDone) {
        self.command(Command::Pause {
            viewer,
            paused: true,
            on_done,
        });
    }

    /// Takes a lease again; the first picture is a keyframe. Resuming a session that is not paused
    /// changes nothing.
    pub fn resume(&self, viewer: ViewerId, on_done: OnDone) {
        self.command(Command::Pause {
            viewer,
            paused: false,
            on_done,
        });
    }

    /// Stops the session's sound, or has it again. It is captured while somebody listens: whoever is
    /// paused does not. Muting a muted session, or one without sound, changes nothing.
    pub fn set_muted(&self, viewer: ViewerId, muted: bool, on_done: OnDone) {
        self.command(Command::Mute {
            viewer,
            muted,
            on_done,
        });
    }

    /// Asks for a keyframe, as the viewer itself may by RTCP.
    pub fn request_keyframe(&self, viewer: ViewerId) {
        self.command(Command::Keyframe(viewer));
    }

    /// Names the viewer whose link decides the bitrate; `None` leaves it to whoever joined first.
    pub fn lead(&self, viewer: Option<ViewerId>) {
        self.command(Command::Lead(viewer));
    }

    /// Names the port on which ICE-TCP connections are accepted and handed over; answers made from
    /// now on offer it.
    pub fn set_tcp_port(&self, port: u16) {
        self.command(Command::TcpPort(port));
    }

    /// Takes over a connection that speaks RFC 4571.
    pub fn accept_tcp(&self, stream: TcpStream) {
        self.command(Command::AcceptTcp(stream));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.command(Command::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the network thread panicked");
        }
    }
}
