//! One RTSP message: reads a request within bounds and writes a response as the client's parser takes
//! it (RtspParser.c, `parseRtspMessage`): at least one header, and none of them empty.

use crate::Error;
use std::fmt::Write as _;

/// The longest head of a request.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The longest body of a request.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The most headers that are looked at.
const MAX_HEADERS: usize = 32;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Names and values, as they came.
type Headers<'a> = Vec<(&'a str, &'a str)>;
/// Head and body.
type Parts<'a> = (&'a [u8], &'a [u8]);

pub(super) fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "RTSP request",
        why,
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Is anybody there?
    Options,
    /// What can the host do?
    Describe,
    /// Where is a stream?
    Setup,
    /// What shall the stream be?
    Announce,
    /// Begin.
    Play,
    /// Nothing a client asks for.
    Other,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for.
    pub method: Method,
    /// Of what.
    pub target: &'a str,
    /// Which request it is, to be repeated in the answer.
    pub sequence: u32,
    headers: Headers<'a>,
    /// What follows the head.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The length of the request that `received` begins with; nothing while more has to come.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::Malformed`] for what no client sends, as early as it shows.
    pub fn length(received: &[u8]) -> Result<Option<usize>, Error> {
        let Some((head, _)) = split_head(received)? else {
            return Ok(None);
        };
        let (_, headers) = read_head(head)?;
        let body_bytes = content_length(&headers)?.unwrap_or(0);
        let total = head.len() + END_OF_HEAD.len() + body_bytes;
        Ok((received.len() >= total).then_some(total))
    }

    /// Reads a whole request; bytes after it are refused.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::Malformed`] for what no client sends.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let split = split_head(bytes)?;
        let (head, body) = split.ok_or_else(|| malformed("its head does not end"))?;
        let (first, headers) = read_head(head)?;
        if body.len() > MAX_BODY_BYTES {
            return Err(body_too_long());
        }
        if content_length(&headers)?.unwrap_or(0) != body.len() {
            return Err(malformed("its body has not the length it says"));
        }
        let mut words = first.split(' ');
        let words = (words.next(), words.next(), words.next(), words.next());
        let (Some(method), Some(target), Some("RTSP/1.0"), None) = words else {
            return Err(malformed("its first line is no request"));
        };
        let sequence = find(&headers, "CSeq").and_then(|text| text.parse().ok());
        Ok(Self {
            method: match method {
                "OPTIONS" => Method::Options,
                "DESCRIBE" => Method::Describe,
                "SETUP" => Method::Setup,
                "ANNOUNCE" => Method::Announce,
                "PLAY" => Method::Play,
                _ => Method::Other,
            },
            target,
            sequence: sequence.ok_or_else(|| malformed("it has no CSeq"))?,
            headers,
            body,
        })
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    let header = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
    header.map(|(_, value)| *value)
}

fn body_too_long() -> Error {
    Error::TooLong {
        what: "body of an RTSP request",
        limit_bytes: MAX_BODY_BYTES,
    }
}

/// Head and body; nothing while the head has not ended.
fn split_head(bytes: &[u8]) -> Result<Option<Parts<'_>>, Error> {
    let within = &bytes[..bytes.len().min(MAX_HEAD_BYTES + END_OF_HEAD.len())];
    let mut places = within.windows(END_OF_HEAD.len());
    match places.position(|window| window == END_OF_HEAD) {
        Some(end) => Ok(Some((&bytes[..end], &bytes[end + END_OF_HEAD.len()..]))),
        None if within.len() == MAX_HEAD_BYTES + END_OF_HEAD.len() => Err(Error::TooLong {
            what: "head of an RTSP request",
            limit_bytes: MAX_HEAD_BYTES,
        }),
        None => Ok(None),
    }
}

/// First line and headers.
fn read_head(head: &[u8]) -> Result<(&str, Headers<'_>), Error> {
    let text = std::str::from_utf8(head).map_err(|_| malformed("its head is not text"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut headers = Vec::new();
    for line in lines {
        if headers.len() == MAX_HEADERS {
            return Err(malformed("it has more headers than any client sends"));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a header has no colon"))?;
        headers.push((name.trim(), value.trim()));
    }
    Ok((first, headers))
}

fn content_length(headers: &[(&str, &str)]) -> Result<Option<usize>, Error> {
    let Some(text) = find(headers, "Content-length") else {
        return Ok(None);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse::<usize>().ok().filter(|_| digits);
    let length = length.ok_or_else(|| malformed("its length is no number"))?;
    if length > MAX_BODY_BYTES {
        return Err(body_too_long());
    }
    Ok(Some(length))
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Ok,
    /// It cannot be read, or asks for what cannot be.
    BadRequest,
    /// It is not allowed: encryption is a condition here.
    Forbidden,
    /// It asks for what is not there.
    NotFound,
    /// Its session is another one.
    SessionNotFound,
    /// It does not come next.
    WrongState,
    /// The host cannot.
    HostFailed,
    /// The method is none of those that clients use.
    NotImplemented,
    /// The host could another time.
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::SessionNotFound => "454 Session Not Found",
            Self::WrongState => "455 Method Not Valid in This State",
            Self::HostFailed => "500 Internal Server Error",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// A response, as it goes out.
pub(super) struct Response {
    text: String,
}

impl Response {
    pub(super) fn new(status: Status, sequence: u32) -> Self {
        let line = status.line();
        Self {
            text: format!("RTSP/1.0 {line}\r\nCSeq: {sequence}\r\n"),
        }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.text.push_str(name);
        self.text.push_str(": ");
        self.text.push_str(value);
        self.text.push_str("\r\n");
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.with_body("")
    }

    pub(super) fn sdp(self, body: &str) -> Vec<u8> {
        let mut length = String::new();
        let _ = write!(length, "{}", body.len());
        self.header("Content-type", "application/sdp")
            .header("Content-length", &length)
            .with_body(body)
    }

    fn with_body(mut self, body: &str) -> Vec<u8> {
        self.text.push_str("\r\n");
        self.text.push_str(body);
        self.text.into_bytes()
    }
}
