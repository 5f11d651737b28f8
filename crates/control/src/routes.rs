//! Every route in one table, with the role it needs, and the guard that enforces it.
//!
//! The router is made from the table and from nothing else, and what is not in the table needs a
//! login: a route cannot be open by oversight.

use crate::access::{Denied, LoginRefused};
use crate::app::{App, Connection};
use crate::headers::{self, Sender};
use crate::{assets, jetkvm, pages, whep, ws};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, MatchedPath, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, delete, get, options, patch, post};
use control_api::Role;
use sessions::{Identity, MAX_MESSAGE_BYTES};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Route {
    method: Method,
    path: &'static str,
    /// Nothing: everybody may.
    needs: Option<Role>,
    mount: fn() -> MethodRouter<Arc<App>>,
}

const fn route(
    method: Method,
    path: &'static str,
    needs: Option<Role>,
    mount: fn() -> MethodRouter<Arc<App>>,
) -> Route {
    Route {
        method,
        path,
        needs,
        mount,
    }
}

#[rustfmt::skip]
static ROUTES: &[Route] = &[
    route(Method::GET,     "/healthz",     None,               || get(healthz)),
    route(Method::GET,     "/login",       None,               || get(login)),
    route(Method::OPTIONS, "/whep",        None,               || options(whep::describe)),
    route(Method::POST,    "/whep",        Some(Role::Player), || post(whep::create)),
    route(Method::PATCH,   "/whep/{id}",   Some(Role::Player), || patch(whep::trickle)),
    route(Method::DELETE,  "/whep/{id}",   Some(Role::Player), || delete(whep::remove)),
    route(Method::GET,     "/api/ws",      Some(Role::Viewer), || get(ws::upgrade)),
    route(Method::GET,     "/api/session", Some(Role::Viewer), || get(session)),
    route(Method::GET,     "/",            Some(Role::Viewer), || get(assets::page)),
    route(Method::GET,     "/{*path}",     Some(Role::Viewer), || get(assets::file)),
];

/// The same for clients made for JetKVM devices, where they are served.
#[rustfmt::skip]
static JETKVM_ROUTES: &[Route] = &[
    route(Method::GET,  "/device/status",           None,                   || get(jetkvm::status)),
    route(Method::GET,  "/device",                  Some(Role::Viewer),     || get(jetkvm::device)),
    route(Method::POST, "/auth/login-local",        None,                   || post(jetkvm::login)),
    route(Method::POST, "/auth/logout",             None,                   || post(jetkvm::logout)),
    route(Method::POST, "/webrtc/session",          Some(Role::Controller), || post(jetkvm::session)),
    route(Method::GET,  "/webrtc/signaling/client", Some(Role::Controller), || get(jetkvm::upgrade)),
];

/// One line of the route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// HTTP method.
    pub method: Method,
    /// Path, with parameters in braces.
    pub path: &'static str,
    /// The role it needs; nothing for a public route.
    pub needs: Option<Role>,
}

/// The route table, for documentation and tests.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    ROUTES.iter().map(Route::info)
}

/// What is served in addition to clients made for JetKVM devices, where they are served.
pub fn jetkvm_routes() -> impl Iterator<Item = RouteInfo> {
    JETKVM_ROUTES.iter().map(Route::info)
}

impl Route {
    fn info(&self) -> RouteInfo {
        RouteInfo {
            method: self.method.clone(),
            path: self.path,
            needs: self.needs,
        }
    }
}

pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in served(app) {
        router = router.route(route.path, (route.mount)());
    }
    router
        .layer(DefaultBodyLimit::max(MAX_MESSAGE_BYTES))
        .layer(from_fn_with_state(Arc::clone(app), guard))
        .layer(from_fn(headers::secure))
        .with_state(Arc::clone(app))
}

/// The part of the table that this host serves.
fn served(app: &App) -> impl Iterator<Item = &'static Route> + use<> {
    let jetkvm = app.jetkvm.is_some().then_some(JETKVM_ROUTES);
    ROUTES.iter().chain(jetkvm.into_iter().flatten())
}

/// What a request needs. Unknown paths and methods need what the page needs.
fn needed_role(app: &App, method: &Method, path: Option<&str>) -> Option<Role> {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let found = served(app).find(|route| route.method == *method && Some(route.path) == path);
    found.map_or(Some(Role::Viewer), |route| route.needs)
}

async fn guard(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let Some(host) = headers::host(headers) else {
        return (StatusCode::BAD_REQUEST, "the request has no usable Host\n").into_response();
    };
    if !app.gate.knows_host(&host) {
        let why = "this host does not go by that name: use localhost, or its address\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let Some(needed) = needed_role(&app, request.method(), path) else {
        return next.run(request).await;
    };
    let client = connection.ends.client.ip();
    let identity = match app.gate.identify(headers, client, Instant::now()) {
        Ok(identity) => identity,
        Err(denied) if JETKVM_ROUTES.iter().any(|route| Some(route.path) == path) => {
            return jetkvm::deny(&denied);
        }
        Err(denied) => return deny(&denied, headers),
    };
    if identity.role < needed {
        let why = match identity.role {
            Role::Player => "the players’ token opens /whep and nothing else\n",
            _ => "this login may not do that\n",
        };
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    // A login travels with every request that a browser makes, whichever page asked for it.
    let changes_something = !request.method().is_safe();
    let foreign = headers::sender(headers, app.gate.uses_tls()) == Sender::ForeignPage;
    if identity.role >= Role::Viewer && changes_something && foreign {
        return (
            StatusCode::FORBIDDEN,
            "another site’s page asked for this\n",
        )
            .into_response();
    }
    request.extensions_mut().insert(identity);
    next.run(request).await
}

fn deny(denied: &Denied, headers: &HeaderMap) -> Response {
    match denied {
        Denied::TooMany(wait) => pages::too_many_attempts(seconds(*wait)),
        Denied::NotLoggedIn => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"heliostat\"")];
            let answer = if headers::wants_page(headers) {
                pages::login_needed()
            } else {
                let why = "not logged in: open the newest link that the host printed\n";
                (StatusCode::UNAUTHORIZED, why).into_response()
            };
            (challenge, answer).into_response()
        }
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Who asks, so that the page knows before it opens its WebSocket.
async fn session(Extension(identity): Extension<Identity>) -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({
        "role": identity.role,
        "name": identity.shown_name(),
    }))
}

#[derive(serde::Deserialize)]
struct LoginQuery {
    token: Option<String>,
}

async fn login(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Query(query): Query<LoginQuery>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let now = Instant::now();
    let client = connection.ends.client.ip();
    // A link is left to others by whoever can do as much without it.
    let present = app.gate.logged_in(&headers, now);
    let enough = present.is_some_and(|identity| {
        let token = query.token.as_deref();
        identity.role == Role::Admin || token.is_none_or(|token| app.gate.opened(&identity, token))
    });
    if enough {
        return Redirect::to("/").into_response();
    }
    let Some(token) = query.token else {
        return deny(&Denied::NotLoggedIn, &headers);
    };
    // A link preview asks for the head alone and must not use the link up.
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    match app.gate.login(&token, client, now) {
        Ok(entry) => {
            if let Some(login) = entry.displaced {
                app.hub.end_login(login);
            }
            ([(header::SET_COOKIE, entry.set_cookie)], pages::entered()).into_response()
        }
        Err(LoginRefused::TooMany(wait)) => pages::too_many_attempts(seconds(wait)),
        Err(LoginRefused::WrongToken) => pages::wrong_link(),
        Err(LoginRefused::Expired) => pages::expired_link(),
        Err(LoginRefused::Internal(error)) => {
            tracing::error!(%error, "no login could be made");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the host ran into an error\n",
            )
                .into_response()
        }
    }
}
