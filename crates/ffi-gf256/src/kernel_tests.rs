//! Every kernel that this processor has against one product at a time.

use proptest::prelude::*;

use super::*;
use crate::field::product;

/// What each byte between the rows holds, so that a stray write shows.
const BETWEEN: u8 = 0xa5;

#[derive(Debug)]
struct Case {
    rows: Rows,
    coefficients: Vec<u8>,
    sources: Vec<u8>,
    sum_count: usize,
}

impl Case {
    fn expected(&self) -> Vec<u8> {
        let Rows {
            stride,
            offset,
            length,
        } = self.rows;
        let source_count = self.sources.len() / stride;
        let mut sums = vec![BETWEEN; self.sum_count * stride];
        for sum in 0..self.sum_count {
            for column in offset..offset + length {
                let terms = (0..source_count).map(|source| {
                    let factor = self.coefficients[sum * source_count + source];
                    product(factor, self.sources[source * stride + column])
                });
                sums[sum * stride + column] = terms.fold(0, |a, b| a ^ b);
            }
        }
        sums
    }

    fn check(&self) {
        let expected = self.expected();
        for kernel in Kernel::all() {
            let mut sums = vec![BETWEEN; self.sum_count * self.rows.stride];
            let result = kernel.combine(&self.coefficients, self.rows, &self.sources, &mut sums);
            assert_eq!(result, Ok(()));
            assert_eq!(sums, expected, "{kernel}, {:?}", self.rows);
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (0..24usize, 0..11usize, 0..300usize, 0..40usize, 0..40usize);
    shape.prop_flat_map(|(source_count, sum_count, length, offset, rest)| {
        let rows = Rows {
            stride: offset + length + rest + 1,
            offset,
            length,
        };
        let bytes = |count| proptest::collection::vec(any::<u8>(), count);
        let content = (
            bytes(source_count * sum_count),
            bytes(source_count * rows.stride),
        );
        content.prop_map(move |(coefficients, sources)| Case {
            rows,
            coefficients,
            sources,
            sum_count,
        })
    })
}

proptest! {
    #[test]
    fn every_kernel_makes_the_sums_that_single_products_add_up_to(case in cases()) {
        case.check();
    }
}

#[test]
fn every_product_is_right_at_every_place_of_a_tile() {
    let rows = Rows::packed(256);
    for factor in 0..=255u8 {
        let case = Case {
            rows,
            coefficients: vec![factor],
            sources: (0..=255u8).map(|byte| byte.wrapping_add(factor)).collect(),
            sum_count: 1,
        };
        case.check();
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_and_nothing_is_written() {
    let refused = |rows: Rows, coefficients: usize, sources: usize, sums: usize| {
        let mut written = vec![BETWEEN; sums];
        let coefficients = vec![1; coefficients];
        let result = Kernel::best().combine(&coefficients, rows, &vec![1; sources], &mut written);
        assert_eq!(written, vec![BETWEEN; sums]);
        result == Err(ShapeError)
    };
    let rows = Rows {
        stride: 100,
        offset: 10,
        length: 90,
    };
    assert!(refused(rows, 5, 200, 300), "a coefficient too few");
    assert!(refused(rows, 6, 199, 300), "a source too short");
    assert!(refused(rows, 6, 200, 301), "a sum too long");
    let beyond = Rows { offset: 11, ..rows };
    assert!(refused(beyond, 6, 200, 300), "rows longer than their place");
    let endless = Rows {
        offset: usize::MAX,
        ..rows
    };
    assert!(refused(endless, 6, 200, 300));
    assert!(refused(Rows::packed(0), 0, 0, 0), "rows without a place");
}

#[test]
fn the_best_kernel_is_one_that_is_there() {
    assert!(Kernel::all().any(|kernel| kernel == Kernel::best()));
    if cfg!(target_arch = "aarch64") {
        assert_eq!(Kernel::best().to_string(), "NEON");
    }
}
