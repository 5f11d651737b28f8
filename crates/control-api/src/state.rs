//! What a host tells about itself: host, source, stream and sessions. What is not known is absent.

use crate::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What the host is and what it streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
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
    /// The host's sound, once somebody looked for it; absent where the host is told to be silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundInfo>,
}

/// The host's sound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SoundInfo {
    /// Whether there is something to hear.
    pub available: bool,
    /// Where it comes from, or why there is none, for people.
    pub detail: String,
}

/// The source that is captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceInfo {
    /// Its name, as the command line has it.
    pub name: String,
    /// What it shows, for people.
    pub detail: String,
}

/// The encoder in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EncoderInfo {
    /// Its name, as the command line has it.
    pub name: String,
    /// Why this one, for people.
    pub reason: String,
}

/// The state of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoInputState {
    /// A picture can be had.
    pub ready: bool,
    /// It is being captured.
    pub streaming: bool,
    /// Why not, in the words of video receivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<SourceProblem>,
    /// Why not, exactly: the slate says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<LostReason>,
    /// Why not, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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

/// Why the source gives no picture, in the words of video receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceProblem {
    /// Nothing is connected, or it is gone.
    NoSignal,
    /// A signal that cannot be decoded.
    NoLock,
    /// A mode that is not supported.
    OutOfRange,
}

/// Why the source gives no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// It was there and is gone.
    NoSignal,
    /// It was never there.
    NoDevice,
    /// It shows something that cannot be captured.
    UnsupportedMode,
    /// It has just gone and may be back at once.
    SourceRestarting,
}

/// The present parameters of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamParameters {
    /// Most bits a second on the wire.
    pub bitrate_bps: u32,
    /// Highest frame rate.
    pub fps: u32,
    /// `WIDTHxHEIGHT`, or `source`: the source's own size.
    pub size: String,
    /// What the stream is coded in, such as `h264`.
    pub codec: String,
    /// What the encoder favours, such as `latency` or `quality`.
    pub quality: String,
    /// Who draws the pointer.
    pub cursor: CursorMode,
}

/// Who draws the pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CursorMode {
    /// The host decides by what the source and the viewers can do.
    #[default]
    Auto,
    /// Each viewer draws it, without delay.
    Local,
    /// It is part of the picture.
    Picture,
}

/// Something that can be selected: a source or an encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Choice {
    /// Its name, as the command line has it.
    pub name: String,
    /// What it is, or why it cannot be had, for people.
    pub detail: String,
    /// Whether it works here and now.
    pub available: bool,
    /// Whether it is the present one.
    pub selected: bool,
}

/// The name of a session, unique while the host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let number = text.parse();
        number
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a session is named by its number, as a string"))
    }
}

impl JsonSchema for SessionId {
    fn schema_name() -> Cow<'static, str> {
        "SessionId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The name of a session, unique while the host runs.",
            "type": "string",
            "pattern": "^[0-9]+$"
        })
    }
}

/// Who may drive at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlPolicy {
    /// One session.
    #[default]
    Single,
    /// Every session whose role allows it.
    Shared,
}

/// Everybody who watches, and who drives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionList {
    /// The session of whoever asked; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub you: Option<SessionId>,
    /// All sessions, oldest first.
    pub sessions: Vec<SessionInfo>,
    /// Who drives.
    #[serde(flatten)]
    pub control: ControlState,
}

/// Who drives, and who would like to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ControlState {
    /// How many may drive at a time.
    pub control: ControlPolicy,
    /// The one session that drives, with `single`; absent when nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<SessionId>,
    /// Who waits for the driver's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<crate::ControlRequest>,
}

/// How a session was signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The page.
    WebSocket,
    /// A player.
    Whep,
    /// A client of JetKVM.
    JetKvm,
    /// The parent process.
    Stdio,
    /// A Moonlight client.
    Moonlight,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Its name.
    pub id: SessionId,
    /// Whose it is, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where it comes from; shown to administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How it was signalled.
    pub via: Via,
    /// When it began, in milliseconds since 1970.
    pub since: u64,
    /// Whether it gets no pictures because it asked for none.
    pub paused: bool,
    /// Whether its input reaches the host.
    pub controls: bool,
    /// Whether its role lets it drive.
    pub can_control: bool,
}

/// Why a session ended. The first reason wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The client left.
    Quit,
    /// The client's connection broke off without a goodbye.
    Lost,
    /// Nothing was heard from the client for too long.
    Timeout,
    /// The same client started another session.
    Replaced,
    /// The stream is gone for good: no encoder works any more.
    SourceEnded,
    /// The host stops.
    HostStopped,
    /// An operator ended it.
    Operator,
    /// The client's time is over.
    Expired,
    /// Something failed.
    Error,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "quit",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::SourceEnded => "source ended",
            Self::HostStopped => "host stopped",
            Self::Operator => "operator",
            Self::Expired => "expired",
            Self::Error => "error",
        })
    }
}
