//! Share links: the hub's way to the gate, and the end of each link at its time.

use super::gate::Gate;
use control_api::{CreateShareLink, Role, ShareLink};
use sessions::{Links, LinksError, LoginId, WeakHub};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest life of a share link.
const MAX_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest name of one, in characters.
const MAX_NAME: usize = 64;

/// What the hub knows of the gate.
pub(crate) struct ShareLinks {
    gate: Arc<Gate>,
    hub: WeakHub,
}

/// A share link to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) role: Role,
    pub(crate) life: Duration,
    pub(crate) name: Option<String>,
}

impl ShareLinks {
    pub(crate) fn new(gate: Arc<Gate>, hub: WeakHub) -> Self {
        Self { gate, hub }
    }

    /// Ends the link when its time has come, and what came by it.
    fn end_in(&self, life: Duration, id: u32) {
        let (gate, weak) = (Arc::clone(&self.gate), self.hub.clone());
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        hub.runtime().spawn(async move {
            tokio::time::sleep(life).await;
            if let (Ok(logins), Some(hub)) = (gate.revoke(id), weak.upgrade()) {
                for login in logins {
                    hub.end_login(login);
                }
            }
        });
    }
}

/// Checks what was asked for.
///
/// # Errors
/// [`LinksError::Parameter`].
pub fn check(wanted: &CreateShareLink) -> Result<Wanted, LinksError> {
    let refused = |field, message| Err(LinksError::Parameter { field, message });
    let life = Duration::from_secs(wanted.for_seconds.into());
    if life.is_zero() || life > MAX_LIFE {
        return refused("forSeconds", "1 to 2592000 seconds (30 days)");
    }
    if wanted.role < Role::Viewer {
        return refused("role", "viewer, controller or admin");
    }
    let name = wanted.name.as_deref().map(str::trim);
    let name = name.filter(|name| !name.is_empty());
    if name
        .is_some_and(|name| name.chars().count() > MAX_NAME || name.chars().any(char::is_control))
    {
        return refused("name", "at most 64 characters, on one line");
    }
    Ok(Wanted {
        role: wanted.role,
        life,
        name: name.map(str::to_owned),
    })
}

impl Links for ShareLinks {
    fn stands(&self, login: LoginId) -> bool {
        self.gate.stands(login, Instant::now())
    }

    fn create(&self, wanted: &CreateShareLink) -> Result<ShareLink, LinksError> {
        let wanted = check(wanted)?;
        let life = wanted.life;
        let link = self.gate.share(wanted, Instant::now())?;
        self.end_in(life, link.id);
        Ok(link)
    }

    fn list(&self) -> Vec<ShareLink> {
        self.gate.shared(Instant::now())
    }

    fn revoke(&self, id: u32) -> Result<Vec<LoginId>, LinksError> {
        self.gate.revoke(id)
    }
}
