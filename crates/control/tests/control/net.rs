//! The port itself: what it speaks, whom it refuses, and how it opens and closes.

use crate::client::{Reply, Ws, connect, exchange, read_to_end};
use crate::engine::Event;
use crate::host::{Host, PATIENCE};
use control::{AccessMode, Config, Parts, Server, TlsMode};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    StreamOwned,
};

/// A STUN binding request's first bytes behind their RFC 4571 length.
const ICE_TCP: [u8; 10] = [0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42];

fn start_error(change: impl FnOnce(&mut Config)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), directory.path().to_owned());
    change(&mut config);
    let (events, _) = std::sync::mpsc::channel();
    let (_, ring) = events::EventRing::new(1);
    let collector = stats::Collector::start(ring).unwrap();
    let hub = sessions::Hub::start(sessions::HubParts {
        engine: Arc::new(crate::engine::FakeEngine::new(events)),
        desk: Arc::new(crate::engine::FakeDesk::default()),
        stats: collector.reader(),
        limits: sessions::Limits::default(),
        policy: control_api::ControlPolicy::Single,
    })
    .unwrap();
    let parts = Parts {
        hub: hub.hub().clone(),
        on_link: Box::new(|_| panic!("no link for a host that did not start")),
    };
    Server::start(&config, parts).unwrap_err().to_string()
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = start_error(|config| config.listen = address);
    let other = format!(
        "--listen 127.0.0.1:{}",
        address.port().checked_add(1).unwrap_or(8080)
    );
    assert!(
        error.contains(&address.to_string()) && error.contains(&other),
        "{error}"
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let error = start_error(|config| config.listen = ([192, 0, 2, 1], 8080).into());
    assert!(error.contains("no address 192.0.2.1"), "{error}");
}

#[test]
fn open_access_is_refused_beyond_loopback() {
    for address in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:80",
        "[::ffff:192.0.2.1]:80",
    ] {
        let error = start_error(|config| {
            config.listen = address.parse().unwrap();
            config.access = AccessMode::Open;
        });
        assert!(error.contains("loopback only"), "{address}: {error}");
    }
}

#[test]
fn an_unusable_certificate_is_an_error_before_anything_starts() {
    let error = start_error(|config| {
        config.tls = TlsMode::Always;
        std::fs::write(config.state_dir.join("tls.pem"), "nonsense").unwrap();
    });
    assert!(error.contains("tls.pem"), "{error}");
}

#[test]
fn the_port_is_free_again_after_the_shutdown() {
    let host = Host::start();
    let address = host.address();
    let mut idle = connect(address);
    host.handle.shutdown();
    assert_eq!(read_to_end(&mut idle), b"", "the idle connection is closed");
    TcpListener::bind(address).unwrap();
}

#[track_caller]
fn expect_ice_tcp(host: &Host) {
    let mut client = connect(host.address());
    client.write_all(&ICE_TCP).unwrap();
    let Event::IceTcp(mut stream) = host.next_event() else {
        panic!("the engine gets the connection");
    };
    assert_eq!(stream.peer_addr().unwrap(), client.local_addr().unwrap());
    stream.set_nonblocking(false).unwrap();
    let mut received = [0; ICE_TCP.len()];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(received, ICE_TCP, "nothing was taken from it");
    stream.write_all(b"back").unwrap();
    let mut back = [0; 4];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"back");
}

#[test]
fn an_ice_tcp_connection_is_handed_over_untouched() {
    expect_ice_tcp(&Host::start());
}

#[test]
fn an_ice_tcp_connection_is_handed_over_on_a_tls_port_too() {
    expect_ice_tcp(&Host::with(|config| config.tls = TlsMode::Always));
}

#[test]
fn handed_over_connections_take_up_no_place() {
    let host = Host::with(|config| config.limits.connections = 1);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = connect(host.address());
        client.write_all(&ICE_TCP).unwrap();
        held.push((client, host.next_event()));
    }
    assert_eq!(host.get("/healthz", &[]).body, "ok\n");
}

/// Takes any certificate and remembers it, as a person who compares fingerprints would.
#[derive(Debug, Default)]
struct Remember(Mutex<Option<Vec<u8>>>);

impl ServerCertVerifier for Remember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.0.lock().unwrap() = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn tls(
    address: SocketAddr,
    certificate: &Arc<Remember>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(certificate) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, connect(address))
}

#[test]
fn tls_presents_the_certificate_whose_fingerprint_is_told() {
    let host = Host::with(|config| config.tls = TlsMode::Always);
    assert!(host.handle.url().starts_with("https://"));
    let certificate = Arc::new(Remember::default());
    let mut stream = tls(host.address(), &certificate);
    let link = host.link();
    let request = format!("GET {link} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let reply = Reply::parse(&read_to_end(&mut stream));
    assert_eq!(reply.status, 200);
    assert!(reply.header("set-cookie").unwrap().contains("; Secure"));
    let presented = certificate.0.lock().unwrap().clone().unwrap();
    let digest = Sha256::digest(&presented);
    let shown: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(
        host.handle.fingerprint().unwrap().to_string(),
        shown.join(":")
    );
}

#[test]
fn the_websocket_works_over_tls_for_https_pages_only() {
    let host = Host::with(|config| config.tls = TlsMode::Always);
    let address = host.address();
    let certificate = Arc::new(Remember::default());
    let mut stream = tls(address, &certificate);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
        host.link()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let cookie = Reply::parse(&read_to_end(&mut stream)).cookie().unwrap();
    for (scheme, expected) in [("https", "101"), ("http", "403")] {
        let mut stream = tls(address, &certificate);
        let request = format!(
            "GET /api/ws HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nOrigin: {scheme}://{address}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status[9..], expected.as_bytes(), "{scheme}");
    }
}

#[test]
fn plain_http_on_the_tls_port_is_sent_on_in_words() {
    let host = Host::with(|config| config.tls = TlsMode::Always);
    let port = host.address().port();
    let local = format!("localhost:{port}");
    let local = ("Host", local.as_str());
    let visit = host.get("/some/page", &[local]);
    let target = format!("https://localhost:{port}/some/page");
    assert_eq!(
        (visit.status, visit.header("location")),
        (307, Some(&*target))
    );
    assert!(visit.body.contains("HTTPS"), "{}", visit.body);
    let link = host.link();
    let leaked = host.get(&link, &[local]);
    assert_eq!((leaked.status, leaked.header("location")), (400, None));
    assert!(
        !leaked.body.contains("token"),
        "what went in the clear is not sent on"
    );
    assert_eq!(host.request("POST", "/whep", &[local], b"v=0").status, 400);
    assert_eq!(host.get("/", &[("Host", "<b>")]).status, 400);
}

#[test]
fn beyond_loopback_tls_is_on_and_the_link_names_a_reachable_address() {
    let host = Host::with(|config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.addresses = ["127.0.0.1", "2001:db8::1", "192.0.2.7"]
            .map(|a| a.parse().unwrap())
            .to_vec();
    });
    assert!(host.handle.fingerprint().is_some());
    let expected = format!("https://192.0.2.7:{}/login?token=", host.address().port());
    let link = host.links.recv_timeout(PATIENCE).unwrap();
    assert!(link.starts_with(&expected), "{link}");
}

#[test]
fn garbage_on_the_port_hurts_nobody() {
    let host = Host::start();
    for garbage in [
        &b"\xff\xff\xff\xff"[..],
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        &[b'a'; 100_000],
        b"\x16\x03\x01",
    ] {
        let mut stream = connect(host.address());
        // The other side may close before everything is written.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 64]);
    }
    let missing_host = exchange(
        host.address(),
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(missing_host.status, 400);
    assert_eq!(host.get("/healthz", &[]).body, "ok\n");
}

#[test]
fn connections_that_say_nothing_are_closed() {
    let host = Host::with(|config| config.limits.request_head = Duration::from_secs(1));
    let mut silent = connect(host.address());
    assert_eq!(read_to_end(&mut silent), b"");
    let mut slow = connect(host.address());
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    read_to_end(&mut slow);
    let mut kept_alive = connect(host.address());
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", host.address());
    kept_alive.write_all(request.as_bytes()).unwrap();
    assert_eq!(Reply::parse(&read_to_end(&mut kept_alive)).status, 200);
}

#[test]
fn connections_are_bounded_and_the_next_one_waits() {
    let host = Host::with(|config| {
        config.access = AccessMode::Open;
        config.limits.connections = 2;
    });
    let origin = host.origin();
    let open = || Ws::open(host.address(), &[("Origin", &origin)]).unwrap();
    let (first, mut second) = (open(), open());
    let mut third = connect(host.address());
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host.address()
    );
    third.write_all(request.as_bytes()).unwrap();
    for _ in 0..20 {
        second.ok("ping", &serde_json::json!({}));
    }
    third.set_nonblocking(true).unwrap();
    let waiting = third.read(&mut [0; 1]).unwrap_err();
    assert_eq!(
        waiting.kind(),
        std::io::ErrorKind::WouldBlock,
        "an upgraded connection still counts"
    );
    third.set_nonblocking(false).unwrap();
    drop(first);
    assert_eq!(Reply::parse(&read_to_end(&mut third)).status, 200);
}
