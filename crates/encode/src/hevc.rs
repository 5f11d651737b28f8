//! Facts of the HEVC byte stream: the types of its NAL units.
//!
//! The units come apart as those of H.264 do: see [`crate::h264::nal_units`].

/// What a NAL unit carries: six bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NalType(pub u8);

impl NalType {
    /// Slice of an IDR picture before which nothing is shown.
    pub const IDR_W_RADL: Self = Self(19);
    /// Slice of an IDR picture behind which everything is shown.
    pub const IDR_N_LP: Self = Self(20);
    /// Video parameter set.
    pub const VPS: Self = Self(32);
    /// Sequence parameter set.
    pub const SPS: Self = Self(33);
    /// Picture parameter set.
    pub const PPS: Self = Self(34);
    /// Access unit delimiter.
    pub const AUD: Self = Self(35);
    /// Filler data.
    pub const FILLER: Self = Self(38);
    /// Supplemental enhancement information before the picture.
    pub const PREFIX_SEI: Self = Self(39);
    /// Supplemental enhancement information behind the picture.
    pub const SUFFIX_SEI: Self = Self(40);

    /// The type of a NAL unit without its start code; `None` for no bytes.
    #[must_use]
    pub fn of(nal: &[u8]) -> Option<Self> {
        nal.first().map(|header| Self(header >> 1 & 0x3f))
    }

    /// Whether the unit carries coded blocks.
    #[must_use]
    pub const fn is_slice(self) -> bool {
        self.0 < Self::VPS.0
    }

    /// Whether decoding can start at a picture of such slices.
    #[must_use]
    pub const fn is_idr(self) -> bool {
        self.0 == Self::IDR_W_RADL.0 || self.0 == Self::IDR_N_LP.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_from_the_first_byte() {
        let types = [0x40, 0x42, 0x44, 0x28, 0x02, 0x4e].map(|first| NalType::of(&[first, 1]));
        let wanted = [32, 33, 34, 20, 1, 39].map(|number| Some(NalType(number)));
        assert_eq!(types, wanted);
        assert_eq!(NalType::of(&[]), None);
        assert!(NalType::IDR_N_LP.is_slice() && NalType::IDR_N_LP.is_idr());
        assert!(!NalType::VPS.is_slice() && !NalType(1).is_idr());
    }
}
