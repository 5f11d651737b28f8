//! Every method of the JSON-RPC in one table: name, types, lane, and the role it needs.

use crate::{
    AskResult, CandidateParams, ClipboardText, ControlAnswer, EncoderList, HostState, Lane,
    MoonlightClient, MoonlightClientId, MoonlightClientList, MuteParams, NoParams, OfferParams,
    OfferResult, PairingId, PairingList, PauseParams, PinOutcome, PingResult, PolicyParams, Role,
    SessionList, SessionParams, ShareLink, ShareLinkId, ShareLinkList, SourceList, StreamChange,
    StreamParameters, SubscribeParams, VideoInputState,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A method: its parameters, its result and its line of the table.
pub trait Method {
    /// What it takes.
    type Params: DeserializeOwned + JsonSchema + Send + 'static;
    /// What it answers; `()` is `null`.
    type Result: Serialize + JsonSchema + Send + 'static;
    /// Its line of the table.
    const INFO: MethodInfo;
}

/// One line of the method table.
#[derive(Clone, Copy, Debug)]
pub struct MethodInfo {
    /// Name on the wire.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Whether the calling connection must have a session.
    pub needs_session: bool,
    /// Its lane.
    pub lane: Lane,
    /// The role it needs.
    pub role: Role,
    /// Whether it takes these parameters.
    pub takes: fn(Value) -> bool,
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its result.
    pub result: fn(&mut SchemaGenerator) -> Schema,
}

macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $ty:ident $name:literal ($params:ty) -> $result:ty, $session:ident, $lane:ident, $role:ident;)+) => {
        /// Every method as a type.
        pub mod methods {
            use super::*;
            $(
                $(#[doc = $doc])+
                #[derive(Clone, Copy, Debug)]
                pub struct $ty;

                impl Method for $ty {
                    type Params = $params;
                    type Result = $result;
                    const INFO: MethodInfo = MethodInfo {
                        name: $name,
                        summary: concat!($($doc),+),
                        needs_session: methods!(@$session),
                        lane: Lane::$lane,
                        role: Role::$role,
                        takes: |params| serde_json::from_value::<$params>(params).is_ok(),
                        params: |generator| generator.subschema_for::<$params>(),
                        result: |generator| generator.subschema_for::<$result>(),
                    };
                }
            )+
        }

        /// The method table.
        #[must_use]
        pub fn method_table() -> &'static [MethodInfo] {
            const { &[$(<methods::$ty as Method>::INFO),+] }
        }
    };
    (@session) => { true };
    (@any) => { false };
}

methods! {
    /// Starts a session for this connection; one that it has already ends once this one is answered.
    Offer "offer" (OfferParams) -> OfferResult, any, Ordered, Viewer;
    /// Adds a candidate to the session.
    AddCandidate "addCandidate" (CandidateParams) -> (), session, Ordered, Viewer;
    /// Ends the session of this connection, if it has one.
    CloseSession "closeSession" (NoParams) -> (), any, Ordered, Viewer;
    /// Answers with the host's clock.
    Ping "ping" (NoParams) -> PingResult, any, Concurrent, Viewer;
    /// What the host is and streams.
    GetHostState "getHostState" (NoParams) -> HostState, any, Concurrent, Viewer;
    /// The state of the source.
    GetVideoState "getVideoState" (NoParams) -> VideoInputState, any, Concurrent, Viewer;
    /// No pictures and no sound for this session until it asks for them again. Answered once none are sent.
    PauseVideo "pauseVideo" (NoParams) -> (), session, Ordered, Viewer;
    /// Pictures again, from a keyframe on, and sound unless it is muted.
    ResumeVideo "resumeVideo" (NoParams) -> (), session, Ordered, Viewer;
    /// `pauseVideo` or `resumeVideo`.
    SetVideoStreamPaused "setVideoStreamPaused" (PauseParams) -> (), session, Ordered, Viewer;
    /// No sound for this session, or sound again. It begins with sound, where its offer has audio; while nobody listens none is captured.
    SetAudioMuted "setAudioMuted" (MuteParams) -> (), session, Ordered, Viewer;
    /// Asks for a keyframe.
    RequestKeyframe "requestKeyframe" (NoParams) -> (), session, Concurrent, Viewer;
    /// The parameters of the stream.
    GetStreamParameters "getStreamParameters" (NoParams) -> StreamParameters, any, Concurrent, Viewer;
    /// Changes parameters of the stream, for everybody; answers with all of them. Only the driver may, or an administrator.
    SetStreamParameters "setStreamParameters" (StreamChange) -> StreamParameters, any, Ordered, Controller;
    /// Who watches and who drives.
    ListSessions "listSessions" (NoParams) -> SessionList, any, Concurrent, Viewer;
    /// Drives from now on. Refused while another person drives, but not to an administrator.
    TakeControl "takeControl" (NoParams) -> (), session, Ordered, Controller;
    /// Drives no more.
    ReleaseControl "releaseControl" (NoParams) -> (), session, Ordered, Controller;
    /// Makes another session the driver.
    GiveControl "giveControl" (SessionParams) -> (), any, Ordered, Controller;
    /// Asks the driver for control. Granted at once when nobody drives.
    AskControl "askControl" (NoParams) -> AskResult, session, Ordered, Controller;
    /// The driver's answer to `controlRequested`.
    AnswerControlRequest "answerControlRequest" (ControlAnswer) -> (), any, Ordered, Controller;
    /// Ends somebody's session.
    Kick "kick" (SessionParams) -> (), any, Ordered, Admin;
    /// Lets one session drive, or all that may.
    SetControlPolicy "setControlPolicy" (PolicyParams) -> (), any, Ordered, Admin;
    /// Injects input. Only a session that drives may.
    SendInput "sendInput" (crate::SendInput) -> (), session, Ordered, Controller;
    /// The text of the host's clipboard. Only a session that drives may.
    GetClipboard "getClipboard" (NoParams) -> ClipboardText, session, Concurrent, Controller;
    /// Sets the text of the host's clipboard, at most 128 KiB. Only a session that drives may.
    SetClipboard "setClipboard" (ClipboardText) -> (), session, Ordered, Controller;
    /// What can be streamed.
    ListSources "listSources" (NoParams) -> SourceList, any, Concurrent, Controller;
    /// Streams another source, in the same sessions.
    SelectSource "selectSource" (crate::SelectSource) -> (), any, Concurrent, Admin;
    /// What can encode.
    ListEncoders "listEncoders" (NoParams) -> EncoderList, any, Concurrent, Controller;
    /// Encodes with another encoder, in the same sessions.
    SelectEncoder "selectEncoder" (crate::SelectEncoder) -> (), any, Concurrent, Admin;
    /// Statistics of this connection's session from now on, or of another one, which only administrators may.
    SubscribeStats "subscribeStats" (SubscribeParams) -> (), any, Ordered, Viewer;
    /// No more statistics.
    UnsubscribeStats "unsubscribeStats" (NoParams) -> (), any, Ordered, Viewer;
    /// Makes a link that lets others in.
    CreateShareLink "createShareLink" (crate::CreateShareLink) -> ShareLink, any, Ordered, Admin;
    /// The share links that work.
    ListShareLinks "listShareLinks" (NoParams) -> ShareLinkList, any, Concurrent, Admin;
    /// Ends a share link, and at once every session that came by it.
    RevokeShareLink "revokeShareLink" (ShareLinkId) -> (), any, Ordered, Admin;
    /// The Moonlight clients that wait for somebody to enter the PIN they show.
    ListPairings "listPairings" (NoParams) -> PairingList, any, Concurrent, Admin;
    /// Enters the PIN that a Moonlight client shows. Answered once the pairing has ended: within ten seconds.
    EnterPin "enterPin" (crate::EnterPin) -> PinOutcome, any, Concurrent, Admin;
    /// Sends a Moonlight client away that waits for its PIN.
    RefusePairing "refusePairing" (PairingId) -> (), any, Ordered, Admin;
    /// The paired Moonlight clients, and what each may do.
    ListMoonlightClients "listMoonlightClients" (NoParams) -> MoonlightClientList, any, Concurrent, Admin;
    /// Renames a Moonlight client, or changes what it may do and for how long; at once, also in sessions that run.
    ChangeMoonlightClient "changeMoonlightClient" (crate::ChangeMoonlightClient) -> MoonlightClient, any, Ordered, Admin;
    /// Forgets a Moonlight client and ends its sessions at once.
    RemoveMoonlightClient "removeMoonlightClient" (MoonlightClientId) -> (), any, Ordered, Admin;
    /// Stops the host. Answered first.
    Quit "quit" (NoParams) -> (), any, Ordered, Admin;
}
