//! Moonlight clients as the hub sees them: whoever knows them is a trait here, and what they may do
//! reaches their sessions at once. It refuses to know how pairing works.

use crate::hub::Hub;
use crate::identity::{Identity, LoginId};
use crate::session::SessionHandle;
use control_api::{
    ChangeMoonlightClient, EndReason, EnterPin, MoonlightClient, PendingPairing, PinOutcome,
    SessionId,
};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// A wall clock may be set while somebody waits for it; that is noticed after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What comes of a PIN that was taken; it comes within ten seconds.
pub type PinPending = Pin<Box<dyn Future<Output = PinOutcome> + Send>>;

/// Whoever pairs Moonlight clients and keeps the list of them. Its calls return at once, unless they
/// say otherwise.
pub trait MoonlightClients: Send + Sync + 'static {
    /// The clients that wait for their PIN, the longest waiting first.
    fn pairings(&self) -> Vec<PendingPairing>;

    /// Changes after [`Self::pairings`] does.
    fn pairings_changed(&self) -> watch::Receiver<()>;

    /// The paired clients, in the order in which they were paired, also those whose time is over;
    /// without their sessions, which the hub knows. Nothing once no Moonlight clients are served.
    fn clients(&self) -> Option<Vec<MoonlightClient>>;

    /// Changes after [`Self::clients`] does.
    fn clients_changed(&self) -> watch::Receiver<()>;

    /// Takes a PIN; whether it is right shows later.
    ///
    /// # Errors
    /// [`ClientsError`].
    fn enter_pin(&self, entered: &EnterPin) -> Result<PinPending, ClientsError>;

    /// Sends a client away that waits for its PIN.
    ///
    /// # Errors
    /// [`ClientsError::NotWaiting`].
    fn refuse_pairing(&self, id: u64) -> Result<(), ClientsError>;

    /// Changes a client. It writes a file, and so may wait; the hub tells the client's sessions.
    ///
    /// # Errors
    /// [`ClientsError`]; nothing was changed then.
    fn change_client(&self, change: &ChangeMoonlightClient) -> Result<(), ClientsError>;

    /// Forgets a client. It writes a file, and so may wait; the hub ends the client's sessions.
    ///
    /// # Errors
    /// [`ClientsError`]; nothing was changed then.
    fn remove_client(&self, id: u32) -> Result<(), ClientsError>;
}

/// Why something about Moonlight clients was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientsError {
    /// A member of the request cannot be used.
    #[error("{field}: {message}")]
    Parameter {
        /// Which one.
        field: &'static str,
        /// What is wrong with it, and what it may be.
        message: String,
    },
    /// There is no such client.
    #[error("there is no such Moonlight client")]
    Unknown,
    /// Nobody waits for a PIN, or not this one.
    #[error("no such Moonlight client waits for a PIN: start pairing in Moonlight first")]
    NotWaiting,
    /// It does not say for which of several clients it is.
    #[error("several Moonlight clients wait for a PIN: say which one it is for")]
    SeveralWait,
    /// Not now; it says when.
    #[error("{0}")]
    NotNow(String),
    /// Moonlight clients are not served.
    #[error("this host serves no Moonlight clients: start it with --moonlight")]
    NotServed,
    /// The host could not do it.
    #[error("{0}")]
    Failed(String),
}

/// As a session's owner, with what the client may do.
fn identity_of(client: &MoonlightClient) -> Identity {
    Identity {
        role: client.role,
        login: LoginId::of_client(client.id),
        name: Some(client.name.clone()),
        rights: client.rights,
    }
}

fn since_epoch() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// How much longer a client may be here, if not for ever; zero when its time is over.
fn left(client: &MoonlightClient, now: Duration) -> Option<Duration> {
    let end = Duration::from_secs(client.expires_at?);
    Some(end.saturating_sub(now))
}

impl Hub {
    /// Who knows the Moonlight clients from now on. The first one counts.
    pub fn set_moonlight(&self, clients: Arc<dyn MoonlightClients>) {
        if self.shared.moonlight.set(Arc::clone(&clients)).is_ok() {
            self.runtime().spawn(self.clone().follow_clients(clients));
        }
    }

    pub(crate) fn moonlight(&self) -> Option<&Arc<dyn MoonlightClients>> {
        self.shared.moonlight.get()
    }

    /// The paired clients with their sessions.
    pub(crate) fn moonlight_clients(&self) -> Vec<MoonlightClient> {
        let mut clients = self
            .moonlight()
            .and_then(|known| known.clients())
            .unwrap_or_default();
        let sessions = self.all_sessions();
        for client in &mut clients {
            let login = LoginId::of_client(client.id);
            let own = sessions
                .iter()
                .filter(|session| session.is_live() && session.identity().login == login);
            client.sessions = own.map(|session| SessionId(session.viewer().0)).collect();
        }
        clients
    }

    /// What a login of a Moonlight client may do now, or why it may not be here. With nobody who knows
    /// them, whoever comes may do as it says.
    fn known_client(&self, identity: &Identity) -> Result<Identity, EndReason> {
        let Some(clients) = self.moonlight().and_then(|known| known.clients()) else {
            return Ok(identity.clone());
        };
        let own = clients
            .iter()
            .find(|client| LoginId::of_client(client.id) == identity.login);
        match own {
            None => Err(EndReason::Operator),
            Some(client) if left(client, since_epoch()) == Some(Duration::ZERO) => {
                Err(EndReason::Expired)
            }
            Some(client) => Ok(identity_of(client)),
        }
    }

    /// Whether a login of a Moonlight client stands.
    pub(crate) fn client_stands(&self, identity: &Identity) -> bool {
        self.known_client(identity).is_ok()
    }

    /// Gives a session of a Moonlight client what the client may do now, or ends it.
    pub(crate) fn heed_client(&self, session: &SessionHandle) {
        match self.known_client(&session.identity()) {
            Ok(identity) => session.identify(identity),
            Err(reason) => session.end(reason),
        }
    }

    /// The same for every session.
    pub(crate) fn heed_clients(&self) {
        for session in self.all_sessions() {
            if session.identity().login >= LoginId::PAIRED {
                self.heed_client(&session);
            }
        }
    }

    /// When the next session ends because its client's time is over.
    fn next_expiry(&self) -> Option<Duration> {
        let now = since_epoch();
        let clients = self.moonlight_clients();
        let here = clients.iter().filter(|client| !client.sessions.is_empty());
        here.filter_map(|client| left(client, now)).min()
    }

    /// Whatever changes about clients, and the end of their time, reaches their sessions.
    async fn follow_clients(self, clients: Arc<dyn MoonlightClients>) {
        let mut changed = clients.clients_changed();
        let mut room = self.sessions();
        loop {
            self.heed_clients();
            let expiry = self.next_expiry();
            let due = async {
                match expiry {
                    Some(after) => tokio::time::sleep(after.min(LOOK_AGAIN)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stopped() => return,
                Ok(()) = changed.changed() => {}
                Ok(()) = room.changed() => {}
                () = due => {}
            }
        }
    }
}
