//! A built-in bitmap font of capitals, digits and a few signs, five by seven dots each.
//!
//! Owns the shapes; anything else is written as a blank.

use crate::canvas::{Canvas, Colour, Rect};
use media::Size;

/// Dots from one character to the next.
pub(crate) const ADVANCE: u32 = 6;
/// Dots of a character's height.
pub(crate) const HEIGHT: u32 = 7;

const WIDTH: u32 = 5;

/// The dots of a character, row by row from the top, the leftmost dot the most significant of five.
const fn glyph(character: u8) -> u64 {
    match character {
        b'0' => 0x3_a33a_e62e,
        b'1' => 0x1_1842_108e,
        b'2' => 0x3_a211_111f,
        b'3' => 0x7_c441_062e,
        b'4' => 0x0_8ca9_7c42,
        b'5' => 0x7_e1e0_862e,
        b'6' => 0x1_910f_462e,
        b'7' => 0x7_c222_2108,
        b'8' => 0x3_a317_462e,
        b'9' => 0x3_a317_844c,
        b'A' => 0x3_a31f_c631,
        b'B' => 0x7_a31f_463e,
        b'C' => 0x3_a308_422e,
        b'D' => 0x7_2518_c65c,
        b'E' => 0x7_e10f_421f,
        b'F' => 0x7_e10f_4210,
        b'G' => 0x3_a30b_c62f,
        b'H' => 0x4_631f_c631,
        b'I' => 0x3_8842_108e,
        b'J' => 0x1_c421_0a4c,
        b'K' => 0x4_654c_5251,
        b'L' => 0x4_2108_421f,
        b'M' => 0x4_775a_c631,
        b'N' => 0x4_639a_ce31,
        b'O' => 0x3_a318_c62e,
        b'P' => 0x7_a31f_4210,
        b'Q' => 0x3_a318_d64d,
        b'R' => 0x7_a31f_5251,
        b'S' => 0x3_e107_043e,
        b'T' => 0x7_c842_1084,
        b'U' => 0x4_6318_c62e,
        b'V' => 0x4_6318_c544,
        b'W' => 0x4_631a_d6aa,
        b'X' => 0x4_62a2_2a31,
        b'Y' => 0x4_6315_1084,
        b'Z' => 0x7_c222_221f,
        b':' => 0x0_18c0_3180,
        b'.' => 0x0_0000_018c,
        b'-' => 0x0_000f_8000,
        _ => 0,
    }
}

/// Text at a place, each dot a square of `dot_px`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) dot_px: u32,
}

impl Text<'_> {
    /// Paints the dots and leaves what is between them.
    pub(crate) fn draw(self, canvas: &mut impl Canvas, colour: Colour) {
        for (place, character) in (0..).zip(self.text) {
            let dots = glyph(character.to_ascii_uppercase());
            let left = self.x + place * ADVANCE * self.dot_px;
            for dot in 0..WIDTH * HEIGHT {
                if dots >> (WIDTH * HEIGHT - 1 - dot) & 1 == 0 {
                    continue;
                }
                let rect = Rect {
                    x: left + dot % WIDTH * self.dot_px,
                    y: self.y + dot / WIDTH * self.dot_px,
                    size: Size::new(self.dot_px, self.dot_px),
                };
                canvas.fill(rect, colour);
            }
        }
    }
}
