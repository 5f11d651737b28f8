//! The answers to `/pair`, as values and as the XML that clients read.

use crate::hex;
use crate::http::xml::{Status, Xml};

/// The answer to a step of pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairReply {
    /// To the first: the host's certificate, as PEM.
    Certificate(String),
    /// To the second: a hash and the host's challenge, encrypted.
    Challenge([u8; 48]),
    /// To the third: the host's secret and its signature.
    Secret(Vec<u8>),
    /// To the fourth and the fifth: paired.
    Paired,
    /// To the fourth: the client did not know the PIN, or not its own key.
    NotPaired,
    /// The pairing has ended; clients begin again with the first step.
    Failed {
        /// For people.
        message: &'static str,
    },
}

impl PairReply {
    /// The answer as clients read it (`gs_pair` in libgamestream's client.c).
    #[must_use]
    pub fn to_xml(&self) -> String {
        let status = match self {
            Self::Failed { message } => Status {
                code: 400,
                message: Some(message),
            },
            _ => Status::OK,
        };
        let mut xml = Xml::new(&status);
        match self {
            Self::NotPaired | Self::Failed { .. } => xml.element("paired", 0),
            _ => xml.element("paired", 1),
        };
        match self {
            Self::Certificate(pem) => {
                xml.element("plaincert", hex::encode(pem.as_bytes()));
            }
            Self::Challenge(bytes) => {
                xml.element("challengeresponse", hex::encode(bytes));
            }
            Self::Secret(bytes) => {
                xml.element("pairingsecret", hex::encode(bytes));
            }
            Self::Paired | Self::NotPaired | Self::Failed { .. } => {}
        }
        xml.finish()
    }
}
