//! What this crate needs from the host around it: pictures, sound, somebody who takes input, and
//! somebody who hears of sessions.

use apps::process::Surroundings;
use audio::AudioPipeline;
use control_api::EndReason;
use events::ViewerId;
use gamestream_proto::http::CodecSupport;
use input::InputEvent;
use media::StreamParams;
use pipeline::Pipeline;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::paired::PairedClient;

/// The host around the server. Unless a call says otherwise it comes from a thread that serves a
/// stream, so it must return at once.
pub trait Host: Send + Sync + 'static {
    /// What can be encoded here.
    fn codecs(&self) -> CodecSupport;

    /// Whether the encoder of H.264 can refer past lost pictures.
    fn invalidates_references(&self) -> bool;

    /// Whether fingers and pens reach the host as such. Clients move the pointer with them otherwise.
    fn takes_touch(&self) -> bool;

    /// The pipeline for a session's parameters: shared with whoever watches with the same, one of its
    /// own otherwise. Called again when a shared pipeline was changed under way.
    ///
    /// # Errors
    /// What is missing, in words.
    fn pipeline(&self, viewer: ViewerId, params: &StreamParams) -> Result<Arc<Pipeline>, String>;

    /// Sound.
    fn audio(&self) -> Arc<AudioPipeline>;

    /// A session begins; the host may refuse it.
    ///
    /// # Errors
    /// Why not, in words.
    fn begin(&self, session: Begun) -> Result<(), String>;

    /// A session is over. Told once for each that began.
    fn ended(&self, viewer: ViewerId, reason: EndReason);

    /// What apps find around them: the display to draw on, and the like.
    fn surroundings(&self) -> Surroundings;

    /// Somebody at a client did something.
    fn input(&self, viewer: ViewerId, event: InputEvent);
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its number.
    pub viewer: ViewerId,
    /// Whose it is.
    pub client: PairedClient,
    /// Where the client is.
    pub address: SocketAddr,
    /// What it is sent.
    pub params: StreamParams,
}
