//! The network thread: sleeps on sockets, alarm and deadlines, and drives every session.

use crate::addresses;
use crate::engine::{Answer, Command, EndReason, EngineParts, MAX_SESSIONS, OfferError};
use crate::session::{Session, SessionParts};
use crate::udp::Route;
use crate::wake::{Alarm, readable, sleep};
use crate::wire::Wire;
use events::ViewerId;
use media::MonoTime;
use pipeline::priority;
use rustix::event::{PollFd, PollFlags};
use std::net::IpAddr;
use std::sync::mpsc::Receiver;
use str0m::config::DtlsCert;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input};

/// STUN and DTLS begin with a smaller byte than RTP and RTCP (RFC 7983).
const FIRST_RTP_BYTE: u8 = 128;

pub(crate) struct NetThread {
    parts: EngineParts,
    wire: Wire,
    alarm: Alarm,
    inbox: Receiver<Command>,
    sessions: Vec<Session>,
    next_viewer: u32,
    addresses: Vec<IpAddr>,
    tcp_port: Option<u16>,
    /// Dropped packets at which to warn next.
    warn_at: u64,
    /// One certificate for all sessions: making one takes longer than all the rest of an answer.
    certificate: Option<DtlsCert>,
}

impl NetThread {
    pub(crate) fn new(
        parts: EngineParts,
        wire: Wire,
        alarm: Alarm,
        inbox: Receiver<Command>,
    ) -> Self {
        let addresses = addresses::reachable(wire.udp.bound().ip());
        let certificate = str0m::crypto::from_feature_flags()
            .dtls_provider
            .generate_certificate();
        let (sessions, next_viewer) = (Vec::new(), 1);
        let (tcp_port, warn_at) = (None, 1);
        Self {
            parts,
            wire,
            alarm,
            inbox,
            sessions,
            next_viewer,
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
                Command::Offer { sdp, on_answer } => on_answer(self.answer(&sdp)),
                Command::Candidate { viewer, candidate } => self.candidate(viewer, &candidate),
                Command::Close { viewer, reason } => {
                    if let Some(at) = self.position(viewer) {
                        let session = self.sessions.swap_remove(at);
                        self.end(session, reason);
                    }
                }
                Command::AcceptTcp(stream) => self.wire.tcp.add(stream),
                Command::TcpPort(port) => self.tcp_port = Some(port),
                Command::Stop => return false,
            }
        }
        true
    }

    fn position(&self, viewer: ViewerId) -> Option<usize> {
        self.sessions
            .iter()
            .position(|session| session.viewer() == viewer)
    }

    fn answer(&mut self, sdp: &str) -> Result<Answer, OfferError> {
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(OfferError::Busy(format!(
                "{MAX_SESSIONS} viewers are the limit"
            )));
        }
        let viewer = ViewerId(self.next_viewer);
        let candidates =
            addresses::candidates(&self.addresses, self.wire.udp.bound().port(), self.tcp_port);
        let parts = SessionParts {
            viewer,
            config: self.parts.config,
            certificate: self.certificate.clone(),
            candidates,
            events: self.parts.events.clone(),
            alarm: self.alarm.clone(),
        };
        let (session, sdp) = Session::answer(parts, sdp, &self.parts.pipeline)?;
        self.next_viewer += 1;
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
                Err(reason) => {
                    let session = self.sessions.swap_remove(at);
                    self.end(session, reason);
                }
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
    let urgent = packet.first().is_some_and(|byte| *byte < FIRST_RTP_BYTE);
    let input = Input::Receive(now.to_instant(), receive);
    let session = sessions.iter_mut().find(|session| session.accepts(&input));
    session.is_some_and(|session| {
        session.take(input, urgent, now);
        true
    })
}
