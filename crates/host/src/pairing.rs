//! Paired Moonlight clients, and those that want to be, as sessions see them.

use crate::moonlight::MoonlightSlot;
use control_api::{
    ChangeMoonlightClient, EnterPin, MoonlightClient, PairingEnd, PendingPairing, PinOutcome,
};
use gamestream::{
    ClientChange, PairedClient, PairedError, PairingFailed, PinEntered, PinRefused, Server,
};
use media::MonoTime;
use sessions::{ClientsError, PinPending};
use std::sync::Arc;
use tokio::sync::watch;

/// The server, while it runs.
pub(crate) struct Paired(pub(crate) MoonlightSlot);

impl Paired {
    fn server(&self) -> Result<Arc<Server>, ClientsError> {
        self.0.get().ok_or(ClientsError::NotServed)
    }
}

impl sessions::MoonlightClients for Paired {
    fn pairings(&self) -> Vec<PendingPairing> {
        let now = MonoTime::now();
        let pending = self.0.get().map(|server| server.pending());
        let shown = pending.into_iter().flatten().map(|pending| PendingPairing {
            id: pending.id,
            name: pending.name,
            address: pending.address.to_string(),
            fingerprint: pending.fingerprint,
            expires_in_ms: u32::try_from(pending.until.since(now).as_millis()).unwrap_or(u32::MAX),
        });
        shown.collect()
    }

    fn pairings_changed(&self) -> watch::Receiver<()> {
        let server = self.0.get();
        server.map_or_else(never, |server| server.pending_changed())
    }

    fn clients(&self) -> Option<Vec<MoonlightClient>> {
        let clients = self.0.get()?.clients();
        Some(clients.iter().map(shown).collect())
    }

    fn clients_changed(&self) -> watch::Receiver<()> {
        let server = self.0.get();
        server.map_or_else(never, |server| server.clients_changed())
    }

    fn enter_pin(&self, entered: &EnterPin) -> Result<PinPending, ClientsError> {
        let EnterPin { pin, id, name } = entered;
        let taken = self.server()?.enter_pin(pin, *id, name.as_deref());
        let taken = taken.map_err(|why| match why {
            PinRefused::NoPin(range) => ClientsError::Parameter {
                field: "pin",
                message: format!("it must be {range}"),
            },
            PinRefused::NobodyWaits => ClientsError::NotWaiting,
            PinRefused::SeveralWait => ClientsError::SeveralWait,
            PinRefused::NotNow(why) => ClientsError::NotNow(why.to_string()),
        })?;
        Ok(Box::pin(outcome(taken)))
    }

    fn refuse_pairing(&self, id: u64) -> Result<(), ClientsError> {
        let waited = self.server()?.refuse_pairing(id);
        waited.then_some(()).ok_or(ClientsError::NotWaiting)
    }

    fn change_client(&self, change: &ChangeMoonlightClient) -> Result<(), ClientsError> {
        let wanted = ClientChange {
            name: change.name.clone(),
            role: change.role,
            rights: change.rights,
            expires_at: change.expires_at,
        };
        let changed = self.server()?.change_client(change.id, &wanted);
        changed.map(drop).map_err(|error| refused(&error))
    }

    fn remove_client(&self, id: u32) -> Result<(), ClientsError> {
        let removed = self.server()?.remove_client(id);
        removed.map(drop).map_err(|error| refused(&error))
    }
}

/// What a server that has stopped tells.
fn never() -> watch::Receiver<()> {
    watch::channel(()).1
}

async fn outcome(entered: PinEntered) -> PinOutcome {
    let mut outcome = PinOutcome {
        ended: PairingEnd::Paired,
        client: None,
        why: None,
    };
    match entered.ended().await {
        gamestream::PairingEnd::Paired(client) => outcome.client = Some(shown(&client)),
        gamestream::PairingEnd::NotKept(why) => {
            (outcome.ended, outcome.why) = (PairingEnd::NotKept, Some(why.to_string()));
        }
        gamestream::PairingEnd::Failed(why) => {
            outcome.ended = match why {
                PairingFailed::WrongPin => PairingEnd::WrongPin,
                PairingFailed::GaveUp => PairingEnd::GaveUp,
                PairingFailed::TimedOut => PairingEnd::TimedOut,
            };
        }
    }
    outcome
}

fn shown(client: &PairedClient) -> MoonlightClient {
    MoonlightClient {
        id: client.id,
        name: client.name.clone(),
        role: client.role,
        rights: client.rights,
        fingerprint: client.fingerprint().to_string(),
        paired_at: client.paired_at,
        expires_at: client.expires_at,
        sessions: Vec::new(),
    }
}

fn refused(error: &PairedError) -> ClientsError {
    match error {
        PairedError::Value { field, message } => ClientsError::Parameter {
            field,
            message: (*message).to_owned(),
        },
        PairedError::Unknown(_) => ClientsError::Unknown,
        PairedError::File { .. } | PairedError::TooMany => ClientsError::Failed(error.to_string()),
    }
}
