//! The network thread: sleeps on sockets, alarm and deadlines, and drives every session.

use crate::addresses;
use crate::channels::OnChannel;
use crate::engine::{Answer, Command, EngineParts, MAX_SESSIONS, OfferError, SessionOptions};
use crate::session::{PacketKind, Session, SessionParts};
use crate::wire::Wire;
use control_api::EndReason;
use events::ViewerId;
use media::MonoTime;
use net::Route;
use net::{Alarm, readable, sleep};
use pipeline::priority;
use rustix::event::{PollFd, PollFlags};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use str0m::config::DtlsCert;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input};

pub(crate) struct NetThread {
    parts: EngineParts,
    on_channel: Rc<OnChannel>,
    wire: Wire,
    alarm: Alarm,
    inbox: Receiver<Command>,
    sessions: Vec<Session>,
    addresses: Vec<IpAddr>,
    tcp_port: Option<u16>,
    /// Dropped packets at which to warn next.
    warn_at: u64,
    /// One certificate for all sessions: making one takes longer than all the rest of an answer.
    certificate: Option<DtlsCert>,
}

impl NetThread {
    pub(crate) fn new(
        mut parts: EngineParts,
        wire: Wire,
        alarm: Alarm,
        inbox: Receiver<Command>,
    ) -> Self {
        let on_channel = std::mem::replace(&mut parts.on_channel, Box::new(|_, _| {}));
        let addresses = addresses::reachable(wire.udp.bound().ip());
        let certificate = str0m::crypto::from_feature_flags()
            .dtls_provider
            .generate_certificate();
        let sessions = Vec::new();
        let (tcp_port, warn_at) = (None, 1);
        Self {
            parts,
            on_channel: Rc::new(on_channel),
            wire,
            alarm,
            inbox,
            sessions,
            addresses,
            tcp_port,
            warn_at,
            certificate,
        }
    }

    pub(crate) fn run(mut self) {
        priority::raise(priority::SEND_NICE);
        loop {
            if let Err(error) = self.sleep() {
                tracing::error!(%error, "the network thread cannot wait for its sockets");
                break;
            }
            self.alarm.hush();
            if !self.obey() {
                break;
            }
            self.receive();
            self.drive();
            self.wire.flush();
            self.warn_of_drops();
        }
        for session in std::mem::take(&mut self.sessions) {
            self.end(session, EndReason::HostStopped);
        }
        self.wire.flush();
    }

    fn sleep(&self) -> std::io::Result<()> {
        let sessions = self.sessions.iter().map(Session::wake_at);
        let deadline = sessions.chain(self.wire.tcp.deadline()).min();
        let mut fds = Vec::with_capacity(2);
        fds.push(readable(&self.alarm));
        fds.push(readable(&self.wire.udp));
        for peer in self.wire.tcp.iter() {
            let interest = if peer.has_waiting() {
                PollFlags::IN | PollFlags::OUT
            } else {
                PollFlags::IN
            };
            fds.push(PollFd::new(peer, interest));
        }
        sleep(&mut fds, deadline)
    }

    /// Tells of packets that the kernel did not take, ever more rarely.
    fn warn_of_drops(&mut self) {
        let dropped = self.wire.udp.dropped();
        if dropped >= self.warn_at {
            tracing::warn!(
                dropped,
                "the kernel did not take some packets: its send buffer is full"
            );
            self.warn_at = dropped.saturating_mul(2);
        }
    }

    /// Obeys waiting commands. `false` when told to stop.
    fn obey(&mut self) -> bool {
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Offer {
                    sdp,
                    options,
                    on_answer,
                } => on_answer(self.answer(&sdp, options)),
                Command::Candidate { viewer, candidate } => self.candidate(viewer, &candidate),
                Command::Close { viewer, reason } => self.end_at(self.position(viewer), reason),
                Command::Send {
                    viewer,
                    channel,
                    message,
                } => {
                    let at = self.position(viewer);
                    let sent = at.map(|at| self.sessions[at].send(channel, &message));
                    if let Some(Err(reason)) = sent {
                        self.end_at(at, reason);
                    }
                }
                Command::Pause {
                    viewer,
                    paused,
                    on_done,
                } => {
                    let at = self.position(viewer);
                    if let Some(at) = at {
                        self.sessions[at].set_paused(paused, MonoTime::now());
                    }
                    on_done(at.is_some());
                }
                Command::Mute {
                    viewer,
                    muted,
                    on_done,
                } => {
                    let at = self.position(viewer);
                    if let Some(at) = at {
                        self.sessions[at].set_muted(muted);
                    }
                    on_done(at.is_some());
                }
                Command::Keyframe(viewer) => {
                    if let Some(at) = self.position(viewer) {
                        self.sessions[at].request_keyframe(MonoTime::now());
                    }
                }
                Command::Lead(viewer) => self.lead(viewer),
                Command::AcceptTcp(stream) => self.wire.tcp.add(stream),
                Command::TcpPort(port) => self.tcp_port = Some(port),
                Command::Stop => return false,
            }
        }
        true
    }

    fn lead(&self, viewer: Option<ViewerId>) {
        let told = (self.parts.pipeline)().map(|pipeline| pipeline.set_lead(viewer));
        if !matches!(told, Ok(Ok(()))) {
            tracing::warn!(?told, "the bitrate follows the viewer it followed before");
        }
    }

    fn end_at(&mut self, at: Option<usize>, reason: EndReason) {
        if let Some(at) = at {
            let session = self.sessions.swap_remove(at);
            self.end(session, reason);
        }
    }

    fn position(&self, viewer: ViewerId) -> Option<usize> {
        self.sessions
            .iter()
            .position(|session| session.viewer() == viewer)
    }

    fn answer(&mut self, sdp: &str, options: SessionOptions) -> Result<Answer, OfferError> {
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(OfferError::Busy(format!(
                "{MAX_SESSIONS} viewers are the limit"
            )));
        }
        let viewer = self.parts.viewers.next();
        let candidates =
            addresses::candidates(&self.addresses, self.wire.udp.bound().port(), self.tcp_port);
        let parts = SessionParts {
            viewer,
            config: self.parts.config,
            options,
            on_channel: Rc::clone(&self.on_channel),
            certificate: self.certificate.clone(),
            candidates,
            events: self.parts.events.clone(),
            alarm: self.alarm.clone(),
            sound: self.parts.sound.clone(),
        };
        let (session, sdp) = Session::answer(parts, sdp, &self.parts.pipeline)?;
        self.sessions.push(session);
        Ok(Answer { viewer, sdp })
    }

    fn candidate(&mut self, viewer: ViewerId, candidate: &str) {
        let Some(at) = self.position(viewer) else {
            return;
        };
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) => self.sessions[at].add_candidate(candidate),
            // Browsers hide their addresses behind names that only their own network resolves;
            // their checks tell the address anyway.
            Err(error) => tracing::debug!(%error, "a viewer's candidate was passed over"),
        }
    }

    fn receive(&mut self) {
        let now = MonoTime::now();
        let sessions = &mut self.sessions;
        self.wire.udp.receive(|route, packet| {
            deliver(sessions, Protocol::Udp, route, packet, now);
        });
        self.wire
            .tcp
            .receive(|route, packet| deliver(sessions, Protocol::Tcp, route, packet, now));
    }

    fn drive(&mut self) {
        let mut at = 0;
        while at < self.sessions.len() {
            let now = MonoTime::now();
            match self.sessions[at].drive(now, &mut self.wire) {
                Ok(()) => at += 1,
                Err(reason) => self.end_at(Some(at), reason),
            }
        }
    }

    fn end(&mut self, mut session: Session, reason: EndReason) {
        session.say_goodbye(&mut self.wire);
        let viewer = session.viewer();
        // The lease goes first, so that whoever hears of the end finds it gone.
        drop(session);
        tracing::info!(viewer = viewer.0, %reason, "session ended");
        (self.parts.on_end)(viewer, reason);
    }
}

fn deliver(
    sessions: &mut [Session],
    protocol: Protocol,
    route: Route,
    packet: &[u8],
    now: MonoTime,
) -> bool {
    let Ok(receive) = Receive::new(protocol, route.remote, route.local, packet) else {
        return false;
    };
    let kind = PacketKind::of(packet);
    let input = Input::Receive(now.to_instant(), receive);
    let session = sessions.iter_mut().find(|session| session.accepts(&input));
    session.is_some_and(|session| {
        session.take(input, kind, now);
        true
    })
}
