//! Bits of NAL units: reading past emulation prevention bytes, and writing with them.

/// The bytes of a NAL unit's payload without emulation prevention.
#[derive(Clone, Debug)]
pub(crate) struct Rbsp<'a> {
    rest: &'a [u8],
    zeros: u8,
}

impl<'a> Rbsp<'a> {
    /// Starts behind the one-byte header of the unit.
    pub(crate) fn of(nal: &'a [u8]) -> Self {
        Self {
            rest: nal.get(1..).unwrap_or_default(),
            zeros: 0,
        }
    }

    /// The bytes not yet read, as they lie in the unit.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of payload bits before the stop bit.
    pub(crate) fn payload_bits(&self) -> usize {
        let (mut bits, mut end) = (0, 0);
        for byte in self.clone() {
            bits += 8;
            if byte != 0 {
                end = bits - byte.trailing_zeros() as usize - 1;
            }
        }
        end
    }
}

impl Iterator for Rbsp<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (mut byte, mut rest) = self.rest.split_first()?;
        if self.zeros == 2 && *byte == 3 {
            self.zeros = 0;
            (byte, rest) = rest.split_first()?;
        }
        self.rest = rest;
        self.zeros = if *byte == 0 {
            (self.zeros + 1).min(2)
        } else {
            0
        };
        Some(*byte)
    }
}

/// Reads the fields of a NAL unit. Every method returns `None` behind the end.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: Rbsp<'a>,
    current: u8,
    left: u8,
}

impl<'a> BitReader<'a> {
    pub(crate) fn of(nal: &'a [u8]) -> Self {
        Self {
            bytes: Rbsp::of(nal),
            current: 0,
            left: 0,
        }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.current >> self.left & 1 != 0)
    }

    /// An unsigned number of up to 32 bits.
    pub(crate) fn bits(&mut self, count: u8) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// An Exp-Golomb number.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1 << zeros) | self.bits(zeros)?) - 1)
    }

    /// Leaves the field level: the bits up to the byte boundary, and the bytes behind them.
    pub(crate) fn align(self) -> (u8, u8, Rbsp<'a>) {
        let mask = ((1_u16 << self.left) - 1) as u8;
        (self.current & mask, mask, self.bytes)
    }
}

/// Appends bits to a NAL unit, with emulation prevention.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    zeros: u8,
    current: u8,
    used: u8,
}

impl<'a> BitWriter<'a> {
    /// Starts behind the unit's header, which `out` already ends with.
    pub(crate) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            zeros: 0,
            current: 0,
            used: 0,
        }
    }

    pub(crate) fn bit(&mut self, bit: bool) {
        self.current = self.current << 1 | u8::from(bit);
        self.used += 1;
        if self.used == 8 {
            let byte = self.current;
            (self.current, self.used) = (0, 0);
            self.byte(byte);
        }
    }

    pub(crate) fn bits(&mut self, value: u32, count: u8) {
        for shift in (0..count).rev() {
            self.bit(value >> shift & 1 != 0);
        }
    }

    pub(crate) fn ue(&mut self, value: u32) {
        let coded = u64::from(value) + 1;
        let length = 64 - coded.leading_zeros() as u8;
        self.bits(0, length - 1);
        for shift in (0..length).rev() {
            self.bit(coded >> shift & 1 != 0);
        }
    }

    /// Fills the last byte with `bit`.
    pub(crate) fn align(&mut self, bit: bool) {
        while self.used != 0 {
            self.bit(bit);
        }
    }

    /// Appends the payload behind an aligned header. Only its first bytes need emulation
    /// prevention again: behind a byte that is not zero the old prevention bytes stay right.
    pub(crate) fn payload(mut self, mut payload: Rbsp<'_>) {
        debug_assert_eq!(self.used, 0, "a payload follows an aligned header");
        for byte in payload.by_ref() {
            self.byte(byte);
            if byte != 0 {
                break;
            }
        }
        self.out.extend_from_slice(payload.rest());
    }

    fn byte(&mut self, byte: u8) {
        if self.zeros == 2 && byte <= 3 {
            self.out.push(3);
            self.zeros = 0;
        }
        self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        self.out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(write: impl FnOnce(&mut BitWriter<'_>)) -> Vec<u8> {
        let mut out = vec![0x41];
        let mut writer = BitWriter::new(&mut out);
        write(&mut writer);
        writer.align(false);
        out
    }

    #[test]
    fn exp_golomb_codes_are_those_of_the_standard() {
        let nal = write(|writer| {
            for value in [0, 1, 2, 3, 7, 8] {
                writer.ue(value);
            }
        });
        // 1 010 011 00100 0001000 0001001
        assert_eq!(
            nal,
            [0x41, 0b1010_0110, 0b0100_0001, 0b0000_0010, 0b0100_0000]
        );
    }

    #[test]
    fn reading_past_the_end_gives_nothing() {
        let mut reader = BitReader::of(&[0x41, 0]);
        assert_eq!(reader.ue(), None);
        assert_eq!(BitReader::of(&[0x41]).bit(), None);
        assert_eq!(BitReader::of(&[]).bit(), None);
    }

    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![4 => Just(0_u8), 1 => 1_u8..4, 2 => any::<u8>()]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((0..u32::MAX, 1_u8..33), 0..40)) {
            let nal = write(|writer| {
                for (value, bits) in &values {
                    writer.ue(*value);
                    writer.bits(*value, *bits);
                }
            });
            let mut reader = BitReader::of(&nal);
            for (value, bits) in values {
                prop_assert_eq!(reader.ue(), Some(value));
                let mask = u32::MAX >> (32 - bits);
                prop_assert_eq!(reader.bits(bits), Some(value & mask));
            }
        }

        #[test]
        fn payloads_move_by_any_header_and_stay_escaped(
            header in prop::collection::vec(byte(), 0..6),
            other in prop::collection::vec(byte(), 0..6),
            payload in prop::collection::vec(byte(), 0..40),
        ) {
            // A unit with one header, then the same payload behind another header.
            let whole = [&header[..], &payload].concat();
            let nal = write(|writer| whole.iter().for_each(|&byte| writer.bits(byte.into(), 8)));
            let mut rbsp = Rbsp::of(&nal);
            prop_assert!(rbsp.by_ref().take(header.len()).eq(header));
            let mut moved = vec![0x41];
            let mut writer = BitWriter::new(&mut moved);
            other.iter().for_each(|&byte| writer.bits(byte.into(), 8));
            writer.payload(rbsp);
            prop_assert_eq!(Rbsp::of(&moved).collect::<Vec<_>>(), [&other[..], &payload].concat());
            prop_assert!(!moved.windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] <= 2));
        }
    }
}
