//! The control connection: ENet on a thread of its own, messages sealed in the order they are handed in.
//! What the host says goes out through a channel.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rusty_enet::{Event, Host, HostSettings, Packet, PeerID};

use super::stop::Stop;
use crate::Error;
use crate::control::{ControlError, HostEvent, Inbox, Message};
use crate::crypto::{GcmKey, KEY_LEN};

/// As many channels as clients ask for (Limelight-internal.h, `CTRL_CHANNEL_COUNT`).
pub(crate) const CHANNELS: usize = 0x30;
/// How long the connection may take to come up.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Clients say this often that they are still there.
const PING_EVERY: Duration = Duration::from_millis(100);
/// How long the farewell may take.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// Longest sleep: ENet has timers of its own.
const TURN: Duration = Duration::from_millis(10);
/// A host is given up after this long (ControlStream.c).
const TIMEOUT_MS: u32 = 10_000;

/// What the link has to say.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The host said something.
    Said(HostEvent),
    /// The host said something that cannot be read.
    Unreadable(ControlError),
    /// Round trip, in milliseconds.
    RoundTrip(f64),
    /// The host is gone.
    Lost,
}

/// Hands messages to the link.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    messages: Sender<Message>,
    wake: Arc<OwnedFd>,
}

impl Outbox {
    /// Sends; a link that is gone has said so itself.
    pub(super) fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            // A full counter has woken the link already.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// A connection that is up.
pub(super) struct Link {
    host: Host<UdpSocket>,
    peer: PeerID,
    key: GcmKey,
    inbox: Inbox,
    sequence: u32,
    messages: Receiver<Message>,
    wake: Arc<OwnedFd>,
}

/// Where to, and with which proof of having been invited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Invitation<'a> {
    pub(super) address: SocketAddr,
    pub(super) connect_data: u32,
    pub(super) key: &'a [u8; KEY_LEN],
}

/// A socket that reaches `address`.
pub(crate) fn socket_towards(address: IpAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))
}

impl Link {
    /// Connects and begins the session.
    pub(super) fn connect(invitation: Invitation<'_>) -> Result<(Self, Outbox), Error> {
        let system = |cause| Error::System("the control connection", cause);
        let socket = socket_towards(invitation.address.ip()).map_err(system)?;
        let settings = HostSettings {
            peer_limit: 1,
            channel_limit: CHANNELS,
            ..HostSettings::default()
        };
        let mut host = Host::new(socket, settings)
            .map_err(|error| system(io::Error::other(error.to_string())))?;
        let (sender, messages) = std::sync::mpsc::channel();
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = Arc::new(wake.map_err(|errno| system(errno.into()))?);
        let no_control = || Error::NoControl(CONNECT_WITHIN, invitation.address.port());
        let peer = host
            .connect(invitation.address, CHANNELS, invitation.connect_data)
            .map_err(|_| no_control())?
            .id();
        let deadline = Instant::now() + CONNECT_WITHIN;
        loop {
            match host.service().map_err(system)?.map(|event| event.no_ref()) {
                Some(rusty_enet::EventNoRef::Connect { .. }) => break,
                Some(_) => return Err(no_control()),
                None if Instant::now() >= deadline => return Err(no_control()),
                None => wait(&host, &wake, TURN),
            }
        }
        host.peer_mut(peer).set_timeout(2, TIMEOUT_MS, TIMEOUT_MS);
        let mut link = Self {
            host,
            peer,
            key: GcmKey::new(invitation.key)?,
            inbox: Inbox::new(GcmKey::new(invitation.key)?),
            sequence: 0,
            messages,
            wake: Arc::clone(&wake),
        };
        link.send(&Message::start_a())?;
        link.send(&Message::start_b())?;
        link.host.flush();
        let outbox = Outbox {
            messages: sender,
            wake,
        };
        Ok((link, outbox))
    }

    /// Serves the connection until it is stopped or lost.
    pub(super) fn serve(mut self, stop: &Stop, events: &Sender<LinkEvent>) -> Result<(), Error> {
        let mut ping_at = Instant::now();
        while !stop.requested() {
            drain(&self.wake);
            while let Ok(message) = self.messages.try_recv() {
                self.send(&message)?;
            }
            let now = Instant::now();
            if now >= ping_at {
                ping_at = now + PING_EVERY;
                self.send(&Message::ping())?;
                let rtt = self.host.peer(self.peer).round_trip_time();
                let _ = events.send(LinkEvent::RoundTrip(rtt.as_secs_f64() * 1000.0));
            }
            if !self.receive(events)? {
                let _ = events.send(LinkEvent::Lost);
                return Ok(());
            }
            wait(
                &self.host,
                &self.wake,
                TURN.min(ping_at.saturating_duration_since(now)),
            );
        }
        // What was handed in before the end still goes out: keys are released there.
        while let Ok(message) = self.messages.try_recv() {
            self.send(&message)?;
        }
        self.farewell();
        Ok(())
    }

    fn send(&mut self, message: &Message) -> Result<(), Error> {
        let sealed = message.seal(&self.key, self.sequence)?;
        self.sequence = self.sequence.wrapping_add(1);
        let peer = self.host.peer_mut(self.peer);
        // A host that takes fewer channels gets everything on the first (ControlStream.c).
        let channel = if usize::from(message.channel()) < peer.channel_count() {
            message.channel()
        } else {
            0
        };
        let packet = if message.reliable() {
            Packet::reliable(sealed.as_slice())
        } else {
            Packet::unreliable_unsequenced(sealed.as_slice())
        };
        // A peer that is gone is told through its disconnect event.
        let _ = peer.send(channel, &packet);
        Ok(())
    }

    /// Takes what has come; whether the host is still there.
    fn receive(&mut self, events: &Sender<LinkEvent>) -> Result<bool, Error> {
        loop {
            let serviced = self.host.service();
            let event = serviced.map_err(|cause| Error::System("the control connection", cause))?;
            let (channel, packet) = match event {
                None => return Ok(true),
                Some(Event::Connect { .. }) => continue,
                Some(Event::Disconnect { .. }) => return Ok(false),
                Some(Event::Receive {
                    channel_id, packet, ..
                }) => (channel_id, packet),
            };
            let event = match self.inbox.open(channel, packet.data()) {
                Ok(event) => LinkEvent::Said(event),
                Err(error) => LinkEvent::Unreadable(error),
            };
            // Nobody listens any more once the stream ends.
            let _ = events.send(event);
        }
    }

    fn farewell(&mut self) {
        self.host.peer_mut(self.peer).disconnect_later(0);
        let deadline = Instant::now() + FAREWELL_WITHIN;
        while Instant::now() < deadline {
            match self.host.service() {
                Ok(Some(Event::Disconnect { .. })) | Err(_) => return,
                Ok(Some(_)) => {}
                Ok(None) => wait(&self.host, &self.wake, TURN),
            }
        }
    }
}

fn drain(wake: &OwnedFd) {
    // Empty or not, it is empty afterwards.
    let _ = rustix::io::read(wake, &mut [0; 8]);
}

fn wait(host: &Host<UdpSocket>, wake: &OwnedFd, time: Duration) {
    let mut ready = [
        PollFd::from_borrowed_fd(host.socket().as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN),
    ];
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(time.min(TURN).subsec_nanos()),
    };
    // Interrupted or not, the next turn looks.
    let _ = poll(&mut ready, Some(&time));
}
