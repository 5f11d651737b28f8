//! The page, embedded in the program. Nothing is read from the disk.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "../../web/dist"]
struct Dist;

/// Files under this have a hash of their content in their name, so they never change.
const HASHED: &str = "assets/";

/// `GET /`
pub(crate) async fn page(headers: HeaderMap) -> Response {
    respond("index.html", &headers)
}

/// `GET /{*path}`
pub(crate) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    respond(&path, &headers)
}

fn respond(path: &str, request: &HeaderMap) -> Response {
    match Dist::get(path) {
        Some(file) => respond_with(&file, path.starts_with(HASHED), request),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

fn respond_with(file: &EmbeddedFile, hashed: bool, request: &HeaderMap) -> Response {
    let etag = format!(
        "\"{}\"",
        URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash())
    );
    let caching = if hashed {
        "private, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
    let validators = [
        (header::ETAG, etag.as_str()),
        (header::CACHE_CONTROL, caching),
    ];
    if unchanged {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype())];
    (validators, kind, file.data.clone()).into_response()
}
