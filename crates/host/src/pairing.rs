//! Paired Moonlight clients, and those that want to be, as sessions see them.

use control_api::{ChangeMoonlightClient, EnterPin, MoonlightClient, PendingPairing, SessionId};
use gamestream::{ClientChange, PairedClient, PairedError, PinRefused, Server};
use media::MonoTime;
use sessions::EngineError;
use std::sync::Arc;

/// The running server.
pub(crate) struct Paired(pub(crate) Arc<Server>);

impl sessions::MoonlightClients for Paired {
    fn pairings(&self) -> Vec<PendingPairing> {
        let now = MonoTime::now();
        let pending = self.0.pending();
        let pending = Arc::clone(&pending.borrow());
        let shown = pending.iter().map(|pending| PendingPairing {
            id: pending.id,
            name: pending.name.clone(),
            address: pending.address.to_string(),
            fingerprint: pending.fingerprint.clone(),
            expires_in_ms: u32::try_from(pending.until.since(now).as_millis()).unwrap_or(u32::MAX),
        });
        shown.collect()
    }

    fn enter_pin(&self, entered: &EnterPin) -> Result<(), EngineError> {
        let EnterPin { pin, id, name } = entered;
        let taken = self.0.enter_pin(pin, *id, name.as_deref());
        taken.map_err(|PinRefused(why)| match why {
            gamestream::PinError::OutOfRange { range, .. } => EngineError::Parameter {
                field: "pin",
                message: format!("it must be {range}"),
            },
            why => EngineError::Failed(why.to_string()),
        })
    }

    fn refuse_pairing(&self, id: u64) {
        self.0.refuse_pairing(id);
    }

    fn clients(&self) -> Vec<MoonlightClient> {
        let clients = self.0.clients();
        clients.iter().map(|client| self.shown(client)).collect()
    }

    fn change_client(
        &self,
        change: &ChangeMoonlightClient,
    ) -> Result<MoonlightClient, EngineError> {
        let wanted = ClientChange {
            name: change.name.clone(),
            role: change.role,
            rights: change.rights,
            expires_at: change.expires_at,
        };
        let changed = self.0.change_client(change.id, &wanted);
        changed
            .map(|client| self.shown(&client))
            .map_err(|error| refused(&error))
    }

    fn remove_client(&self, id: u32) -> Result<(), EngineError> {
        let removed = self.0.remove_client(id);
        removed.map(drop).map_err(|error| refused(&error))
    }
}

impl Paired {
    fn shown(&self, client: &PairedClient) -> MoonlightClient {
        let sessions = self.0.sessions_of(client);
        MoonlightClient {
            id: client.id,
            name: client.name.clone(),
            role: client.role,
            rights: client.rights,
            fingerprint: client.fingerprint().to_string(),
            paired_at: client.paired_at,
            expires_at: client.expires_at,
            sessions: sessions.map(|viewer| SessionId(viewer.0)).collect(),
        }
    }
}

fn refused(error: &PairedError) -> EngineError {
    match error {
        PairedError::Value { field, message } => EngineError::Parameter {
            field,
            message: (*message).to_owned(),
        },
        PairedError::Unknown(_) => EngineError::Parameter {
            field: "id",
            message: error.to_string(),
        },
        PairedError::File { .. } | PairedError::TooMany => EngineError::Failed(error.to_string()),
    }
}
