//! What can be said of a bitstream without decoding it: its units, whether a keyframe begins where stock
//! clients look, and for H.264 whether every picture referred to was delivered.

mod bits;
mod h264;

use crate::options::Codec;

/// What a look at one unit found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Slices or tiles.
    pub slices: u32,
    /// The unit is not what the codec allows.
    pub malformed: bool,
    /// It refers to a picture that was not delivered.
    pub missing_reference: bool,
    /// A keyframe came without its parameter sets.
    pub missing_parameters: bool,
}

/// Looks at the units of one stream, in order.
#[derive(Debug)]
pub struct Checker {
    codec: Codec,
    h264: h264::References,
}

impl Checker {
    /// For a stream of `codec`.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            h264: h264::References::default(),
        }
    }

    /// Looks at the next unit that goes to the decoder.
    pub fn check(&mut self, unit: &[u8]) -> Findings {
        match self.codec {
            Codec::H264 => self.h264.check(unit),
            Codec::Hevc => check_hevc(unit),
            Codec::Av1 => check_av1(unit),
        }
    }
}

/// The NAL units of Annex B, without start codes.
pub(crate) fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        let current = rest?;
        let end = find_start_code(current);
        rest = end.and_then(|end| after_start_code(&current[end..]));
        let unit = &current[..end.unwrap_or(current.len())];
        // A fourth byte of the next start code, or padding, belongs to no unit.
        let used = unit
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |at| at + 1);
        Some(&unit[..used])
    })
}

fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    find_start_code(bytes).map(|at| &bytes[at + 3..])
}

/// Whether a start code of three or four bytes comes first, with a unit behind it.
pub(crate) fn starts_with_start_code(bytes: &[u8]) -> bool {
    match bytes {
        [0, 0, 1, rest @ ..] | [0, 0, 0, 1, rest @ ..] => !rest.is_empty(),
        _ => false,
    }
}

/// Whether a stock client sees a keyframe when this is what the first packet brought: after delimiters
/// and SEI an SPS (HEVC: a VPS), and somewhere the beginning of a slice (VideoDepacketizer.c,
/// `isIdrFrameStart`, `isSeqReferenceFrameStart`).
pub(crate) fn keyframe_begins_in(codec: Codec, first_packet: &[u8]) -> bool {
    let kinds = nal_units(first_packet).filter_map(|unit| unit.first());
    match codec {
        Codec::H264 => {
            let mut kinds = kinds
                .map(|byte| byte & 0x1f)
                .skip_while(|kind| matches!(kind, 6 | 9));
            kinds.next() == Some(7) && kinds.any(|kind| kind == 5)
        }
        Codec::Hevc => {
            let kinds = kinds.map(|byte| byte >> 1 & 0x3f);
            let mut kinds = kinds.skip_while(|kind| matches!(kind, 35 | 39));
            kinds.next() == Some(32) && kinds.any(|kind| (16..=21).contains(&kind))
        }
        Codec::Av1 => false,
    }
}

fn check_hevc(unit: &[u8]) -> Findings {
    let mut findings = Findings {
        malformed: !starts_with_start_code(unit),
        ..Findings::default()
    };
    let (mut key, mut parameters) = (false, 0u8);
    for nal in nal_units(unit) {
        let &[first, second, ..] = nal else {
            findings.malformed = true;
            continue;
        };
        // The forbidden bit is clear, and the temporal id is never 0.
        findings.malformed |= first & 0x80 != 0 || second & 7 == 0;
        match first >> 1 & 0x3f {
            kind @ 0..=31 => {
                findings.slices += 1;
                key |= (16..=21).contains(&kind);
            }
            kind @ 32..=34 => parameters |= 1 << (kind - 32),
            _ => {}
        }
    }
    findings.malformed |= findings.slices == 0;
    findings.missing_parameters = key && parameters != 0b111;
    findings
}

/// Every OBU has a size, and they fill the unit (AV1, 5.3).
fn check_av1(unit: &[u8]) -> Findings {
    let mut findings = Findings::default();
    let mut rest = unit;
    while let Some((&header, tail)) = rest.split_first() {
        let extension = usize::from(header & 4 != 0);
        let sized = header & 2 != 0 && header & 0x80 == 0;
        let size = tail.get(extension..).and_then(leb128);
        let Some((size, length)) = size.filter(|_| sized) else {
            findings.malformed = true;
            break;
        };
        let Some(after) = tail
            .get(extension + length..)
            .and_then(|body| body.get(size..))
        else {
            findings.malformed = true;
            break;
        };
        // A frame, or a group of tiles.
        findings.slices += u32::from(matches!(header >> 3 & 15, 4 | 6));
        rest = after;
    }
    findings.malformed |= findings.slices == 0;
    findings
}

fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_are_split_at_start_codes_of_either_length() {
        let bytes = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 0, 3,
        ];
        let units: Vec<_> = nal_units(&bytes).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2], &[0x65, 0, 3]]);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn a_keyframe_is_seen_only_if_its_slice_begins_in_the_first_packet() {
        let sets = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2];
        let slice = [0, 0, 1, 0x65, 9];
        assert!(keyframe_begins_in(
            Codec::H264,
            &[&sets[..], &slice].concat()
        ));
        assert!(!keyframe_begins_in(Codec::H264, &sets));
        assert!(!keyframe_begins_in(Codec::H264, &slice));
    }

    #[test]
    fn obus_fill_their_unit() {
        let frame = [0x12, 0x00, 0x32, 0x02, 1, 2];
        assert_eq!(check_av1(&frame).slices, 1);
        assert!(!check_av1(&frame).malformed);
        assert!(check_av1(&frame[..5]).malformed);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in "[\u{0}\u{1}]{0,8}") {
            let unit = [start.as_bytes(), &bytes].concat();
            for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
                let _ = Checker::new(codec).check(&unit);
                let _ = keyframe_begins_in(codec, &unit);
            }
        }
    }
}
