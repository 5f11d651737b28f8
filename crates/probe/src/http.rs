//! GET requests over plain TCP or TLS, one a connection, with bounds on time and size. It follows no
//! redirect and keeps no cookie: hosts have neither.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::error::AnswerError;
use crate::{Error, HostAddress};

/// How long a connection may take to come up.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read; box art is the largest there is.
const MAX_ANSWER: usize = 8 << 20;

/// The body of an answer with status 200.
///
/// # Errors
/// Not HTTP, another status, or an answer that is not complete (`complete` tells whether the peer has
/// closed: without a length, that is the end).
pub fn parse_response(bytes: &[u8], closed: bool) -> Result<Option<Vec<u8>>, AnswerError> {
    let Some(head_len) = find(bytes, b"\r\n\r\n") else {
        return if closed {
            Err(AnswerError::Http)
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&bytes[..head_len]).map_err(|_| AnswerError::Http)?;
    let body = &bytes[head_len + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| {
        let rest = line.strip_prefix("HTTP/1.")?;
        rest.split(' ').nth(1)?.parse::<u16>().ok()
    });
    let status = status.ok_or(AnswerError::Http)?;
    let (mut length, mut chunked) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(AnswerError::Http)?;
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse::<usize>();
            length = Some(value.map_err(|_| AnswerError::Http)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let body = if chunked {
        unchunk(body)?
    } else {
        match length {
            Some(length) if length > MAX_ANSWER => return Err(AnswerError::TooLong),
            Some(length) => body.get(..length).map(<[u8]>::to_vec),
            None => closed.then(|| body.to_vec()),
        }
    };
    match body {
        Some(_) if status != 200 => Err(AnswerError::Status(status)),
        None if closed => Err(AnswerError::Http),
        body => Ok(body),
    }
}

/// The chunks joined; nothing while the last one is missing.
fn unchunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, AnswerError> {
    let mut body = Vec::new();
    loop {
        let Some(line_len) = find(bytes, b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(&bytes[..line_len]).map_err(|_| AnswerError::Http)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| AnswerError::Http)?;
        if size > MAX_ANSWER - body.len() {
            return Err(AnswerError::TooLong);
        }
        bytes = &bytes[line_len + 2..];
        if size == 0 {
            return Ok(Some(body));
        }
        let Some(chunk) = bytes.get(..size) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        match bytes.get(size..size + 2) {
            Some(b"\r\n") => bytes = &bytes[size + 2..],
            Some(_) => return Err(AnswerError::Http),
            None => return Ok(None),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Where and how a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    pub(crate) host: &'a HostAddress,
    pub(crate) port: u16,
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
    /// How long the answer may take.
    pub(crate) within: Duration,
}

/// Asks for `path`; `request` names it in errors.
pub(crate) fn get(route: Route<'_>, path: &str, request: &'static str) -> Result<Vec<u8>, Error> {
    let stream = connect(route.host, route.port)?;
    let unreachable = |cause| Error::Unreachable {
        target: route.host.to_string(),
        port: route.port,
        cause,
    };
    let deadline = Instant::now() + route.within;
    let limit = |stream: &TcpStream| -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))
    };
    limit(&stream).map_err(unreachable)?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\nAccept: */*\r\n\r\n",
        route.host.bracketed(),
        route.port
    );
    let answer = match route.tls {
        None => {
            let mut stream = stream;
            exchange(&mut stream, head.as_bytes(), |stream| limit(stream))
        }
        Some(config) => {
            // The name is not checked: the certificate itself is pinned.
            let name = ServerName::try_from("heliostat").map_err(|_| Error::Crypto("TLS name"))?;
            let connection = ClientConnection::new(Arc::clone(config), name)
                .map_err(|_| Error::Crypto("TLS configuration"))?;
            let mut stream = StreamOwned::new(connection, stream);
            exchange(&mut stream, head.as_bytes(), |stream| limit(&stream.sock))
        }
    };
    match answer {
        Ok(answer) => answer.map_err(|cause| Error::Answer { request, cause }),
        Err(cause) => Err(tls_error(&cause).unwrap_or_else(|| unreachable(cause))),
    }
}

/// What a failed handshake means to the person in front of it.
fn tls_error(error: &io::Error) -> Option<Error> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match inner {
        rustls::Error::InvalidCertificate(_) => Some(Error::OtherHost),
        rustls::Error::AlertReceived(_) => Some(Error::NotPaired),
        _ => None,
    }
}

fn exchange<S: Read + Write>(
    stream: &mut S,
    head: &[u8],
    limit: impl Fn(&S) -> io::Result<()>,
) -> io::Result<Result<Vec<u8>, AnswerError>> {
    stream.write_all(head)?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16_384];
    loop {
        limit(stream)?;
        let closed = match stream.read(&mut chunk) {
            Ok(0) => true,
            Ok(length) => {
                answer.extend_from_slice(&chunk[..length]);
                false
            }
            // A peer that closes without the TLS farewell has still closed.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        };
        if answer.len() > MAX_ANSWER {
            return Ok(Err(AnswerError::TooLong));
        }
        match parse_response(&answer, closed) {
            Ok(Some(body)) => return Ok(Ok(body)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// A TCP connection to the host, by whichever of its addresses answers first in order.
pub(crate) fn connect(host: &HostAddress, port: u16) -> Result<TcpStream, Error> {
    let unreachable = |cause| Error::Unreachable {
        target: host.to_string(),
        port,
        cause,
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(host, port).map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// The addresses of a host at a port.
pub(crate) fn resolve(host: &HostAddress, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host.name(), port).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(text: &str, closed: bool) -> Result<Option<String>, String> {
        let answer = parse_response(text.as_bytes(), closed);
        let text = answer.map(|body| body.map(|body| String::from_utf8(body).unwrap()));
        text.map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_ends_by_length_by_chunks_or_by_closing() {
        let ended = Ok(Some("abc".to_owned()));
        assert_eq!(
            body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false),
            ended
        );
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(body(chunks, false), ended);
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nabc", true), ended);
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\nabc", false), Ok(None));
    }

    #[test]
    fn what_is_cut_short_is_awaited_until_the_peer_closes() {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc";
        assert_eq!(body(cut, false), Ok(None));
        assert_eq!(body(cut, true), Err("not HTTP".to_owned()));
        assert_eq!(body("HTTP/1.1 200 OK\r\n", false), Ok(None));
    }

    #[test]
    fn another_status_is_told() {
        let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(body(missing, false), Err("HTTP status 404".to_owned()));
    }

    #[test]
    fn a_length_beyond_reason_is_refused() {
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
        assert_eq!(body(long, false), Err("too long".to_owned()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), closed: bool) {
            let _ = parse_response(&bytes, closed);
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            answer.extend_from_slice(&bytes);
            let _ = parse_response(&answer, closed);
        }
    }
}
