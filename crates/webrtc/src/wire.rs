//! All ways out of and into the host: the UDP socket and the TCP connections behind one face.

use crate::tcp::TcpPeers;
use net::{Route, UdpPort};
use str0m::net::{Protocol, Transmit};

/// The ways packets travel.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) udp: UdpPort,
    pub(crate) tcp: TcpPeers,
    sent_bytes: u64,
}

impl Wire {
    pub(crate) fn new(udp: UdpPort) -> Self {
        Self {
            udp,
            tcp: TcpPeers::default(),
            sent_bytes: 0,
        }
    }

    /// Sends `packet` where `transmit` was to go.
    pub(crate) fn send(&mut self, transmit: &Transmit, packet: &[u8]) {
        let route = Route {
            remote: transmit.destination,
            local: transmit.source,
        };
        self.sent_bytes += packet.len() as u64;
        match transmit.proto {
            Protocol::Udp => self.udp.send(route, packet),
            _ => self.tcp.send(route, packet),
        }
    }

    pub(crate) fn flush(&mut self) {
        self.udp.flush();
        self.tcp.flush();
    }

    /// Bytes handed over so far.
    pub(crate) const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }
}
