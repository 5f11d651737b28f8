//! Which codecs a host offers, as the number that clients read it from.

/// One way of coding that a client may choose (`SCM_*` in Limelight.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecMode {
    /// H.264, 8 bits, 4:2:0.
    H264,
    /// H.264 High 4:4:4, 8 bits.
    H264Yuv444,
    /// HEVC Main, 8 bits, 4:2:0.
    Hevc,
    /// HEVC Main 10.
    HevcMain10,
    /// HEVC range extensions, 8 bits, 4:4:4.
    HevcYuv444,
    /// HEVC range extensions, 10 bits, 4:4:4.
    HevcYuv444Main10,
    /// AV1 Main, 8 bits, 4:2:0.
    Av1,
    /// AV1 Main, 10 bits.
    Av1Main10,
    /// AV1 High, 8 bits, 4:4:4.
    Av1Yuv444,
    /// AV1 High, 10 bits, 4:4:4.
    Av1Yuv444Main10,
}

impl CodecMode {
    /// Every mode.
    pub const ALL: [Self; 10] = [
        Self::H264,
        Self::H264Yuv444,
        Self::Hevc,
        Self::HevcMain10,
        Self::HevcYuv444,
        Self::HevcYuv444Main10,
        Self::Av1,
        Self::Av1Main10,
        Self::Av1Yuv444,
        Self::Av1Yuv444Main10,
    ];

    const fn flag(self) -> u32 {
        match self {
            Self::H264 => 0x1,
            Self::Hevc => 0x100,
            Self::HevcMain10 => 0x200,
            Self::Av1 => 0x1_0000,
            Self::Av1Main10 => 0x2_0000,
            Self::H264Yuv444 => 0x4_0000,
            Self::HevcYuv444 => 0x8_0000,
            Self::HevcYuv444Main10 => 0x10_0000,
            Self::Av1Yuv444 => 0x20_0000,
            Self::Av1Yuv444Main10 => 0x40_0000,
        }
    }

    const fn is_hevc(self) -> bool {
        matches!(
            self,
            Self::Hevc | Self::HevcMain10 | Self::HevcYuv444 | Self::HevcYuv444Main10
        )
    }

    const fn is_av1(self) -> bool {
        matches!(
            self,
            Self::Av1 | Self::Av1Main10 | Self::Av1Yuv444 | Self::Av1Yuv444Main10
        )
    }
}

/// A set of [`CodecMode`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecSupport(u32);

impl CodecSupport {
    /// This set and one mode more.
    #[must_use]
    pub const fn with(self, mode: CodecMode) -> Self {
        Self(self.0 | mode.flag())
    }

    /// Whether the mode is offered.
    #[must_use]
    pub const fn has(self, mode: CodecMode) -> bool {
        self.0 & mode.flag() != 0
    }

    /// Whether HEVC is offered in any form.
    #[must_use]
    pub fn has_hevc(self) -> bool {
        self.modes().any(CodecMode::is_hevc)
    }

    /// Whether AV1 is offered in any form.
    #[must_use]
    pub fn has_av1(self) -> bool {
        self.modes().any(CodecMode::is_av1)
    }

    /// The number in `ServerCodecModeSupport`.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    fn modes(self) -> impl Iterator<Item = CodecMode> {
        CodecMode::ALL
            .into_iter()
            .filter(move |mode| self.has(*mode))
    }
}

impl FromIterator<CodecMode> for CodecSupport {
    fn from_iter<T: IntoIterator<Item = CodecMode>>(modes: T) -> Self {
        modes.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_what_clients_expect() {
        let set = CodecSupport::from_iter([CodecMode::H264, CodecMode::Hevc]);
        assert_eq!(set.number(), 257);
        assert!(set.has_hevc() && !set.has_av1() && !set.has(CodecMode::HevcMain10));
        assert_eq!(CodecSupport::from_iter(CodecMode::ALL).number(), 0x7f_0301);
    }

    #[test]
    fn no_two_modes_share_a_flag() {
        let flags: u32 = CodecMode::ALL.iter().map(|mode| mode.flag()).sum();
        assert_eq!(flags.count_ones(), 10);
    }
}
