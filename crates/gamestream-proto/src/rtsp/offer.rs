//! What a host can do, as it stands in the answer to DESCRIBE. Clients look for words in it rather
//! than read it (RtspConnection.c, `performRtspHandshake`).

use super::announce::Encryption;
use crate::audio::LAYOUTS;
use crate::http::CodecSupport;
use std::fmt::Write as _;

/// How much a host wants something encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// When the client wants it.
    Offered,
    /// Unless the client cannot.
    Requested,
    /// Else there is no stream.
    Required,
}

/// What is encrypted besides the control stream, which always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptionPolicy {
    /// Sound: clients that want it do not ask whether the host can.
    pub audio: Want,
    /// Pictures; none when the host cannot.
    pub video: Option<Want>,
}

impl EncryptionPolicy {
    fn flags(self, at_least: Want) -> u32 {
        let wants = |want: Want| want >= at_least;
        Encryption {
            control: true,
            audio: wants(self.audio),
            video: self.video.is_some_and(wants),
        }
        .flags()
    }

    /// Whether a stream encrypted like this may be.
    pub(super) fn allows(self, encryption: Encryption) -> bool {
        let required = self.flags(Want::Required);
        encryption.flags() & required == required
    }
}

/// What a host can do.
#[derive(Clone, Debug)]
pub struct HostOffer {
    /// It takes fingers and pens.
    pub pen_and_touch: bool,
    /// It takes fingers on controllers.
    pub controller_touch: bool,
    /// What is encrypted.
    pub encryption: EncryptionPolicy,
    /// It answers lost pictures with one that refers past them, and says so in the picture's header.
    /// Clients that believe it show nothing until such a picture comes.
    pub reference_invalidation: bool,
    /// What it encodes.
    pub codecs: CodecSupport,
}

impl HostOffer {
    /// The answer to DESCRIBE.
    pub(super) fn to_sdp(&self) -> String {
        let mut sdp = String::new();
        let features = u32::from(self.pen_and_touch) | u32::from(self.controller_touch) << 1;
        let supported = self.encryption.flags(Want::Offered);
        let requested = self.encryption.flags(Want::Requested);
        let _ = write!(
            sdp,
            "a=x-ss-general.featureFlags:{features}\r\n\
             a=x-ss-general.encryptionSupported:{supported}\r\n\
             a=x-ss-general.encryptionRequested:{requested}\r\n"
        );
        if self.reference_invalidation {
            sdp.push_str("a=x-nv-video[0].refPicInvalidation:1\r\n");
        }
        // How a parameter set of HEVC begins, in base64.
        if self.codecs.has_hevc() {
            sdp.push_str("sprop-parameter-sets=AAAAAU\r\n");
        }
        if self.codecs.has_av1() {
            sdp.push_str("a=rtpmap:98 AV1/90000\r\n");
        }
        // Stereo is coded alike on both sides, unannounced.
        for layout in LAYOUTS.iter().filter(|layout| layout.channels > 2) {
            let digits = layout.surround_params();
            let _ = write!(sdp, "a=fmtp:97 surround-params={digits}\r\n");
        }
        sdp
    }
}
