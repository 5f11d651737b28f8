//! Response headers that every answer carries, and small readers of request headers.

use crate::origin::{Authority, Origin};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// The page loads its own files and talks to its own host, nothing else.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'; object-src 'none'";

/// Set unless the handler chose otherwise. Opener and embedder policies isolate the page, which also
/// gives it the fine-grained clock that latency is measured with.
const DEFAULTS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Middleware: adds the headers above to every answer.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in DEFAULTS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// The host that the client believes to talk to.
pub(crate) fn host(headers: &HeaderMap) -> Option<Authority> {
    Authority::parse(headers.get(header::HOST)?.to_str().ok()?)
}

/// Whether a page sent the request, and whether it is one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// No `Origin`: no browser, or one that goes to an address.
    Unnamed,
    /// A page that this host served.
    OwnPage,
    /// A page of somebody else's.
    ForeignPage,
}

/// Who sent the request.
pub(crate) fn sender(headers: &HeaderMap, server_uses_tls: bool) -> Sender {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Sender::Unnamed;
    };
    let origin = origin.to_str().ok().and_then(Origin::parse);
    match (origin, host(headers)) {
        (Some(origin), Some(host)) if origin.matches(&host, server_uses_tls) => Sender::OwnPage,
        _ => Sender::ForeignPage,
    }
}

/// Whether the request's body is of the media type `expected`; parameters after it do not matter.
pub(crate) fn has_content_type(headers: &HeaderMap, expected: &str) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// Whether a person looks at the answer.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
