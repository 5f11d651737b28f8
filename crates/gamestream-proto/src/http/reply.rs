//! Answers to everything but `/serverinfo` and `/pair`. Clients read the status from the root
//! element; the HTTP status is 200 for all of them but a path that does not exist.

use super::xml::{Status, Xml};
use std::net::IpAddr;

/// The media type of every answer here.
pub const CONTENT_TYPE: &str = "application/xml";

/// An application in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// Positive, and the same for ever: clients keep pictures and shortcuts by it.
    pub id: i32,
    /// What people call it.
    pub title: &'a str,
    /// Whether it may be streamed with high dynamic range.
    pub hdr: bool,
}

/// The answer to `/applist`.
#[must_use]
pub fn app_list(apps: &[App<'_>]) -> String {
    let mut xml = Xml::new(&Status::OK);
    for app in apps {
        xml.group("App", |xml| {
            xml.element("IsHdrSupported", u8::from(app.hdr))
                .element("AppTitle", app.title)
                .element("ID", app.id);
        });
    }
    xml.finish()
}

/// Where RTSP is: clients encrypt it when the scheme says so (RtspConnection.c,
/// `performRtspHandshake`).
#[must_use]
pub fn session_url(encrypted: bool, address: IpAddr, port: u16) -> String {
    let scheme = if encrypted { "rtspenc" } else { "rtsp" };
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{scheme}://{address}:{port}"),
        IpAddr::V6(address) => format!("{scheme}://[{address}]:{port}"),
    }
}

/// The answer to a `/launch` that succeeded.
#[must_use]
pub fn launched(session_url: &str) -> String {
    let mut xml = Xml::new(&Status::OK);
    xml.element("sessionUrl0", session_url)
        .element("gamesession", 1);
    xml.finish()
}

/// The answer to a `/resume` that succeeded.
#[must_use]
pub fn resumed(session_url: &str) -> String {
    let mut xml = Xml::new(&Status::OK);
    xml.element("sessionUrl0", session_url).element("resume", 1);
    xml.finish()
}

/// The answer to a `/cancel` that succeeded.
#[must_use]
pub fn cancelled() -> String {
    let mut xml = Xml::new(&Status::OK);
    xml.element("cancel", 1);
    xml.finish()
}

/// What was asked for in vain: clients look for a 0 in the element that would hold a 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `/launch`.
    Launch,
    /// `/resume`.
    Resume,
    /// `/cancel`.
    Cancel,
    /// Anything else.
    Other,
}

/// Why; clients show the words to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// 400 for what the client did, 403 for what it may not, 503 for what the host cannot.
    pub code: u16,
    /// For people.
    pub message: &'a str,
}

/// The answer to what is refused.
#[must_use]
pub fn refused(what: Refused, failure: Failure<'_>) -> String {
    let mut xml = Xml::new(&Status {
        code: failure.code,
        message: Some(failure.message),
    });
    match what {
        Refused::Launch => {
            xml.element("gamesession", 0);
        }
        Refused::Resume => {
            xml.element("resume", 0);
        }
        Refused::Cancel => {
            xml.element("cancel", 0);
        }
        Refused::Other => {}
    }
    xml.finish()
}

/// The answer over HTTPS to a client that is not paired: it falls back to HTTP.
#[must_use]
pub fn unauthorized() -> String {
    refused(
        Refused::Other,
        Failure {
            code: 401,
            message: "The client is not authorized. Certificate verification failed.",
        },
    )
}

/// The answer to a path that does not exist; its HTTP status is 404 too.
#[must_use]
pub fn not_found() -> String {
    refused(
        Refused::Other,
        Failure {
            code: 404,
            message: "There is no such path",
        },
    )
}
