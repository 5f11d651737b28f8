//! ICE over TCP for networks without UDP: packets with a two-byte length in front (RFC 4571).

use media::MonoTime;
use net::Route;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Bytes that may wait for a slow connection; beyond it packets are dropped, as a router would.
const MAX_WAITING_BYTES: usize = 256 << 10;
/// A connection belongs to a session within this time, or ends.
const PROVE_WITHIN: Duration = Duration::from_secs(5);
/// Connections at once.
const MAX_CONNECTIONS: usize = 64;
/// Largest packet that makes sense here.
const MAX_PACKET_BYTES: usize = 2048;

/// Splits a byte stream into packets.
#[derive(Debug, Default)]
pub struct Deframer {
    bytes: Vec<u8>,
}

/// The peer does not speak RFC 4571: a length beyond any packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFramed;

impl Deframer {
    /// Takes bytes as they come and hands each whole packet to `each`.
    ///
    /// # Errors
    /// [`NotFramed`]; the connection is of no use then.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), NotFramed> {
        self.bytes.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(&[high, low]) = self.bytes.get(start..start + 2) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_PACKET_BYTES {
                return Err(NotFramed);
            }
            let Some(packet) = self.bytes.get(start + 2..start + 2 + length) else {
                break;
            };
            each(packet);
            start += 2 + length;
        }
        self.bytes.drain(..start);
        Ok(())
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct TcpPeer {
    stream: TcpStream,
    route: Route,
    deframer: Deframer,
    waiting: VecDeque<u8>,
    opened_at: MonoTime,
    /// A session knows this connection: it sent a STUN request with the right credentials.
    proven: bool,
    dead: bool,
}

impl TcpPeer {
    fn new(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let route = Route {
            remote: canonical(stream.peer_addr()?),
            local: canonical(stream.local_addr()?),
        };
        Ok(Self {
            stream,
            route,
            deframer: Deframer::default(),
            waiting: VecDeque::new(),
            opened_at: MonoTime::now(),
            proven: false,
            dead: false,
        })
    }

    fn prove_by(&self) -> MonoTime {
        self.opened_at + PROVE_WITHIN
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn receive(&mut self, mut each: impl FnMut(Route, &[u8]) -> bool) {
        let mut buffer = [0_u8; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.dead = true,
                Ok(length) => {
                    let route = self.route;
                    let mut refused = 0;
                    let pushed = self.deframer.push(&buffer[..length], |packet| {
                        let taken = each(route, packet);
                        self.proven |= taken;
                        refused += usize::from(!taken);
                    });
                    let stranger = !self.proven && refused > 0;
                    if pushed.is_ok() && !stranger {
                        continue;
                    }
                    self.dead = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.dead = true,
            }
            return;
        }
    }

    fn send(&mut self, packet: &[u8]) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else {
            return false;
        };
        if self.waiting.len() + packet.len() + 2 > MAX_WAITING_BYTES {
            return false;
        }
        self.waiting.extend(length.to_be_bytes());
        self.waiting.extend(packet);
        true
    }

    pub(crate) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match self.stream.write(self.waiting.as_slices().0) {
                Ok(0) => self.dead = true,
                Ok(written) => {
                    self.waiting.drain(..written);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.dead = true,
            }
            return;
        }
    }
}

impl AsFd for TcpPeer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// All TCP connections.
#[derive(Debug, Default)]
pub(crate) struct TcpPeers {
    peers: Vec<TcpPeer>,
    dropped: u64,
}

impl TcpPeers {
    /// Takes over a connection; one too many is closed.
    pub(crate) fn add(&mut self, stream: TcpStream) {
        if self.peers.len() >= MAX_CONNECTIONS {
            tracing::warn!("too many ICE-TCP connections; one was closed");
            return;
        }
        match TcpPeer::new(stream) {
            Ok(peer) => self.peers.push(peer),
            Err(error) => tracing::debug!(%error, "an ICE-TCP connection ended at once"),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TcpPeer> {
        self.peers.iter()
    }

    /// Hands every waiting packet to `each`, which says whether a session took it. A connection
    /// whose first packet nobody takes is closed.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(Route, &[u8]) -> bool) {
        for peer in &mut self.peers {
            peer.receive(&mut each);
        }
        let now = MonoTime::now();
        self.peers
            .retain(|peer| !peer.dead && (peer.proven || now < peer.prove_by()));
    }

    /// When the next connection that proved nothing has to be closed.
    pub(crate) fn deadline(&self) -> Option<MonoTime> {
        self.peers
            .iter()
            .filter(|peer| !peer.proven)
            .map(TcpPeer::prove_by)
            .min()
    }

    /// Queues a packet for the connection that comes from this address.
    pub(crate) fn send(&mut self, route: Route, packet: &[u8]) {
        let peer = self
            .peers
            .iter_mut()
            .find(|peer| peer.route.remote == route.remote);
        if !peer.is_some_and(|peer| peer.send(packet)) {
            self.dropped += 1;
        }
    }

    pub(crate) fn flush(&mut self) {
        for peer in &mut self.peers {
            peer.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_survive_any_cutting_of_the_stream(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 1..10),
            cut in 1_usize..700,
        ) {
            let stream: Vec<u8> = packets
                .iter()
                .flat_map(|p| [&(p.len() as u16).to_be_bytes()[..], p].concat())
                .collect();
            let mut deframer = Deframer::default();
            let mut got = Vec::new();
            for piece in stream.chunks(cut) {
                deframer.push(piece, |packet| got.push(packet.to_vec())).unwrap();
            }
            prop_assert_eq!(got, packets);
        }

        #[test]
        fn garbage_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
            let mut deframer = Deframer::default();
            for piece in bytes.chunks(97) {
                if deframer.push(piece, |_| {}).is_err() {
                    break;
                }
                prop_assert!(deframer.bytes.len() <= MAX_PACKET_BYTES + 2);
            }
        }
    }
}
