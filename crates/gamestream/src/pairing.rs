//! Pairing as a running host does it: who waits for a PIN is shown, PINs are taken from people, and
//! whoever is paired is kept. The rules are `gamestream_proto::pairing`'s.

use crate::paired::{Paired, PairedClient, PairedError};
use crate::session::lock;
use gamestream_proto::http::{CertificateRequest, PairRequest};
use gamestream_proto::pairing::{
    Failed, HostChoices, HostIdentity, PairReply, PairingDesk, PairingId,
};
use media::MonoTime;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::{Notify, oneshot, watch};

/// A client that waits for somebody to enter its PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPairing {
    /// Names it.
    pub id: u64,
    /// What the client calls itself.
    pub name: String,
    /// Where it is.
    pub address: IpAddr,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// When it is sent away.
    pub until: MonoTime,
}

/// Why a PIN was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PinRefused {
    /// It is no PIN.
    #[error("pin: it must be {0}")]
    NoPin(&'static str),
    /// No client waits for a PIN, or not this one.
    #[error("no Moonlight client waits for a PIN: start pairing in Moonlight first")]
    NobodyWaits,
    /// It does not say for which of several clients it is.
    #[error("several Moonlight clients wait for a PIN: say which one it is for")]
    SeveralWait,
    /// Not now.
    #[error(transparent)]
    NotNow(gamestream_proto::Error),
}

impl From<gamestream_proto::Error> for PinRefused {
    fn from(error: gamestream_proto::Error) -> Self {
        use gamestream_proto::Error;
        match error {
            Error::OutOfRange { range, .. } => Self::NoPin(range),
            Error::NoPairing => Self::NobodyWaits,
            Error::SeveralPairings => Self::SeveralWait,
            error => Self::NotNow(error),
        }
    }
}

/// A PIN that was taken. Whether it is right shows once the client has gone on.
#[derive(Debug)]
pub struct PinEntered(oneshot::Receiver<PairingEnd>);

impl PinEntered {
    /// Waits until the pairing has ended, which is within ten seconds of the PIN.
    pub async fn ended(self) -> PairingEnd {
        // A host that stops hears of nobody any more.
        self.0.await.unwrap_or(PairingEnd::Failed(Failed::TimedOut))
    }
}

/// How a pairing ended whose PIN was entered.
#[derive(Debug)]
pub enum PairingEnd {
    /// This client is paired.
    Paired(PairedClient),
    /// The PIN was right, but the client could not be kept.
    NotKept(PairedError),
    /// Nobody is paired.
    Failed(Failed),
}

struct State {
    desk: PairingDesk,
    /// Whose first request is held open.
    waiting: HashMap<PairingId, oneshot::Sender<PairReply>>,
    /// Who is told how it ends, of those past their PIN.
    entered: HashMap<PairingId, oneshot::Sender<PairingEnd>>,
    /// Who waits for a PIN.
    shown: Vec<PendingPairing>,
}

/// Everything about pairing.
pub(crate) struct Pairing {
    state: Mutex<State>,
    paired: Arc<Mutex<Paired>>,
    /// Told when others wait.
    pending_changed: watch::Sender<()>,
    /// The next deadline may have changed.
    changed: Notify,
}

impl Pairing {
    pub(crate) fn new(host: Arc<HostIdentity>, paired: Arc<Mutex<Paired>>) -> Self {
        Self {
            state: Mutex::new(State {
                desk: PairingDesk::new(host),
                waiting: HashMap::new(),
                entered: HashMap::new(),
                shown: Vec::new(),
            }),
            paired,
            pending_changed: watch::Sender::new(()),
            changed: Notify::new(),
        }
    }

    /// Who waits, the longest waiting first.
    pub(crate) fn pending(&self) -> Vec<PendingPairing> {
        lock(&self.state).shown.clone()
    }

    /// Changes after [`Self::pending`] does.
    pub(crate) fn pending_changed(&self) -> watch::Receiver<()> {
        self.pending_changed.subscribe()
    }

    /// Somebody typed a PIN, for the client `which` or the only one that waits.
    pub(crate) fn enter_pin(
        &self,
        pin: &str,
        which: Option<u64>,
        name: Option<&str>,
    ) -> Result<PinEntered, PinRefused> {
        let which = which.map(PairingId::from_number);
        let mut state = lock(&self.state);
        let entered = state.desk.enter_pin(pin, which, name, MonoTime::now());
        let (told, end) = oneshot::channel();
        if let Ok(id) = &entered {
            state.entered.insert(*id, told);
        }
        self.settle(&mut state);
        Ok(entered.map(|_| PinEntered(end))?)
    }

    /// A client at `address` says that its pairing has failed, or says what makes no sense.
    pub(crate) fn abandon(&self, address: IpAddr) {
        let mut state = lock(&self.state);
        state.desk.abandon(address, MonoTime::now());
        self.settle(&mut state);
    }

    /// Sends a client away that waits for its PIN; `false` when there is none of that number.
    pub(crate) fn refuse(&self, which: u64) -> bool {
        let which = PairingId::from_number(which);
        let mut state = lock(&self.state);
        let waits = state.desk.pending().any(|pending| pending.id == which);
        if waits {
            state.desk.withdraw(which);
            self.settle(&mut state);
        }
        waits
    }

    /// Answers a step of pairing; the first one once somebody has entered the PIN.
    pub(crate) async fn answer(&self, step: &PairRequest, address: IpAddr) -> PairReply {
        match step {
            PairRequest::Certificate(request) => self.begin(request, address).await,
            step => self.proceed(step, address),
        }
    }

    async fn begin(&self, request: &CertificateRequest, address: IpAddr) -> PairReply {
        let (told, answer) = oneshot::channel();
        let waits = {
            let mut state = lock(&self.state);
            let asked = state.desk.ask(request, address, MonoTime::now());
            let waits = asked.map(|id| {
                state.waiting.insert(id, told);
                tracing::info!(name = %request.device_name, %address, "a client wants to pair");
                // Dropped with the request when the client hangs up.
                Waits { pairing: self, id }
            });
            self.settle(&mut state);
            waits
        };
        let Ok(_waits) = waits else {
            return PairReply::Failed {
                message: "Too many clients want to pair: try again in a minute",
            };
        };
        answer.await.unwrap_or(PairReply::Failed {
            message: "The host is stopping",
        })
    }

    fn proceed(&self, step: &PairRequest, address: IpAddr) -> PairReply {
        let failed = |message| PairReply::Failed { message };
        let mut random = [0_u8; 32];
        if getrandom::fill(&mut random).is_err() {
            return failed("The host has no random numbers");
        }
        let (secret, challenge) = random.split_at(16);
        let mut choices = HostChoices {
            secret: [0; 16],
            challenge: [0; 16],
        };
        choices.secret.copy_from_slice(secret);
        choices.challenge.copy_from_slice(challenge);
        let (done, told) = {
            let mut state = lock(&self.state);
            let done = state.desk.proceed(step, address, choices, MonoTime::now());
            let whose = done.id.filter(|_| done.paired.is_some());
            let told = whose.and_then(|id| state.entered.remove(&id));
            self.settle(&mut state);
            (done, told)
        };
        let Some(client) = done.paired else {
            return done.reply;
        };
        let der = client.certificate.der();
        let added = lock(&self.paired).add(der, &client.name, SystemTime::now());
        let (reply, end) = match added {
            Ok(client) => {
                tracing::info!(name = %client.name, %address, "paired");
                (done.reply, PairingEnd::Paired(client))
            }
            Err(error @ PairedError::TooMany) => {
                tracing::warn!(%error, "not paired");
                let reply = failed("The host has as many clients as it takes");
                (reply, PairingEnd::NotKept(error))
            }
            Err(error) => {
                tracing::error!(%error, "not paired");
                let reply = failed("The host could not keep the pairing");
                (reply, PairingEnd::NotKept(error))
            }
        };
        if let Some(told) = told {
            // Whoever entered the PIN may have stopped waiting.
            let _ = told.send(end);
        }
        reply
    }

    /// Sends the answers that are due, and shows who waits now.
    fn settle(&self, state: &mut State) {
        while let Some(answer) = state.desk.next_answer() {
            if let Some(told) = state.waiting.remove(&answer.id) {
                // The client may have hung up.
                let _ = told.send(answer.reply);
            }
        }
        while let Some((id, why)) = state.desk.next_failure() {
            if let Some(told) = state.entered.remove(&id) {
                // Whoever entered the PIN may have stopped waiting.
                let _ = told.send(PairingEnd::Failed(why));
            }
        }
        let pending = state.desk.pending().map(|pending| PendingPairing {
            id: pending.id.number(),
            name: pending.name.to_owned(),
            address: pending.address,
            fingerprint: pending.fingerprint.to_string(),
            until: pending.until,
        });
        let pending: Vec<_> = pending.collect();
        if state.shown != pending {
            state.shown = pending;
            self.pending_changed.send_replace(());
        }
        self.changed.notify_one();
    }

    /// Sends clients away whose time is over, as long as the host runs.
    pub(crate) async fn watch_the_clock(&self) {
        loop {
            let deadline = lock(&self.state).desk.deadline();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.to_instant().into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = due => {
                    let mut state = lock(&self.state);
                    state.desk.tick(MonoTime::now());
                    self.settle(&mut state);
                }
            }
        }
    }
}

/// A first request that is held open.
struct Waits<'a> {
    pairing: &'a Pairing,
    id: PairingId,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pairing.state);
        if state.waiting.remove(&self.id).is_some() {
            state.desk.withdraw(self.id);
            self.pairing.settle(&mut state);
        }
    }
}
