//! The lines between a parent program and `heliostat stdio`: one JSON object each. Reading never
//! fails but with words that the parent can show.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest line taken from the parent, line end aside.
pub const MAX_LINE_BYTES: usize = 256 * 1024;
/// Longest name of a session.
pub const MAX_SESSION_BYTES: usize = 64;

/// What the parent asks for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Starts a session under a name of the parent's choice.
    Offer {
        /// Its name in everything that follows.
        session: String,
        /// The browser's offer.
        sdp: String,
        /// What the person behind it may do.
        #[serde(default)]
        role: SessionRole,
        /// How others see that person; the session's name when absent.
        #[serde(default)]
        name: Option<String>,
    },
    /// A candidate of the browser's, as in `RTCIceCandidate.candidate`; empty at their end.
    Candidate {
        /// Which session.
        session: String,
        /// The line.
        candidate: String,
    },
    /// Ends a session.
    Close {
        /// Which one.
        session: String,
    },
    /// A JSON-RPC request or notification of the parent's own, with every right.
    Rpc {
        /// The message.
        message: Value,
    },
}

/// What a session's person may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    /// Watch.
    Viewer,
    /// Watch and control.
    #[default]
    Controller,
    /// Everything.
    Admin,
}

/// What the parent is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply<'a> {
    /// The first line: offers may come.
    Ready {
        /// Heliostat's version.
        version: &'a str,
        /// Which source, and why.
        source: &'a str,
        /// Which encoder, and why.
        encoder: &'a str,
    },
    /// Answers an offer. Every candidate is in it, so none follow.
    Answer {
        /// Which session.
        session: &'a str,
        /// The answer.
        sdp: &'a str,
    },
    /// A session is over.
    Ended {
        /// Which one.
        session: &'a str,
        /// Why.
        reason: control_api::EndReason,
    },
    /// The source gives no picture; sessions go on, with a slate.
    SignalLost {
        /// `no_signal`, `no_device`, `unsupported_mode` or `source_restarting`.
        reason: &'a str,
        /// The same for people.
        why: &'a str,
    },
    /// Pictures come again.
    SignalRestored,
    /// One second of one session.
    Stats {
        /// Which session.
        session: &'a str,
        /// The figures, as in the notification `statsSecond`.
        second: Value,
    },
    /// An answer to, or a notification for, the parent's own JSON-RPC.
    Rpc {
        /// The message.
        message: Value,
    },
    /// A line that was not understood, or something that failed. Nothing else happened.
    Error {
        /// The session it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<&'a str>,
        /// What is wrong, for people.
        message: &'a str,
    },
}

/// Why a line is no request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Too long.
    #[error("the line is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// No request.
    #[error("the line is no request: {0}")]
    Malformed(String),
    /// A name that cannot be used.
    #[error("session must be 1 to {MAX_SESSION_BYTES} bytes, not {0}")]
    SessionName(usize),
}

/// Reads one line.
///
/// # Errors
/// [`LineError`]; nothing else happens then.
pub fn read(line: &[u8]) -> Result<Request, LineError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong);
    }
    let request: Request =
        serde_json::from_slice(line).map_err(|error| LineError::Malformed(error.to_string()))?;
    match request.session().map(str::len) {
        Some(length) if !(1..=MAX_SESSION_BYTES).contains(&length) => {
            Err(LineError::SessionName(length))
        }
        _ => Ok(request),
    }
}

impl Request {
    fn session(&self) -> Option<&str> {
        match self {
            Self::Offer { session, .. }
            | Self::Candidate { session, .. }
            | Self::Close { session } => Some(session),
            Self::Rpc { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_offer_is_read_with_its_defaults() {
        let request = read(br#"{"type":"offer","session":"a","sdp":"v=0"}"#);
        let expected = Request::Offer {
            session: "a".to_owned(),
            sdp: "v=0".to_owned(),
            role: SessionRole::Controller,
            name: None,
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (line, part) in [
            ("", "no request"),
            ("[]", "no request"),
            (r#"{"type":"dance"}"#, "dance"),
            (r#"{"type":"offer","sdp":"v=0"}"#, "session"),
            (r#"{"type":"close","session":"a","sdp":""}"#, "sdp"),
            (
                r#"{"type":"offer","session":"a","sdp":"","role":"king"}"#,
                "king",
            ),
            (r#"{"type":"close","session":""}"#, "1 to 64"),
        ] {
            let error = read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
        let long = vec![b' '; MAX_LINE_BYTES + 1];
        assert_eq!(read(&long), Err(LineError::TooLong));
    }

    #[test]
    fn replies_say_their_type() {
        let reply = serde_json::to_value(Reply::SignalRestored).unwrap();
        assert_eq!(reply, json!({ "type": "signal_restored" }));
        let reply = Reply::Error {
            session: None,
            message: "no",
        };
        let reply = serde_json::to_value(reply).unwrap();
        assert_eq!(reply, json!({ "type": "error", "message": "no" }));
    }
}
