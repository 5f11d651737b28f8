//! Facts of the H.264 byte stream: splitting Annex B into NAL units and naming their types.
//!
//! Owns no decoding, never allocates, and takes any bytes without panicking.

use memchr::memmem;

#[cfg(feature = "x264")]
pub(crate) mod bits;

/// What a NAL unit carries: the low five bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NalType(pub u8);

impl NalType {
    /// Slice of a picture that is not IDR.
    pub const SLICE: Self = Self(1);
    /// Slice of an IDR picture.
    pub const IDR_SLICE: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
    /// Access unit delimiter.
    pub const AUD: Self = Self(9);
    /// Filler data.
    pub const FILLER: Self = Self(12);

    /// The type of a NAL unit without its start code; `None` for no bytes.
    #[must_use]
    pub fn of(nal: &[u8]) -> Option<Self> {
        nal.first().map(|header| Self(header & 0x1f))
    }

    /// Whether the unit carries coded macroblocks.
    #[must_use]
    pub const fn is_slice(self) -> bool {
        self.0 == Self::SLICE.0 || self.0 == Self::IDR_SLICE.0
    }
}

const START_CODE: [u8; 3] = [0, 0, 1];

/// The NAL units of an Annex B byte stream in order, each without start code and trailing zeros.
///
/// Bytes before the first start code are skipped, as are units without bytes.
pub fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = memmem::find(annex_b, &START_CODE).map(|at| &annex_b[at + START_CODE.len()..]);
    std::iter::from_fn(move || {
        while let Some(from) = rest {
            let end = memmem::find(from, &START_CODE);
            rest = end.map(|at| &from[at + START_CODE.len()..]);
            let unit = trim_zeros(&from[..end.unwrap_or(from.len())]);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
        None
    })
}

/// A NAL unit never ends in a zero byte: those belong to the next start code or are padding.
fn trim_zeros(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0);
    &bytes[..end.map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(bytes: &[u8]) -> Vec<&[u8]> {
        nal_units(bytes).collect()
    }

    #[test]
    fn units_are_found_behind_both_start_codes() {
        let stream = [
            0, 0, 0, 1, 0x67, 9, 0, 0, 1, 0x68, 7, 0, 0, 0, 1, 0x65, 1, 0, 3,
        ];
        assert_eq!(
            split(&stream),
            [&[0x67, 9][..], &[0x68, 7], &[0x65, 1, 0, 3]]
        );
        let types: Vec<_> = nal_units(&stream).map(NalType::of).collect();
        assert_eq!(
            types,
            [
                Some(NalType::SPS),
                Some(NalType::PPS),
                Some(NalType::IDR_SLICE)
            ]
        );
    }

    #[test]
    fn leading_bytes_trailing_zeros_and_empty_units_are_skipped() {
        assert_eq!(
            split(&[7, 7, 0, 0, 1, 0x41, 2, 0, 0, 0, 0]),
            [&[0x41, 2][..]]
        );
        assert_eq!(split(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0x41]), [&[0x41][..]]);
        for nothing in [&[][..], &[0, 0, 1], &[0, 0], &[1, 2, 3], &[0; 9]] {
            assert!(split(nothing).is_empty(), "{nothing:?}");
        }
    }

    /// A unit as encoders write it: a header byte, then no start code inside, no zero at the end.
    fn unit() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![3 => Just(0_u8), 1 => Just(1), 1 => Just(3), 3 => any::<u8>()];
        prop::collection::vec(byte, 1..60).prop_map(|raw| {
            let mut escaped = vec![0x41];
            let mut zeros = 0;
            for byte in raw {
                if zeros == 2 && byte <= 3 {
                    escaped.push(3);
                    zeros = 0;
                }
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                escaped.push(byte);
            }
            escaped.push(0x80);
            escaped
        })
    }

    proptest! {
        #[test]
        fn joined_units_come_apart_again(
            units in prop::collection::vec((unit(), 2_usize..5), 0..8)
        ) {
            let mut stream = Vec::new();
            for (unit, zeros) in &units {
                stream.resize(stream.len() + zeros, 0);
                stream.push(1);
                stream.extend_from_slice(unit);
            }
            let expected: Vec<&[u8]> = units.iter().map(|(unit, _)| &unit[..]).collect();
            prop_assert_eq!(split(&stream), expected);
        }

        #[test]
        fn any_bytes_give_units_without_start_codes_or_trailing_zeros(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..300)
        ) {
            for unit in nal_units(&bytes) {
                prop_assert!(unit.last().is_some_and(|&last| last != 0));
                prop_assert!(!unit.windows(3).any(|three| three == START_CODE));
            }
        }
    }
}
