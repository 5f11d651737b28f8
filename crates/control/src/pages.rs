//! The few pages that stand on their own: they load nothing, so they also work without a login.

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;\
    background:#111;color:#eee;font:1.05rem/1.5 system-ui,sans-serif}\
    main{max-width:32rem;padding:1.5rem}h1{font-size:1.4rem;margin:0 0 .5rem}\
    p{margin:.5rem 0}a{color:#8cf}code{background:#222;padding:.1em .3em;border-radius:.2em}";

/// Nothing may run or load on these pages; only this very style sheet applies.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// One page: a title and paragraphs of HTML that hold nothing from outside.
struct Page<'a> {
    status: StatusCode,
    title: &'a str,
    head: &'a str,
    body: &'a str,
}

impl Page<'_> {
    fn respond(&self) -> Response {
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title} – Heliostat</title><style>{STYLE}</style>{head}</head>\
             <body><main><h1>{title}</h1>{body}</main></body></html>",
            title = self.title,
            head = self.head,
            body = self.body,
        );
        let policy = [(header::CONTENT_SECURITY_POLICY, POLICY.as_str())];
        (self.status, policy, Html(html)).into_response()
    }
}

/// After a successful login. It goes on by itself, as a page of this site: a redirect would still
/// count as the step of whichever site held the link, and the new Strict cookie would stay behind.
pub(crate) fn entered() -> Response {
    Page {
        status: StatusCode::OK,
        title: "Logged in",
        head: "<meta http-equiv=\"refresh\" content=\"0; url=/\">",
        body: "<p><a href=\"/\">Go on to the stream</a></p>",
    }
    .respond()
}

/// Somebody came without a login.
pub(crate) fn login_needed() -> Response {
    Page {
        status: StatusCode::UNAUTHORIZED,
        title: "Please log in",
        head: "",
        body: "<p>Open the link that Heliostat printed in its terminal when it started. It looks like \
               <code>…/login?token=…</code>.</p>\
               <p>Each link works once. After it was used, Heliostat prints the next one: to log in \
               another browser or device, take the newest.</p>",
    }
    .respond()
}

/// A link that does not open.
pub(crate) fn wrong_link() -> Response {
    Page {
        status: StatusCode::UNAUTHORIZED,
        title: "This link does not work",
        head: "",
        body: "<p>It was used already, or it has ended, or it is incomplete, or Heliostat was restarted since.</p>\
               <p>Open the <strong>newest</strong> link in Heliostat’s terminal: a new one is printed \
               after each use.</p>",
    }
    .respond()
}

/// A link that nobody opened for a day.
pub(crate) fn expired_link() -> Response {
    Page {
        status: StatusCode::UNAUTHORIZED,
        title: "This link has expired",
        head: "",
        body: "<p>A link works for 24 hours. Heliostat has just printed a new one in its terminal: \
               open that.</p>",
    }
    .respond()
}

/// Too many wrong attempts. `wait_s` also goes into the header.
pub(crate) fn too_many_attempts(wait_s: u64) -> Response {
    let body = format!(
        "<p>There were too many wrong links from this address. Wait {wait_s} seconds, then open the \
         newest link in Heliostat’s terminal.</p>"
    );
    let page = Page {
        status: StatusCode::TOO_MANY_REQUESTS,
        title: "Too many attempts",
        head: "",
        body: &body,
    };
    ([(header::RETRY_AFTER, wait_s.to_string())], page.respond()).into_response()
}

/// Plain HTTP reached the TLS port. `url` is made from a checked host and path.
pub(crate) fn speak_tls(url: &str) -> Response {
    let body = format!(
        "<p>This port speaks HTTPS. Open <a href=\"{0}\">{0}</a>.</p>\
         <p>The browser will warn that it does not know the certificate. Compare its fingerprint with \
         the one that Heliostat printed.</p>",
        escape(url)
    );
    Page {
        status: StatusCode::BAD_REQUEST,
        title: "Please use https://",
        head: "",
        body: &body,
    }
    .respond()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
