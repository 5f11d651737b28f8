//! Hostile clients while somebody streams: the stream notices nothing, and the host does not grow.

use crate::host::{Host, assert_complete, assert_sound, small};
use probe::hostile::{self, ControlFlood, Reaction};
use probe::{Error, StreamOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// The host may grow by this, in percent, and stays grown: queues that were never as full before.
const GROWTH_PERCENT: u64 = 40;

fn stream() -> StreamOptions {
    small(120)
}

/// Runs an attack beside a stream.
fn beside_a_stream(attack: impl FnOnce(&Host)) {
    let host = Host::sounding();
    let pal = host.paired();
    let (streamed, grown) = pal.stream_during(&stream(), || {
        let before = host.resident_kib();
        attack(&host);
        host.resident_kib() * 100 / before
    });
    let total = streamed.unwrap().total;
    assert_complete(&total);
    assert_eq!(total.audio.lost, 0);
    assert!(grown < 100 + GROWTH_PERCENT, "{grown} % of what it was");
    assert!(pal.info().paired, "it still answers");
}

#[test]
fn a_thousand_half_open_pairings_beside_a_stream() {
    beside_a_stream(|host| {
        let held = hostile::half_open_pairings(host.port(0), 1000).unwrap();
        assert!(host.waiting().len() <= 8);
        drop(held);
    });
}

#[test]
fn absurd_requests_on_every_tcp_port_beside_a_stream() {
    beside_a_stream(|host| {
        thread::scope(|scope| {
            for (what, bytes) in hostile::absurd_http() {
                let (plain, sealed) = (host.port(0), host.port(-5));
                scope.spawn(move || {
                    assert_ne!(
                        hostile::send_tcp(plain, &bytes),
                        Reaction::Refused,
                        "{what}"
                    );
                    let reaction = hostile::send_tcp(sealed, &bytes);
                    assert_ne!(reaction, Reaction::Refused, "{what}, without TLS");
                });
            }
            for (what, bytes) in hostile::absurd_rtsp() {
                let rtsp = host.port(21);
                scope.spawn(move || {
                    let reaction = hostile::send_tcp(rtsp, &bytes);
                    let silent = matches!(reaction, Reaction::Closed | Reaction::Held);
                    assert!(silent, "{what}: {reaction:?}");
                });
            }
        });
        // Requests that nobody is expected to make, and connections that say nothing.
        let floods: Vec<Vec<TcpStream>> = [0, -5, 21]
            .map(|offset| hostile::hold_tcp(host.port(offset), b"O", 200))
            .into();
        drop(floods);
        let request = b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n";
        drop(hostile::hold_tcp(host.port(21), request, 500));
    });
}

#[test]
fn floods_of_datagrams_beside_a_stream() {
    beside_a_stream(|host| {
        for offset in [9, 10, 11] {
            for (length, byte) in [(0, 0), (1, 0xff), (4, b'P'), (20, 0), (1400, 0xaa)] {
                let datagram = vec![byte; length];
                hostile::flood_udp(host.port(offset), &datagram, 2000).unwrap();
            }
        }
        let flood = |from: [u8; 4]| {
            hostile::flood_enet(ControlFlood {
                host: host.port(10),
                from: IpAddr::V4(Ipv4Addr::from(from)),
                connect_data: 0x1234_5678,
                count: 2000,
                time: Duration::from_secs(2),
            })
        };
        assert_eq!(flood([127, 0, 0, 2]).unwrap(), 0, "from elsewhere");
        assert_eq!(
            flood([127, 0, 0, 1]).unwrap(),
            0,
            "from where the client is"
        );
    });
}

/// Requests that never end, a byte now and then, on every TCP port at once; some of those of HTTPS in the
/// middle of a handshake. Whoever comes then is served, and the host keeps no more than a bounded number.
#[test]
fn slow_requests_by_the_hundred_keep_nobody_out() {
    beside_a_stream(|host| {
        let starts: [(i16, &[u8]); 4] = [
            (0, b"GET /serverinfo HTTP/1.1\r\nX: "),
            (-5, b"\x16\x03\x01\x02\x00\x01"),
            (-5, b"G"),
            (21, b"OPTIONS / RTSP/1.0\r\nX: "),
        ];
        let mut held: Vec<TcpStream> = Vec::new();
        for (offset, start) in starts {
            held.extend(hostile::hold_tcp(host.port(offset), start, 300));
        }
        for _ in 0..5 {
            for stream in &mut held {
                // Those that the host has closed by now are what it is about.
                let _ = stream.write_all(b"x");
            }
        }
        let open = host.descriptors();
        assert!(open < 1000, "{open} descriptors");
        let mut late = host.stranger();
        host.pair(&mut late, "1234", "1234").unwrap();
        // In another size, so that it costs the stream no keyframe.
        let other = StreamOptions {
            size: "480x270".parse().unwrap(),
            ..small(1)
        };
        assert_sound(&late.stream(&other).unwrap().total);
    });
}

/// Datagrams that look like ENet's, from the address of a client that streams, with the numbers of its
/// connection or near them.
#[test]
fn broken_datagrams_of_enet_from_the_address_of_a_client_beside_its_stream() {
    beside_a_stream(|host| {
        let mut random = fastrand::Rng::with_seed(23);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..20_000 {
            let mut datagram: Vec<u8> = (0..random.usize(2..200)).map(|_| random.u8(..)).collect();
            // The first peers and no compression, then commands of which there are twelve.
            datagram[0] = [0x00, 0x80, 0x8f, 0xbf][random.usize(..4)];
            datagram[1] = random.u8(..3);
            if let Some(command) = datagram.get_mut(4) {
                *command = random.u8(..14) | [0, 0x80, 0x40][random.usize(..3)];
            }
            let _ = socket.send_to(&datagram, host.port(10));
        }
    });
}

#[test]
fn a_launch_that_nobody_follows_keeps_no_place_from_others() {
    let host = Host::small(&["--max-streams", "1"]);
    let (first, second) = (host.paired(), host.paired());
    let _open = hostile::open_session(&first.client, &small(1)).unwrap();
    let refused = second.stream(&small(1));
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    first.client.quit().unwrap();
    let streamed = second.stream(&small(1)).unwrap();
    assert_complete(&streamed.total);
}
