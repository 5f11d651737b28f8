//! Bits of a NAL unit, one after the other, without the bytes that keep start codes apart. It ends
//! quietly: what is not there reads as nothing.

/// Reads bits, the highest first.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    bit: u32,
    zeros: u8,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            bit: 0,
            zeros: 0,
        }
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        if self.bit == 0 && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        let byte = *self.bytes.get(self.at)?;
        let flag = byte >> (7 - self.bit) & 1 != 0;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.at += 1;
            self.zeros = if byte == 0 {
                self.zeros.saturating_add(1)
            } else {
                0
            };
        }
        Some(flag)
    }

    /// Up to 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..bits.min(32) {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Exp-Golomb, unsigned.
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.number(zeros)?;
        Some(((1u64 << zeros) - 1) as u32 + rest)
    }

    /// Exp-Golomb, signed.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let code = i64::from(self.unsigned()?);
        Some(if code % 2 == 0 {
            -code / 2
        } else {
            code / 2 + 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_past_emulation_prevention() {
        let mut bits = Bits::new(&[0, 0, 3, 0x80, 0b1010_0110]);
        assert_eq!(bits.number(24), Some(0x80));
        assert_eq!(bits.unsigned(), Some(0));
        assert_eq!(bits.unsigned(), Some(1));
        assert_eq!(bits.signed(), Some(-1));
        assert_eq!((bits.flag(), bits.flag()), (Some(false), None));
    }
}
