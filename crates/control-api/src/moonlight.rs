//! What administrators say and hear of Moonlight clients. No certificate and no key is among it.

use crate::{InputRights, Role, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A Moonlight client that shows a PIN and waits for somebody to enter it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingPairing {
    /// Its number.
    pub id: u64,
    /// What the client calls itself.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// It is sent away after this time.
    pub expires_in_ms: u32,
}

/// The clients that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PairingList {
    /// The longest waiting first.
    pub pairings: Vec<PendingPairing>,
}

/// The PIN that a client shows.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnterPin {
    /// Four digits.
    pub pin: String,
    /// Which client; absent: the only one that waits.
    pub id: Option<u64>,
    /// What it is called from then on; at most 64 characters.
    pub name: Option<String>,
}

impl std::fmt::Debug for EnterPin {
    /// Without the PIN.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnterPin")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How a pairing ended whose PIN was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairingEnd {
    /// The client is paired.
    Paired,
    /// It is not the PIN that the client shows.
    WrongPin,
    /// The PIN was right, but the host could not keep the client.
    NotKept,
    /// The client ended it.
    GaveUp,
    /// The client did not go on.
    TimedOut,
}

/// What came of a PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinOutcome {
    /// How the pairing ended.
    pub ended: PairingEnd,
    /// Who is paired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<MoonlightClient>,
    /// Why it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The number of a client that waits.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct PairingId {
    /// Its number.
    pub id: u64,
}

/// A paired Moonlight client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoonlightClient {
    /// Its number, never given twice.
    pub id: u32,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Which classes of its input count.
    pub rights: InputRights,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// When it was paired, in seconds of the Unix epoch.
    pub paired_at: u64,
    /// When it stops being paired, in seconds of the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Its sessions.
    pub sessions: Vec<SessionId>,
}

/// All paired clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MoonlightClientList {
    /// The one that was paired first is first.
    pub clients: Vec<MoonlightClient>,
}

/// What to change about a paired client; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeMoonlightClient {
    /// Which.
    pub id: u32,
    /// What people call it, 1 to 64 characters.
    pub name: Option<String>,
    /// `viewer`, `controller` or `admin`.
    pub role: Option<Role>,
    /// Which classes of its input count.
    pub rights: Option<InputRights>,
    /// When it stops being paired, in seconds of the Unix epoch, within ten years; `null`: never.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub expires_at: Option<Option<u64>>,
}

/// Tells `null` from what is absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The number of a paired client.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct MoonlightClientId {
    /// Its number.
    pub id: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_expiring_is_not_the_same_as_saying_nothing() {
        let read = |text: &str| serde_json::from_str::<ChangeMoonlightClient>(text).unwrap();
        assert_eq!(read(r#"{"id":1}"#).expires_at, None);
        assert_eq!(read(r#"{"id":1,"expiresAt":null}"#).expires_at, Some(None));
        assert_eq!(read(r#"{"id":1,"expiresAt":9}"#).expires_at, Some(Some(9)));
    }

    #[test]
    fn a_pin_is_never_printed() {
        let entered: EnterPin = serde_json::from_str(r#"{"pin":"7351"}"#).unwrap();
        assert!(!format!("{entered:?}").contains("7351"));
    }
}
