//! Pairing: how a host and a client come to know each other's certificate by a PIN that a person
//! carries from one to the other. What is kept of it, and where, is decided elsewhere.
//!
//! A [`PairingSession`] is one client's way through the steps; the [`PairingDesk`] holds those that
//! are under way, within bounds. The first request of a pairing stays unanswered until the PIN is
//! there: the shell keeps it under the [`PairingId`] that the desk gave it, and answers it when
//! [`PairingDesk::next_answer`] names that id, whatever the reason.
//!
//! The fifth step, over HTTPS, proves nothing that the TLS handshake has not: the shell answers it
//! with [`PairReply::Paired`] when the client's certificate is known.

mod desk;
mod host;
mod limit;
mod peer;
mod reply;
mod session;
#[cfg(test)]
mod tests;

pub use desk::{
    Answer, Failed, MAX_PAIRINGS, PIN_LIFETIME, PairedClient, PairingDesk, PairingId, Pending,
    Proceeded, STEPS_LIFETIME,
};
pub use host::{HostIdentity, IdentityPem};
pub use peer::{ClientCertificate, Fingerprint};
pub use reply::PairReply;
pub use session::{HostChoices, PairingSession, Pin};
