//! What a client may ask for over HTTP and HTTPS, typed. Nothing here answers.

use super::launch::{LaunchRequest, ResumeRequest, app_id};
use super::query::Query;
use crate::{Error, hex};
use std::fmt;

/// The longest certificate that is looked at, as PEM.
const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;
/// The longest name of a device that is kept, in characters.
const MAX_NAME_CHARS: usize = 64;
/// Signatures of RSA keys of 2048 to 4096 bits.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// A request, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who are you? Over HTTP too.
    ServerInfo,
    /// A step of pairing. Over HTTP, and the last one over HTTPS.
    Pair(PairRequest),
    /// Which applications are there?
    AppList,
    /// The picture of an application.
    AppAsset(AppAsset),
    /// Start an application.
    Launch(LaunchRequest),
    /// Join the application that runs.
    Resume(ResumeRequest),
    /// End the application that runs.
    Cancel,
    /// Forget this client. Clients send it after a failed pairing and take any answer.
    Unpair,
}

impl Request {
    /// Reads the target of a GET request.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`] for other paths; for fields, [`Error::Missing`], [`Error::OutOfRange`]
    /// or [`Error::Mode`]; [`Error::TooLong`] and [`Error::Malformed`] for what no client sends.
    pub fn parse(target: &str) -> Result<Self, Error> {
        let (path, query) = Query::split(target)?;
        match path {
            "/serverinfo" => Ok(Self::ServerInfo),
            "/pair" => PairRequest::parse(&query).map(Self::Pair),
            "/applist" => Ok(Self::AppList),
            "/appasset" => {
                let app_id = app_id(&query)?;
                let app_id = app_id.ok_or(Error::Missing { field: "appid" })?;
                Ok(Self::AppAsset(AppAsset { app_id }))
            }
            "/launch" => LaunchRequest::parse(&query).map(Self::Launch),
            "/resume" => ResumeRequest::parse(&query).map(Self::Resume),
            "/cancel" => Ok(Self::Cancel),
            "/unpair" => Ok(Self::Unpair),
            _ => Err(Error::NoSuchPath),
        }
    }

    /// Whether it is answered to clients without a certificate, over plain HTTP.
    #[must_use]
    pub const fn is_for_anybody(&self) -> bool {
        match self {
            Self::ServerInfo => true,
            Self::Pair(step) => !matches!(step, PairRequest::Confirm),
            _ => false,
        }
    }
}

/// `/appasset`: clients always ask for the box art (`AssetType=2`), 600x800.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppAsset {
    /// Whose picture.
    pub app_id: i32,
}

/// A step of pairing, in the order they come (`gs_pair` in libgamestream's client.c).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairRequest {
    /// First: the client's certificate. Answered when somebody has typed the PIN.
    Certificate(CertificateRequest),
    /// Second: a challenge of the client's, encrypted.
    Challenge([u8; 16]),
    /// Third: the client's answer to the host's challenge, encrypted.
    Response([u8; 32]),
    /// Fourth: what the client's answer was made from, signed.
    Secret(ClientSecret),
    /// Fifth, over HTTPS: does the client's certificate work?
    Confirm,
}

/// The first step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// What the PIN is hashed with.
    pub salt: [u8; 16],
    /// The client's certificate, as PEM.
    pub certificate_pem: Vec<u8>,
    /// What the client calls itself, without control characters; most clients send one constant.
    pub device_name: String,
}

/// The fourth step.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// The client's secret.
    pub secret: [u8; 16],
    /// Its signature with the client's key.
    pub signature: Vec<u8>,
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl PairRequest {
    fn parse(query: &Query<'_>) -> Result<Self, Error> {
        match query.get("phrase") {
            Some("getservercert") => CertificateRequest::parse(query).map(Self::Certificate),
            Some("pairchallenge") => Ok(Self::Confirm),
            Some(_) => Err(Error::OutOfRange {
                field: "phrase",
                range: "getservercert or pairchallenge",
            }),
            None => Self::later(query),
        }
    }

    fn later(query: &Query<'_>) -> Result<Self, Error> {
        if let Some(text) = query.get("clientchallenge") {
            let bytes = hex::decode_array(text).ok_or(Error::OutOfRange {
                field: "clientchallenge",
                range: "32 hexadecimal digits",
            })?;
            Ok(Self::Challenge(bytes))
        } else if let Some(text) = query.get("serverchallengeresp") {
            let bytes = hex::decode_array(text).ok_or(Error::OutOfRange {
                field: "serverchallengeresp",
                range: "64 hexadecimal digits",
            })?;
            Ok(Self::Response(bytes))
        } else {
            ClientSecret::parse(query.require("clientpairingsecret")?).map(Self::Secret)
        }
    }
}

impl ClientSecret {
    fn parse(text: &str) -> Result<Self, Error> {
        let out_of_range = Error::OutOfRange {
            field: "clientpairingsecret",
            range: "the hexadecimal digits of 16 bytes and a signature of 256 to 512",
        };
        let bytes = hex::decode(text);
        let split = bytes.as_deref().and_then(<[u8]>::split_first_chunk);
        match split {
            Some((secret, signature)) if SIGNATURE_BYTES.contains(&signature.len()) => Ok(Self {
                secret: *secret,
                signature: signature.to_vec(),
            }),
            _ => Err(out_of_range),
        }
    }
}

impl CertificateRequest {
    fn parse(query: &Query<'_>) -> Result<Self, Error> {
        let salt = hex::decode_array(query.require("salt")?).ok_or(Error::OutOfRange {
            field: "salt",
            range: "32 hexadecimal digits",
        })?;
        let pem = hex::decode(query.require("clientcert")?);
        let pem = pem.filter(|pem| pem.len() <= MAX_CERTIFICATE_BYTES);
        let certificate_pem = pem.ok_or(Error::OutOfRange {
            field: "clientcert",
            range: "the hexadecimal digits of a certificate of at most 8 KiB",
        })?;
        let name = query.get("devicename").unwrap_or_default();
        let printable = name.chars().filter(|char| !char.is_control());
        Ok(Self {
            salt,
            certificate_pem,
            device_name: printable.take(MAX_NAME_CHARS).collect(),
        })
    }
}
