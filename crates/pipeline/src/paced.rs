//! One picture on its way out: which packets leave next and when, and the stage times that it ends
//! with. It sends nothing.

use crate::pacer::PacingPlan;
use events::{FrameSent, ViewerId};
use media::{AccessUnit, MonoTime, Rtp90k};
use std::ops::Range;
use std::sync::Arc;

/// A picture cut into packets, of which some have left.
#[derive(Debug)]
pub struct PacedFrame {
    unit: Arc<AccessUnit>,
    plan: PacingPlan,
    packets: usize,
    bytes: usize,
    written: usize,
    next_at: MonoTime,
    packetised: MonoTime,
    first_sent: Option<MonoTime>,
}

/// What a picture was cut into.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// How many packets; at least one.
    pub packets: usize,
    /// Their bytes together.
    pub bytes: usize,
    /// When they were ready.
    pub at: MonoTime,
}

impl PacedFrame {
    /// A picture of which nothing has left; its first packets may leave at `now`.
    #[must_use]
    pub const fn new(unit: Arc<AccessUnit>, plan: PacingPlan, cut: Cut, now: MonoTime) -> Self {
        Self {
            unit,
            plan,
            packets: cut.packets,
            bytes: cut.bytes,
            written: 0,
            next_at: now,
            packetised: cut.at,
            first_sent: None,
        }
    }

    /// The picture.
    #[must_use]
    pub fn unit(&self) -> &AccessUnit {
        &self.unit
    }

    /// When the next packets may leave.
    #[must_use]
    pub const fn next_at(&self) -> MonoTime {
        self.next_at
    }

    /// The packets that leave at `now`, whether or not their time has come.
    pub fn next_chunk(&mut self, now: MonoTime) -> Range<usize> {
        let first = self.written;
        self.written = self.packets.min(first + self.plan.chunk_packets);
        self.next_at = now + self.plan.gap;
        first..self.written
    }

    /// The chunk taken last was handed to the kernel by `now`. The event of the whole picture, once
    /// there is nothing left of it.
    pub fn chunk_sent(&mut self, viewer: ViewerId, now: MonoTime) -> Option<FrameSent> {
        let first_sent = *self.first_sent.get_or_insert(now);
        if self.written < self.packets {
            return None;
        }
        let unit = &self.unit;
        Some(FrameSent {
            viewer,
            index: unit.index,
            rtp: Rtp90k::from_time(unit.times.capture.noticed),
            kind: unit.kind,
            keyframe: unit.is_keyframe(),
            times: unit.times,
            packetised: self.packetised,
            first_sent,
            last_sent: now,
            packets: u32::try_from(self.packets).unwrap_or(u32::MAX),
            bytes: u32::try_from(self.bytes).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacer::PacingInput;
    use std::time::Duration;

    #[test]
    fn every_packet_leaves_once_and_the_last_one_tells_of_the_picture() {
        let interval = Duration::from_micros(16_667);
        let plan = PacingPlan::new(PacingInput {
            packets: 50,
            bytes: 60_000,
            frame_interval: interval,
            link_bps: None,
        });
        let mut now = MonoTime::now();
        let cut = Cut {
            packets: 50,
            bytes: 60_000,
            at: now,
        };
        let mut frame = PacedFrame::new(Arc::default(), plan, cut, now);
        let mut sent = Vec::new();
        let (start, event) = (
            now,
            loop {
                now = now.max(frame.next_at());
                sent.extend(frame.next_chunk(now));
                if let Some(event) = frame.chunk_sent(ViewerId(3), now) {
                    break event;
                }
            },
        );
        assert!(sent.iter().copied().eq(0..50));
        assert_eq!((event.packets, event.bytes), (50, 60_000));
        assert_eq!((event.first_sent, event.last_sent), (start, now));
        assert!(now.since(start) < interval);
    }
}
