//! The pictures of one client as packets: numbered, timed, cut, protected and sealed. Pure: a function of
//! pictures and the time; it refuses to decide what is sent when.

use crate::ledger::{FrameRole, Ledger};
use gamestream_proto::packet_error::PacketError;
use gamestream_proto::video::{
    PictureType, Protection, VideoBatch, VideoFrame, VideoPacketiser, VideoSettings,
};
use media::{AccessUnit, FrameIndex, MonoTime, Rtp90k};
use std::time::Duration;

/// Makes the packets of one session, from its first picture to its last.
pub(crate) struct Cutter {
    packetiser: VideoPacketiser,
    batch: VideoBatch,
    ledger: Ledger,
    last_timestamp: Option<Rtp90k>,
}

impl Cutter {
    /// For a session with these settings; with a key, packets are sealed.
    ///
    /// # Errors
    /// Those of [`VideoPacketiser::new`].
    pub(crate) fn new(
        settings: VideoSettings,
        key: Option<&[u8; 16]>,
    ) -> Result<Self, PacketError> {
        Ok(Self {
            packetiser: VideoPacketiser::new(settings, key)?,
            batch: VideoBatch::new(),
            ledger: Ledger::default(),
            last_timestamp: None,
        })
    }

    /// Cuts a picture; its packets are those of [`Cutter::packets`].
    ///
    /// # Errors
    /// Those of [`VideoPacketiser::packetise`]. To the client it is a lost picture, which it asks to have
    /// repaired.
    pub(crate) fn cut(&mut self, unit: &AccessUnit, now: MonoTime) -> Result<(), PacketError> {
        let (number, role) = self.ledger.send(unit);
        let captured = unit.times.capture.noticed;
        let frame = VideoFrame {
            number,
            picture: match role {
                FrameRole::Ordinary => PictureType::Predicted,
                FrameRole::Keyframe => PictureType::Idr,
                FrameRole::Recovery => PictureType::PredictedAfterLoss,
            },
            timestamp: self.timestamp(captured),
            host_latency_tenth_ms: tenths_of_ms(now.since(captured)),
            long_term: false,
            data: &unit.data,
        };
        self.packetiser.packetise(&frame, &mut self.batch)
    }

    /// The packets of the picture that was cut last.
    pub(crate) const fn packets(&self) -> &VideoBatch {
        &self.batch
    }

    /// See [`Ledger::lost`].
    pub(crate) fn lost(&mut self, first: u32, last: u32) -> Option<(FrameIndex, FrameIndex)> {
        self.ledger.lost(first, last)
    }

    /// See [`Ledger::moved`].
    pub(crate) fn moved(&mut self) {
        self.ledger.moved();
    }

    /// How pictures are protected from now on.
    pub(crate) const fn set_fec_percent(&mut self, percent: u8) {
        let protection: Protection = self.packetiser.protection();
        self.packetiser
            .set_protection(protection.with_percent(percent));
    }

    /// When a picture was captured. No two pictures share one.
    fn timestamp(&mut self, captured: MonoTime) -> Rtp90k {
        let mut timestamp = Rtp90k::from_time(captured);
        if let Some(last) = self.last_timestamp
            && timestamp.since(last) <= 0
        {
            timestamp = Rtp90k(last.0.wrapping_add(1));
        }
        self.last_timestamp = Some(timestamp);
        timestamp
    }
}

fn tenths_of_ms(duration: Duration) -> u16 {
    u16::try_from(duration.as_micros() / 100).unwrap_or(u16::MAX)
}
