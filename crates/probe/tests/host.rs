//! Pairing, listing and quitting against a host that is played here, over plain HTTP and over TLS with
//! client certificates.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use probe::crypto::{ecb_decrypt, ecb_encrypt, from_hex, sha256, to_hex};
use probe::{CertificateFacts, Client, Error, Identity, Options};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned,
};

/// Takes every client certificate, and checks that its owner shows it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What the host remembers between requests.
struct Played {
    identity: Identity,
    pin: &'static str,
    https_port: u16,
    key: [u8; 16],
    client_hash: Vec<u8>,
    client: Option<CertificateFacts>,
    paired: Option<Vec<u8>>,
    running: bool,
}

const SECRET: [u8; 16] = [0x11; 16];
const CHALLENGE: [u8; 16] = [0x22; 16];

fn root(fields: &str) -> String {
    format!(r#"<?xml version="1.0" encoding="utf-8"?><root status_code="200">{fields}</root>"#)
}

impl Played {
    fn facts(&self) -> CertificateFacts {
        CertificateFacts::from_pem(self.identity.certificate_pem().as_bytes()).unwrap()
    }

    /// The answer to a request; `client` is the certificate shown over TLS.
    fn answer(&mut self, path: &str, client: Option<&[u8]>) -> String {
        let (path, query) = path.split_once('?').unwrap();
        let query: HashMap<&str, &str> = query
            .split('&')
            .filter_map(|part| part.split_once('='))
            .collect();
        let known = client.is_some() && client == self.paired.as_deref();
        match path {
            "/serverinfo" if client.is_some() && !known => {
                r#"<root status_code="401" status_message="unknown client"/>"#.to_owned()
            }
            "/serverinfo" => root(&format!(
                "<hostname>played</hostname><appversion>7.1.431.-1</appversion><HttpsPort>{}</HttpsPort>\
                 <PairStatus>{}</PairStatus><currentgame>{}</currentgame><state>SUNSHINE_SERVER_{}</state>",
                self.https_port,
                u8::from(known),
                if self.running { 2 } else { 0 },
                if self.running { "BUSY" } else { "FREE" }
            )),
            "/pair" => self.pair(&query),
            "/applist" if known => root("<App><AppTitle>Desktop</AppTitle><ID>1</ID></App>"),
            "/cancel" if known => {
                self.running = false;
                root("<cancel>1</cancel>")
            }
            _ => r#"<root status_code="404" status_message="no"/>"#.to_owned(),
        }
    }

    fn pair(&mut self, query: &HashMap<&str, &str>) -> String {
        let bytes = |name: &str| query.get(name).map(|hex| from_hex(hex).unwrap());
        if let Some(pem) = bytes("clientcert") {
            self.client = CertificateFacts::from_pem(&pem);
            let hash = sha256(&[&bytes("salt").unwrap(), self.pin.as_bytes()]);
            self.key.copy_from_slice(&hash[..16]);
            let pem = to_hex(self.identity.certificate_pem().as_bytes());
            return root(&format!("<paired>1</paired><plaincert>{pem}</plaincert>"));
        }
        if let Some(mut challenge) = bytes("clientchallenge") {
            ecb_decrypt(&self.key, &mut challenge).unwrap();
            let hash = sha256(&[&challenge, &self.facts().signature, &SECRET]);
            let mut response = [&hash[..], &CHALLENGE].concat();
            ecb_encrypt(&self.key, &mut response).unwrap();
            let response = to_hex(&response);
            return root(&format!(
                "<paired>1</paired><challengeresponse>{response}</challengeresponse>"
            ));
        }
        if let Some(mut hash) = bytes("serverchallengeresp") {
            ecb_decrypt(&self.key, &mut hash).unwrap();
            self.client_hash = hash;
            let secret = [&SECRET[..], &self.identity.sign(&SECRET).unwrap()].concat();
            let secret = to_hex(&secret);
            return root(&format!(
                "<paired>1</paired><pairingsecret>{secret}</pairingsecret>"
            ));
        }
        if let Some(sent) = bytes("clientpairingsecret") {
            let client = self.client.clone().unwrap();
            let (secret, signed) = sent.split_at(16);
            let hash = sha256(&[&CHALLENGE, &client.signature, secret]);
            let sound = hash[..] == self.client_hash && client.verifies(secret, signed);
            self.paired = sound.then_some(client.der);
            return root(&format!("<paired>{}</paired>", u8::from(sound)));
        }
        root("<paired>1</paired>")
    }
}

/// Reads a request and gives its path.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    Some(text.split(' ').nth(1).unwrap().to_owned())
}

fn respond(stream: &mut impl Write, body: &str) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close";
    write!(
        stream,
        "{head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream.flush().unwrap();
}

/// Plays a host until the test ends; its HTTP port.
fn play(pin: &'static str) -> (u16, Arc<Mutex<Played>>) {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let https = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = http.local_addr().unwrap().port();
    let identity = Identity::generate().unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain =
        vec![CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody(provider)))
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let host = Arc::new(Mutex::new(Played {
        identity,
        pin,
        https_port: https.local_addr().unwrap().port(),
        key: [0; 16],
        client_hash: Vec::new(),
        client: None,
        paired: None,
        running: true,
    }));
    let plain = Arc::clone(&host);
    thread::spawn(move || {
        for stream in http.incoming() {
            let mut stream = stream.unwrap();
            if let Some(path) = request(&mut stream) {
                let body = plain.lock().unwrap().answer(&path, None);
                respond(&mut stream, &body);
            }
        }
    });
    let sealed = Arc::clone(&host);
    thread::spawn(move || {
        for stream in https.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            if let Some(path) = request(&mut stream) {
                let client = stream.conn.peer_certificates().unwrap()[0].to_vec();
                let body = sealed.lock().unwrap().answer(&path, Some(&client));
                respond(&mut stream, &body);
            }
        }
    });
    (port, host)
}

fn client(port: u16, folder: &tempfile::TempDir) -> Client {
    let options = Options {
        host: format!("127.0.0.1:{port}").parse().unwrap(),
        state_dir: folder.path().to_owned(),
    };
    Client::open(&options).unwrap()
}

#[test]
fn a_client_pairs_lists_quits_and_is_known_to_its_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let (port, _host) = play("4711");
    let mut first = client(port, &folder);
    assert!(!first.info().unwrap().paired);
    assert!(matches!(first.apps(), Err(Error::NotPaired)));
    first.pair("4711").unwrap();
    let mut next = client(port, &folder);
    let info = next.info().unwrap();
    assert_eq!((info.paired, info.running_app), (true, Some(2)));
    assert_eq!(next.apps().unwrap()[0].title, "Desktop");
    next.quit().unwrap();
    assert_eq!(next.info().unwrap().running_app, None);
    next.unpair().unwrap();
    assert!(matches!(next.apps(), Err(Error::NotPaired)));
}

#[test]
fn another_pin_is_refused_and_leaves_nobody_paired() {
    let folder = tempfile::tempdir().unwrap();
    let (port, host) = play("4711");
    let mut client = client(port, &folder);
    assert!(matches!(client.pair("4712"), Err(Error::PinRefused)));
    assert!(!client.info().unwrap().paired);
    assert!(host.lock().unwrap().paired.is_none());
}

#[test]
fn a_host_that_forgot_this_client_or_became_another_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (port, host) = play("4711");
    let mut client = client(port, &folder);
    client.pair("4711").unwrap();
    host.lock().unwrap().paired = None;
    assert!(matches!(client.apps(), Err(Error::NotPaired)));
    let (_, other) = play("4711");
    let other_port = other.lock().unwrap().https_port;
    host.lock().unwrap().https_port = other_port;
    assert!(matches!(client.apps(), Err(Error::OtherHost)));
}

#[test]
fn a_host_that_does_not_answer_is_named_with_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = client(port, &folder).info().unwrap_err().to_string();
    assert!(
        error.contains(&format!("is TCP port {port} open?")),
        "{error}"
    );
}
