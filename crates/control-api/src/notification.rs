//! The notifications that a host sends, in one table. The full state comes first, then changes.

use crate::{
    EndReason, HostState, InputState, LostReason, MoonlightClientList, PairingList, SessionId,
    SessionList, VideoInputState,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

/// A notification: its name and what it carries.
pub trait Notification {
    /// What it carries.
    type Params: Serialize + JsonSchema;
    /// Its line of the table.
    const INFO: NotificationInfo;
}

/// One line of the table of notifications.
#[derive(Clone, Copy, Debug)]
pub struct NotificationInfo {
    /// Name on the wire.
    pub name: &'static str,
    /// What it says and to whom.
    pub summary: &'static str,
    /// The schema of what it carries.
    pub params: fn(&mut SchemaGenerator) -> Schema,
}

macro_rules! notifications {
    ($($(#[doc = $doc:literal])+ $ty:ident $name:literal ($params:ty);)+) => {
        /// Every notification as a type.
        pub mod notifications {
            use super::*;
            $(
                $(#[doc = $doc])+
                #[derive(Clone, Copy, Debug)]
                pub struct $ty;

                impl Notification for $ty {
                    type Params = $params;
                    const INFO: NotificationInfo = NotificationInfo {
                        name: $name,
                        summary: concat!($($doc),+),
                        params: |generator| generator.subschema_for::<$params>(),
                    };
                }
            )+
        }

        /// The table of notifications.
        #[must_use]
        pub fn notification_table() -> &'static [NotificationInfo] {
            const { &[$(<notifications::$ty as Notification>::INFO),+] }
        }
    };
}

notifications! {
    /// What the host is and streams; first of all, and on every change.
    HostChanged "hostState" (HostState);
    /// The state of the source; at first, and on every change.
    VideoInputChanged "videoInputState" (VideoInputState);
    /// The source is gone; the stream goes on and shows why.
    SignalWasLost "signal_lost" (SignalLost);
    /// The source is back.
    SignalRestored "signal_restored" (Nothing);
    /// Who watches and who drives; at first, and on every change.
    Sessions "sessions" (SessionList);
    /// What input reaches the host; at first, and on every change.
    InputChanged "inputState" (InputState);
    /// To the driver: somebody asks for control.
    ControlRequested "controlRequested" (ControlRequest);
    /// To who asked: the session drives now.
    ControlGranted "controlGranted" (Nothing);
    /// To who asked: the driver keeps control.
    ControlRefused "controlRefused" (Nothing);
    /// To the driver: the same person drives from another session now.
    OtherSessionConnected "otherSessionConnected" (Nothing);
    /// The session of this connection is over.
    Ended "sessionEnded" (SessionEnded);
    /// The pointer's image, where each viewer draws it.
    Cursor "cursor" (CursorShape);
    /// Where the pointer is, where each viewer draws it.
    CursorMove "cursorMoved" (CursorMoved);
    /// To the driver: the host's clipboard has new text.
    Clipboard "clipboard" (ClipboardChanged);
    /// To administrators, where Moonlight clients are served: who waits for a PIN; at first, and on every change.
    PairingsChanged "pairingsChanged" (PairingList);
    /// To administrators, where Moonlight clients are served: the paired clients; at first, and on every change.
    MoonlightClientsChanged "moonlightClientsChanged" (MoonlightClientList);
    /// To subscribers: the frames since the last of these.
    Frames "statsFrames" (StatsFrames);
    /// To subscribers: one second of this session.
    Second "statsSecond" (SecondFigures);
}

/// Nothing but the name.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Nothing {}

/// The source is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SignalLost {
    /// Why, exactly.
    pub reason: LostReason,
    /// Why, for people.
    pub why: String,
}

/// Somebody asks for control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlRequest {
    /// Who asks.
    pub session: SessionId,
    /// Whose session that is, for people.
    pub name: String,
    /// The driver has this long to answer; a driver that does nothing at all in it loses control.
    pub expires_in_ms: u32,
}

/// A session is over.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct SessionEnded {
    /// Why.
    pub reason: EndReason,
}

/// The pointer's image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CursorShape {
    /// The same image has the same number.
    pub id: u64,
    /// A PNG, in base64.
    pub png: String,
    /// The pixel that points, from the left.
    pub hot_x: u32,
    /// The pixel that points, from the top.
    pub hot_y: u32,
}

/// Where the pointer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CursorMoved {
    /// 0 is the left edge of the picture, 65535 the right one.
    pub x: u16,
    /// 0 is the upper edge of the picture, 65535 the lower one.
    pub y: u16,
    /// Whether it is shown at all.
    pub visible: bool,
}

/// New text in the host's clipboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClipboardChanged {
    /// The text.
    pub text: String,
}

/// Frames since the last of these.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct StatsFrames {
    /// The frames, oldest first.
    pub frames: Vec<FrameFigures>,
}

/// One frame on its way through the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameFigures {
    /// RTP timestamp: the name under which the viewer knows the frame.
    pub rtp: u32,
    /// Host wall clock when the picture's change was noticed (or when it was repeated).
    pub captured_us: u64,
    /// Change noticed to pixels copied; absent unless newly captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grab_us: Option<u32>,
    /// Pixels copied to taken by the encode loop.
    pub queue_us: u32,
    /// Taken by the encode loop to complete access unit.
    pub encode_us: u32,
    /// Complete access unit to last packet in the kernel.
    pub send_us: u32,
    /// Bytes of the picture.
    pub bytes: u32,
    /// Whether it was a keyframe.
    pub keyframe: bool,
    /// Whether nothing new was on the screen.
    pub repeated: bool,
}

/// One second of a session. What was not measured is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondFigures {
    /// Frames sent.
    pub fps: u32,
    /// Those of them that showed something new.
    pub unique_fps: u32,
    /// Keyframes among them.
    pub keyframes: u32,
    /// Losses repaired by a picture that refers past them.
    pub invalidations: u32,
    /// Bits sent.
    pub bitrate_bps: u64,
    /// Bits that the encoder was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_bps: Option<u32>,
    /// Packets lost, of a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_pct: Option<f64>,
    /// Round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Packets asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nacks: Option<u32>,
    /// Keyframes asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plis: Option<u32>,
    /// Median of the time to encode a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode_p50_us: Option<u32>,
    /// 95th percentile of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode_p95_us: Option<u32>,
    /// Bits of sound sent, while the session listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound_bps: Option<u64>,
    /// Packets of sound lost, of a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound_loss_pct: Option<f64>,
}
