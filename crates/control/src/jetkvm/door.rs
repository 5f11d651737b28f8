//! The device's HTTP endpoints: whether it is there, logging in and out, and the oldest way to a
//! session. Answers are JSON, refusals too.

use super::Front;
use crate::access::{Denied, LoginRefused};
use crate::app::{App, Connection};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jetkvm::http::{AuthMode, Description, Device, Done, Login, Refused, Status, UNAUTHORIZED};
use jetkvm::signalling;
use sessions::Identity;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// `GET /device/status`
pub(crate) async fn status() -> Json<Status> {
    Json(Status { is_setup: true })
}

/// `GET /device`
pub(crate) async fn device(State(app): State<Arc<App>>) -> Json<Device> {
    let front = app.jetkvm.as_ref();
    Json(Device {
        auth_mode: if app.gate.is_open() {
            AuthMode::NoPassword
        } else {
            AuthMode::Password
        },
        device_id: front
            .map(|front| front.device_id.clone())
            .unwrap_or_default(),
        loopback_only: front.is_some_and(|front| front.loopback_only),
    })
}

/// `POST /auth/login-local`
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    body: Bytes,
) -> Response {
    if app.gate.is_open() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Login is disabled in noPassword mode",
        );
    }
    let Ok(Login { password }) = serde_json::from_slice(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "Invalid request");
    };
    let client = connection.ends.client.ip();
    match app
        .gate
        .login_with_password(&password, client, Instant::now())
    {
        Ok(set_cookie) => {
            let message = "Login successful";
            ([(header::SET_COOKIE, set_cookie)], Json(Done { message })).into_response()
        }
        Err(LoginRefused::TooMany(wait)) => too_many(wait),
        Err(LoginRefused::WrongToken | LoginRefused::Expired) => {
            refuse(StatusCode::UNAUTHORIZED, "Invalid password")
        }
        Err(LoginRefused::Internal(error)) => {
            tracing::error!(%error, "no login could be made");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
        }
    }
}

/// `POST /auth/logout`
pub(crate) async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let forget = app.gate.log_out_client(&headers);
    let forget = forget.map(|cookie| [(header::SET_COOKIE, cookie)]);
    let message = "Logout successful";
    (forget, Json(Done { message })).into_response()
}

/// `POST /webrtc/session`: the whole offer in, the whole answer out.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Extension(identity): Extension<Identity>,
    body: Bytes,
) -> Response {
    let offer = serde_json::from_slice(&body).map_err(jetkvm::Error::from);
    let offer = offer.and_then(|Description { sd }| signalling::read_offer(&sd));
    let Ok(sdp) = offer else {
        return refuse(StatusCode::BAD_REQUEST, "Invalid offer");
    };
    match Front::join(&app, sdp, identity, connection.ends).await {
        Ok((_, sdp)) => {
            let sd = signalling::wrap_answer(&sdp);
            Json(Description { sd }).into_response()
        }
        Err(error) => {
            tracing::warn!(client = %connection.ends.client, %error, "an offer was refused");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "The offer was refused")
        }
    }
}

/// What a request without a login gets.
pub(crate) fn deny(denied: &Denied) -> Response {
    match denied {
        Denied::TooMany(wait) => too_many(*wait),
        Denied::NotLoggedIn => refuse(StatusCode::UNAUTHORIZED, UNAUTHORIZED),
    }
}

fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let refused = Refused {
        error: "Too many attempts",
        retry_after: Some(seconds),
    };
    let after = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, after, Json(refused)).into_response()
}

fn refuse(status: StatusCode, error: &'static str) -> Response {
    let retry_after = None;
    (status, Json(Refused { error, retry_after })).into_response()
}
