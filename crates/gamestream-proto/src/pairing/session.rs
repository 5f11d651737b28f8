//! One client's way through the steps of pairing, in their order: any error ends it, and so does any
//! step that does not come next. It draws no random numbers and keeps no time.

use super::host::HostIdentity;
use super::peer::ClientCertificate;
use super::reply::PairReply;
use crate::Error;
use crate::http::{CertificateRequest, ClientSecret};
use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::mem;

/// Four digits that a person reads on the client and types at the host.
#[derive(Clone, Copy)]
pub struct Pin([u8; 4]);

impl Pin {
    /// Reads a PIN; blanks around it are forgiven.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for anything but four digits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits: Option<[u8; 4]> = text.trim().as_bytes().try_into().ok();
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit));
        digits.map(Self).ok_or(Error::OutOfRange {
            field: "pin",
            range: "four digits",
        })
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// What the host draws at random for a pairing.
#[derive(Clone, Copy)]
pub struct HostChoices {
    /// What the host's hash is made with; told in the third step.
    pub secret: [u8; 16],
    /// What the client has to answer.
    pub challenge: [u8; 16],
}

impl fmt::Debug for HostChoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostChoices(..)")
    }
}

/// Where a pairing stands.
enum Stage {
    /// Nobody has typed the PIN.
    Pin { salt: [u8; 16] },
    /// The host's certificate is out.
    Challenge { key: PinKey },
    /// The host's challenge is out.
    Response { key: PinKey, choices: HostChoices },
    /// The host's secret is out, and the client has said what its own hashes to.
    Secret {
        challenge: [u8; 16],
        client_hash: [u8; 32],
    },
    /// Paired or failed.
    Over,
}

/// One pairing with one client certificate.
pub struct PairingSession {
    client: ClientCertificate,
    stage: Stage,
}

impl fmt::Debug for PairingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairingSession({})", self.client.fingerprint())
    }
}

impl PairingSession {
    /// Begins with the first step, which is not answered yet.
    ///
    /// # Errors
    /// [`Error::Certificate`] when the client's certificate cannot be used.
    pub fn new(request: &CertificateRequest) -> Result<Self, Error> {
        Ok(Self {
            client: ClientCertificate::from_pem(&request.certificate_pem)?,
            stage: Stage::Pin { salt: request.salt },
        })
    }

    /// Whose pairing it is.
    #[must_use]
    pub const fn client(&self) -> &ClientCertificate {
        &self.client
    }

    /// Whether the PIN is still to come.
    #[must_use]
    pub const fn awaits_pin(&self) -> bool {
        matches!(self.stage, Stage::Pin { .. })
    }

    /// Whether the host's secret is out, by which a client sees whether the host knows the PIN.
    #[must_use]
    pub const fn told_its_secret(&self) -> bool {
        matches!(self.stage, Stage::Secret { .. })
    }

    /// Answers the first step. Whether the PIN is right shows in the fourth.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] when a PIN was given before.
    pub fn enter_pin(&mut self, pin: Pin, host: &HostIdentity) -> Result<PairReply, Error> {
        let Stage::Pin { salt } = self.take_stage() else {
            return Err(Error::OutOfOrder { what: "a PIN" });
        };
        self.stage = Stage::Challenge {
            key: PinKey::new(salt, pin),
        };
        Ok(PairReply::Certificate(host.certificate_pem().to_owned()))
    }

    /// Answers the second step: proves that the host knows the PIN, without telling it.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`]; [`Error::Crypto`] when the library fails.
    pub fn challenge(
        &mut self,
        encrypted: [u8; 16],
        host: &HostIdentity,
        choices: HostChoices,
    ) -> Result<PairReply, Error> {
        let Stage::Challenge { key } = self.take_stage() else {
            return Err(Error::OutOfOrder {
                what: "clientchallenge",
            });
        };
        let mut challenge = encrypted;
        key.decrypt(&mut challenge)?;
        let hash = sha256(&[&challenge, host.signature(), &choices.secret]);
        let mut answer = [0; 48];
        answer[..32].copy_from_slice(&hash);
        answer[32..].copy_from_slice(&choices.challenge);
        key.encrypt(&mut answer)?;
        self.stage = Stage::Response { key, choices };
        Ok(PairReply::Challenge(answer))
    }

    /// Answers the third step: the client has committed itself, so the host tells its secret.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`]; [`Error::Crypto`] when the library fails.
    pub fn response(
        &mut self,
        encrypted: [u8; 32],
        host: &HostIdentity,
    ) -> Result<PairReply, Error> {
        let Stage::Response { key, choices } = self.take_stage() else {
            return Err(Error::OutOfOrder {
                what: "serverchallengeresp",
            });
        };
        let mut client_hash = encrypted;
        key.decrypt(&mut client_hash)?;
        let mut secret = choices.secret.to_vec();
        secret.extend(host.sign(&choices.secret)?);
        self.stage = Stage::Secret {
            challenge: choices.challenge,
            client_hash,
        };
        Ok(PairReply::Secret(secret))
    }

    /// Answers the fourth step: whether the client knew the PIN when it committed itself, and owns
    /// the certificate it showed. The session is over in either case.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`].
    pub fn secret(&mut self, from_client: &ClientSecret) -> Result<PairReply, Error> {
        let Stage::Secret {
            challenge,
            client_hash,
        } = self.take_stage()
        else {
            return Err(Error::OutOfOrder {
                what: "clientpairingsecret",
            });
        };
        let secret = &from_client.secret;
        let hash = sha256(&[&challenge, self.client.signature(), secret]);
        let knew_pin = verify_slices_are_equal(&hash, &client_hash).is_ok();
        let owns_certificate = self.client.signed(secret, &from_client.signature);
        Ok(if knew_pin && owns_certificate {
            PairReply::Paired
        } else {
            PairReply::NotPaired
        })
    }

    /// Every step takes the stage away first, so that whatever fails leaves the session over.
    fn take_stage(&mut self) -> Stage {
        mem::replace(&mut self.stage, Stage::Over)
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// What salt and PIN hash to: AES-128, block by block, without padding.
struct PinKey([u8; 16]);

impl PinKey {
    fn new(salt: [u8; 16], pin: Pin) -> Self {
        let hash = sha256(&[&salt, &pin.0]);
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    fn cipher(&self) -> Result<UnboundCipherKey, Error> {
        UnboundCipherKey::new(&AES_128, &self.0).map_err(failed)
    }

    fn encrypt(&self, blocks: &mut [u8]) -> Result<(), Error> {
        let key = EncryptingKey::ecb(self.cipher()?).map_err(failed)?;
        key.encrypt(blocks).map(drop).map_err(failed)
    }

    fn decrypt(&self, blocks: &mut [u8]) -> Result<(), Error> {
        let key = DecryptingKey::ecb(self.cipher()?).map_err(failed)?;
        let context = DecryptionContext::None;
        key.decrypt(blocks, context).map(drop).map_err(failed)
    }
}

fn failed<T>(_: T) -> Error {
    Error::Crypto {
        doing: "pairing with a client",
    }
}
