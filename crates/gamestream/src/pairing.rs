//! Pairing as a running host does it: who waits for a PIN is shown, PINs are taken from people, and
//! whoever is paired is kept. The rules are `gamestream_proto::pairing`'s.

use crate::paired::{Paired, PairedError};
use crate::session::lock;
use gamestream_proto::http::{CertificateRequest, PairRequest};
use gamestream_proto::pairing::{HostChoices, HostIdentity, PairReply, PairingDesk, PairingId};
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
#[error(transparent)]
pub struct PinRefused(#[from] pub gamestream_proto::Error);

struct State {
    desk: PairingDesk,
    /// Whose first request is held open.
    waiting: HashMap<PairingId, oneshot::Sender<PairReply>>,
}

/// Everything about pairing.
pub(crate) struct Pairing {
    state: Mutex<State>,
    paired: Arc<Mutex<Paired>>,
    pending: watch::Sender<Arc<[PendingPairing]>>,
    /// The next deadline may have changed.
    changed: Notify,
}

impl Pairing {
    pub(crate) fn new(host: Arc<HostIdentity>, paired: Arc<Mutex<Paired>>) -> Self {
        let (pending, _) = watch::channel(Arc::from([]));
        Self {
            state: Mutex::new(State {
                desk: PairingDesk::new(host),
                waiting: HashMap::new(),
            }),
            paired,
            pending,
            changed: Notify::new(),
        }
    }

    /// Who waits, now and whenever it changes.
    pub(crate) fn pending(&self) -> watch::Receiver<Arc<[PendingPairing]>> {
        self.pending.subscribe()
    }

    /// Somebody typed a PIN, for the client `which` or the only one that waits.
    pub(crate) fn enter_pin(
        &self,
        pin: &str,
        which: Option<u64>,
        name: Option<&str>,
    ) -> Result<(), PinRefused> {
        let which = which.map(PairingId::from_number);
        let mut state = lock(&self.state);
        let entered = state.desk.enter_pin(pin, which, name, MonoTime::now());
        self.settle(&mut state);
        Ok(entered.map(|_| ())?)
    }

    /// Sends a client away that waits for its PIN.
    pub(crate) fn refuse(&self, which: u64) {
        let mut state = lock(&self.state);
        state.desk.withdraw(PairingId::from_number(which));
        self.settle(&mut state);
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
        let mut state = lock(&self.state);
        let done = state.desk.proceed(step, address, choices, MonoTime::now());
        self.settle(&mut state);
        drop(state);
        let Some(client) = done.paired else {
            return done.reply;
        };
        let der = client.certificate.der();
        let added = lock(&self.paired).add(der, &client.name, SystemTime::now());
        match added {
            Ok(client) => {
                tracing::info!(name = %client.name, %address, "paired");
                done.reply
            }
            Err(error @ PairedError::TooMany) => {
                tracing::warn!(%error, "not paired");
                failed("The host has as many clients as it takes")
            }
            Err(error) => {
                tracing::error!(%error, "not paired");
                failed("The host could not keep the pairing")
            }
        }
    }

    /// Sends the answers that are due, and shows who waits now.
    fn settle(&self, state: &mut State) {
        while let Some(answer) = state.desk.next_answer() {
            if let Some(told) = state.waiting.remove(&answer.id) {
                // The client may have hung up.
                let _ = told.send(answer.reply);
            }
        }
        let pending = state.desk.pending().map(|pending| PendingPairing {
            id: pending.id.number(),
            name: pending.name.to_owned(),
            address: pending.address,
            fingerprint: pending.fingerprint.to_string(),
            until: pending.until,
        });
        let pending: Arc<[PendingPairing]> = pending.collect();
        self.pending.send_if_modified(|shown| {
            let differs = **shown != *pending;
            *shown = pending;
            differs
        });
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
