//! Packets that say how urgent they are, toward private addresses only: beyond the local network the
//! mark means nothing, and some networks drop what carries one. It decides nothing else about packets.

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A differentiated-services class (RFC 2474).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceClass(u8);

impl ServiceClass {
    /// CS5, for video.
    pub const CS5: Self = Self(40);
    /// CS6, for sound.
    pub const CS6: Self = Self(48);

    /// As the byte in the header of IP has it; congestion is not told there.
    const fn byte(self) -> u8 {
        self.0 << 2
    }
}

/// Whether an address is one of a local network, or of this machine.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// Packets of `stride` bytes back to back, and where they go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marked<'a> {
    /// In the form of the socket's family.
    pub(crate) remote: SocketAddr,
    /// The same.
    pub(crate) source: Option<IpAddr>,
    pub(crate) bytes: &'a [u8],
    pub(crate) stride: usize,
    pub(crate) class: ServiceClass,
}

/// Sends them in one call, each with its mark. `quinn-udp` cannot: it sets the whole byte with every
/// packet, for the two bits that are congestion's.
pub(crate) fn send(socket: BorrowedFd<'_>, packets: Marked<'_>) -> io::Result<()> {
    let Marked {
        remote,
        source,
        bytes,
        stride,
        class,
    } = packets;
    let (byte, word) = (class.byte(), i32::from(class.byte()));
    let segment = u16::try_from(stride).map_err(io::Error::other)?;
    let (v4, v6);
    let mut messages = Vec::with_capacity(3);
    // Packets of IPv4 carry the byte of IPv4, whatever socket they leave by.
    messages.push(match remote.ip().to_canonical() {
        IpAddr::V4(_) => ControlMessage::Ipv4Tos(&byte),
        IpAddr::V6(_) => ControlMessage::Ipv6TClass(&word),
    });
    if bytes.len() > stride {
        messages.push(ControlMessage::UdpGsoSegments(&segment));
    }
    match source {
        Some(IpAddr::V4(address)) => {
            v4 = from_v4(address.octets());
            messages.push(ControlMessage::Ipv4PacketInfo(&v4));
        }
        Some(IpAddr::V6(address)) => {
            v6 = from_v6(address.octets());
            messages.push(ControlMessage::Ipv6PacketInfo(&v6));
        }
        None => {}
    }
    let remote = SockaddrStorage::from(remote);
    let slices = [IoSlice::new(bytes)];
    let flags = MsgFlags::MSG_DONTWAIT;
    sendmsg(socket.as_raw_fd(), &slices, &messages, flags, Some(&remote))?;
    Ok(())
}

const fn from_v4(octets: [u8; 4]) -> libc::in_pktinfo {
    libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(octets),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    }
}

const fn from_v6(octets: [u8; 16]) -> libc::in6_pktinfo {
    libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: octets },
        ipi6_ifindex: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Port, Route};
    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    use std::io::IoSliceMut;
    use std::net::UdpSocket;

    #[test]
    fn local_networks_are_private_and_the_internet_is_not() {
        let private = ["192.168.1.5", "10.0.0.1", "169.254.1.1", "127.0.0.1", "::1"];
        let more = ["fd00::1", "fe80::1", "::ffff:10.1.2.3"];
        for near in private.iter().chain(&more) {
            assert!(is_private(near.parse().unwrap()), "{near}");
        }
        for far in [
            "192.0.2.1",
            "8.8.8.8",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "100.64.0.1",
        ] {
            assert!(!is_private(far.parse().unwrap()), "{far}");
        }
    }

    /// The byte that a packet came with, and its length.
    fn received(socket: &UdpSocket) -> (u8, usize) {
        let mut bytes = [0; 2000];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let mut space = nix::cmsg_space!([u8; 64]);
        let got = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::empty(),
        );
        let got = got.unwrap();
        let byte = got.cmsgs().unwrap().find_map(|message| match message {
            ControlMessageOwned::Ipv4Tos(byte) => Some(byte),
            _ => None,
        });
        (byte.unwrap(), got.bytes)
    }

    fn marks(bind: &str, class: Option<ServiceClass>) -> Vec<(u8, usize)> {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sock = socket2::SockRef::from(&receiver);
        sock.set_recv_tos_v4(true).unwrap();
        let limit = std::time::Duration::from_secs(5);
        receiver.set_read_timeout(Some(limit)).unwrap();
        let port = Port::bind(bind.parse().unwrap(), 1 << 20).unwrap();
        let port = port.marked(class);
        let route = Route {
            remote: receiver.local_addr().unwrap(),
            local: SocketAddr::new("127.0.0.1".parse().unwrap(), port.bound().port()),
        };
        port.send_run(route, &[7; 2 * 1200 + 5], 1200);
        port.send_run(route, &[7; 9], 9);
        assert_eq!(port.dropped(), 0);
        (0..4).map(|_| received(&receiver)).collect()
    }

    #[test]
    fn every_packet_of_a_run_arrives_with_its_mark() {
        let sizes = [1200, 1200, 5, 9];
        for bind in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            for (class, byte) in [
                (Some(ServiceClass::CS5), 0xa0),
                (Some(ServiceClass::CS6), 0xc0),
                (None, 0),
            ] {
                let expected = sizes.map(|size| (byte, size));
                assert_eq!(marks(bind, class), expected, "{bind} {class:?}");
            }
        }
    }
}
