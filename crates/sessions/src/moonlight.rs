//! What the hub needs of whoever serves Moonlight clients: who waits for a PIN, who is paired, and what
//! each may do.

use crate::engine::EngineError;
use control_api::{ChangeMoonlightClient, EnterPin, MoonlightClient, PendingPairing};

/// Whoever serves Moonlight clients. Called from the thread that serves everybody, so it must return at
/// once.
pub trait MoonlightClients: Send + Sync {
    /// The clients that wait for their PIN, the longest waiting first.
    fn pairings(&self) -> Vec<PendingPairing>;

    /// Takes a PIN. Whether it was right shows in [`clients`](Self::clients).
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for what is no PIN or no client; [`EngineError::Failed`] when PINs
    /// come too often.
    fn enter_pin(&self, entered: &EnterPin) -> Result<(), EngineError>;

    /// Sends a client away that waits.
    fn refuse_pairing(&self, id: u64);

    /// The paired clients.
    fn clients(&self) -> Vec<MoonlightClient>;

    /// Changes a client, at once.
    ///
    /// # Errors
    /// [`EngineError`]; nothing was changed then.
    fn change_client(&self, change: &ChangeMoonlightClient)
    -> Result<MoonlightClient, EngineError>;

    /// Forgets a client and ends its sessions.
    ///
    /// # Errors
    /// [`EngineError`]; nothing was changed then.
    fn remove_client(&self, id: u32) -> Result<(), EngineError>;
}
