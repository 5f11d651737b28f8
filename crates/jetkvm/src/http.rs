//! The bodies of the HTTP endpoints.

use serde::{Deserialize, Serialize};

/// Name of the cookie that a login sets.
pub const COOKIE: &str = "authToken";
/// What a client without a login is told.
pub const UNAUTHORIZED: &str = "Unauthorized";

/// `GET /device/status`: open to everybody, and asked by whoever looks for devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether somebody chose how to log in.
    pub is_setup: bool,
}

/// How a client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AuthMode {
    /// With a password.
    Password,
    /// It need not.
    NoPassword,
}

/// `GET /device`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// How to log in.
    pub auth_mode: AuthMode,
    /// Tells this host from others.
    pub device_id: String,
    /// Whether it is reached from this machine only.
    pub loopback_only: bool,
}

/// `POST /auth/login-local`
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// What a client is told when something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// In words.
    pub message: &'static str,
}

/// What a client is told when something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// In words.
    pub error: &'static str,
    /// Seconds until it may try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// A session description on its way in or out, as `POST /webrtc/session` wraps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Base64 of a JSON object with type and SDP.
    pub sd: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn bodies_are_those_of_the_device() {
        assert_eq!(json(&Status { is_setup: true }), r#"{"isSetup":true}"#);
        let device = Device {
            auth_mode: AuthMode::NoPassword,
            device_id: "heliostat".to_owned(),
            loopback_only: false,
        };
        assert_eq!(
            json(&device),
            r#"{"authMode":"noPassword","deviceId":"heliostat","loopbackOnly":false}"#
        );
        let refused = Refused {
            error: UNAUTHORIZED,
            retry_after: None,
        };
        assert_eq!(json(&refused), r#"{"error":"Unauthorized"}"#);
    }

    #[test]
    fn a_password_is_not_printed() {
        let login: Login = serde_json::from_str(r#"{"password":"secret"}"#).unwrap();
        assert!(!format!("{login:?}").contains("secret"));
    }
}
