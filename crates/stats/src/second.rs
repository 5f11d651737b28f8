//! The numbers of one second, as they are reported. What was not measured is absent.

use crate::Summary;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything measured in one window of one second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Second {
    /// Number of the window; it grows, so a reader can tell whether it has seen this one.
    pub number: u64,
    /// Host wall clock at the window's end.
    pub ended_us: u64,
    /// Events lost in this window because the ring was full.
    pub events_dropped: u64,
    /// By pipeline number.
    pub pipelines: BTreeMap<u32, PipelineSecond>,
    /// By viewer number.
    pub viewers: BTreeMap<u32, ViewerSecond>,
}

/// One second of one pipeline: source to encoder.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSecond {
    /// Pictures encoded.
    pub encoded: u32,
    /// Of them, newly captured.
    pub unique: u32,
    /// Of them, the last picture again.
    pub repeated: u32,
    /// Of them, drawn by the host.
    pub placeholders: u32,
    /// Captured frames displaced by newer ones before they were encoded.
    pub superseded: u32,
    /// Units that a consumer's queue refused.
    pub refused: u32,
    /// Keyframes by cause.
    pub keyframes: BTreeMap<&'static str, u32>,
    /// Pictures that refer past invalidated ones.
    pub recoveries: u32,
    /// Bytes that left the encoder.
    pub bytes: u64,
    /// Mean of the pictures' mean quantisers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiser: Option<f32>,
    /// Stage times.
    pub stages: PipelineStages,
}

/// Stage times of a pipeline. They tile the way from the change on screen to the coded picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStages {
    /// Change noticed to pixels copied; only newly captured frames have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grab: Option<Summary>,
    /// Pixels copied to taken by the encode loop; only newly captured frames have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Summary>,
    /// Taken by the encode loop to complete access unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Summary>,
}

/// One second of one viewer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewerSecond {
    /// Pictures sent.
    pub sent: u32,
    /// Of them, newly captured.
    pub unique: u32,
    /// Of them, the last picture again.
    pub repeated: u32,
    /// Of them, keyframes.
    pub keyframes: u32,
    /// Units this viewer's queue refused.
    pub refused: u32,
    /// Packets of these pictures, without resends.
    pub packets: u32,
    /// Bytes of these pictures, without resends and framing.
    pub bytes: u64,
    /// Losses and how they were answered.
    pub repairs: Repairs,
    /// The connection, as far as it was sampled.
    pub link: LinkSecond,
    /// What it hears, if it was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundSecond>,
    /// Stage times of the pictures this viewer got.
    pub stages: ViewerStages,
}

/// Losses and how they were answered. Resends count packets, the others count events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repairs {
    /// Packets asked for again.
    pub resent: u32,
    /// Invalidations of references.
    pub invalidations: u32,
    /// Keyframes asked for.
    pub keyframes: u32,
}

/// What a viewer's connection looks like. The counters cover the samples of this second; the gauges
/// are the newest sample's, unless it is too old to speak for this second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkSecond {
    /// Round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Share of packets lost, in millionths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_ppm: Option<u32>,
    /// Bandwidth estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_bps: Option<u32>,
    /// Encoder target derived from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_bps: Option<u32>,
    /// What went onto the wire between the two newest samples, resends and framing included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_bps: Option<u64>,
    /// NACKed packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nacks: Option<u32>,
    /// PLI and FIR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plis: Option<u32>,
}

/// What a viewer hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SoundSecond {
    /// Bits a second between the two newest samples, RTP headers included.
    pub sent_bps: u64,
    /// Share of packets lost, in millionths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_ppm: Option<u32>,
}

/// Stage times of the pictures one viewer got. All but `total` tile it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewerStages {
    /// Change noticed to pixels copied; only newly captured frames have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grab: Option<Summary>,
    /// Pixels copied to taken by the encode loop; only newly captured frames have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Summary>,
    /// Taken by the encode loop to complete access unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Summary>,
    /// Complete access unit to cut into packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packetise: Option<Summary>,
    /// Cut into packets to first packet in the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Summary>,
    /// First to last packet in the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<Summary>,
    /// Change noticed to last packet in the kernel; only newly captured frames have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Summary>,
}
