//! WHEP (draft-ietf-wish-whep): players that nobody here wrote fetch the stream with one HTTP request.
//!
//! Trickle ICE is taken, ICE restarts are not. Other sites' pages get no CORS headers.

use crate::access::Secret;
use crate::app::{App, Connection};
use crate::headers;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control_api::{EndReason, Via};
use sessions::{Identity, Joining, MAX_MESSAGE_BYTES, OfferError, Session, sdpfrag};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const SDP: &str = "application/sdp";
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Sessions at a time.
const MAX_SESSIONS: usize = 64;
/// Each session keeps its one ICE generation, so its entity tag never changes.
const ETAG: &str = "\"1\"";

struct WhepSession {
    live: Session,
    /// ICE user fragment of the offer.
    ufrag: Option<String>,
    _slot: OwnedSemaphorePermit,
}

/// All sessions, by the random part of their address.
pub(crate) struct WhepSessions {
    slots: Arc<Semaphore>,
    by_id: Mutex<HashMap<String, WhepSession>>,
}

impl WhepSessions {
    pub(crate) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(MAX_SESSIONS)),
            by_id: Mutex::new(HashMap::new()),
        }
    }

    /// Ends all of them.
    pub(crate) fn close_all(&self, reason: EndReason) {
        let sessions = std::mem::take(&mut *self.lock());
        for session in sessions.into_values() {
            session.live.close(reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, WhepSession>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `OPTIONS /whep`
pub(crate) async fn describe() -> Response {
    let answer = [
        (header::ALLOW, "OPTIONS, POST"),
        (header::HeaderName::from_static("accept-post"), SDP),
    ];
    (StatusCode::NO_CONTENT, answer).into_response()
}

/// `POST /whep`
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !headers::has_content_type(&headers, SDP) {
        return unsupported(SDP);
    }
    debug_assert!(body.len() <= MAX_MESSAGE_BYTES, "the router limits bodies");
    let Ok(sdp) = String::from_utf8(body.into()) else {
        return (StatusCode::BAD_REQUEST, "the offer is not UTF-8 text\n").into_response();
    };
    let Ok(slot) = Arc::clone(&app.whep.slots).try_acquire_owned() else {
        return refuse(&OfferError::Busy);
    };
    let id = match Secret::generate() {
        Ok(id) => id.expose().to_owned(),
        Err(error) => {
            tracing::error!(%error, "no address for a session could be made");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let ufrag = sdpfrag::ufrag_of(&sdp).map(str::to_owned);
    let joining = Joining {
        sdp,
        identity,
        via: Via::Whep,
        ends: Some(connection.ends),
        channels: None,
        notices: None,
    };
    let joined = match app.hub.join(joining).await {
        Ok(joined) => joined,
        Err(error) => return refuse(&error),
    };
    let session = WhepSession {
        live: joined.session,
        ufrag,
        _slot: slot,
    };
    app.whep.lock().insert(id.clone(), session);
    let location = format!("/whep/{id}");
    tokio::spawn(async move {
        // Either way it is over: with a reason, or because the engine dropped the sender.
        let _ = joined.ended.await;
        let ended = app.whep.lock().remove(&id);
        drop(ended);
    });
    let answer = [
        (header::CONTENT_TYPE, SDP),
        (header::LOCATION, &location),
        (header::ETAG, ETAG),
        (
            header::HeaderName::from_static("accept-patch"),
            SDP_FRAGMENT,
        ),
    ];
    (StatusCode::CREATED, answer, joined.sdp).into_response()
}

/// `PATCH /whep/{id}`
pub(crate) async fn trickle(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !headers::has_content_type(&headers, SDP_FRAGMENT) {
        return unsupported(SDP_FRAGMENT);
    }
    let sessions = app.whep.lock();
    let Some(session) = sessions.get(&id) else {
        return no_session();
    };
    // Many players leave the entity tag out, although they should send it.
    match headers.get(header::IF_MATCH).map(|tag| tag.as_bytes()) {
        None => {}
        Some(tag) if tag == ETAG.as_bytes() => {}
        Some(b"*") => return no_restart(),
        Some(_) => return StatusCode::PRECONDITION_FAILED.into_response(),
    }
    let fragment = match std::str::from_utf8(&body).map(sdpfrag::parse) {
        Ok(Ok(fragment)) => fragment,
        Ok(Err(error)) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        Err(_) => {
            return (StatusCode::BAD_REQUEST, "the fragment is not UTF-8 text\n").into_response();
        }
    };
    if fragment.ufrag.is_some() && fragment.ufrag != session.ufrag {
        return no_restart();
    }
    for candidate in &fragment.candidates {
        session.live.candidate(candidate);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// `DELETE /whep/{id}`
pub(crate) async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let session = app.whep.lock().remove(&id);
    match session {
        Some(session) => {
            session.live.close(EndReason::Quit);
            StatusCode::OK.into_response()
        }
        None => no_session(),
    }
}

fn refuse(error: &OfferError) -> Response {
    let status = match error {
        OfferError::Malformed { .. } => StatusCode::BAD_REQUEST,
        OfferError::NoCommonCodec => StatusCode::UNPROCESSABLE_ENTITY,
        OfferError::Busy | OfferError::Unavailable { .. } | OfferError::Stopped => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        OfferError::LoggedOut => StatusCode::UNAUTHORIZED,
        OfferError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    };
    let mut response = (status, format!("{error}\n")).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let soon = header::HeaderValue::from_static("5");
        response.headers_mut().insert(header::RETRY_AFTER, soon);
    }
    response
}

fn unsupported(expected: &str) -> Response {
    let why = format!("send Content-Type: {expected}\n");
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response()
}

fn no_session() -> Response {
    (
        StatusCode::NOT_FOUND,
        "there is no such session, or it has ended\n",
    )
        .into_response()
}

fn no_restart() -> Response {
    let why = "this host does not restart ICE: send a new offer\n";
    (StatusCode::UNPROCESSABLE_ENTITY, why).into_response()
}
