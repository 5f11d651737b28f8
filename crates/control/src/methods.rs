//! Every method of the JSON-RPC socket in one table: name, types, lane and role, and what it does.
//!
//! A handler gets the caller that delivered the message; there is no "current" session to mistake it
//! for.

use crate::access::Role;
use crate::engine::{OfferError, Signalling};
use crate::jsonrpc::RpcError;
use crate::protocol::{
    CandidateParams, HostState, NoParams, OfferParams, OfferResult, PingResult, SubscribeParams,
};
use crate::sdpfrag;
use crate::session::negotiate;
use crate::ws::Caller;
use media::MonoTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;

/// What a handler answers.
pub(crate) type Outcome = Result<Value, RpcError>;

/// Which calls a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Calls of this lane run one after the other, in the order in which they arrived.
    Ordered,
    /// Runs at once, beside everything else.
    Concurrent,
}

pub(crate) type Handler = fn(Arc<Caller>, Value) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub(crate) struct Method {
    pub(crate) info: MethodInfo,
    pub(crate) run: Handler,
}

/// One line of the method table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// Name on the wire.
    pub name: &'static str,
    /// Type of its parameters.
    pub params: &'static str,
    /// Type of its result.
    pub result: &'static str,
    /// Whether the calling connection must have a session.
    pub needs_session: bool,
    /// Its lane.
    pub lane: Lane,
    /// The role it needs.
    pub role: Role,
}

macro_rules! methods {
    ($($name:literal $handler:ident($params:ty) -> $result:ty, $session:ident, $lane:ident, $role:ident;)+) => {
        pub(crate) static METHODS: &[Method] = &[$(
            Method {
                info: MethodInfo {
                    name: $name,
                    params: stringify!($params),
                    result: stringify!($result),
                    needs_session: methods!(@$session),
                    lane: Lane::$lane,
                    role: Role::$role,
                },
                run: |caller, params| Box::pin(async move {
                    let result: $result = $handler(caller, read::<$params>(params)?).await?;
                    write(&result)
                }),
            }
        ),+];
    };
    (@session) => { true };
    (@any) => { false };
}

methods! {
    "session.offer"     offer(OfferParams) -> OfferResult,        any,     Ordered,    Viewer;
    "session.candidate" candidate(CandidateParams) -> (),         session, Ordered,    Viewer;
    "session.close"     close(NoParams) -> (),                    any,     Ordered,    Viewer;
    "stats.subscribe"   subscribe(SubscribeParams) -> (),         any,     Ordered,    Viewer;
    "stats.unsubscribe" unsubscribe(NoParams) -> (),              any,     Ordered,    Viewer;
    "ping"              ping(NoParams) -> PingResult,             any,     Concurrent, Viewer;
    "host.info"         host_info(NoParams) -> HostState,         any,     Concurrent, Viewer;
}

/// The method table, for documentation and tests.
pub fn methods() -> impl Iterator<Item = MethodInfo> {
    METHODS.iter().map(|method| method.info)
}

pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.info.name == name)
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

async fn offer(caller: Arc<Caller>, params: OfferParams) -> Result<OfferResult, RpcError> {
    let app = caller.app();
    let negotiated = negotiate(app, params.sdp, Signalling::WebSocket, caller.ends()).await;
    let negotiated = negotiated.map_err(|error| offer_error(&error))?;
    let session_id = negotiated.session.viewer().0.to_string();
    let sdp = negotiated.sdp;
    caller.adopt(negotiated.session, negotiated.ended);
    Ok(OfferResult { session_id, sdp })
}

fn offer_error(error: &OfferError) -> RpcError {
    let message = error.to_string();
    match error {
        OfferError::Malformed { .. } | OfferError::NoCommonCodec => RpcError::bad_params(message),
        OfferError::Busy => RpcError::busy(message),
        OfferError::Unavailable { .. } | OfferError::TimedOut | OfferError::Stopped => {
            RpcError::internal("the session could not be started").with_data(message)
        }
    }
}

async fn candidate(caller: Arc<Caller>, params: CandidateParams) -> Result<(), RpcError> {
    // A browser says that there are no more candidates with an empty one.
    if params.candidate.is_empty() {
        return Ok(());
    }
    let candidate = sdpfrag::candidate(&params.candidate);
    let candidate = candidate.map_err(|error| RpcError::bad_params(error.to_string()))?;
    caller.candidate(candidate)
}

async fn close(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    caller.close_session(crate::EndReason::Quit);
    Ok(())
}

async fn subscribe(caller: Arc<Caller>, params: SubscribeParams) -> Result<(), RpcError> {
    caller.subscribe(params.frames);
    Ok(())
}

async fn unsubscribe(caller: Arc<Caller>, _: NoParams) -> Result<(), RpcError> {
    caller.unsubscribe();
    Ok(())
}

async fn ping(_: Arc<Caller>, _: NoParams) -> Result<PingResult, RpcError> {
    Ok(PingResult {
        host_time_us: MonoTime::now().wall_us(),
    })
}

async fn host_info(caller: Arc<Caller>, _: NoParams) -> Result<HostState, RpcError> {
    Ok(caller.app().engine.host_state().borrow().clone())
}
