//! What travels over the JSON-RPC socket, as types. What is not known is absent.

use serde::{Deserialize, Serialize};
use stats::{FrameRecord, ViewerSecond};

/// What the host is and what it streams: `host.state`, and the answer to `host.info`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostState {
    /// Heliostat's version.
    pub version: String,
    /// The source that is captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceInfo>,
    /// The encoder in use, once one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderInfo>,
    /// What the stream is coded in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Width of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Highest frame rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Present target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_bps: Option<u32>,
    /// Sessions that watch.
    pub viewers: u32,
}

/// The source that is captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceInfo {
    /// Its name, as the command line has it.
    pub name: String,
    /// What it shows, for people.
    pub detail: String,
}

/// The encoder in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EncoderInfo {
    /// Its name, as the command line has it.
    pub name: String,
    /// Why this one, for people.
    pub reason: String,
}

/// The state of the source: `videoInputState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VideoInputState {
    /// A picture can be had.
    pub ready: bool,
    /// It is being captured.
    pub streaming: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<SourceProblem>,
    /// Width of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frame rate of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
}

/// Why the source gives no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceProblem {
    /// Nothing is connected, or it is gone.
    NoSignal,
    /// A signal that cannot be decoded.
    NoLock,
    /// A mode that is not supported.
    OutOfRange,
}

/// Parameters of methods that take none. Accepts any object or nothing.
#[derive(Debug, Deserialize)]
pub(crate) struct NoParams {}

/// `session.offer`.
#[derive(Debug, Deserialize)]
pub(crate) struct OfferParams {
    pub(crate) sdp: String,
}

/// Answer to `session.offer`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferResult {
    pub(crate) session_id: String,
    pub(crate) sdp: String,
}

/// `session.candidate`. The other fields a browser sends are not needed: there is one transport.
#[derive(Debug, Deserialize)]
pub(crate) struct CandidateParams {
    pub(crate) candidate: String,
}

/// Answer to `ping`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PingResult {
    pub(crate) host_time_us: u64,
}

/// `stats.subscribe`.
#[derive(Debug, Deserialize)]
pub(crate) struct SubscribeParams {
    #[serde(default)]
    pub(crate) frames: bool,
}

/// `session.ended`.
#[derive(Debug, Serialize)]
pub(crate) struct SessionEnded {
    pub(crate) reason: crate::EndReason,
}

/// `stats.frames`.
#[derive(Debug, Serialize)]
pub(crate) struct StatsFrames {
    pub(crate) frames: Vec<FrameRecord>,
}

/// `stats.second`.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatsSecond {
    pub(crate) fps: u32,
    pub(crate) unique_fps: u32,
    pub(crate) keyframes: u32,
    pub(crate) invalidations: u32,
    pub(crate) bitrate_bps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_bps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss_pct: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nacks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plis: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encode_p50_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encode_p95_us: Option<u32>,
}

impl From<&ViewerSecond> for StatsSecond {
    fn from(second: &ViewerSecond) -> Self {
        let link = second.link;
        let encode = second.stages.encode;
        Self {
            fps: second.sent,
            unique_fps: second.unique,
            keyframes: second.keyframes,
            invalidations: second.repairs.invalidations,
            // Before the connection was sampled twice, the pictures alone are what is known.
            bitrate_bps: link.sent_bps.unwrap_or(second.bytes * 8),
            target_bps: link.target_bps,
            loss_pct: link.loss_ppm.map(|ppm| f64::from(ppm) / 10_000.0),
            rtt_ms: link.rtt_us.map(|us| f64::from(us) / 1000.0),
            nacks: link.nacks,
            plis: link.plis,
            encode_p50_us: encode.map(|encode| encode.p50_us),
            encode_p95_us: encode.map(|encode| encode.p95_us),
        }
    }
}
