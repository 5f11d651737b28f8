//! The field: products and inverses, and tables of them in the shapes that vector instructions
//! take. All are made at compile time.

/// x^8 + x^4 + x^3 + x^2 + 1.
const POLYNOMIAL: u16 = 0x11d;

/// Products with one factor: with each low nibble, then with each high nibble.
pub(crate) static NIBBLES: [[u8; 32]; 256] = nibbles();

/// The product with one factor as a matrix of bits, in the order of `gf2p8affineqb`: byte 7 - i
/// holds the bits of the other factor that output bit i is the sum of.
#[cfg(target_arch = "x86_64")]
pub(crate) static BIT_MATRICES: [u64; 256] = bit_matrices();

static INVERSES: [u8; 256] = inverses();

/// The product of two elements.
#[must_use]
pub const fn product(a: u8, b: u8) -> u8 {
    let mut shifted = a as u16;
    let mut sum = 0;
    let mut bit = 0;
    while bit < 8 {
        if b >> bit & 1 == 1 {
            sum ^= shifted;
        }
        shifted <<= 1;
        if shifted & 0x100 != 0 {
            shifted ^= POLYNOMIAL;
        }
        bit += 1;
    }
    sum as u8
}

/// The element that gives 1 when multiplied with `a`. Zero has none, and gives zero.
#[must_use]
pub fn inverse(a: u8) -> u8 {
    INVERSES[usize::from(a)]
}

const fn nibbles() -> [[u8; 32]; 256] {
    let mut tables = [[0; 32]; 256];
    let mut factor = 0;
    while factor < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            tables[factor][nibble] = product(factor as u8, nibble as u8);
            tables[factor][16 + nibble] = product(factor as u8, (nibble as u8) << 4);
            nibble += 1;
        }
        factor += 1;
    }
    tables
}

#[cfg(target_arch = "x86_64")]
const fn bit_matrices() -> [u64; 256] {
    let mut matrices = [0; 256];
    let mut factor = 0;
    while factor < 256 {
        let mut input = 0;
        while input < 8 {
            let image = product(factor as u8, 1 << input);
            let mut output = 0;
            while output < 8 {
                let bit = (image >> output & 1) as u64;
                matrices[factor] |= bit << ((7 - output) * 8 + input);
                output += 1;
            }
            input += 1;
        }
        factor += 1;
    }
    matrices
}

const fn inverses() -> [u8; 256] {
    // Two generates the whole group: while one power goes up, its inverse comes down.
    let mut powers = [0; 255];
    let mut power = 1;
    let mut exponent = 0;
    while exponent < 255 {
        powers[exponent] = power;
        power = product(power, 2);
        exponent += 1;
    }
    let mut inverses = [0; 256];
    exponent = 0;
    while exponent < 255 {
        inverses[powers[exponent] as usize] = powers[(255 - exponent) % 255];
        exponent += 1;
    }
    inverses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        assert_eq!(inverse(0), 0);
        for a in 1..=255 {
            assert_eq!(product(a, inverse(a)), 1, "{a}");
        }
    }

    #[test]
    fn products_follow_the_polynomial() {
        assert_eq!(product(0x80, 2), 0x1d);
        for a in 0..=255 {
            assert_eq!((product(a, 0), product(a, 1)), (0, a));
            assert_eq!(product(a, 3), a ^ product(a, 2));
            assert_eq!(product(a, 0x53), product(0x53, a));
        }
    }

    #[test]
    fn nibble_tables_add_up_to_products() {
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let table = &NIBBLES[usize::from(a)];
                let low = table[usize::from(b & 15)];
                let high = table[16 + usize::from(b >> 4)];
                assert_eq!(low ^ high, product(a, b));
            }
        }
    }
}
