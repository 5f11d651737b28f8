//! Sums of products in GF(2^8), polynomial 0x11d: the arithmetic of Reed-Solomon codes, as fast as
//! the processor at hand has it. Knows no code and no packet, and allocates nothing.
#![allow(
    unsafe_code,
    reason = "vector loads and stores take pointers; this crate is their safe interface"
)]

mod field;
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use field::{inverse, product};
pub use kernel::{Kernel, Rows, ShapeError};
