//! What each method does. Names, types, lanes and roles are in the table of `control-api`.
//!
//! A handler gets the caller that delivered the message; there is no "current" session to mistake it
//! for.

use crate::caller::Caller;
use crate::engine::{Engine, EngineError, OfferError};
use crate::identity::LinksError;
use crate::jsonrpc::RpcError;
use crate::moonlight_calls::{
    change_moonlight_client, enter_pin, list_moonlight_clients, list_pairings, refuse_pairing,
    remove_moonlight_client,
};
use crate::room::{Command, Refusal};
use crate::sdpfrag;
use crate::session::{Ended, Joining, Refused, SessionHandle};
use control_api::{
    AskResult, CandidateParams, Choice, ClipboardText, ControlAnswer, CreateShareLink, EncoderList,
    EndReason, HostState, Method, MethodInfo, MuteParams, NoParams, OfferParams, OfferResult,
    PauseParams, PingResult, PolicyParams, Role, SelectEncoder, SelectSource, SendInput, SessionId,
    SessionList, SessionParams, ShareLink, ShareLinkId, ShareLinkList, SourceList, StreamChange,
    StreamParameters, SubscribeParams, VideoInputState, methods,
};
use events::ViewerId;
use media::MonoTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;

/// What a handler answers.
pub(crate) type Outcome = Result<Value, RpcError>;

/// Events in one `sendInput`.
const MAX_EVENTS: usize = 256;
/// Longest text of the clipboard.
const MAX_CLIPBOARD_BYTES: usize = 128 * 1024;

type Run = fn(Arc<Caller>, Value) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A method and what it does.
pub(crate) struct Handler {
    pub(crate) info: MethodInfo,
    pub(crate) run: Run,
    /// What happens once a call that worked is answered.
    pub(crate) then: Option<fn(&Caller)>,
    /// Whether pictures are wanted, where that is all it says.
    wants: Option<fn(&Value) -> Option<bool>>,
}

impl Handler {
    /// Whether a call only says whether pictures are wanted.
    pub(crate) fn pauses(&self, params: &Value) -> bool {
        self.wants.is_some_and(|wants| wants(params).is_some())
    }
}

macro_rules! handlers {
    ($($method:ident => $handler:ident $(, then $then:ident)? $(, wants $wants:expr)?;)+) => {
        static HANDLERS: &[Handler] = &[$(Handler {
            info: methods::$method::INFO,
            run: |caller, params| Box::pin(async move {
                let params = read::<<methods::$method as Method>::Params>(params)?;
                let result: <methods::$method as Method>::Result = $handler(caller, params).await?;
                write(&result)
            }),
            then: handlers!(@$($then)?),
            wants: handlers!(@$($wants)?),
        }),+];
    };
    (@) => { None };
    (@$some:expr) => { Some($some) };
}

handlers! {
    Offer => offer;
    AddCandidate => candidate;
    CloseSession => close;
    Ping => ping;
    GetHostState => host_state;
    GetVideoState => video_state;
    PauseVideo => pause, wants |_| Some(true);
    ResumeVideo => resume, wants |_| Some(false);
    SetVideoStreamPaused => set_paused, wants |params| params["paused"].as_bool();
    SetAudioMuted => set_muted;
    RequestKeyframe => request_keyframe;
    GetStreamParameters => stream_parameters;
    SetStreamParameters => set_stream_parameters;
    ListSessions => list_sessions;
    TakeControl => take_control;
    ReleaseControl => release_control;
    GiveControl => give_control;
    AskControl => ask_control;
    AnswerControlRequest => answer_control_request;
    Kick => kick;
    SetControlPolicy => set_control_policy;
    SendInput => send_input;
    GetClipboard => clipboard;
    SetClipboard => set_clipboard;
    ListSources => list_sources;
    SelectSource => select_source;
    ListEncoders => list_encoders;
    SelectEncoder => select_encoder;
    SubscribeStats => subscribe;
    UnsubscribeStats => unsubscribe;
    CreateShareLink => create_share_link;
    ListShareLinks => list_share_links;
    RevokeShareLink => revoke_share_link;
    ListPairings => list_pairings;
    EnterPin => enter_pin;
    RefusePairing => refuse_pairing;
    ListMoonlightClients => list_moonlight_clients;
    ChangeMoonlightClient => change_moonlight_client;
    RemoveMoonlightClient => remove_moonlight_client;
    Quit => quit, then stop_host;
}

/// The names of the methods that are served.
pub fn method_names() -> impl Iterator<Item = &'static str> {
    HANDLERS.iter().map(|handler| handler.info.name)
}

pub(crate) fn find(name: &str) -> Option<&'static Handler> {
    HANDLERS.iter().find(|handler| handler.info.name == name)
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, RpcError> {
    serde_json::from_value(params).map_err(|error| RpcError::bad_params(error.to_string()))
}

fn write(result: &impl Serialize) -> Outcome {
    serde_json::to_value(result).map_err(|error| {
        tracing::error!(%error, "a result cannot be written");
        RpcError::internal("the result cannot be written").with_data(error.to_string())
    })
}

fn session_of(caller: &Caller) -> Result<SessionHandle, RpcError> {
    caller.session().ok_or_else(RpcError::no_session)
}

pub(crate) fn bad_field(field: &str, message: &str) -> RpcError {
    RpcError::bad_params(format!("{field}: {message}")).with_data(json!({ "field": field }))
}

impl From<Ended> for RpcError {
    fn from(_: Ended) -> Self {
        Self::no_session()
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Unknown => bad_field("session", &message),
            Refusal::MayNotDrive => Self::not_allowed().with_data(message),
            Refusal::Held | Refusal::NotDriver => Self::not_driving(message),
            Refusal::NotAsking => Self::bad_params(message),
            Refusal::AnotherAsks => Self::busy(message),
        }
    }
}

impl From<EngineError> for RpcError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Parameter { field, message } => bad_field(field, &message),
            EngineError::Unsupported(message) => Self::unsupported(message),
            EngineError::Failed(message) => {
                Self::internal("the host could not do it").with_data(message)
            }
        }
    }
}

impl From<LinksError> for RpcError {
    fn from(error: LinksError) -> Self {
        match error {
            LinksError::Parameter { field, message } => bad_field(field, message),
            LinksError::Unknown => bad_field("id", &error.to_string()),
            LinksError::TooMany(_) => Self::busy(error.to_string()),
            LinksError::NoLogins => Self::unsupported(error.to_string()),
            LinksError::Random => Self::internal(error.to_string()),
        }
    }
}

impl From<Refused> for RpcError {
    fn from(refused: Refused) -> Self {
        use crate::desk::InputRefused;
        let message = refused.to_string();
        match refused {
            Refused::NotDriving => Self::not_driving(message),
            Refused::Input(InputRefused::Malformed(_)) => bad_field("events", &message),
            Refused::Input(InputRefused::Full) => Self::busy(message),
            Refused::Input(InputRefused::Unavailable(_)) => Self::unsupported(message),
        }
    }
}

impl From<OfferError> for RpcError {
    fn from(error: OfferError) -> Self {
        let message = error.to_string();
        match error {
            OfferError::Malformed { .. } | OfferError::NoCommonCodec => Self::bad_params(message),
            OfferError::Busy => Self::busy(message),
            OfferError::LoggedOut => Self::not_allowed().with_data(message),
            OfferError::Unavailable { .. } | OfferError::TimedOut | OfferError::Stopped => {
                Self::internal("the session could not be started").with_data(message)
            }
        }
    }
}

async fn offer(caller: Arc<Caller>, params: OfferParams) -> Result<OfferResult, RpcError> {
    if !caller.may_offer() {
        let why = "a session cannot be started over a data channel of another";
        return Err(RpcError::unsupported(why));
    }
    let joining = Joining {
        sdp: params.sdp,
        identity: caller.identity.clone(),
        via: caller.via,
        ends: caller.ends,
        channels: None,
        notices: Some(caller.notices.clone()),
    };
    let joined = caller.hub.join(joining).await?;
    let session_id = SessionId(joined.session.viewer().0);
    let sdp = joined.sdp;
    caller.adopt(joined.session);
    Ok(OfferResult { session_id, sdp })
}

async fn candidate(caller: Arc<Caller>, params: CandidateParams) -> Result<(), RpcError> {
    // A browser says that there are no more candidates with an empty one.
    if params.candidate.is_empty() {
        return Ok(());
    }
    let candidate = sdpfrag::candidate(&params.candidate);
    let candidate = candidate.map_err(|error| RpcError::bad_params(error.to_string()))?;
    session_of(&caller)?.candidate(candidate);
    Ok(())
}

async fn close(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    caller.close_session(EndReason::Quit);
    Ok(())
}

async fn ping(_: Arc<Caller>, _: NoParams) -> Result<PingResult, RpcError> {
    Ok(PingResult {
        host_time_us: MonoTime::now().wall_us(),
    })
}

async fn host_state(caller: Arc<Caller>, _: NoParams) -> Result<HostState, RpcError> {
    Ok(caller.hub.host_state().borrow().clone())
}

async fn video_state(caller: Arc<Caller>, _: NoParams) -> Result<VideoInputState, RpcError> {
    Ok(caller.hub.video_input().borrow().clone())
}

async fn pause(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    Ok(session_of(&caller)?.pause().await?)
}

async fn resume(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    Ok(session_of(&caller)?.resume().await?)
}

async fn set_paused(caller: Arc<Caller>, params: PauseParams) -> Result<(), RpcError> {
    Ok(session_of(&caller)?.set_paused(params.paused).await?)
}

async fn set_muted(caller: Arc<Caller>, params: MuteParams) -> Result<(), RpcError> {
    Ok(session_of(&caller)?.set_muted(params.muted).await?)
}

async fn request_keyframe(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    session_of(&caller)?.request_keyframe();
    Ok(())
}

async fn stream_parameters(caller: Arc<Caller>, _: NoParams) -> Result<StreamParameters, RpcError> {
    Ok(caller.hub.engine().stream_parameters())
}

async fn set_stream_parameters(
    caller: Arc<Caller>,
    change: StreamChange,
) -> Result<StreamParameters, RpcError> {
    if !caller.hub.may_decide(caller.actor()) {
        return Err(Refusal::NotDriver.into());
    }
    Ok(waiting(&caller, move |engine| engine.set_stream_parameters(&change)).await??)
}

/// Calls the engine for something that may take its time, beside everything else.
async fn waiting<T: Send + 'static>(
    caller: &Caller,
    call: impl FnOnce(&dyn Engine) -> T + Send + 'static,
) -> Result<T, RpcError> {
    let engine = caller.hub.shared_engine();
    let called = tokio::task::spawn_blocking(move || call(&*engine)).await;
    called.map_err(|_panicked| {
        tracing::error!("the engine panicked in a call");
        RpcError::internal("the host ran into an error")
    })
}

async fn list_sessions(caller: Arc<Caller>, _: NoParams) -> Result<SessionList, RpcError> {
    let view = Arc::clone(&caller.hub.sessions().borrow());
    Ok(view.list(caller.viewer(), caller.identity.role, MonoTime::now()))
}

async fn take_control(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    let viewer = session_of(&caller)?.viewer();
    Ok(caller.hub.command(Command::Take(viewer))?)
}

async fn release_control(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    let viewer = session_of(&caller)?.viewer();
    Ok(caller.hub.command(Command::Release(viewer))?)
}

async fn give_control(caller: Arc<Caller>, params: SessionParams) -> Result<(), RpcError> {
    let (by, to) = (caller.actor(), ViewerId(params.session.0));
    Ok(caller.hub.command(Command::Give { by, to })?)
}

async fn ask_control(caller: Arc<Caller>, _: NoParams) -> Result<AskResult, RpcError> {
    let viewer = session_of(&caller)?.viewer();
    Ok(caller.hub.ask(viewer)?)
}

async fn answer_control_request(
    caller: Arc<Caller>,
    params: ControlAnswer,
) -> Result<(), RpcError> {
    let command = Command::Answer {
        by: caller.actor(),
        asker: ViewerId(params.session.0),
        grant: params.grant,
    };
    Ok(caller.hub.command(command)?)
}

async fn kick(caller: Arc<Caller>, params: SessionParams) -> Result<(), RpcError> {
    Ok(caller
        .hub
        .command(Command::Kick(ViewerId(params.session.0)))?)
}

async fn set_control_policy(caller: Arc<Caller>, params: PolicyParams) -> Result<(), RpcError> {
    Ok(caller.hub.command(Command::Policy(params.control))?)
}

async fn send_input(caller: Arc<Caller>, params: SendInput) -> Result<(), RpcError> {
    if params.events.len() > MAX_EVENTS {
        return Err(bad_field(
            "events",
            &format!("at most {MAX_EVENTS} at a time"),
        ));
    }
    let session = session_of(&caller)?;
    for event in &params.events {
        session.inject(event)?;
    }
    Ok(())
}

fn driving(caller: &Caller) -> Result<(), RpcError> {
    if caller.controls() {
        Ok(())
    } else {
        Err(Refused::NotDriving.into())
    }
}

async fn clipboard(caller: Arc<Caller>, _: NoParams) -> Result<ClipboardText, RpcError> {
    driving(&caller)?;
    let text = caller.hub.engine().clipboard_text()?;
    let text = text.map(|text| text.to_string()).unwrap_or_default();
    Ok(ClipboardText { text })
}

async fn set_clipboard(caller: Arc<Caller>, params: ClipboardText) -> Result<(), RpcError> {
    driving(&caller)?;
    if params.text.len() > MAX_CLIPBOARD_BYTES {
        return Err(bad_field(
            "text",
            &format!("longer than {MAX_CLIPBOARD_BYTES} bytes"),
        ));
    }
    Ok(caller.hub.engine().set_clipboard(&params.text)?)
}

async fn list_sources(caller: Arc<Caller>, _: NoParams) -> Result<SourceList, RpcError> {
    let sources: Vec<Choice> = waiting(&caller, |engine| engine.list_sources()).await?;
    Ok(SourceList { sources })
}

async fn select_source(caller: Arc<Caller>, params: SelectSource) -> Result<(), RpcError> {
    let _turn = caller.hub.turn_to_switch().await;
    Ok(waiting(&caller, move |engine| engine.select_source(&params.source)).await??)
}

async fn list_encoders(caller: Arc<Caller>, _: NoParams) -> Result<EncoderList, RpcError> {
    let encoders: Vec<Choice> = waiting(&caller, |engine| engine.list_encoders()).await?;
    Ok(EncoderList { encoders })
}

async fn select_encoder(caller: Arc<Caller>, params: SelectEncoder) -> Result<(), RpcError> {
    let _turn = caller.hub.turn_to_switch().await;
    Ok(waiting(&caller, move |engine| {
        engine.select_encoder(&params.encoder)
    })
    .await??)
}

async fn subscribe(caller: Arc<Caller>, params: SubscribeParams) -> Result<(), RpcError> {
    let of = params.session.map(|session| ViewerId(session.0));
    if of.is_some() && of != caller.viewer() {
        if caller.identity.role < Role::Admin {
            let why = "only administrators get the statistics of others";
            return Err(RpcError::not_allowed().with_data(why));
        }
        let view = caller.hub.sessions();
        let view = view.borrow();
        let mut sessions = view.sessions().iter();
        if !sessions.any(|session| Some(ViewerId(session.id.0)) == of) {
            return Err(Refusal::Unknown.into());
        }
    }
    caller.subscribe(of, params.frames);
    Ok(())
}

async fn unsubscribe(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    caller.unsubscribe();
    Ok(())
}

async fn create_share_link(
    caller: Arc<Caller>,
    params: CreateShareLink,
) -> Result<ShareLink, RpcError> {
    let links = caller.hub.links().ok_or(LinksError::NoLogins)?;
    Ok(links.create(&params)?)
}

async fn list_share_links(caller: Arc<Caller>, _: NoParams) -> Result<ShareLinkList, RpcError> {
    let links = caller
        .hub
        .links()
        .map(|links| links.list())
        .unwrap_or_default();
    Ok(ShareLinkList { links })
}

async fn revoke_share_link(caller: Arc<Caller>, params: ShareLinkId) -> Result<(), RpcError> {
    let links = caller.hub.links().ok_or(LinksError::NoLogins)?;
    for login in links.revoke(params.id)? {
        caller.hub.end_login(login);
    }
    Ok(())
}

async fn quit(_: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    Ok(())
}

fn stop_host(caller: &Caller) {
    tracing::info!("the host is asked to stop");
    caller.hub.engine().quit();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_table_is_served_and_no_other() {
        let table: Vec<_> = control_api::method_table()
            .iter()
            .map(|info| info.name)
            .collect();
        assert_eq!(method_names().collect::<Vec<_>>(), table);
    }
}
