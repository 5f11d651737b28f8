//! What is known of each frame, from the barcode, the browser and the host, joined by its RTP
//! timestamp and cut into stages. A stage with an end that nobody measured is absent.

use crate::presses::ShownPresses;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The stages between drawing and a readable frame in the page. Each begins where the one before
/// ends, so that together they are the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Drawing begins to the host's notice of the change.
    Notice,
    /// The host's notice to pixels copied.
    Grab,
    /// Pixels copied to taken by the encoder.
    Queue,
    /// Taken by the encoder to complete access unit.
    Encode,
    /// Complete access unit to its last packet handed to the kernel.
    Send,
    /// Last packet handed to the kernel to last packet received by the viewer.
    Network,
    /// Last packet received to barcode read from the decoded frame.
    Decode,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Notice,
        Self::Grab,
        Self::Queue,
        Self::Encode,
        Self::Send,
        Self::Network,
        Self::Decode,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Grab => "grab",
            Self::Queue => "queue",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Network => "network",
            Self::Decode => "decode",
        }
    }

    /// Where it begins and ends.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Notice => "drawing begins → change noticed",
            Self::Grab => "→ pixels copied",
            Self::Queue => "→ taken by the encoder",
            Self::Encode => "→ access unit complete",
            Self::Send => "→ last packet in the kernel",
            Self::Network => "→ last packet received",
            Self::Decode => "→ readable",
        }
    }
}

/// The host's times of one frame, as its `statsFrames` tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostTimes {
    pub(crate) rtp: u32,
    pub(crate) captured_us: Option<f64>,
    pub(crate) grab_us: Option<f64>,
    pub(crate) queue_us: Option<f64>,
    pub(crate) encode_us: Option<f64>,
    pub(crate) send_us: Option<f64>,
    pub(crate) bytes: Option<u32>,
    #[serde(default)]
    pub(crate) keyframe: bool,
}

impl HostTimes {
    /// When the last packet went to the kernel; known only if every stage before is.
    fn sent_ms(&self) -> Option<f64> {
        let stages_us = self.grab_us? + self.queue_us? + self.encode_us? + self.send_us?;
        Some((self.captured_us? + stages_us) / 1000.0)
    }
}

/// A decoded frame: readableMs, rtp, drawnUs, number.
type ReadFrame = (f64, Option<u32>, f64, u32);
/// A frame on its way to the screen: rtp, seenMs, receivedMs, decoderMs.
type Sight = (Option<u32>, Option<f64>, Option<f64>, Option<f64>);

/// What the measuring script hands over at a time.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Batch {
    pub(crate) frames: Vec<ReadFrame>,
    pub(crate) unreadable: u32,
    pub(crate) sights: Vec<Sight>,
    pub(crate) host: Vec<HostTimes>,
    pub(crate) problems: Vec<String>,
    /// Tracks so far: more than one means that the page had to connect again.
    pub(crate) sessions: u32,
}

/// A frame that was seen on the screen this much before the worker read it was read late: the
/// worker had to wait, not the frame.
const LATE_READING_MS: f64 = 5.0;

/// One picture of the source, at its first arrival. Points in time are milliseconds since the Unix
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) number: u32,
    pub(crate) drawn_ms: f64,
    /// When the page had its pixels: read by the worker, or seen on the screen where that is sooner.
    pub(crate) readable_ms: f64,
    /// When its last packet was received; known of frames that reached the screen.
    pub(crate) received_ms: Option<f64>,
    /// Time inside the decoder, a part of [`Stage::Decode`].
    pub(crate) decoder_ms: Option<f64>,
    /// When `requestVideoFrameCallback` told of it.
    pub(crate) seen_ms: Option<f64>,
    pub(crate) host: Option<HostTimes>,
}

impl Frame {
    /// How long a stage took.
    pub(crate) fn stage_ms(&self, stage: Stage) -> Option<f64> {
        let host = self.host.as_ref();
        let ms = |us: Option<f64>| us.map(|us| us / 1000.0);
        match stage {
            Stage::Notice => Some(ms(host?.captured_us)? - self.drawn_ms),
            Stage::Grab => ms(host?.grab_us),
            Stage::Queue => ms(host?.queue_us),
            Stage::Encode => ms(host?.encode_us),
            Stage::Send => ms(host?.send_us),
            Stage::Network => Some(self.received_ms? - host?.sent_ms()?),
            Stage::Decode => Some(self.readable_ms - self.received_ms?),
        }
    }

    /// All stages, if every one was measured.
    pub(crate) fn all_stages_ms(&self) -> Option<[f64; Stage::ALL.len()]> {
        let mut stages = [0.0; Stage::ALL.len()];
        for (ms, stage) in stages.iter_mut().zip(Stage::ALL) {
            *ms = self.stage_ms(stage)?;
        }
        Some(stages)
    }

    pub(crate) fn until_readable_ms(&self) -> f64 {
        self.readable_ms - self.drawn_ms
    }

    pub(crate) fn until_received_ms(&self) -> Option<f64> {
        Some(self.received_ms? - self.drawn_ms)
    }

    pub(crate) fn until_seen_ms(&self) -> Option<f64> {
        Some(self.seen_ms? - self.drawn_ms)
    }
}

/// What one page told so far.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    read: Vec<ReadFrame>,
    sights: HashMap<u32, Sight>,
    host: HashMap<u32, HostTimes>,
    pub(crate) unreadable: u32,
}

/// From when to when was measured, on this machine's wall clock, and how far ahead of it the page's
/// clock is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
    pub(crate) page_ahead_ms: f64,
}

/// What was decoded in a window.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Decoded {
    /// Each picture once, in the order of arrival.
    pub(crate) frames: Vec<Frame>,
    /// Frames that showed a picture again.
    pub(crate) repeated: u32,
    /// Pictures that the worker read long after they were on the screen.
    pub(crate) read_late: u32,
    /// Pictures that were drawn between two that arrived, and did not arrive.
    pub(crate) missing: u32,
}

impl Recording {
    pub(crate) fn add(&mut self, batch: Batch) {
        self.read.extend(batch.frames);
        self.unreadable += batch.unreadable;
        let sights = batch.sights.into_iter();
        self.sights
            .extend(sights.filter_map(|sight| Some((sight.0?, sight))));
        self.host
            .extend(batch.host.into_iter().map(|times| (times.rtp, times)));
    }

    /// Latencies of the frames since the `from`th; to show that something happens.
    pub(crate) fn latencies_since(&self, from: usize) -> impl Iterator<Item = f64> {
        let fresh = self.read.iter().skip(from);
        fresh.map(|(readable_ms, _, drawn_us, _)| readable_ms - drawn_us / 1000.0)
    }

    pub(crate) fn frames_read(&self) -> usize {
        self.read.len()
    }

    /// Joins what belongs together of the frames that became readable in `window`.
    pub(crate) fn decoded(&self, window: Window) -> Decoded {
        let mut decoded = Decoded::default();
        let mut known = HashSet::new();
        let ahead_ms = window.page_ahead_ms;
        for (readable_ms, rtp, drawn_us, number) in &self.read {
            let readable_ms = readable_ms - ahead_ms;
            let is_first = known.insert(*number);
            if !(window.from_ms..window.to_ms).contains(&readable_ms) {
                continue;
            }
            if !is_first {
                decoded.repeated += 1;
                continue;
            }
            let sight = rtp.and_then(|rtp| self.sights.get(&rtp));
            let seen_ms = sight.and_then(|sight| sight.1).map(|ms| ms - ahead_ms);
            let sooner_ms = seen_ms.map_or(readable_ms, |seen_ms| readable_ms.min(seen_ms));
            decoded.read_late += u32::from(readable_ms - sooner_ms > LATE_READING_MS);
            decoded.frames.push(Frame {
                number: *number,
                drawn_ms: drawn_us / 1000.0,
                readable_ms: sooner_ms,
                received_ms: sight.and_then(|sight| sight.2).map(|ms| ms - ahead_ms),
                decoder_ms: sight.and_then(|sight| sight.3),
                seen_ms,
                host: rtp.and_then(|rtp| self.host.get(&rtp)).copied(),
            });
        }
        let numbers = || decoded.frames.iter().map(|frame| frame.number);
        if let (Some(first), Some(last)) = (numbers().min(), numbers().max()) {
            decoded.missing = last - first + 1 - decoded.frames.len() as u32;
        }
        decoded
    }

    /// Joins what belongs to the first frame that showed a press, as if it had been drawn when the
    /// window heard of the press. Where the compositor left that frame out, the next one on the
    /// screen was its first sight.
    pub(crate) fn reaction(&self, shown: ShownPresses, page_ahead_ms: f64) -> Frame {
        let (readable_ms, rtp, heard_us, number) = shown;
        let own = rtp.and_then(|rtp| self.sights.get(&rtp));
        let since = |sight: &&Sight| {
            let later = rtp.zip(sight.0).map(|(rtp, seen)| seen.wrapping_sub(rtp));
            later.is_some_and(|later| later < u32::MAX / 2)
        };
        let seen = self.sights.values().filter(since);
        let seen = seen.filter_map(|sight| sight.1);
        let seen_ms = seen.min_by(f64::total_cmp);
        let own_ms = own.and_then(|sight| sight.1);
        let sooner_ms = own_ms.map_or(readable_ms, |seen_ms| readable_ms.min(seen_ms));
        Frame {
            number,
            drawn_ms: heard_us / 1000.0,
            readable_ms: sooner_ms - page_ahead_ms,
            received_ms: own.and_then(|sight| sight.2).map(|ms| ms - page_ahead_ms),
            decoder_ms: own.and_then(|sight| sight.3),
            seen_ms: seen_ms.map(|ms| ms - page_ahead_ms),
            host: rtp.and_then(|rtp| self.host.get(&rtp)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: f64 = 1_700_000_000_000.0;

    fn host(rtp: u32, captured_ms: f64) -> HostTimes {
        HostTimes {
            rtp,
            captured_us: Some((START_MS + captured_ms) * 1000.0),
            grab_us: Some(200.0),
            queue_us: Some(100.0),
            encode_us: Some(2000.0),
            send_us: Some(300.0),
            bytes: Some(15_000),
            keyframe: false,
        }
    }

    fn recording(batch: Batch) -> Recording {
        let mut recording = Recording::default();
        recording.add(batch);
        recording
    }

    const ALL_OF_IT: Window = Window {
        from_ms: 0.0,
        to_ms: f64::MAX,
        page_ahead_ms: 0.0,
    };

    #[test]
    fn stages_follow_each_other_and_make_up_the_whole() {
        let read = (START_MS + 108.0, Some(9), (START_MS + 100.0) * 1000.0, 1);
        let seen = Some(START_MS + 115.0);
        let sight = (Some(9), seen, Some(START_MS + 103.5), Some(1.5));
        let batch = Batch {
            frames: vec![read],
            sights: vec![sight],
            host: vec![host(9, 100.4)],
            ..Batch::default()
        };
        let decoded = recording(batch).decoded(ALL_OF_IT);
        let frame = decoded.frames[0];
        let stages = frame.all_stages_ms().unwrap();
        let expected = [0.4, 0.2, 0.1, 2.0, 0.3, 0.5, 4.5];
        for (stage, expected) in stages.into_iter().zip(expected) {
            assert!((stage - expected).abs() < 1e-3, "{stages:?}");
        }
        assert!((stages.iter().sum::<f64>() - frame.until_readable_ms()).abs() < 1e-3);
        assert_eq!(frame.until_received_ms(), Some(3.5));
        assert_eq!(frame.until_seen_ms(), Some(15.0));
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let unseen = (START_MS + 8.0, Some(1), START_MS * 1000.0, 1);
        let unknown = (START_MS + 9.0, None, START_MS * 1000.0, 2);
        let mut half = host(1, 1.0);
        half.grab_us = None;
        let batch = Batch {
            frames: vec![unseen, unknown],
            sights: vec![(None, Some(START_MS), None, None)],
            host: vec![half],
            ..Batch::default()
        };
        let decoded = recording(batch).decoded(ALL_OF_IT);
        let present = |frame: &Frame| {
            let measured = Stage::ALL
                .iter()
                .filter(|stage| frame.stage_ms(**stage).is_some());
            measured.copied().collect::<Vec<_>>()
        };
        let host_only = [Stage::Notice, Stage::Queue, Stage::Encode, Stage::Send];
        assert_eq!(present(&decoded.frames[0]), host_only);
        assert_eq!(present(&decoded.frames[1]), []);
        assert_eq!(decoded.frames[0].until_seen_ms(), None);
    }

    #[test]
    fn pictures_count_once_and_gaps_are_missing() {
        let read = |at, number| (START_MS + at, None, START_MS * 1000.0, number);
        let frames = vec![
            read(1.0, 1),
            read(2.0, 2),
            read(3.0, 2),
            read(4.0, 5),
            read(5.0, 6),
        ];
        let recording = recording(Batch {
            frames,
            ..Batch::default()
        });
        let decoded = recording.decoded(ALL_OF_IT);
        let numbers = decoded.frames.iter().map(|frame| frame.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 5, 6]);
        assert_eq!((decoded.repeated, decoded.missing), (1, 2));

        // A picture that arrived before the window began is no news inside it.
        let later = Window {
            from_ms: START_MS + 2.5,
            to_ms: START_MS + 4.5,
            page_ahead_ms: 0.0,
        };
        let decoded = recording.decoded(later);
        assert_eq!(decoded.frames.len(), 1);
        assert_eq!((decoded.repeated, decoded.missing), (1, 0));
    }

    #[test]
    fn a_frame_on_the_screen_is_readable_even_if_the_worker_sleeps() {
        let read = |at, rtp| (START_MS + at, Some(rtp), START_MS * 1000.0, rtp);
        let seen = |at, rtp| (Some(rtp), Some(START_MS + at), Some(START_MS + 3.0), None);
        let recording = recording(Batch {
            frames: vec![read(8.0, 1), read(90.0, 2), read(12.0, 3)],
            sights: vec![seen(15.0, 1), seen(16.0, 2), seen(11.0, 3)],
            ..Batch::default()
        });
        let decoded = recording.decoded(ALL_OF_IT);
        let readable = decoded.frames.iter().map(|frame| frame.until_readable_ms());
        assert_eq!(readable.collect::<Vec<_>>(), [8.0, 16.0, 11.0]);
        assert_eq!(decoded.read_late, 1);
    }

    #[test]
    fn a_reaction_is_first_seen_with_its_frame_or_the_next_one() {
        let sight = |at, rtp| {
            (
                Some(rtp),
                Some(START_MS + at),
                Some(START_MS + at - 9.0),
                Some(1.5),
            )
        };
        let recording = recording(Batch {
            sights: vec![sight(70.0, 2), sight(40.0, u32::MAX), sight(90.0, 3)],
            host: vec![host(0, 21.0)],
            ..Batch::default()
        });
        let shown = |rtp| (START_MS + 50.0, Some(rtp), (START_MS + 20.0) * 1000.0, 7);
        let frame = recording.reaction(shown(0), 5.0);
        assert_eq!((frame.number, frame.drawn_ms), (7, START_MS + 20.0));
        assert_eq!(frame.readable_ms, START_MS + 45.0);
        assert_eq!(
            (frame.seen_ms, frame.received_ms),
            (Some(START_MS + 65.0), None)
        );
        assert_eq!(frame.host, Some(host(0, 21.0)));
        // Seen before the worker read it.
        let frame = recording.reaction(shown(u32::MAX), 0.0);
        assert_eq!(
            (frame.readable_ms, frame.seen_ms),
            (START_MS + 40.0, Some(START_MS + 40.0))
        );
        assert_eq!(frame.decoder_ms, Some(1.5));
        assert_eq!(recording.reaction(shown(4), 0.0).seen_ms, None);
    }

    #[test]
    fn a_page_clock_that_is_ahead_is_put_right() {
        let read = (START_MS + 58.0, Some(7), START_MS * 1000.0, 1);
        let seen = Some(START_MS + 65.0);
        let sight = (Some(7), seen, Some(START_MS + 53.0), None);
        let recording = recording(Batch {
            frames: vec![read],
            sights: vec![sight],
            ..Batch::default()
        });
        let window = Window {
            page_ahead_ms: 50.0,
            ..ALL_OF_IT
        };
        let frame = recording.decoded(window).frames[0];
        assert_eq!(frame.until_readable_ms(), 8.0);
        assert_eq!(frame.until_received_ms(), Some(3.0));
        assert_eq!(frame.until_seen_ms(), Some(15.0));
    }
}
