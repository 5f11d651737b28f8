//! The key that a client chooses for each launch. It never prints itself.

use std::fmt;

/// The 16 bytes of `rikey`: everything of a session is encrypted with them.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey([u8; 16]);

impl StreamKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a cipher.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = StreamKey::new([0xab; 16]);
        assert_eq!(format!("{key:?}"), "StreamKey(..)");
    }
}
