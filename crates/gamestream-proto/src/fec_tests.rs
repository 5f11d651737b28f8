//! The codes against digests of what nanors makes of the same shards, and against single products.

use ffi_gf256::product;
use proptest::prelude::*;

use super::*;

/// A line a case: data shards, then parity shards or `all` for every possible number, then FNV-1a of
/// all parity. Made with nanors' `reed_solomon_encode` over the bytes of [`shards`].
const NANORS: &str = include_str!("../tests/golden/nanors.txt");

/// Lengths of the shards in the lines with one number of parity shards.
const LENGTHS: [usize; 14] = [
    1, 15, 16, 31, 33, 63, 64, 65, 127, 496, 1040, 1408, 1472, 1500,
];

/// The bytes of a golden case: xorshift64, bits 32 to 39 of each state.
fn shards(data: usize, parity: usize, length: usize) -> Vec<u8> {
    let seed = (data as u64) << 40 ^ (parity as u64) << 20 ^ length as u64;
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..data * length).map(|_| next()).collect()
}

fn fnv1a(digest: u64, bytes: &[u8]) -> u64 {
    let step = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(digest, step)
}

/// Goes on with `digest` over the `count` parity shards of `data`.
fn digest_of(fec: &mut VideoFec, digest: u64, count: usize, (data, length): (&[u8], usize)) -> u64 {
    let mut parity = vec![0; count * length];
    fec.encode(Rows::packed(length), data, &mut parity).unwrap();
    fnv1a(digest, &parity)
}

#[test]
fn parity_of_every_block_shape_is_what_nanors_makes() {
    let mut fec = VideoFec::new();
    let mut lines = 0;
    for line in NANORS.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let data: usize = fields[0].parse().unwrap();
        let expected = u64::from_str_radix(fields[2], 16).unwrap();
        let empty = 0xcbf2_9ce4_8422_2325;
        let digest = if let Ok(parity) = fields[1].parse() {
            LENGTHS.iter().fold(empty, |digest, &length| {
                let bytes = shards(data, parity, length);
                digest_of(&mut fec, digest, parity, (&bytes, length))
            })
        } else {
            let length = 64 + data * 7 % 31;
            let bytes = shards(data, 0, length);
            (1..=MAX_SHARDS - data).fold(empty, |digest, parity| {
                digest_of(&mut fec, digest, parity, (&bytes, length))
            })
        };
        assert_eq!(digest, expected, "{line}");
        lines += 1;
    }
    assert_eq!(lines, 254 + 11);
}

#[test]
fn the_coefficients_of_the_largest_block_fit_into_what_was_allocated() {
    let mut fec = VideoFec::new();
    let before = fec.coefficients.capacity();
    for data in [127, 128] {
        let mut parity = vec![0; MAX_SHARDS - data];
        fec.encode(Rows::packed(1), &vec![1; data], &mut parity)
            .unwrap();
    }
    assert_eq!(fec.coefficients.capacity(), before);
}

#[test]
fn blocks_that_the_code_does_not_have_are_refused() {
    let mut fec = VideoFec::new();
    let rows = Rows::packed(10);
    let refused = |result| matches!(result, Err(PacketError::Block { .. }));
    assert!(refused(fec.encode(rows, &[], &mut [0; 10])), "no data");
    assert!(refused(fec.encode(rows, &[0; 2000], &mut [0; 560])), "256");
    assert!(refused(fec.encode(rows, &[0; 15], &mut [0; 10])));
    assert!(refused(fec.encode(rows, &[0; 20], &mut [0; 15])));
    assert_eq!(fec.encode(rows, &[0; 10_230], &mut []), Ok(()));
    assert_eq!(fec.encode(rows, &[0; 2000], &mut [0; 550]), Ok(()));
}

#[test]
fn clients_round_the_number_of_parity_shards_up() {
    assert_eq!(parity_shards(212, 20), 43);
    assert_eq!(parity_shards(5, 20), 1);
    assert_eq!(parity_shards(6, 20), 2);
    assert_eq!(parity_shards(1023, 0), 0);
    assert_eq!(parity_shards(1, 255), 3);
}

proptest! {
    #[test]
    fn audio_parity_uses_the_fixed_coefficients(
        data in (1..90usize).prop_flat_map(|n| proptest::collection::vec(any::<u8>(), 4 * n))
    ) {
        let length = data.len() / 4;
        let mut parity = vec![0; 2 * length];
        encode_audio(&data, &mut parity).unwrap();
        for column in 0..length {
            let byte = |row: usize| data[row * length + column];
            let sum = |factors: [u8; 4]| (0..4).fold(0, |sum, row| sum ^ product(factors[row], byte(row)));
            prop_assert_eq!(parity[column], sum([0x77, 0x40, 0x38, 0x0e]));
            prop_assert_eq!(parity[length + column], sum([0xc7, 0xa7, 0x0d, 0x6c]));
        }
    }
}

#[test]
fn audio_blocks_of_other_shapes_are_refused() {
    let refused = |result| matches!(result, Err(PacketError::Block { .. }));
    assert!(refused(encode_audio(&[0; 41], &mut [0; 20])));
    assert!(refused(encode_audio(&[0; 40], &mut [0; 10])));
    assert!(refused(encode_audio(&[], &mut [])));
}
