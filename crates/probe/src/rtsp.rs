//! RTSP as hosts speak it: one request a connection, sealed with the session's key, answered until the
//! host closes (RtspConnection.c). It knows how to ask; what to ask is in `negotiate`.

use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::crypto::{Direction, GcmKey, KEY_LEN, Sealed, TAG_LEN, channel_nonce};
use crate::error::AnswerError;
use crate::http;
use crate::{Error, HostAddress};

/// The version of RTSP extensions that generation 7 expects (RtspConnection.c, `rtspClientVersion`).
pub(crate) const CLIENT_VERSION: u32 = 14;
/// Largest answer a client reads (RtspConnection.c).
const MAX_ANSWER: usize = 1 << 20;
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long a host may take to listen after it answered a launch, and how often that is tried.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Set in the first word of sealed messages.
const SEALED_BIT: u32 = 0x8000_0000;
/// Length and type, counter, tag.
const SEAL_HEADER: usize = 8 + TAG_LEN;
/// The letter of RTSP in nonces.
const CHANNEL: u8 = b'R';

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtspParseError {
    /// The host closed without a word: it expects no session, or not from here.
    #[error("the host closed the RTSP connection without an answer")]
    Empty,
    /// No status line.
    #[error("not an RTSP answer")]
    Status,
    /// A header line without a colon, or no end of the headers.
    #[error("a malformed RTSP header")]
    Header,
    /// Plain where sealed is a must, or a length that does not fit.
    #[error("a malformed sealed RTSP message")]
    Seal,
    /// Sealed with another key.
    #[error("an RTSP message that does not decrypt")]
    NotAuthentic,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspAnswer {
    /// 200 is good.
    pub status: u16,
    /// Header lines, in order.
    pub headers: Vec<(String, String)>,
    /// What follows them.
    pub body: Vec<u8>,
}

impl RtspAnswer {
    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(same)
            .map(|(_, value)| value.as_str())
    }

    /// The port in `Transport: server_port=N`.
    #[must_use]
    pub fn server_port(&self) -> Option<u16> {
        let transport = self.header("Transport")?;
        let (_, port) = transport.split_once("server_port=")?;
        let digits = port
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(port.len());
        port[..digits].parse().ok().filter(|&port| port != 0)
    }

    /// The session, without its timeout.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        let session = self.header("Session")?.split(';').next()?.trim();
        (!session.is_empty()).then_some(session)
    }
}

/// Reads a plain answer.
///
/// # Errors
/// [`RtspParseError`].
pub fn parse_answer(bytes: &[u8]) -> Result<RtspAnswer, RtspParseError> {
    if bytes.is_empty() {
        return Err(RtspParseError::Empty);
    }
    let head_len = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let head_len = head_len.ok_or(RtspParseError::Header)?;
    let head = std::str::from_utf8(&bytes[..head_len]).map_err(|_| RtspParseError::Header)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| {
        let mut words = line.split(' ');
        words.next().filter(|word| word.starts_with("RTSP/1."))?;
        words.next()?.parse().ok()
    });
    let status = status.ok_or(RtspParseError::Status)?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(RtspParseError::Header)?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(RtspAnswer {
        status,
        headers,
        body: bytes[head_len + 4..].to_vec(),
    })
}

/// Seals message number `sequence`.
///
/// # Errors
/// [`Error::Crypto`].
pub fn seal(
    key: &GcmKey,
    sequence: u32,
    direction: Direction,
    text: &[u8],
) -> Result<Vec<u8>, Error> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(SEAL_HEADER + text.len());
    message.extend((SEALED_BIT | length).to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend([0; TAG_LEN]);
    message.extend(text);
    let (header, text) = message.split_at_mut(SEAL_HEADER);
    let tag = key.seal(channel_nonce(sequence, direction, CHANNEL), text)?;
    header[8..].copy_from_slice(&tag);
    Ok(message)
}

/// Opens a sealed message from the other side.
///
/// # Errors
/// [`RtspParseError::Seal`] or [`RtspParseError::NotAuthentic`].
pub fn unseal(
    key: &GcmKey,
    direction: Direction,
    message: &[u8],
) -> Result<Vec<u8>, RtspParseError> {
    if message.is_empty() {
        return Err(RtspParseError::Empty);
    }
    let (header, ciphertext) = message
        .split_at_checked(SEAL_HEADER)
        .ok_or(RtspParseError::Seal)?;
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (length, sequence) = (word(0), word(4));
    if length & SEALED_BIT == 0 || (length & !SEALED_BIT) as usize != ciphertext.len() {
        return Err(RtspParseError::Seal);
    }
    let mut text = vec![0; ciphertext.len()];
    let sealed = Sealed {
        nonce: channel_nonce(sequence, direction, CHANNEL),
        tag: &header[8..],
        ciphertext,
    };
    key.open(&sealed, &mut text)
        .map_err(|_| RtspParseError::NotAuthentic)?;
    Ok(text)
}

/// A conversation with the RTSP port of a host.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    host: &'a HostAddress,
    port: u16,
    key: Option<GcmKey>,
    sealed: u32,
    sequence: u32,
    /// What the `Host` header says: `0.0.0.0` asks for the lower quality of sound.
    address: String,
    pub(crate) target: String,
}

impl<'a> Conversation<'a> {
    /// With the host that gave `url`.
    pub(crate) fn new(
        host: &'a HostAddress,
        url: &str,
        key: &[u8; KEY_LEN],
        high_quality_audio: bool,
    ) -> Result<Self, Error> {
        let unusable = || Error::Answer {
            request: "launch",
            cause: AnswerError::Value("sessionUrl0"),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(unusable)?;
        let rest = rest.trim_end_matches('/');
        let (address, port) = rest.rsplit_once(':').ok_or_else(unusable)?;
        let port: u16 = port.parse().map_err(|_| unusable())?;
        let key = match scheme {
            "rtspenc" => Some(GcmKey::new(key)?),
            "rtsp" => None,
            _ => return Err(unusable()),
        };
        let (address, target) = if high_quality_audio {
            (address.to_owned(), url.to_owned())
        } else {
            ("0.0.0.0".to_owned(), format!("rtsp://0.0.0.0:{port}"))
        };
        Ok(Self {
            host,
            port,
            key,
            sealed: 0,
            sequence: 1,
            address,
            target,
        })
    }

    /// Asks, and insists on status 200.
    pub(crate) fn ask(
        &mut self,
        method: &'static str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<RtspAnswer, Error> {
        let mut text = format!(
            "{method} {target} RTSP/1.0\r\nCSeq: {}\r\nX-GS-ClientVersion: {CLIENT_VERSION}\r\nHost: {}\r\n",
            self.sequence, self.address
        );
        self.sequence += 1;
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        let message = match &self.key {
            None => text.into_bytes(),
            Some(key) => {
                self.sealed += 1;
                seal(key, self.sealed, Direction::FromClient, text.as_bytes())?
            }
        };
        let bytes = self.exchange(&message)?;
        let parsed = match &self.key {
            None => parse_answer(&bytes),
            Some(key) => {
                unseal(key, Direction::FromHost, &bytes).and_then(|text| parse_answer(&text))
            }
        };
        let answer = parsed.map_err(|error| Error::Answer {
            request: method,
            cause: error.into(),
        })?;
        match answer.status {
            200 => Ok(answer),
            status => Err(Error::Negotiation { method, status }),
        }
    }

    fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let unreachable = |cause| Error::Unreachable {
            target: self.host.to_string(),
            port: self.port,
            cause,
        };
        let mut stream = self.connect()?;
        stream
            .set_read_timeout(Some(ANSWER_WITHIN))
            .map_err(unreachable)?;
        stream.write_all(message).map_err(unreachable)?;
        let mut answer = Vec::new();
        let read = stream.take(MAX_ANSWER as u64 + 1).read_to_end(&mut answer);
        match read {
            Ok(length) if length > MAX_ANSWER => Err(Error::Answer {
                request: "RTSP",
                cause: AnswerError::TooLong,
            }),
            Ok(_) => Ok(answer),
            // A host that resets after its answer has still answered.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(answer),
            Err(error) => Err(unreachable(error)),
        }
    }

    fn connect(&self) -> Result<std::net::TcpStream, Error> {
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            match http::connect(self.host, self.port) {
                Err(Error::Unreachable { cause, .. })
                    if cause.kind() == io::ErrorKind::ConnectionRefused
                        && Instant::now() < deadline =>
                {
                    thread::sleep(RETRY_AFTER);
                }
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_with_the_dialect_of_hosts_is_read() {
        let text = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: DEAD;timeout = 90\r\n\
            Transport: unicast;server_port=48000-48001;source=1.2.3.4\r\n\r\nbody";
        let answer = parse_answer(text).unwrap();
        assert_eq!((answer.status, answer.session()), (200, Some("DEAD")));
        assert_eq!(answer.server_port(), Some(48000));
        assert_eq!(answer.body, b"body");
    }

    #[test]
    fn a_sealed_message_opens_in_its_own_direction_alone() {
        let key = GcmKey::new(&[3; 16]).unwrap();
        let message = seal(&key, 1, Direction::FromHost, b"RTSP").unwrap();
        assert_eq!(
            unseal(&key, Direction::FromHost, &message).unwrap(),
            b"RTSP"
        );
        let wrong = unseal(&key, Direction::FromClient, &message);
        assert_eq!(wrong, Err(RtspParseError::NotAuthentic));
        assert_eq!(
            unseal(&key, Direction::FromHost, &message[..10]),
            Err(RtspParseError::Seal)
        );
        let plain = unseal(
            &key,
            Direction::FromHost,
            b"RTSP/1.0 200 OK\r\n\r\n-----------",
        );
        assert_eq!(plain, Err(RtspParseError::Seal));
    }

    #[test]
    fn the_lower_quality_of_sound_is_asked_for_by_address() {
        let host: HostAddress = "box".parse().unwrap();
        let url = "rtspenc://[::1]:48010";
        let low = Conversation::new(&host, url, &[0; 16], false).unwrap();
        assert_eq!((low.address.as_str(), low.port), ("0.0.0.0", 48010));
        let high = Conversation::new(&host, url, &[0; 16], true).unwrap();
        assert_eq!(
            (high.address.as_str(), high.target.as_str()),
            ("[::1]", url)
        );
        assert!(Conversation::new(&host, "http://a:1", &[0; 16], true).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(answer) = parse_answer(&bytes) {
                let _ = (answer.server_port(), answer.session());
            }
            let key = GcmKey::new(&[3; 16]).unwrap();
            let _ = unseal(&key, Direction::FromHost, &bytes);
        }
    }
}
