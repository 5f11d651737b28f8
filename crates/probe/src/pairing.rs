//! The client's side of the PIN pairing as a pure exchange of bytes: what to send next, and whether the
//! host proved that it knows the PIN and owns its certificate. It sends nothing itself.
//!
//! Read from libgamestream (client.c, `gs_pair`) and moonlight-qt (nvpairingmanager.cpp).

use crate::crypto::{KEY_LEN, ecb_decrypt, ecb_encrypt, random, sha256};
use crate::identity::CertificateFacts;
use crate::{Error, Identity};

/// Bytes of salts, challenges and secrets.
const SECRET_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// Four digits that nobody can foresee, to be shown to whoever sits at the host.
///
/// # Errors
/// [`Error::Crypto`].
pub fn random_pin() -> Result<String, Error> {
    let number = u64::from_be_bytes(random()?);
    Ok(format!("{:04}", number % 10_000))
}

/// A pairing under way.
#[derive(Debug)]
pub struct Pairing {
    key: [u8; KEY_LEN],
    salt: [u8; SECRET_LEN],
    challenge: [u8; SECRET_LEN],
    secret: [u8; SECRET_LEN],
    /// What the host hashed, to be compared once its secret is known.
    host_hash: Option<[u8; HASH_LEN]>,
}

impl Pairing {
    /// Begins with the PIN that a person enters at the host.
    ///
    /// # Errors
    /// [`Error::PinShape`] unless it is four digits.
    pub fn new(pin: &str) -> Result<Self, Error> {
        if pin.len() != 4 || !pin.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::PinShape);
        }
        let salt: [u8; SECRET_LEN] = random()?;
        let hash = sha256(&[&salt, pin.as_bytes()]);
        let mut key = [0; KEY_LEN];
        key.copy_from_slice(&hash[..KEY_LEN]);
        Ok(Self {
            key,
            salt,
            challenge: random()?,
            secret: random()?,
            host_hash: None,
        })
    }

    /// Phase 1: what the PIN is salted with.
    #[must_use]
    pub const fn salt(&self) -> [u8; SECRET_LEN] {
        self.salt
    }

    /// Phase 2: the challenge to the host, encrypted.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn challenge(&self) -> Result<[u8; SECRET_LEN], Error> {
        let mut sent = self.challenge;
        ecb_encrypt(&self.key, &mut sent)?;
        Ok(sent)
    }

    /// Phase 3: the answer to the host's own challenge, which came with its answer to ours.
    ///
    /// # Errors
    /// [`Error::PinRefused`] if the host's answer has another length.
    pub fn answer(
        &mut self,
        response: &[u8],
        identity: &Identity,
    ) -> Result<[u8; HASH_LEN], Error> {
        if response.len() != HASH_LEN + SECRET_LEN {
            return Err(Error::PinRefused);
        }
        let mut response = response.to_vec();
        ecb_decrypt(&self.key, &mut response)?;
        let (host_hash, host_challenge) = response.split_at(HASH_LEN);
        let mut kept = [0; HASH_LEN];
        kept.copy_from_slice(host_hash);
        self.host_hash = Some(kept);
        let ours = CertificateFacts::from_pem(identity.certificate_pem().as_bytes());
        let ours = ours.ok_or(Error::Crypto("this client's certificate"))?;
        let mut answer = sha256(&[host_challenge, &ours.signature, &self.secret]);
        ecb_encrypt(&self.key, &mut answer)?;
        Ok(answer)
    }

    /// Phase 4: checks the host's secret and gives ours, signed.
    ///
    /// # Errors
    /// [`Error::PairingForged`] if the secret is not signed by the certificate, [`Error::PinRefused`] if
    /// the host cannot have known the PIN.
    pub fn finish(
        &self,
        host_secret: &[u8],
        host: &CertificateFacts,
        identity: &Identity,
    ) -> Result<Vec<u8>, Error> {
        if host_secret.len() <= SECRET_LEN {
            return Err(Error::PinRefused);
        }
        let (secret, signed) = host_secret.split_at(SECRET_LEN);
        if !host.verifies(secret, signed) {
            return Err(Error::PairingForged);
        }
        let expected = sha256(&[&self.challenge, &host.signature, secret]);
        if self.host_hash != Some(expected) {
            return Err(Error::PinRefused);
        }
        let mut sent = self.secret.to_vec();
        sent.extend(identity.sign(&self.secret)?);
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that follows the rules, written from the description rather than from our client.
    struct ScriptedHost {
        identity: Identity,
        key: [u8; 16],
        secret: [u8; 16],
        challenge: [u8; 16],
        client_hash: Vec<u8>,
    }

    impl ScriptedHost {
        fn new(pin: &str, salt: [u8; 16]) -> Self {
            let mut key = [0; 16];
            key.copy_from_slice(&sha256(&[&salt, pin.as_bytes()])[..16]);
            Self {
                identity: Identity::generate().unwrap(),
                key,
                secret: [0x5a; 16],
                challenge: [0xc3; 16],
                client_hash: Vec::new(),
            }
        }

        fn facts(&self) -> CertificateFacts {
            CertificateFacts::from_pem(self.identity.certificate_pem().as_bytes()).unwrap()
        }

        fn challenged(&self, challenge: [u8; 16]) -> Vec<u8> {
            let mut challenge = challenge;
            ecb_decrypt(&self.key, &mut challenge).unwrap();
            let hash = sha256(&[&challenge, &self.facts().signature, &self.secret]);
            let mut response = [&hash[..], &self.challenge].concat();
            ecb_encrypt(&self.key, &mut response).unwrap();
            response
        }

        fn answered(&mut self, answer: [u8; 32]) -> Vec<u8> {
            let mut answer = answer;
            ecb_decrypt(&self.key, &mut answer).unwrap();
            self.client_hash = answer.to_vec();
            [&self.secret[..], &self.identity.sign(&self.secret).unwrap()].concat()
        }

        fn accepts(&self, client_secret: &[u8], client: &Identity) -> bool {
            let client = CertificateFacts::from_pem(client.certificate_pem().as_bytes()).unwrap();
            let (secret, signed) = client_secret.split_at(16);
            let hash = sha256(&[&self.challenge, &client.signature, secret]);
            hash[..] == self.client_hash && client.verifies(secret, signed)
        }
    }

    fn pair(client_pin: &str, host_pin: &str, forged: bool) -> Result<bool, Error> {
        let identity = Identity::generate().unwrap();
        let mut pairing = Pairing::new(client_pin)?;
        let mut host = ScriptedHost::new(host_pin, pairing.salt());
        let mut shown = host.facts();
        if forged {
            let other = Identity::generate().unwrap();
            shown = CertificateFacts::from_pem(other.certificate_pem().as_bytes()).unwrap();
        }
        let response = host.challenged(pairing.challenge()?);
        let host_secret = host.answered(pairing.answer(&response, &identity)?);
        let client_secret = pairing.finish(&host_secret, &shown, &identity)?;
        Ok(host.accepts(&client_secret, &identity))
    }

    #[test]
    fn the_right_pin_pairs() {
        assert!(pair("1234", "1234", false).unwrap());
    }

    #[test]
    fn another_pin_is_noticed_by_this_side() {
        assert!(matches!(
            pair("1234", "1235", false),
            Err(Error::PinRefused)
        ));
    }

    #[test]
    fn a_certificate_from_somebody_in_between_is_noticed() {
        assert!(matches!(
            pair("1234", "1234", true),
            Err(Error::PairingForged)
        ));
    }

    #[test]
    fn a_pin_that_is_made_up_can_be_used() {
        let pins: Vec<_> = (0..20).map(|_| random_pin().unwrap()).collect();
        assert!(pins.iter().all(|pin| Pairing::new(pin).is_ok()), "{pins:?}");
        assert!(pins.iter().any(|pin| *pin != pins[0]), "{pins:?}");
    }

    #[test]
    fn a_pin_has_four_digits() {
        for pin in ["", "123", "12345", "12a4", "١٢٣٤"] {
            assert!(matches!(Pairing::new(pin), Err(Error::PinShape)), "{pin}");
        }
    }
}
