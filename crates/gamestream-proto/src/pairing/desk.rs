//! The pairings under way: who waits for a PIN, which PIN is for whom, and which request belongs to
//! which pairing. Everything is bounded in number and in time; nothing is kept of a pairing that
//! ended.
//!
//! A pairing is one of a client certificate, because every client sends the same `uniqueid`. After
//! the first step requests name no certificate any more; they follow within a moment, so at most
//! one pairing of an address is past its PIN at a time, and they belong to that one.

use super::host::HostIdentity;
use super::limit::{AddressLimits, Limit, household};
use super::peer::{ClientCertificate, Fingerprint};
use super::reply::PairReply;
use super::session::{HostChoices, PairingSession, Pin};
use crate::Error;
use crate::http::{CertificateRequest, PairRequest};
use media::MonoTime;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The most pairings under way.
pub const MAX_PAIRINGS: usize = 8;
/// How long a client waits for its PIN.
pub const PIN_LIFETIME: Duration = Duration::from_secs(120);
/// How long a client may take for the steps after it, which it does on its own: four requests within a
/// second or two on a network that works. `enterPin` promises its answer within this time.
pub const STEPS_LIFETIME: Duration = Duration::from_secs(10);
/// First steps that one address may take in a minute.
const ASKS_A_MINUTE: u32 = 6;
/// PINs that are taken in a minute.
const PINS_A_MINUTE: u32 = 5;

/// Names a pairing under way, and the unanswered request that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairingId(u64);

impl PairingId {
    /// As a number, for an interface.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// From such a number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// A client that waits for its PIN, for people to recognise.
#[derive(Clone, Copy, Debug)]
pub struct Pending<'a> {
    /// Names it.
    pub id: PairingId,
    /// What the client calls itself.
    pub name: &'a str,
    /// Where it is.
    pub address: IpAddr,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// Since when it waits.
    pub since: MonoTime,
    /// When it is sent away.
    pub until: MonoTime,
}

/// What the request that began a pairing is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose.
    pub id: PairingId,
    /// With what.
    pub reply: PairReply,
}

/// A client that is paired from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedClient {
    /// What people call it.
    pub name: String,
    /// Its certificate, to be kept: only with it does the client come in over HTTPS.
    pub certificate: ClientCertificate,
}

/// Why a pairing came to nothing whose PIN was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The client and the host do not know the same PIN.
    WrongPin,
    /// The client ended it, or did what does not come next.
    GaveUp,
    /// The client did not go on within [`STEPS_LIFETIME`].
    TimedOut,
}

/// The answer to a later step, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proceeded {
    /// Whose step it was, if anybody's.
    pub id: Option<PairingId>,
    /// The answer.
    pub reply: PairReply,
    /// Who is paired now. Keep it before the answer goes out: the client comes back at once.
    pub paired: Option<PairedClient>,
}

struct Entry {
    id: PairingId,
    session: PairingSession,
    name: String,
    address: IpAddr,
    since: MonoTime,
    until: MonoTime,
}

impl Entry {
    fn pending(&self) -> Option<Pending<'_>> {
        self.session.awaits_pin().then(|| Pending {
            id: self.id,
            name: &self.name,
            address: self.address,
            fingerprint: self.session.client().fingerprint(),
            since: self.since,
            until: self.until,
        })
    }
}

/// The pairings under way. After each call, [`PairingDesk::next_answer`] and
/// [`PairingDesk::next_failure`] are asked until they are empty.
pub struct PairingDesk {
    host: Arc<HostIdentity>,
    /// Oldest first.
    entries: Vec<Entry>,
    answers: VecDeque<Answer>,
    failures: VecDeque<(PairingId, Failed)>,
    asks: AddressLimits,
    pins: Limit,
    next_id: u64,
}

impl PairingDesk {
    /// A desk where nobody waits.
    #[must_use]
    pub fn new(host: Arc<HostIdentity>) -> Self {
        Self {
            host,
            entries: Vec::with_capacity(MAX_PAIRINGS),
            answers: VecDeque::new(),
            failures: VecDeque::new(),
            asks: AddressLimits::default(),
            pins: Limit::default(),
            next_id: 1,
        }
    }

    /// Takes the first step of a pairing. Its answer comes later, under the id that is returned.
    ///
    /// A client that asks again from where it asked before begins anew. When all places are taken,
    /// the oldest pairing of the address that has the most of them ends; when each address has one,
    /// the newcomer has to wait, so that a flood does not push out who was there first.
    ///
    /// # Errors
    /// [`Error::TooOften`] for an address that asks too often, and when all places are taken;
    /// [`Error::Certificate`]; [`Error::PairingBusy`] when the certificate is being paired from
    /// elsewhere.
    pub fn ask(
        &mut self,
        request: &CertificateRequest,
        address: IpAddr,
        now: MonoTime,
    ) -> Result<PairingId, Error> {
        self.tick(now);
        self.asks
            .take(address, ASKS_A_MINUTE, now)
            .map_err(|wait| Error::TooOften { wait })?;
        let session = PairingSession::new(request)?;
        let fingerprint = session.client().fingerprint();
        let same = |entry: &Entry| entry.session.client().fingerprint() == fingerprint;
        if let Some(place) = self.entries.iter().position(same) {
            if household(self.entries[place].address) != household(address) {
                return Err(Error::PairingBusy);
            }
            self.end(place, "The client has begun again", Failed::GaveUp);
        }
        if self.entries.len() >= MAX_PAIRINGS {
            let crowded = self.crowded().ok_or_else(|| Error::TooOften {
                wait: self.deadline().unwrap_or(now).since(now),
            })?;
            self.end(crowded, "Too many clients want to pair", Failed::GaveUp);
        }
        let id = PairingId(self.next_id);
        self.next_id += 1;
        self.entries.push(Entry {
            id,
            session,
            name: request.device_name.clone(),
            address,
            since: now,
            until: now + PIN_LIFETIME,
        });
        Ok(id)
    }

    /// The clients that wait for their PIN, the longest waiting first.
    pub fn pending(&self) -> impl Iterator<Item = Pending<'_>> {
        self.entries.iter().filter_map(Entry::pending)
    }

    /// Takes a PIN that somebody typed for a client, `which` or the only one that waits, and answers
    /// its request. `name` is what people call the client, when they said so. Whether the PIN is
    /// right shows later, and a wrong one ends the pairing.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for anything but four digits; [`Error::TooOften`];
    /// [`Error::NoPairing`], [`Error::SeveralPairings`], or [`Error::PairingBusy`] while another
    /// client at the same address is past its PIN.
    pub fn enter_pin(
        &mut self,
        pin: &str,
        which: Option<PairingId>,
        name: Option<&str>,
        now: MonoTime,
    ) -> Result<PairingId, Error> {
        self.tick(now);
        let pin = Pin::parse(pin)?;
        let place = self.choose(which)?;
        if self.past_its_pin(self.entries[place].address).is_some() {
            return Err(Error::PairingBusy);
        }
        self.pins
            .take(PINS_A_MINUTE, now)
            .map_err(|wait| Error::TooOften { wait })?;
        let entry = &mut self.entries[place];
        let reply = entry.session.enter_pin(pin, &self.host)?;
        entry.until = now + STEPS_LIFETIME;
        if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
            entry.name = name.to_owned();
        }
        let id = entry.id;
        self.answers.push_back(Answer { id, reply });
        Ok(id)
    }

    fn choose(&self, which: Option<PairingId>) -> Result<usize, Error> {
        let waits = |entry: &Entry| {
            entry.session.awaits_pin() && which.is_none_or(|which| which == entry.id)
        };
        let mut waiting = (0..self.entries.len()).filter(|place| waits(&self.entries[*place]));
        let place = waiting.next().ok_or(Error::NoPairing)?;
        match waiting.next() {
            None => Ok(place),
            Some(_) => Err(Error::SeveralPairings),
        }
    }

    /// Answers the second, third and fourth step. A first step or a fifth is none of these and is
    /// refused; a step that fails ends the pairing.
    pub fn proceed(
        &mut self,
        step: &PairRequest,
        address: IpAddr,
        choices: HostChoices,
        now: MonoTime,
    ) -> Proceeded {
        self.tick(now);
        let Some(place) = self.past_its_pin(address) else {
            return failed("No pairing is under way");
        };
        let Entry { id, session, .. } = &mut self.entries[place];
        let id = Some(*id);
        let reply = match step {
            PairRequest::Challenge(bytes) => session.challenge(*bytes, &self.host, choices),
            PairRequest::Response(bytes) => session.response(*bytes, &self.host),
            PairRequest::Secret(secret) => session.secret(secret),
            PairRequest::Certificate(_) | PairRequest::Confirm => {
                return failed("This step is not taken here");
            }
        };
        match reply {
            Ok(reply @ (PairReply::Challenge(_) | PairReply::Secret(_))) => Proceeded {
                id,
                reply,
                paired: None,
            },
            Ok(PairReply::Paired) => {
                let entry = self.entries.remove(place);
                Proceeded {
                    id,
                    reply: PairReply::Paired,
                    paired: Some(PairedClient {
                        name: entry.name,
                        certificate: entry.session.client().clone(),
                    }),
                }
            }
            Ok(reply) => {
                self.end(place, "", Failed::WrongPin);
                Proceeded {
                    id,
                    reply,
                    paired: None,
                }
            }
            Err(_) => {
                self.end(place, "", Failed::GaveUp);
                Proceeded {
                    id,
                    ..failed("This step does not come next")
                }
            }
        }
    }

    /// Ends a pairing: somebody refused it, or the client closed the connection that waits.
    pub fn withdraw(&mut self, id: PairingId) {
        if let Some(place) = self.entries.iter().position(|entry| entry.id == id) {
            self.end(place, "The pairing was refused", Failed::GaveUp);
        }
    }

    /// A client at `address` says that its pairing has failed, or says what makes no sense: the one
    /// there that is past its PIN ends. Clients do so when they notice a wrong PIN, which is before the
    /// host can: once they know the host's secret (`gs_unpair` in client.c).
    pub fn abandon(&mut self, address: IpAddr, now: MonoTime) {
        self.tick(now);
        if let Some(place) = self.past_its_pin(address) {
            let why = match self.entries[place].session.told_its_secret() {
                true => Failed::WrongPin,
                false => Failed::GaveUp,
            };
            self.end(place, "", why);
        }
    }

    /// The next pairing that came to nothing after its PIN was entered, and why.
    pub fn next_failure(&mut self) -> Option<(PairingId, Failed)> {
        self.failures.pop_front()
    }

    /// The pairing that requests from `address` belong to.
    fn past_its_pin(&self, address: IpAddr) -> Option<usize> {
        let from = household(address);
        let mut entries = self.entries.iter();
        entries.position(|entry| !entry.session.awaits_pin() && household(entry.address) == from)
    }

    /// Ends what has waited too long.
    pub fn tick(&mut self, now: MonoTime) {
        while let Some(place) = self.entries.iter().position(|entry| entry.until <= now) {
            self.end(place, "Nobody entered the PIN in time", Failed::TimedOut);
        }
    }

    /// When [`PairingDesk::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.entries.iter().map(|entry| entry.until).min()
    }

    /// The next unanswered request that is answered now, and with what.
    pub fn next_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// Ends a pairing: with an answer to its first step if nobody gave one, otherwise whoever entered
    /// its PIN is told `why`.
    fn end(&mut self, place: usize, message: &'static str, why: Failed) {
        let entry = self.entries.remove(place);
        if entry.session.awaits_pin() {
            let reply = PairReply::Failed { message };
            self.answers.push_back(Answer {
                id: entry.id,
                reply,
            });
        } else {
            self.failures.push_back((entry.id, why));
        }
    }

    /// The oldest pairing of the address that has the most, when one has several.
    fn crowded(&self) -> Option<usize> {
        let crowd = |entry: &Entry| {
            let address = household(entry.address);
            let there = self.entries.iter();
            there
                .filter(|other| household(other.address) == address)
                .count()
        };
        let places = self.entries.iter().enumerate().rev();
        let fullest = places.max_by_key(|(_, entry)| crowd(entry));
        let several = fullest.filter(|(_, entry)| crowd(entry) > 1);
        several.map(|(place, _)| place)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.entries.len(), self.asks.len())
    }
}

fn failed(message: &'static str) -> Proceeded {
    Proceeded {
        id: None,
        reply: PairReply::Failed { message },
        paired: None,
    }
}
