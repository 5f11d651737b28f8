//! The HTTP part: what clients ask for before and between streams, and the XML they are answered
//! with. Who may ask is decided elsewhere; it parses targets, not HTTP itself.

mod codecs;
mod launch;
mod query;
mod reply;
mod request;
mod server_info;
#[cfg(test)]
mod tests;
pub(crate) mod xml;

pub use codecs::{CodecMode, CodecSupport};
pub use launch::{
    Controllers, DisplayMode, LaunchRequest, ResumeRequest, SessionParameters, SurroundAudio,
};
pub use query::MAX_TARGET_BYTES;
pub use reply::{
    App, CONTENT_TYPE, Failure, Refused, app_list, cancelled, launched, not_found, refused,
    resumed, session_url, unauthorized,
};
pub use request::{AppAsset, CertificateRequest, ClientSecret, PairRequest, Request};
pub use server_info::{Asked, ServerInfo};
