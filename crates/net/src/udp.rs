//! UDP: a socket that several threads may send on, and a batch of packets for one thread on top of it.
//! Runs of equal packets leave in one system call where the kernel segments them.

use crate::mark::{self, Marked, ServiceClass};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes of one segmented send.
const MAX_BATCH_BYTES: usize = 60_000;
/// Room for one receive, which the kernel may have coalesced.
const RECEIVE_BYTES: usize = 65_536;
/// Receives in a row before the sender gets its turn.
const RECEIVE_BURST: usize = 64;

/// Where a packet came from and was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The other end.
    pub remote: SocketAddr,
    /// This end.
    pub local: SocketAddr,
}

/// A socket that several threads may use at once.
#[derive(Debug)]
pub struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
    class: Option<ServiceClass>,
    dropped: AtomicU64,
}

impl Port {
    /// Binds to `address`; an unspecified address serves every interface, an unspecified IPv6 one
    /// IPv4 too. The kernel is asked for `buffer_bytes` each way, and may grant less.
    ///
    /// # Errors
    /// When the address is taken or is none of this machine's.
    pub fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // Refused growth costs smoothness under load, not the stream.
        let _ = socket.set_send_buffer_size(buffer_bytes);
        let _ = socket.set_recv_buffer_size(buffer_bytes);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let bound = socket.local_addr()?;
        Ok(Self {
            socket,
            state,
            bound,
            class: None,
            dropped: AtomicU64::new(0),
        })
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Packets that the kernel did not take.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Bytes of send buffer that the kernel granted; it counts its own bookkeeping in.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_buffer_bytes(&self) -> io::Result<usize> {
        SockRef::from(&self.socket).send_buffer_size()
    }

    /// Marks what is sent toward private addresses, as far as the system allows it.
    #[must_use]
    pub const fn marked(mut self, class: Option<ServiceClass>) -> Self {
        self.class = class;
        self
    }

    /// Sends packets of `stride` bytes each that lie back to back; the last one may be shorter. What the
    /// kernel does not take is lost and counted, as on any network. Never blocks.
    pub fn send_run(&self, route: Route, bytes: &[u8], stride: usize) {
        if bytes.is_empty() || stride == 0 {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = (MAX_BATCH_BYTES / stride).clamp(1, self.state.max_gso_segments());
            let (now, later) = rest.split_at(rest.len().min(most * stride));
            if let Err(error) = self.transmit(route, now, stride) {
                // A kernel that cannot segment says so once; the state then no longer asks it to.
                if most > 1 && self.state.max_gso_segments() == 1 && !is_full(&error) {
                    continue;
                }
                let lost = now.len().div_ceil(stride);
                self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
            }
            rest = later;
        }
    }

    fn transmit(&self, route: Route, bytes: &[u8], stride: usize) -> io::Result<()> {
        if let Some(class) = self.class.filter(|_| mark::is_private(route.remote.ip())) {
            let packets = Marked {
                remote: self.as_sent(route.remote),
                source: self.source_ip(route.local.ip()),
                bytes,
                stride,
                class,
            };
            match mark::send(self.socket.as_fd(), packets) {
                Ok(()) => return Ok(()),
                Err(error) if is_full(&error) => return Err(error),
                // What cannot leave with a mark may leave without one.
                Err(_) => {}
            }
        }
        let transmit = Transmit {
            destination: self.as_sent(route.remote),
            ecn: None,
            contents: bytes,
            segment_size: (bytes.len() > stride).then_some(stride),
            src_ip: self.source_ip(route.local.ip()),
        };
        let socket = UdpSockRef::from(&self.socket);
        match self.state.try_send(socket, &transmit) {
            // The error is an earlier packet's; this one was not sent.
            Err(error) if is_stale_icmp(&error) => {
                let socket = UdpSockRef::from(&self.socket);
                self.state.try_send(socket, &transmit)
            }
            other => other,
        }
    }

    /// Hands every waiting packet to `each`, up to a bounded number of receives; `buffer` should hold
    /// 64 KiB.
    pub fn receive(&self, buffer: &mut [u8], mut each: impl FnMut(Route, &[u8])) {
        for _ in 0..RECEIVE_BURST {
            let mut meta = [RecvMeta::default()];
            let mut slices = [IoSliceMut::new(buffer)];
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
            for packet in buffer[..meta.len].chunks(stride) {
                each(route, packet);
            }
        }
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

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A port with a batch of one thread's packets.
#[derive(Debug)]
pub struct UdpPort {
    port: Port,
    receive_buffer: Vec<u8>,
    batch: Batch,
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
    /// As [`Port::bind`].
    ///
    /// # Errors
    /// As [`Port::bind`].
    pub fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let batch = Batch {
            bytes: Vec::with_capacity(MAX_BATCH_BYTES),
            route: None,
            segment: 0,
            packets: 0,
            closed: false,
        };
        Ok(Self {
            port: Port::bind(address, buffer_bytes)?,
            receive_buffer: vec![0; RECEIVE_BYTES],
            batch,
        })
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn bound(&self) -> SocketAddr {
        self.port.bound()
    }

    /// Packets that the kernel did not take.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.port.dropped()
    }

    /// Hands every waiting packet to `each`, up to a bounded number of receives.
    pub fn receive(&mut self, each: impl FnMut(Route, &[u8])) {
        self.port.receive(&mut self.receive_buffer, each);
    }

    /// Queues a packet; it leaves at the latest with [`flush`](Self::flush).
    pub fn send(&mut self, route: Route, packet: &[u8]) {
        let batch = &self.batch;
        let joins = batch.route == Some(route)
            && !batch.closed
            && packet.len() <= batch.segment
            && batch.packets < self.port.state.max_gso_segments()
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
    pub fn flush(&mut self) {
        let Some(route) = self.batch.route.take() else {
            return;
        };
        self.port
            .send_run(route, &self.batch.bytes, self.batch.segment);
        self.batch.bytes.clear();
        self.batch.packets = 0;
        self.batch.closed = false;
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.as_fd()
    }
}

/// An address as people write it: IPv4 is never mapped.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
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

    const BUFFER: usize = 4 << 20;

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
        let mut port = UdpPort::bind("127.0.0.1:0".parse().unwrap(), BUFFER).unwrap();
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
        let mut port = UdpPort::bind("127.0.0.1:0".parse().unwrap(), BUFFER).unwrap();
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
        let mut port = UdpPort::bind("0.0.0.0:0".parse().unwrap(), BUFFER).unwrap();
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

    #[test]
    fn a_run_of_equal_packets_arrives_byte_for_byte_whatever_thread_sends_it() {
        let receiver = receiver();
        let port = Port::bind("127.0.0.1:0".parse().unwrap(), BUFFER).unwrap();
        let route = Route {
            remote: receiver.local_addr().unwrap(),
            local: port.bound(),
        };
        let run =
            |n: u8| -> Vec<u8> { (0..20 * 1200 - 7).map(|at| (at % 251) as u8 ^ n).collect() };
        for n in 0..3_u8 {
            std::thread::scope(|threads| {
                threads.spawn(|| port.send_run(route, &run(n), 1200));
            });
            let mut buffer = [0_u8; 2000];
            for packet in run(n).chunks(1200) {
                let length = receiver.recv(&mut buffer).unwrap();
                assert!(buffer[..length] == *packet);
            }
        }
        assert_eq!(port.dropped(), 0);
    }

    #[test]
    fn what_the_kernel_does_not_take_is_counted_and_never_waited_for() {
        // Nothing routes there from a socket that is bound to loopback.
        let port = Port::bind("127.0.0.1:0".parse().unwrap(), BUFFER).unwrap();
        let route = Route {
            remote: "192.0.2.1:9".parse().unwrap(),
            local: port.bound(),
        };
        port.send_run(route, &[0; 1000], 100);
        assert_eq!(port.dropped(), 10);
    }
}
