//! H.264 down to the slice header: parameter sets, picture numbers, and which picture a slice refers to
//! first. Fields, B slices and long-term references pass unjudged.

use std::collections::VecDeque;

use super::bits::Bits;
use super::{Findings, nal_units, starts_with_start_code};

/// No decoder keeps more pictures.
const KEPT: usize = 16;
/// More list entries than any slice has.
const MAX_MODIFICATIONS: u32 = 66;

#[derive(Clone, Copy, Debug, Default)]
struct Sequence {
    separate_planes: bool,
    frame_num_bits: u32,
    order_type: u32,
    order_bits: u32,
    order_always_zero: bool,
    frames_only: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Picture {
    bottom_order: bool,
    references: u32,
    redundant: bool,
}

/// Which pictures a decoder has by now.
#[derive(Debug, Default)]
pub(super) struct References {
    sequence: Option<Sequence>,
    picture: Option<Picture>,
    /// Numbers of the delivered reference pictures since the keyframe, counted on past their wrap.
    delivered: VecDeque<u64>,
}

struct Slice {
    key: bool,
    reference: bool,
    frame_num: u64,
    /// Numbers of the pictures it names, counted on likewise.
    refers_to: Vec<u64>,
}

impl References {
    pub(super) fn check(&mut self, unit: &[u8]) -> Findings {
        let mut findings = Findings {
            malformed: !starts_with_start_code(unit),
            ..Findings::default()
        };
        let (mut sets, mut current) = (0u8, None);
        for nal in nal_units(unit) {
            let Some((&header, body)) = nal.split_first() else {
                findings.malformed = true;
                continue;
            };
            findings.malformed |= header & 0x80 != 0;
            match header & 0x1f {
                7 => {
                    self.sequence = read_sequence(body);
                    findings.malformed |= self.sequence.is_none();
                    sets |= 1;
                }
                8 => {
                    self.picture = read_picture(body);
                    findings.malformed |= self.picture.is_none();
                    sets |= 2;
                }
                1 | 5 => {
                    findings.slices += 1;
                    match self.slice(header, body) {
                        Some(slice) => self.judge(&slice, sets, &mut findings, &mut current),
                        None => findings.malformed = true,
                    }
                }
                _ => {}
            }
        }
        findings.malformed |= findings.slices == 0;
        if let Some(number) = current {
            self.delivered.push_back(number);
            if self.delivered.len() > KEPT {
                self.delivered.pop_front();
            }
        }
        findings
    }

    fn judge(
        &mut self,
        slice: &Slice,
        sets: u8,
        findings: &mut Findings,
        current: &mut Option<u64>,
    ) {
        if slice.key {
            findings.missing_parameters |= sets != 3;
            self.delivered.clear();
        }
        let missing = |number: &u64| !self.delivered.contains(number);
        findings.missing_reference |= slice.refers_to.iter().any(missing);
        if slice.reference {
            *current = Some(slice.frame_num);
        }
    }

    /// The header of a slice; nothing if it is not one of a stream whose parameter sets are known.
    fn slice(&self, header: u8, body: &[u8]) -> Option<Slice> {
        let (sequence, picture) = (self.sequence?, self.picture?);
        let key = header & 0x1f == 5;
        let mut bits = Bits::new(body);
        bits.unsigned()?;
        let slice_type = bits.unsigned()? % 5;
        bits.unsigned()?;
        if sequence.separate_planes {
            bits.number(2)?;
        }
        let number = bits.number(sequence.frame_num_bits)?;
        let field = !sequence.frames_only && bits.flag()?;
        if field {
            bits.flag()?;
        }
        if key {
            bits.unsigned()?;
        }
        skip_order(&mut bits, sequence, picture, field)?;
        if picture.redundant {
            bits.unsigned()?;
        }
        let frame_num = if key {
            u64::from(number)
        } else {
            self.unwrapped(number, sequence)
        };
        let predicted = matches!(slice_type, 0 | 3) && !field;
        let refers_to = if predicted {
            references(
                &mut bits,
                picture.references,
                frame_num,
                1 << sequence.frame_num_bits,
            )?
        } else {
            Vec::new()
        };
        Some(Slice {
            key,
            reference: header & 0x60 != 0,
            frame_num,
            refers_to,
        })
    }

    /// Counts a picture number on past its wrap: it is never below the last one delivered.
    fn unwrapped(&self, number: u32, sequence: Sequence) -> u64 {
        let modulus = 1u64 << sequence.frame_num_bits;
        let last = self.delivered.back().copied().unwrap_or(0);
        let ahead = (u64::from(number) + modulus - last % modulus) % modulus;
        last + ahead
    }
}

fn skip_order(
    bits: &mut Bits<'_>,
    sequence: Sequence,
    picture: Picture,
    field: bool,
) -> Option<()> {
    let both = picture.bottom_order && !field;
    match sequence.order_type {
        0 => {
            bits.number(sequence.order_bits)?;
            if both {
                bits.signed()?;
            }
        }
        1 if !sequence.order_always_zero => {
            bits.signed()?;
            if both {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The short-term pictures that a P slice certainly uses: those its list modification names, as many as
/// are active, or else the picture before (8.2.4.3.1).
fn references(bits: &mut Bits<'_>, default: u32, frame_num: u64, modulus: u64) -> Option<Vec<u64>> {
    let active = if bits.flag()? {
        bits.unsigned()? + 1
    } else {
        default
    };
    let mut named = Vec::new();
    if !bits.flag()? {
        named.push(frame_num.wrapping_sub(1));
        return Some(named);
    }
    let mut predicted = frame_num;
    for _ in 0..MAX_MODIFICATIONS {
        match bits.unsigned()? {
            0 => predicted = predicted.wrapping_sub(u64::from(bits.unsigned()?) + 1),
            1 => predicted = predicted.wrapping_add(u64::from(bits.unsigned()?) + 1),
            2 => {
                bits.unsigned()?;
                continue;
            }
            3 => return Some(named),
            _ => return None,
        }
        // Numbers above the current one are those of the lap before.
        let number = if predicted > frame_num {
            predicted.wrapping_sub(modulus)
        } else {
            predicted
        };
        if (named.len() as u64) < u64::from(active) {
            named.push(number);
        }
    }
    None
}

fn read_sequence(body: &[u8]) -> Option<Sequence> {
    let mut bits = Bits::new(body);
    let profile = bits.number(8)?;
    bits.number(16)?;
    bits.unsigned()?;
    let mut sequence = Sequence::default();
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        let chroma = bits.unsigned()?;
        if chroma == 3 {
            sequence.separate_planes = bits.flag()?;
        }
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
        if bits.flag()? {
            skip_scaling(&mut bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    sequence.frame_num_bits = bits.unsigned()?.checked_add(4).filter(|&bits| bits <= 16)?;
    sequence.order_type = bits.unsigned()?;
    match sequence.order_type {
        0 => sequence.order_bits = bits.unsigned()?.checked_add(4).filter(|&bits| bits <= 16)?,
        1 => {
            sequence.order_always_zero = bits.flag()?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.flag()?;
    bits.unsigned()?;
    bits.unsigned()?;
    sequence.frames_only = bits.flag()?;
    Some(sequence)
}

fn skip_scaling(bits: &mut Bits<'_>, lists: u32) -> Option<()> {
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.signed()? + 256).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

fn read_picture(body: &[u8]) -> Option<Picture> {
    let mut bits = Bits::new(body);
    bits.unsigned()?;
    bits.unsigned()?;
    bits.flag()?;
    let bottom_order = bits.flag()?;
    // Slice groups are of a profile that no encoder here has.
    if bits.unsigned()? != 0 {
        return None;
    }
    let references = bits.unsigned()?.checked_add(1)?;
    bits.unsigned()?;
    bits.flag()?;
    bits.number(2)?;
    bits.signed()?;
    bits.signed()?;
    bits.signed()?;
    bits.flag()?;
    bits.flag()?;
    let redundant = bits.flag()?;
    Some(Picture {
        bottom_order,
        references,
        redundant,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits, the highest first, into bytes; without emulation prevention, which these never need.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn number(mut self, bits: u32, value: u32) -> Self {
            self.0
                .extend((0..bits).rev().map(|bit| value >> bit & 1 != 0));
            self
        }

        fn unsigned(self, value: u32) -> Self {
            let length = 32 - (value + 1).leading_zeros();
            self.number(2 * length - 1, value + 1)
        }

        fn nal(&self, header: u8) -> Vec<u8> {
            let mut bits = self.0.clone();
            bits.push(true);
            let mut bytes = vec![0, 0, 0, 1, header];
            for chunk in bits.chunks(8) {
                let byte = chunk
                    .iter()
                    .enumerate()
                    .map(|(at, &bit)| u8::from(bit) << (7 - at));
                bytes.push(byte.sum());
            }
            bytes
        }
    }

    /// Constrained baseline, 4 bits of picture number, order type 2, frames only.
    fn parameter_sets() -> Vec<u8> {
        let sequence = Writer::default()
            .number(8, 66)
            .number(16, 0xc01f)
            .unsigned(0)
            .unsigned(0)
            .unsigned(2)
            .unsigned(2)
            .number(1, 0)
            .unsigned(19)
            .unsigned(14)
            .number(1, 1);
        let picture = Writer::default()
            .unsigned(0)
            .unsigned(0)
            .number(2, 0)
            .unsigned(0)
            .unsigned(0)
            .unsigned(0)
            .number(3, 0)
            .unsigned(0)
            .unsigned(0)
            .unsigned(0)
            .number(3, 0);
        [sequence.nal(0x67), picture.nal(0x68)].concat()
    }

    fn key() -> Vec<u8> {
        let slice = Writer::default().unsigned(0).unsigned(7).unsigned(0);
        let slice = slice.number(4, 0).unsigned(0).number(16, 0xffff);
        [parameter_sets(), slice.nal(0x65)].concat()
    }

    /// A P picture; `back` pictures back through a list modification, or without one.
    fn predicted(number: u32, back: Option<u32>) -> Vec<u8> {
        let slice = Writer::default().unsigned(0).unsigned(5).unsigned(0);
        let slice = slice.number(4, number % 16).number(1, 0);
        let slice = match back {
            None => slice.number(1, 0),
            Some(back) => slice
                .number(1, 1)
                .unsigned(0)
                .unsigned(back - 1)
                .unsigned(3),
        };
        slice.number(16, 0xffff).nal(0x41)
    }

    #[test]
    fn an_unbroken_stream_misses_nothing_past_the_wrap_of_its_numbers() {
        let mut references = References::default();
        let first = references.check(&key());
        assert_eq!(
            first,
            Findings {
                slices: 1,
                ..Findings::default()
            }
        );
        for number in 1..40 {
            let findings = references.check(&predicted(number, None));
            assert_eq!(
                findings,
                Findings {
                    slices: 1,
                    ..Findings::default()
                },
                "{number}"
            );
        }
    }

    #[test]
    fn a_picture_after_a_gap_misses_its_reference_unless_it_refers_past_the_gap() {
        let mut references = References::default();
        references.check(&key());
        references.check(&predicted(1, None));
        assert!(references.check(&predicted(4, None)).missing_reference);
        let mut references = References::default();
        references.check(&key());
        references.check(&predicted(1, None));
        assert!(!references.check(&predicted(4, Some(3))).missing_reference);
        assert!(
            references.check(&predicted(5, Some(2))).missing_reference,
            "3 never came"
        );
        assert!(!references.check(&predicted(17, Some(12))).missing_reference);
    }

    #[test]
    fn a_keyframe_without_parameter_sets_is_told() {
        let mut references = References::default();
        references.check(&key());
        let bare = key().split_off(parameter_sets().len());
        assert!(references.check(&bare).missing_parameters);
        assert!(
            References::default().check(&bare).malformed,
            "nothing is known of it"
        );
    }
}
