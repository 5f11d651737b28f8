//! What travels between a host and its clients over JSON-RPC 2.0, as types, and the tables of methods
//! and notifications. It knows no transport and does nothing.

mod calls;
mod input;
mod method;
mod moonlight;
mod notification;
mod reference;
mod role;
mod state;

pub use calls::{
    AskResult, CandidateParams, ClipboardText, ControlAnswer, CreateShareLink, EncoderList,
    MuteParams, NoParams, OfferParams, OfferResult, PauseParams, PingResult, PolicyParams,
    SelectEncoder, SelectSource, SendInput, SessionParams, ShareLink, ShareLinkId, ShareLinkList,
    SourceList, StreamChange, SubscribeParams,
};
pub use input::{InputEvent, InputState, TouchPhase};
pub use method::{Method, MethodInfo, method_table, methods};
pub use moonlight::{
    ChangeMoonlightClient, EnterPin, MoonlightClient, MoonlightClientId, MoonlightClientList,
    PairingEnd, PairingId, PairingList, PendingPairing, PinOutcome,
};
pub use notification::{
    ClipboardChanged, ControlRequest, CursorMoved, CursorShape, FrameFigures, Nothing,
    Notification, NotificationInfo, SecondFigures, SessionEnded, SignalLost, StatsFrames,
    notification_table, notifications,
};
pub use reference::{reference, schema};
pub use role::{InputRights, Lane, Role};
pub use state::{
    Choice, ControlPolicy, ControlState, CursorMode, EncoderInfo, EndReason, HostState, LostReason,
    SessionId, SessionInfo, SessionList, SoundInfo, SourceInfo, SourceProblem, StreamParameters,
    Via, VideoInputState,
};
