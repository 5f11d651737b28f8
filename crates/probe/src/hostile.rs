//! What an attacker or a broken client would send, for tests of a host's bounds: half-open pairings,
//! floods, absurd lengths, replayed control messages. Nothing here is reachable from the command.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rusty_enet::{Event, Host, HostSettings, Packet, PeerID};

use crate::control::{ControlError, HostEvent, Inbox, Message};
use crate::crypto::{self, GcmKey, KEY_LEN, to_hex};
use crate::error::AnswerError;
use crate::http::Route;
use crate::negotiate::negotiate;
use crate::stream::{CHANNELS, socket_towards};
use crate::{Client, Error, HostAddress, Identity, StreamOptions, http, tls, xml};

/// How long a peer may take to show what it makes of an attack.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a host took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It did not even accept the connection.
    Refused,
    /// It closed without a word.
    Closed,
    /// It answered with so many bytes.
    Answered(usize),
    /// It neither answered nor closed in time: it holds a connection open.
    Held,
}

/// Sends `bytes` over TCP and sees what happens.
#[must_use]
pub fn send_tcp(host: SocketAddr, bytes: &[u8]) -> Reaction {
    let Ok(mut stream) = TcpStream::connect_timeout(&host, PATIENCE) else {
        return Reaction::Refused;
    };
    let patient = stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.set_write_timeout(Some(PATIENCE)).is_ok();
    if !patient || stream.write_all(bytes).is_err() {
        return Reaction::Closed;
    }
    let mut answer = Vec::new();
    match stream.take(1 << 20).read_to_end(&mut answer) {
        Ok(0) => Reaction::Closed,
        Ok(length) => Reaction::Answered(length),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Reaction::Held,
        Err(_) if answer.is_empty() => Reaction::Closed,
        Err(_) => Reaction::Answered(answer.len()),
    }
}

/// Opens `count` connections at once, sends `bytes` over each, and keeps them. What could not be opened
/// is left out.
#[must_use]
pub fn hold_tcp(host: SocketAddr, bytes: &[u8], count: usize) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = TcpStream::connect_timeout(&host, PATIENCE).ok()?;
        stream.write_all(bytes).ok()?;
        Some(stream)
    };
    (0..count).filter_map(open).collect()
}

/// The first phase of `count` pairings, each from a client of its own, none of which goes on. They stay
/// open until they are dropped.
///
/// # Errors
/// [`Error::Crypto`].
pub fn half_open_pairings(host: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Error> {
    let identity = Identity::generate()?;
    let certificate = to_hex(identity.certificate_pem().as_bytes());
    let mut held = Vec::new();
    for _ in 0..count {
        let salt = to_hex(&crypto::random::<16>()?);
        let request = format!(
            "GET /pair?uniqueid=0123456789ABCDEF&uuid={salt}&devicename=roth&updateState=1\
             &phrase=getservercert&salt={salt}&clientcert={certificate} HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        held.extend(hold_tcp(host, request.as_bytes(), 1));
    }
    Ok(held)
}

/// Asks over HTTPS for `request` (a path and what follows it) with a certificate that the host has never
/// seen: the status that stands in the answer.
///
/// # Errors
/// [`Error::Unreachable`] and [`Error::Answer`].
pub fn ask_as_stranger(host: &HostAddress, https_port: u16, request: &str) -> Result<u32, Error> {
    let tls = tls::config_for_anybody(&Identity::generate()?)?;
    let route = Route {
        host,
        port: https_port,
        tls: Some(&tls),
        within: PATIENCE,
    };
    let asked = "what strangers may not have";
    let body = http::get(route, &format!("/{request}"), asked)?;
    let wrong = |cause: AnswerError| Error::Answer {
        request: asked,
        cause,
    };
    let root = xml::parse(&body).map_err(|error| wrong(error.into()))?;
    let status = root.attribute("status_code");
    let status = status.and_then(|status| status.parse().ok());
    status.ok_or_else(|| wrong(AnswerError::Missing("status_code")))
}

/// RTSP requests that promise more than they bring, or more than anybody would take.
#[must_use]
pub fn absurd_rtsp() -> Vec<(&'static str, Vec<u8>)> {
    let sealed = |length: u32| {
        let mut bytes = (0x8000_0000 | length).to_be_bytes().to_vec();
        bytes.extend(1u32.to_be_bytes());
        bytes.extend([0; 64]);
        bytes
    };
    let long = "x".repeat(1 << 20);
    vec![
        ("sealed, 2 GiB promised", sealed(0x7fff_ffff)),
        ("sealed, nothing inside", sealed(0)),
        (
            "plain, 4 GiB of body promised",
            b"ANNOUNCE / RTSP/1.0\r\nContent-length: 4294967295\r\n\r\nx".to_vec(),
        ),
        (
            "plain, a negative body",
            b"ANNOUNCE / RTSP/1.0\r\nContent-length: -1\r\n\r\n".to_vec(),
        ),
        (
            "plain, a header of 1 MiB",
            format!("OPTIONS / RTSP/1.0\r\nX: {long}\r\n\r\n").into_bytes(),
        ),
        ("plain, no end", format!("OPTIONS {long}").into_bytes()),
        ("zeros", vec![0; 65_536]),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
    ]
}

/// HTTP requests of that kind.
#[must_use]
pub fn absurd_http() -> Vec<(&'static str, Vec<u8>)> {
    let long = "a".repeat(1 << 20);
    let get = |query: &str| format!("GET /pair?{query} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    vec![
        (
            "a query of 1 MiB",
            get(&format!("phrase=getservercert&clientcert={long}")),
        ),
        (
            "a salt of other length",
            get("phrase=getservercert&salt=00&clientcert=00"),
        ),
        (
            "a certificate that is none",
            get(&format!(
                "phrase=getservercert&salt={}&clientcert=zz",
                "0".repeat(32)
            )),
        ),
        (
            "a phase out of order",
            get("clientchallenge=00000000000000000000000000000000"),
        ),
        ("the last phase first", get("clientpairingsecret=00")),
        (
            "a header of 1 MiB",
            format!("GET /serverinfo HTTP/1.1\r\nX: {long}\r\n\r\n").into_bytes(),
        ),
        ("no end", b"GET /serverinfo".to_vec()),
    ]
}

/// Sends `count` copies of a datagram, from one socket, as fast as it goes.
///
/// # Errors
/// [`Error::System`] without a socket.
pub fn flood_udp(host: SocketAddr, datagram: &[u8], count: usize) -> Result<UdpSocket, Error> {
    let socket = socket_towards(host.ip()).map_err(|cause| Error::System("a UDP socket", cause))?;
    for _ in 0..count {
        // What the system drops would have been dropped on the way, too.
        let _ = socket.send_to(datagram, host);
    }
    Ok(socket)
}

/// Many control connections at once.
#[derive(Clone, Copy, Debug)]
pub struct ControlFlood {
    /// The host's control port.
    pub host: SocketAddr,
    /// Where they come from.
    pub from: IpAddr,
    /// What they say first.
    pub connect_data: u32,
    /// How many, at most 4000.
    pub count: usize,
    /// How long they try.
    pub time: Duration,
}

/// Tries control connections; how many of them the host keeps.
///
/// # Errors
/// [`Error::System`] without a socket.
pub fn flood_enet(flood: ControlFlood) -> Result<usize, Error> {
    let ControlFlood {
        host,
        connect_data,
        count,
        ..
    } = flood;
    let system = |cause| Error::System("a UDP socket", cause);
    let socket = UdpSocket::bind((flood.from, 0)).map_err(system)?;
    let settings = HostSettings {
        peer_limit: count.clamp(1, 4000),
        channel_limit: CHANNELS,
        ..HostSettings::default()
    };
    let enet = Host::new(socket, settings);
    let mut enet = enet.map_err(|error| system(std::io::Error::other(error.to_string())))?;
    for _ in 0..count.min(4000) {
        // There is a place for each.
        let _ = enet.connect(host, CHANNELS, connect_data);
    }
    let (mut kept, deadline) = (0, Instant::now() + flood.time);
    while Instant::now() < deadline {
        match enet.service() {
            Ok(Some(Event::Connect { .. })) => kept += 1,
            // Those that never came up end in this way, too.
            Ok(Some(Event::Disconnect { .. })) => kept -= 1,
            Ok(Some(_)) => {}
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => break,
        }
    }
    Ok(kept)
}

/// A session that was negotiated as an ordinary client would, and is now in other hands.
#[derive(Debug)]
pub struct OpenSession {
    /// Where control listens.
    pub control: SocketAddr,
    /// Where video listens.
    pub video: SocketAddr,
    /// Where audio listens.
    pub audio: SocketAddr,
    /// What control wants to hear first.
    pub connect_data: u32,
    /// What video pings have to carry.
    pub video_ping: Option<[u8; 16]>,
    key: [u8; KEY_LEN],
}

/// Launches and negotiates, and connects nothing.
///
/// # Errors
/// Those of [`Client::stream`].
pub fn open_session(client: &Client, options: &StreamOptions) -> Result<OpenSession, Error> {
    open_session_late(client, options, || ())
}

/// The same, with `meanwhile` between the launch and the stream.
///
/// # Errors
/// Those of [`Client::stream`].
pub fn open_session_late(
    client: &Client,
    options: &StreamOptions,
    meanwhile: impl FnOnce(),
) -> Result<OpenSession, Error> {
    let system = |cause| Error::System("the host's address", cause);
    let address = http::connect(client.host(), client.host().port())?;
    let address = address.peer_addr().map_err(system)?;
    let (info, launched) = client.launch(options)?;
    meanwhile();
    let agreement = negotiate(client.host(), &launched, options, info.codec_modes)?;
    let at = |port| SocketAddr::new(address.ip(), port);
    Ok(OpenSession {
        control: at(agreement.control_port),
        video: at(agreement.video.number),
        audio: at(agreement.audio.number),
        connect_data: agreement.connect_data,
        video_ping: agreement.video.ping,
        key: launched.key,
    })
}

/// A control connection whose numbers are chosen by hand.
pub struct RawControl {
    host: Host<UdpSocket>,
    peer: PeerID,
    key: GcmKey,
    inbox: Inbox,
    connected: bool,
}

impl RawControl {
    /// Connects; the session is not begun.
    ///
    /// # Errors
    /// [`Error::NoControl`] or [`Error::System`].
    pub fn connect(session: &OpenSession) -> Result<Self, Error> {
        let system = |cause| Error::System("a UDP socket", cause);
        let socket = socket_towards(session.control.ip()).map_err(system)?;
        let settings = HostSettings {
            peer_limit: 1,
            channel_limit: CHANNELS,
            ..HostSettings::default()
        };
        let host = Host::new(socket, settings);
        let mut host = host.map_err(|error| system(std::io::Error::other(error.to_string())))?;
        let refused = || Error::NoControl(PATIENCE, session.control.port());
        let peer = host.connect(session.control, CHANNELS, session.connect_data);
        let peer = peer.map_err(|_| refused())?.id();
        let mut raw = Self {
            host,
            peer,
            key: GcmKey::new(&session.key)?,
            inbox: Inbox::new(GcmKey::new(&session.key)?),
            connected: false,
        };
        let deadline = Instant::now() + PATIENCE;
        while !raw.connected && Instant::now() < deadline {
            raw.listen(Duration::from_millis(10));
        }
        if raw.connected {
            Ok(raw)
        } else {
            Err(refused())
        }
    }

    /// Whether the host still keeps the connection.
    #[must_use]
    pub const fn connected(&self) -> bool {
        self.connected
    }

    /// Sends a message as number `sequence`, which an honest client would count.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn send(&mut self, message: &Message, sequence: u32) -> Result<(), Error> {
        let sealed = message.seal(&self.key, sequence)?;
        self.send_bytes(message.channel(), &sealed);
        Ok(())
    }

    /// Sends bytes as they are, reliably.
    pub fn send_bytes(&mut self, channel: u8, bytes: &[u8]) {
        let packet = Packet::reliable(bytes);
        // A peer that is gone shows in `connected`.
        let _ = self.host.peer_mut(self.peer).send(channel, &packet);
        self.host.flush();
    }

    /// Serves the connection for a while; what the host said.
    pub fn listen(&mut self, time: Duration) -> Vec<Result<HostEvent, ControlError>> {
        let (mut said, deadline) = (Vec::new(), Instant::now() + time);
        loop {
            match self.host.service() {
                Ok(Some(Event::Connect { .. })) => self.connected = true,
                Ok(Some(Event::Disconnect { .. })) => self.connected = false,
                Ok(Some(Event::Receive {
                    channel_id, packet, ..
                })) => said.push(self.inbox.open(channel_id, packet.data())),
                Ok(None) if Instant::now() >= deadline => return said,
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(_) => return said,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn reactions_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let host = std::thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            first.read_exact(&mut [0; 2]).unwrap();
            first.write_all(b"no").unwrap();
            drop(first);
            let (mut second, _) = listener.accept().unwrap();
            second.read_exact(&mut [0; 2]).unwrap();
        });
        assert_eq!(send_tcp(address, b"hi"), Reaction::Answered(2));
        assert_eq!(send_tcp(address, b"hi"), Reaction::Closed);
        host.join().unwrap();
        assert_eq!(send_tcp(address, b"hi"), Reaction::Refused);
    }
}
