//! Reed-Solomon recovery over GF(2^8) for video and audio blocks, written from the matrices alone: it
//! solves for what is missing and knows nothing of packets.

/// x^8 + x^4 + x^3 + x^2 + 1, the field of both matrices.
const POLYNOMIAL: u16 = 0x11d;

/// Powers of two, twice over, so that sums of two logarithms need no reduction.
const EXP: [u8; 512] = powers();
const LOG: [u8; 256] = logarithms();

const fn powers() -> [u8; 512] {
    let mut table = [0; 512];
    let mut value: u16 = 1;
    let mut at = 0;
    while at < 512 {
        table[at] = value as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= POLYNOMIAL;
        }
        at += 1;
    }
    table
}

const fn logarithms() -> [u8; 256] {
    let powers = powers();
    let mut table = [0; 256];
    let mut at = 0;
    while at < 255 {
        table[powers[at] as usize] = at as u8;
        at += 1;
    }
    table
}

const fn product(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        0
    } else {
        EXP[LOG[a as usize] as usize + LOG[b as usize] as usize]
    }
}

/// The inverse of a number that is not zero.
const fn inverse(a: u8) -> u8 {
    EXP[255 - LOG[a as usize] as usize]
}

/// A matrix that makes parity from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// Video: Cauchy, with the number of parity shards in it (RtpVideoQueue.c through nanors).
    Cauchy {
        /// Parity shards of the block.
        parity: u8,
    },
    /// Audio: four data, two parity shards (RtpAudioQueue.c).
    Audio,
}

/// The matrix of audio blocks.
const AUDIO: [[u8; 4]; 2] = [[0x77, 0x40, 0x38, 0x0e], [0xc7, 0xa7, 0x0d, 0x6c]];

impl Matrix {
    /// What data shard `column` counts for in parity shard `row`.
    #[must_use]
    pub const fn coefficient(self, row: u8, column: u8) -> u8 {
        match self {
            Self::Cauchy { parity } => inverse(parity.wrapping_add(column) ^ row),
            Self::Audio => AUDIO[(row & 1) as usize][(column & 3) as usize],
        }
    }
}

/// Fewer shards than the data has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too few shards to recover the data")]
pub struct TooFew;

/// A block: data shards, then parity shards, each of `stride` bytes.
#[derive(Debug)]
pub struct Block<'a> {
    /// All shards; what the missing ones hold is overwritten.
    pub bytes: &'a mut [u8],
    /// Bytes a shard.
    pub stride: usize,
    /// How many of the shards are data.
    pub data: u8,
    /// Which shards there are, data and parity.
    pub present: &'a [bool],
}

/// Puts the missing data shards in their places.
///
/// # Errors
/// [`TooFew`] if fewer shards are present than there are data shards, or the block is not one.
pub fn recover(block: &mut Block<'_>, matrix: Matrix) -> Result<(), TooFew> {
    let data = usize::from(block.data);
    let sound = block.present.len() >= data
        && block.present.len() <= 255
        && block.bytes.len() >= block.present.len() * block.stride;
    if !sound {
        return Err(TooFew);
    }
    let missing: Vec<u8> = (0..block.data)
        .filter(|&at| !block.present[usize::from(at)])
        .collect();
    let parity = (data..block.present.len()).filter(|&at| block.present[at]);
    let rows: Vec<u8> = parity
        .map(|at| (at - data) as u8)
        .take(missing.len())
        .collect();
    if rows.len() < missing.len() {
        return Err(TooFew);
    }
    // What each parity shard says about the missing data alone.
    let sums: Vec<Vec<u8>> = rows
        .iter()
        .map(|&row| remainder(block, matrix, row))
        .collect();
    let solved = invert(&rows, &missing, matrix).ok_or(TooFew)?;
    for (at, &shard) in missing.iter().enumerate() {
        let start = usize::from(shard) * block.stride;
        let out = &mut block.bytes[start..start + block.stride];
        out.fill(0);
        for (sum, &factor) in sums.iter().zip(&solved[at]) {
            add_scaled(out, sum, factor);
        }
    }
    Ok(())
}

fn remainder(block: &Block<'_>, matrix: Matrix, row: u8) -> Vec<u8> {
    let stride = block.stride;
    let shard = |at: usize| &block.bytes[at * stride..(at + 1) * stride];
    let mut sum = shard(usize::from(block.data) + usize::from(row)).to_vec();
    for column in 0..block.data {
        if block.present[usize::from(column)] {
            let factor = matrix.coefficient(row, column);
            add_scaled(&mut sum, shard(column.into()), factor);
        }
    }
    sum
}

fn add_scaled(out: &mut [u8], from: &[u8], factor: u8) {
    let mut table = [0; 256];
    for (value, scaled) in (0u8..=255).zip(&mut table) {
        *scaled = product(value, factor);
    }
    for (out, &from) in out.iter_mut().zip(from) {
        *out ^= table[usize::from(from)];
    }
}

/// Gauss-Jordan over the square matrix of `rows` and `columns`.
fn invert(rows: &[u8], columns: &[u8], matrix: Matrix) -> Option<Vec<Vec<u8>>> {
    let size = rows.len();
    let mut work: Vec<Vec<u8>> = (0..size)
        .map(|at| {
            let left = columns
                .iter()
                .map(|&column| matrix.coefficient(rows[at], column));
            let right = (0..size).map(|column| u8::from(column == at));
            left.chain(right).collect()
        })
        .collect();
    for pivot in 0..size {
        let found = (pivot..size).find(|&row| work[row][pivot] != 0)?;
        work.swap(pivot, found);
        let scale = inverse(work[pivot][pivot]);
        for value in &mut work[pivot] {
            *value = product(*value, scale);
        }
        let line = work[pivot].clone();
        for (row, values) in work.iter_mut().enumerate() {
            let factor = values[pivot];
            if row != pivot && factor != 0 {
                add_scaled(values, &line, factor);
            }
        }
    }
    Some(work.into_iter().map(|row| row[size..].to_vec()).collect())
}

/// Parity of data shards, as a host makes it; for tests that play the host.
#[must_use]
pub fn parity_of(data: &[Vec<u8>], parity: u8, matrix: Matrix) -> Vec<Vec<u8>> {
    let make = |row: u8| {
        let mut sum = vec![0; data.first().map_or(0, Vec::len)];
        for (column, shard) in (0u8..).zip(data) {
            add_scaled(&mut sum, shard, matrix.coefficient(row, column));
        }
        sum
    };
    (0..parity).map(make).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_field_multiplies_as_polynomials_do() {
        assert_eq!(product(2, 0x80), 0x1d);
        assert_eq!(product(3, 7), 9);
        for a in 1..=255u8 {
            assert_eq!(product(a, inverse(a)), 1);
        }
    }

    #[test]
    fn the_matrix_is_that_of_the_clients() {
        // inv((m + i) xor j) with m = 2: inv(2), inv(3), inv(3), inv(2).
        let matrix = Matrix::Cauchy { parity: 2 };
        assert_eq!(matrix.coefficient(0, 0), 0x8e);
        assert_eq!(matrix.coefficient(0, 1), inverse(3));
        assert_eq!(matrix.coefficient(1, 0), inverse(3));
        assert_eq!(matrix.coefficient(1, 1), 0x8e);
    }

    fn lose_and_recover(data: &[Vec<u8>], parity: u8, lost: &[usize], matrix: Matrix) -> bool {
        let made = parity_of(data, parity, matrix);
        let all: Vec<Vec<u8>> = data.iter().chain(&made).cloned().collect();
        let mut present = vec![true; all.len()];
        let mut bytes = all.concat();
        let stride = data[0].len();
        for &at in lost {
            present[at] = false;
            bytes[at * stride..(at + 1) * stride].fill(0xee);
        }
        let mut block = Block {
            bytes: &mut bytes,
            stride,
            data: data.len() as u8,
            present: &present,
        };
        let recovered = recover(&mut block, matrix).is_ok();
        recovered && bytes[..data.len() * stride] == data.concat()
    }

    #[test]
    fn every_loss_of_two_in_an_audio_block_is_recovered() {
        let data: Vec<Vec<u8>> = (1..5u8).map(|at| vec![at, at * 3, 255 - at]).collect();
        for first in 0..6 {
            for second in first + 1..6 {
                assert!(lose_and_recover(&data, 2, &[first, second], Matrix::Audio));
            }
        }
        assert!(!lose_and_recover(&data, 2, &[0, 1, 2], Matrix::Audio));
    }

    proptest! {
        #[test]
        fn as_many_losses_as_there_is_parity_are_recovered(
            data in 1usize..=100,
            parity in 1u8..=60,
            seed: u64,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let shards: Vec<Vec<u8>> = (0..data).map(|_| (0..8).map(|_| random.u8(..)).collect()).collect();
            let mut lost: Vec<usize> = (0..data + usize::from(parity)).collect();
            random.shuffle(&mut lost);
            lost.truncate(parity.into());
            let matrix = Matrix::Cauchy { parity };
            prop_assert!(lose_and_recover(&shards, parity, &lost, matrix));
        }

        #[test]
        fn one_loss_more_is_told(data in 1usize..=50, parity in 1u8..=20) {
            let shards = vec![vec![1; 4]; data];
            let lost: Vec<usize> = (0..=usize::from(parity)).collect();
            let told = !lose_and_recover(&shards, parity, &lost, Matrix::Cauchy { parity });
            let data_lost = lost.iter().any(|&at| at < data);
            prop_assert_eq!(told, data_lost);
        }
    }
}
