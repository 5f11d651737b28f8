//! Whether a client will recognise a keyframe: for H.264 and HEVC it looks for the parameter sets and
//! the start of the picture in the first packet, and nowhere else. Looks at start codes and NAL types
//! only, and changes nothing.

/// What the bitstream is coded in, with the codes of `x-nv-vqos[0].bitStreamFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BitstreamFormat {
    /// H.264 / AVC, Annex B.
    H264,
    /// H.265 / HEVC, Annex B.
    Hevc,
    /// AV1, low-overhead OBUs. Clients trust the type in the frame header.
    Av1,
}

/// What a NAL unit is to a client (VideoDepacketizer.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nal {
    /// Left out by clients: access unit delimiter, SEI.
    Skipped,
    /// What a keyframe has to begin with: the SPS of H.264, the VPS of HEVC.
    KeyframeStart,
    /// A slice of a picture that needs no other.
    IdrSlice,
    Other,
}

impl BitstreamFormat {
    fn nal(self, header: u8) -> Nal {
        match (self, header & 0x1f, header >> 1 & 0x3f) {
            (Self::H264, 6 | 9, _) | (Self::Hevc, _, 35 | 39) => Nal::Skipped,
            (Self::H264, 7, _) | (Self::Hevc, _, 32) => Nal::KeyframeStart,
            (Self::H264, 5, _) | (Self::Hevc, _, 16..=21) => Nal::IdrSlice,
            _ => Nal::Other,
        }
    }
}

/// Whether the start of an IDR picture lies within the first `first_payload_bytes` of its access
/// unit, which is what [`VideoPacketiser::first_payload_bytes`] says. A client that does not find it
/// there waits for another keyframe, and for ever if all are alike (VideoDepacketizer.c,
/// `isIdrFrameStart`, `processAvcHevcRtpPayloadSlow`): long SEI messages are the usual reason.
///
/// [`VideoPacketiser::first_payload_bytes`]: super::VideoPacketiser::first_payload_bytes
#[must_use]
pub fn keyframe_is_recognised(
    format: BitstreamFormat,
    unit: &[u8],
    first_payload_bytes: usize,
) -> bool {
    if format == BitstreamFormat::Av1 {
        return true;
    }
    let first = &unit[..unit.len().min(first_payload_bytes)];
    if start_code(first).is_none() {
        return false;
    }
    let mut nals = nal_headers(first).map(|header| format.nal(header));
    let begins = nals.find(|nal| *nal != Nal::Skipped) == Some(Nal::KeyframeStart);
    begins && nals.any(|nal| nal == Nal::IdrSlice)
}

/// Bytes of the start code that `bytes` begin with, if a NAL header follows it.
fn start_code(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0, 0, 1, _, ..] => Some(3),
        [0, 0, 0, 1, _, ..] => Some(4),
        _ => None,
    }
}

/// The first byte of each NAL unit whose start code and first byte lie within `bytes`.
fn nal_headers(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let followed = bytes.windows(4);
    followed.filter_map(|window| match window {
        [0, 0, 1, header] => Some(*header),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x64, 0, 0x1f];
    const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xee, 0x3c, 0x80];
    const AUD: &[u8] = &[0, 0, 0, 1, 0x09, 0x10];
    const IDR: &[u8] = &[0, 0, 1, 0x65, 0x88, 0x84];
    const SLICE: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a];

    fn sei(bytes: usize) -> Vec<u8> {
        [&[0, 0, 0, 1, 0x06, 5][..], &vec![0xff; bytes], &[0x80]].concat()
    }

    fn recognised(parts: &[&[u8]], first_payload_bytes: usize) -> bool {
        keyframe_is_recognised(BitstreamFormat::H264, &parts.concat(), first_payload_bytes)
    }

    #[test]
    fn parameter_sets_and_the_slice_in_one_packet_are_a_keyframe() {
        assert!(recognised(&[SPS, PPS, IDR], 1000));
        assert!(recognised(&[AUD, &sei(20), SPS, PPS, &sei(20), IDR], 1000));
    }

    #[test]
    fn the_first_byte_of_the_slice_decides() {
        let through_header = SPS.len() + PPS.len() + 4;
        assert!(recognised(&[SPS, PPS, IDR], through_header));
        assert!(!recognised(&[SPS, PPS, IDR], through_header - 1));
    }

    #[test]
    fn messages_that_push_the_slice_out_of_the_packet_hide_the_keyframe() {
        assert!(!recognised(&[SPS, PPS, &sei(690), IDR], 456));
        assert!(!recognised(&[&sei(690), SPS, PPS, IDR], 456));
        assert!(recognised(&[SPS, PPS, &sei(690), IDR], 1368));
    }

    #[test]
    fn a_keyframe_begins_with_its_parameter_sets() {
        assert!(!recognised(&[IDR], 1000));
        assert!(!recognised(&[PPS, SPS, IDR], 1000));
        assert!(!recognised(&[SPS, PPS, SLICE], 1000));
        assert!(!recognised(&[&[0xff], SPS, PPS, IDR], 1000));
        assert!(!recognised(&[], 1000));
        assert!(!recognised(&[SPS, PPS, IDR], 0));
    }

    #[test]
    fn hevc_begins_with_its_video_parameter_set() {
        let nal = |kind: u8| [0, 0, 0, 1, kind << 1, 1, 0x0c];
        let (vps, sps, pps, aud, message) = (nal(32), nal(33), nal(34), nal(35), nal(39));
        let hevc =
            |parts: &[&[u8]]| keyframe_is_recognised(BitstreamFormat::Hevc, &parts.concat(), 1000);
        for slice in [16, 19, 20, 21] {
            assert!(hevc(&[&aud, &message, &vps, &sps, &pps, &nal(slice)]));
        }
        assert!(!hevc(&[&sps, &pps, &nal(19)]));
        assert!(!hevc(&[&vps, &sps, &pps, &nal(1)]));
    }

    #[test]
    fn the_header_alone_decides_for_av1() {
        assert!(keyframe_is_recognised(BitstreamFormat::Av1, &[0x12, 0], 1));
    }
}
