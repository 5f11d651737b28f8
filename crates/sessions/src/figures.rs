//! The statistics of a session as a subscriber is told them.

use crate::hub::Hub;
use control_api::{FrameFigures, SecondFigures};
use events::ViewerId;
use stats::{FrameRecord, ViewerSecond};

impl Hub {
    /// The number of the newest whole second, and a session's figures of it; the session has none
    /// when nothing was sent to it.
    #[must_use]
    pub fn latest_second(&self, viewer: ViewerId) -> Option<(u64, Option<SecondFigures>)> {
        let latest = self.shared.stats.latest()?;
        Some((latest.number, latest.viewers.get(&viewer.0).map(second)))
    }
}

pub(crate) fn frame(record: &FrameRecord) -> FrameFigures {
    FrameFigures {
        rtp: record.rtp,
        captured_us: record.captured_us,
        grab_us: record.grab_us,
        queue_us: record.queue_us,
        encode_us: record.encode_us,
        send_us: record.send_us,
        bytes: record.bytes,
        keyframe: record.keyframe,
        repeated: record.repeated,
    }
}

pub(crate) fn second(second: &ViewerSecond) -> SecondFigures {
    let link = second.link;
    let encode = second.stages.encode;
    SecondFigures {
        fps: second.sent,
        unique_fps: second.unique,
        keyframes: second.keyframes,
        invalidations: second.repairs.invalidations,
        // Before the connection was sampled twice, the pictures alone are what is known.
        bitrate_bps: link.sent_bps.unwrap_or(second.bytes * 8),
        target_bps: link.target_bps,
        loss_pct: link.loss_ppm.map(|ppm| f64::from(ppm) / 10_000.0),
        rtt_ms: link.rtt_us.map(|us| f64::from(us) / 1000.0),
        nacks: link.nacks,
        plis: link.plis,
        encode_p50_us: encode.map(|encode| encode.p50_us),
        encode_p95_us: encode.map(|encode| encode.p95_us),
        sound_bps: second.sound.map(|sound| sound.sent_bps),
        sound_loss_pct: second
            .sound
            .and_then(|sound| sound.loss_ppm)
            .map(|ppm| f64::from(ppm) / 10_000.0),
    }
}
