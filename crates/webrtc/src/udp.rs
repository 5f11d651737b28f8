//! The one UDP socket of all sessions: receives with the address it was sent to, and sends runs of
//! equal packets in one system call where the kernel segments them.

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// Asked of the kernel for each direction; it may grant less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Most bytes of one segmented send.
const MAX_BATCH_BYTES: usize = 60_000;
/// Room for one receive, which the kernel may have coalesced.
const RECEIVE_BYTES: usize = 65_536;
/// Receives in a row before the sender gets its turn.
const RECEIVE_BURST: usize = 64;

/// Where a packet came from and was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// The socket.
#[derive(Debug)]
pub(crate) struct UdpPort {
    socket: UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
    receive_buffer: Vec<u8>,
    batch: Batch,
    dropped: u64,
}

/// Packets of one size to one place, waiting to leave together.
#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    route: Option<Route>,
    segment: usize,
    packets: usize,
    /// A shorter packet ends a batch.
    closed: bool,
}

impl UdpPort {
    /// Binds to `address`; an unspecified address serves every interface.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // Refused growth costs smoothness under load, not the stream.
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let bound = socket.local_addr()?;
        let batch = Batch {
            bytes: Vec::with_capacity(MAX_BATCH_BYTES),
            route: None,
            segment: 0,
            packets: 0,
            closed: false,
        };
        let receive_buffer = vec![0; RECEIVE_BYTES];
        Ok(Self {
            socket,
            state,
            bound,
            receive_buffer,
            batch,
            dropped: 0,
        })
    }

    /// The address it is bound to.
    pub(crate) const fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Packets that the kernel did not take.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Hands every waiting packet to `each`, up to a bounded number of receives.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(Route, &[u8])) {
        for _ in 0..RECEIVE_BURST {
            let mut meta = [RecvMeta::default()];
            let mut slices = [IoSliceMut::new(&mut self.receive_buffer)];
            let socket = UdpSockRef::from(&self.socket);
            match self.state.recv(socket, &mut slices, &mut meta) {
                Ok(0) => return,
                Ok(_) => {}
                // A stale ICMP error of an earlier send says nothing about this socket.
                Err(error) if is_stale_icmp(&error) => continue,
                Err(_) => return,
            }
            let meta = meta[0];
            let local_ip = meta.dst_ip.unwrap_or(self.bound.ip()).to_canonical();
            let route = Route {
                remote: canonical(meta.addr),
                local: SocketAddr::new(local_ip, self.bound.port()),
            };
            let stride = meta.stride.max(1);
            for packet in self.receive_buffer[..meta.len].chunks(stride) {
                each(route, packet);
            }
        }
    }

    /// Queues a packet; it leaves at the latest with [`flush`](Self::flush).
    pub(crate) fn send(&mut self, route: Route, packet: &[u8]) {
        let batch = &self.batch;
        let joins = batch.route == Some(route)
            && !batch.closed
            && packet.len() <= batch.segment
            && batch.packets < self.state.max_gso_segments()
            && batch.bytes.len() + packet.len() <= MAX_BATCH_BYTES;
        if !joins {
            self.flush();
            self.batch.route = Some(route);
            self.batch.segment = packet.len();
        }
        self.batch.closed = packet.len() < self.batch.segment;
        self.batch.bytes.extend_from_slice(packet);
        self.batch.packets += 1;
    }

    /// Sends what is queued. A packet that the kernel does not take is lost and counted, as on any
    /// network; recovery deals with it.
    pub(crate) fn flush(&mut self) {
        let Some(route) = self.batch.route.take() else {
            return;
        };
        let several = self.batch.packets > 1;
        let transmit = Transmit {
            destination: self.as_sent(route.remote),
            ecn: None,
            contents: &self.batch.bytes,
            segment_size: several.then_some(self.batch.segment),
            src_ip: self.source_ip(route.local.ip()),
        };
        if self
            .state
            .try_send(UdpSockRef::from(&self.socket), &transmit)
            .is_err()
        {
            self.dropped += self.batch.packets as u64;
        }
        self.batch.bytes.clear();
        self.batch.packets = 0;
        self.batch.closed = false;
    }

    /// A socket bound to one address sends from it anyway.
    fn source_ip(&self, ip: IpAddr) -> Option<IpAddr> {
        let any = self.bound.ip().is_unspecified() && !ip.is_unspecified();
        any.then(|| self.as_sent(SocketAddr::new(ip, 0)).ip())
    }

    /// A dual-stack socket knows IPv4 addresses by their mapped form.
    fn as_sent(&self, address: SocketAddr) -> SocketAddr {
        match (self.bound.ip(), address.ip()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) => {
                let mapped: Ipv6Addr = v4.to_ipv6_mapped();
                SocketAddr::new(mapped.into(), address.port())
            }
            _ => address,
        }
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_stale_icmp(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn receiver() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket
    }

    #[test]
    fn sixty_packets_in_three_runs_arrive_byte_for_byte() {
        let receiver = receiver();
        let mut port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let route = Route {
            remote: receiver.local_addr().unwrap(),
            local: port.bound(),
        };
        let packet = |run: u8, n: u8| -> Vec<u8> {
            (0..1200_u32)
                .map(|at| (at as u8).wrapping_mul(7) ^ run ^ (n << 3))
                .collect()
        };
        for run in 0..3_u8 {
            for n in 0..20_u8 {
                port.send(route, &packet(run, n));
            }
            port.flush();
        }
        let mut buffer = [0_u8; 2000];
        for run in 0..3_u8 {
            for n in 0..20_u8 {
                let length = receiver.recv(&mut buffer).unwrap();
                assert!(
                    buffer[..length] == packet(run, n)[..],
                    "packet {n} of run {run}"
                );
            }
        }
        assert_eq!(port.dropped(), 0);
    }

    #[test]
    fn packets_of_all_sizes_keep_their_bounds_and_order() {
        let receiver = receiver();
        let mut port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let route = Route {
            remote: receiver.local_addr().unwrap(),
            local: port.bound(),
        };
        let sizes = [1200, 1200, 40, 1200, 1300, 1300, 1, 2, 2, 1];
        for (n, size) in sizes.iter().enumerate() {
            port.send(route, &vec![n as u8; *size]);
        }
        port.flush();
        let mut buffer = [0_u8; 2000];
        for (n, size) in sizes.iter().enumerate() {
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!((length, buffer[0]), (*size, n as u8));
        }
    }

    #[test]
    fn what_arrives_names_its_sender_and_its_target() {
        let mut port = UdpPort::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = SocketAddr::new("127.0.0.1".parse().unwrap(), port.bound().port());
        sender.send_to(b"hello", target).unwrap();
        let mut got = Vec::new();
        while got.is_empty() {
            crate::wake::sleep(&mut [crate::wake::readable(&port)], None).unwrap();
            port.receive(|route, bytes| got.push((route, bytes.to_vec())));
        }
        let route = Route {
            remote: sender.local_addr().unwrap(),
            local: target,
        };
        assert_eq!(got, [(route, b"hello".to_vec())]);
    }
}
