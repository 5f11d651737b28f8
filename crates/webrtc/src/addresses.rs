//! The addresses a browser may reach this host at, as ICE candidates.

use std::net::{IpAddr, SocketAddr};
use str0m::Candidate;
use str0m::net::TcpType;

/// Candidates offered at most: a host with many interfaces would only slow the checks down.
const MAX_ADDRESSES: usize = 16;

/// Every address that sockets bound to `bound` serve: itself, or those of all interfaces.
/// Loopback is named only when it is what the sockets are bound to.
#[must_use]
pub fn reachable(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_link_local(),
        // An IPv4 socket cannot serve IPv6, and link-local IPv6 needs a zone that SDP lacks.
        IpAddr::V6(v6) => bound.is_ipv6() && !v6.is_unicast_link_local(),
    };
    let mut addresses: Vec<_> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback())
        .map(if_addrs::Interface::ip)
        .filter(usable)
        .take(MAX_ADDRESSES - 1)
        .collect();
    addresses.push(IpAddr::from([127, 0, 0, 1]));
    addresses
}

/// Host candidates for these addresses: UDP first, TCP for networks without it.
pub(crate) fn candidates(
    addresses: &[IpAddr],
    udp_port: u16,
    tcp_port: Option<u16>,
) -> Vec<Candidate> {
    let udp = addresses
        .iter()
        .filter_map(|ip| Candidate::host(SocketAddr::new(*ip, udp_port), "udp").ok());
    let tcp = tcp_port.into_iter().flat_map(|port| {
        addresses.iter().filter_map(move |ip| {
            let address = SocketAddr::new(*ip, port);
            Candidate::builder()
                .tcp()
                .host(address)
                .tcptype(TcpType::Passive)
                .build()
                .ok()
        })
    });
    udp.chain(tcp).collect()
}
