//! Signalling: what a client says on its WebSocket before there is a connection, and the two
//! messages it is sent. Some clients end the session at any other, so there is none for errors.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Asks whether somebody listens; to be answered with [`PONG`].
pub const PING: &str = "ping";
/// The answer to [`PING`].
pub const PONG: &str = "pong";

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient {
    /// It is there.
    Ping,
    /// It wants a session.
    Offer {
        /// The SDP.
        sdp: String,
    },
    /// It can be reached there. Empty at the end of the list.
    Candidate {
        /// The candidate line, without `a=`.
        candidate: String,
    },
    /// A type that this host does not know, to be ignored.
    Unknown,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize, Serialize)]
struct SessionDescription {
    #[serde(rename = "type")]
    kind: String,
    sdp: String,
}

#[derive(Deserialize)]
struct Candidate {
    candidate: String,
}

impl FromClient {
    /// Reads one text message.
    ///
    /// # Errors
    /// It is no JSON, or lacks what its type needs.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == PING {
            return Ok(Self::Ping);
        }
        let Envelope { kind, data } = serde_json::from_str(text)?;
        Ok(match kind.as_str() {
            "offer" => {
                let description: crate::http::Description = serde_json::from_value(data)?;
                let sdp = read_offer(&description.sd)?;
                Self::Offer { sdp }
            }
            "new-ice-candidate" => {
                let Candidate { candidate } = serde_json::from_value(data)?;
                Self::Candidate { candidate }
            }
            _ => Self::Unknown,
        })
    }
}

/// Reads a wrapped offer: base64 of `{"type":"offer","sdp":"…"}`.
///
/// # Errors
/// It is not that.
pub fn read_offer(sd: &str) -> Result<String, Error> {
    let description: SessionDescription = serde_json::from_slice(&STANDARD.decode(sd)?)?;
    if description.kind != "offer" {
        return Err(Error::NotAnOffer);
    }
    Ok(description.sdp)
}

/// Wraps an answer the same way.
#[must_use]
pub fn wrap_answer(sdp: &str) -> String {
    let description = serde_json::json!({ "type": "answer", "sdp": sdp });
    STANDARD.encode(description.to_string())
}

/// The first message of the server. Clients fall back to older ways without a version.
#[must_use]
pub fn device_metadata(version: &str) -> String {
    serde_json::json!({ "type": "device-metadata", "data": { "deviceVersion": version } })
        .to_string()
}

/// The answer, which other than the offer is a bare string. It holds every candidate of this host, so
/// none follows.
#[must_use]
pub fn answer(sdp: &str) -> String {
    serde_json::json!({ "type": "answer", "data": wrap_answer(sdp) }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrap(kind: &str, sdp: &str) -> String {
        STANDARD.encode(serde_json::json!({ "type": kind, "sdp": sdp }).to_string())
    }

    fn offer(sd: &str) -> String {
        serde_json::json!({ "type": "offer", "data": { "sd": sd, "iceServers": [] } }).to_string()
    }

    #[test]
    fn messages_of_real_clients_are_read() {
        assert_eq!(FromClient::parse("ping").unwrap(), FromClient::Ping);
        let candidate = r#"{"type":"new-ice-candidate","data":{"candidate":"candidate:1 1 udp 1 192.0.2.1 1 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}"#;
        let expected = FromClient::Candidate {
            candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host".to_owned(),
        };
        assert_eq!(FromClient::parse(candidate).unwrap(), expected);
        let unknown = r#"{"type":"weather","data":17}"#;
        assert_eq!(FromClient::parse(unknown).unwrap(), FromClient::Unknown);
    }

    #[test]
    fn what_is_no_offer_is_refused() {
        let answer = offer(&wrap("answer", "v=0"));
        assert!(matches!(FromClient::parse(&answer), Err(Error::NotAnOffer)));
        let not_base64 = offer("%%%");
        assert!(matches!(
            FromClient::parse(&not_base64),
            Err(Error::Base64(_))
        ));
        for bad in [
            "",
            "pong",
            "{}",
            r#"{"type":"offer"}"#,
            r#"{"type":"offer","data":{"sd":""}}"#,
        ] {
            assert!(FromClient::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_answer_is_a_bare_string_and_the_metadata_has_a_version() {
        let answer: Value = serde_json::from_str(&answer("v=0\r\n")).unwrap();
        let sd = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        let description: Value = serde_json::from_slice(&sd).unwrap();
        assert_eq!(description["type"], "answer");
        assert_eq!(description["sdp"], "v=0\r\n");
        assert_eq!(
            device_metadata("0.5.0"),
            r#"{"data":{"deviceVersion":"0.5.0"},"type":"device-metadata"}"#
        );
    }

    proptest! {
        #[test]
        fn any_offer_survives_the_wrapping(sdp in "\\PC{0,200}") {
            let read = FromClient::parse(&offer(&wrap("offer", &sdp))).unwrap();
            prop_assert_eq!(read, FromClient::Offer { sdp });
        }

        #[test]
        fn any_text_is_taken_calmly(text in "\\PC{0,80}") {
            let _ = FromClient::parse(&text);
        }
    }
}
