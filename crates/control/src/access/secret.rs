//! Secrets that open something: made here, kept only as digests, compared in constant time.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// 256 random bits, as URL-safe text. It never shows up in debug output.
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret itself, for the one place that has to show it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is kept of a secret. It has no `==` on purpose: [`Self::matches`] is the only comparison.
#[derive(Clone)]
pub(crate) struct SecretDigest([u8; 32]);

impl SecretDigest {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_43_url_safe_characters_and_differ() {
        let (a, b) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(a.expose().len() == 43 && a.expose().chars().all(safe));
        assert_ne!(a.expose(), b.expose());
        assert!(a.digest().matches(&SecretDigest::of(a.expose())));
        assert!(!a.digest().matches(&b.digest()));
    }

    #[test]
    fn debug_output_tells_nothing() {
        let secret = Secret::generate().unwrap();
        let shown = format!("{secret:?} {:?}", secret.digest());
        assert_eq!(shown, "Secret(…) SecretDigest(…)");
    }
}
