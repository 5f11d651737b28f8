//! Prints how fast each kernel makes parity: gigabytes of source times sums a second.
//!
//! `cargo run --release -p ffi-gf256 --example gf256_speed`

use std::hint::black_box;
use std::time::{Duration, Instant};

use ffi_gf256::{Kernel, Rows, ShapeError};

/// Sources and sums: frames of 25, 60 and 200 kB in packets of 1392 bytes with 20 % of parity.
const SHAPES: [(usize, usize); 3] = [(19, 4), (44, 9), (146, 30)];
/// Bytes of a packet that parity covers.
const LENGTH: usize = 1408;
/// How long one kernel works on one shape.
const BUDGET: Duration = Duration::from_millis(300);

fn main() -> Result<(), ShapeError> {
    println!("kernel    sources sums | us a block   GB/s");
    for kernel in Kernel::all() {
        for (source_count, sum_count) in SHAPES {
            let rows = Rows::packed(LENGTH);
            let sources: Vec<u8> = (0..source_count * LENGTH).map(|i| (i * 7) as u8).collect();
            let coefficients: Vec<u8> = (0..source_count * sum_count)
                .map(|i| (i % 255 + 1) as u8)
                .collect();
            let mut sums = vec![0; sum_count * LENGTH];
            let begin = Instant::now();
            let mut best = Duration::MAX;
            while begin.elapsed() < BUDGET {
                let start = Instant::now();
                kernel.combine(&coefficients, rows, black_box(&sources), &mut sums)?;
                best = best.min(start.elapsed());
                black_box(&sums);
            }
            let products = (source_count * sum_count * LENGTH) as f64;
            let seconds = best.as_secs_f64();
            println!(
                "{:<9} {source_count:>7} {sum_count:>4} | {:>10.1} {:>6.1}",
                kernel.to_string(),
                seconds * 1e6,
                products / seconds / 1e9
            );
        }
    }
    Ok(())
}
