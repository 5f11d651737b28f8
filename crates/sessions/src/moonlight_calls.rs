//! The methods about Moonlight clients: what is asked for is checked here, done by whoever knows them,
//! and reaches their sessions before it is answered.

use crate::caller::Caller;
use crate::jsonrpc::RpcError;
use crate::methods::bad_field;
use crate::moonlight::{ClientsError, MoonlightClients};
use control_api::{
    ChangeMoonlightClient, EnterPin, MoonlightClient, MoonlightClientId, MoonlightClientList,
    NoParams, PairingId, PairingList, PinOutcome, Role,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const MAX_NAME_CHARS: usize = 64;
/// Ten years: an end in milliseconds, which is a mistake, lies far beyond it.
const LONGEST_ACCESS_S: u64 = 10 * 366 * 86_400;

impl From<ClientsError> for RpcError {
    fn from(error: ClientsError) -> Self {
        let message = error.to_string();
        match error {
            ClientsError::Parameter { field, message } => bad_field(field, &message),
            ClientsError::Unknown | ClientsError::NotWaiting | ClientsError::SeveralWait => {
                bad_field("id", &message)
            }
            ClientsError::NotNow(_) => Self::busy(message),
            ClientsError::NotServed => Self::unsupported(message),
            ClientsError::Failed(_) => {
                Self::internal("the host could not do it").with_data(message)
            }
        }
    }
}

fn known(caller: &Caller) -> Result<&Arc<dyn MoonlightClients>, ClientsError> {
    caller.hub.moonlight().ok_or(ClientsError::NotServed)
}

fn bad(field: &'static str, message: &str) -> ClientsError {
    let message = message.to_owned();
    ClientsError::Parameter { field, message }
}

fn check_name(name: Option<&str>) -> Result<(), ClientsError> {
    let Some(name) = name.map(str::trim) else {
        return Ok(());
    };
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    match fits && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(bad("name", "it must be 1 to 64 characters in one line")),
    }
}

fn check(change: &ChangeMoonlightClient) -> Result<(), ClientsError> {
    check_name(change.name.as_deref())?;
    if change.role == Some(Role::Player) {
        return Err(bad("role", "it must be viewer, controller or admin"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = now.unwrap_or_default().as_secs();
    let possible = now_s + 1..=now_s + LONGEST_ACCESS_S;
    match change.expires_at {
        Some(Some(end)) if !possible.contains(&end) => Err(bad(
            "expiresAt",
            "it must be a time in seconds since 1970, from now on and within ten years, or null",
        )),
        _ => Ok(()),
    }
}

/// Writes files, beside everything else.
async fn waiting(
    caller: &Caller,
    call: impl FnOnce(&dyn MoonlightClients) -> Result<(), ClientsError> + Send + 'static,
) -> Result<(), RpcError> {
    let clients = Arc::clone(known(caller)?);
    let called = tokio::task::spawn_blocking(move || call(&*clients)).await;
    let done = called.map_err(|_panicked| {
        tracing::error!("a change of a Moonlight client panicked");
        RpcError::internal("the host ran into an error")
    })?;
    caller.hub.heed_clients();
    Ok(done?)
}

fn client(caller: &Caller, id: u32) -> Result<MoonlightClient, RpcError> {
    let mut clients = caller.hub.moonlight_clients().into_iter();
    let client = clients.find(|client| client.id == id);
    Ok(client.ok_or(ClientsError::Unknown)?)
}

pub(crate) async fn list_pairings(
    caller: Arc<Caller>,
    _: NoParams,
) -> Result<PairingList, RpcError> {
    let pairings = known(&caller)?.pairings();
    Ok(PairingList { pairings })
}

pub(crate) async fn enter_pin(
    caller: Arc<Caller>,
    entered: EnterPin,
) -> Result<PinOutcome, RpcError> {
    check_name(entered.name.as_deref())?;
    let mut outcome = known(&caller)?.enter_pin(&entered)?.await;
    if let Some(paired) = &outcome.client {
        // One that was paired before may stream already.
        outcome.client = Some(client(&caller, paired.id)?);
    }
    Ok(outcome)
}

pub(crate) async fn refuse_pairing(caller: Arc<Caller>, params: PairingId) -> Result<(), RpcError> {
    Ok(known(&caller)?.refuse_pairing(params.id)?)
}

pub(crate) async fn list_moonlight_clients(
    caller: Arc<Caller>,
    _: NoParams,
) -> Result<MoonlightClientList, RpcError> {
    known(&caller)?;
    let clients = caller.hub.moonlight_clients();
    Ok(MoonlightClientList { clients })
}

pub(crate) async fn change_moonlight_client(
    caller: Arc<Caller>,
    change: ChangeMoonlightClient,
) -> Result<MoonlightClient, RpcError> {
    check(&change)?;
    let id = change.id;
    waiting(&caller, move |clients| clients.change_client(&change)).await?;
    client(&caller, id)
}

pub(crate) async fn remove_moonlight_client(
    caller: Arc<Caller>,
    params: MoonlightClientId,
) -> Result<(), RpcError> {
    waiting(&caller, move |clients| clients.remove_client(params.id)).await
}
