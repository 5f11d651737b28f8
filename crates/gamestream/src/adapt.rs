//! Stand-in until the pure one is there.
use gamestream_proto::control::FrameFecStatus;
use gamestream_proto::rtsp::StreamRequest;
use media::{Bitrate, MonoTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkTargets {
    pub(crate) wire: Bitrate,
    pub(crate) encoder: Bitrate,
    pub(crate) fec_percent: u8,
}
pub(crate) struct LinkAdapter(LinkTargets);
impl LinkAdapter {
    pub(crate) fn new(request: &StreamRequest, _now: MonoTime) -> Self {
        let wire = u64::from(request.video.bitrate_kbps) * 1000;
        Self(LinkTargets {
            wire: Bitrate::clamped(wire),
            encoder: Bitrate::clamped(wire * 80 / 100),
            fec_percent: 20,
        })
    }
    pub(crate) fn targets(&self) -> LinkTargets {
        self.0
    }
    pub(crate) fn arrived(&mut self, _status: &FrameFecStatus, _now: MonoTime) {}
    pub(crate) fn lost(&mut self, _now: MonoTime) {}
    pub(crate) fn look(&mut self, _now: MonoTime) -> LinkTargets {
        self.0
    }
    pub(crate) fn is_lossy(&self) -> bool {
        false
    }
    pub(crate) fn loss_ppm(&self) -> Option<u32> {
        None
    }
}
