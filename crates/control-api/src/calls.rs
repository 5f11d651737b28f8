//! Parameters and results of the methods. Unknown members of parameters are ignored.

use crate::{Choice, ControlPolicy, CursorMode, InputEvent, Role, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No parameters. Any object will do, or none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub struct NoParams {}

/// An offer of a session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct OfferParams {
    /// The SDP offer.
    pub sdp: String,
}

/// A new session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferResult {
    /// Its name.
    pub session_id: SessionId,
    /// The SDP answer.
    pub sdp: String,
}

/// A candidate. The other members that a browser sends are not needed: there is one transport.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct CandidateParams {
    /// `candidate:…`; empty when there are no more.
    pub candidate: String,
}

/// The host's clock.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PingResult {
    /// Microseconds since 1970.
    pub host_time_us: u64,
}

/// Whether pictures are wanted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct PauseParams {
    /// No pictures while true.
    pub paused: bool,
}

/// Whether sound is wanted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct MuteParams {
    /// No sound while true.
    pub muted: bool,
}

/// What to change of the stream; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamChange {
    /// Most bits a second on the wire, 500 000 to 1 000 000 000.
    pub bitrate_bps: Option<u32>,
    /// Highest frame rate, 1 to 240.
    pub fps: Option<u32>,
    /// `WIDTHxHEIGHT`, both even, 2 to 8192; or `source`.
    pub size: Option<String>,
    /// What the stream is coded in: `h264`.
    pub codec: Option<String>,
    /// What the encoder favours: `latency` or `quality`.
    pub quality: Option<String>,
    /// Who draws the pointer.
    pub cursor: Option<CursorMode>,
}

/// One session.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct SessionParams {
    /// Its name.
    pub session: SessionId,
}

/// What came of asking for control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskResult {
    /// It is granted already.
    pub granted: bool,
    /// Otherwise the driver has this long to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u32>,
}

/// The driver's answer to who asked for control.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct ControlAnswer {
    /// Who asked.
    pub session: SessionId,
    /// Whether it may drive.
    pub grant: bool,
}

/// How many may drive at a time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct PolicyParams {
    /// The policy.
    pub control: ControlPolicy,
}

/// Input of the calling session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SendInput {
    /// What happened, in order; at most 256.
    pub events: Vec<InputEvent>,
}

/// Text of the host's clipboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClipboardText {
    /// The text; empty when there is none.
    pub text: String,
}

/// What can be streamed.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct SourceList {
    /// The sources.
    pub sources: Vec<Choice>,
}

/// A source to switch to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SelectSource {
    /// Its name, as the command line has it.
    pub source: String,
}

/// What can encode.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct EncoderList {
    /// The encoders.
    pub encoders: Vec<Choice>,
}

/// An encoder to switch to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SelectEncoder {
    /// Its name, as the command line has it.
    pub encoder: String,
}

/// What to hear of the statistics.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct SubscribeParams {
    /// Every frame, five times a second; otherwise a summary once a second.
    #[serde(default)]
    pub frames: bool,
    /// Another session's, which administrators may; otherwise those of this connection's own.
    pub session: Option<SessionId>,
}

/// A link that lets others in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateShareLink {
    /// What whoever opens it may do: `viewer`, `controller` or `admin`.
    pub role: Role,
    /// It works, and those it let in stay, for this long; 1 to 2 592 000 (30 days).
    pub for_seconds: u32,
    /// What its sessions are called; at most 64 characters.
    pub name: Option<String>,
}

/// The name of a share link.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ShareLinkId {
    /// Its number.
    pub id: u32,
}

/// A link that lets others in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareLink {
    /// Its number.
    pub id: u32,
    /// The link itself; only in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What whoever opens it may do.
    pub role: Role,
    /// What its sessions are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// It works for this much longer.
    pub expires_in_seconds: u64,
    /// How many logins it has made that still stand.
    pub logins: u32,
}

/// All share links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShareLinkList {
    /// The links, oldest first.
    pub links: Vec<ShareLink>,
}
