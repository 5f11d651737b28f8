//! The system's allocator with a counter, for tests that prove a path does not allocate.
//!
//! A test binary makes it its global allocator; nothing that ships depends on it.
#![allow(
    unsafe_code,
    reason = "an allocator has no safe interface; this crate is that interface"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what every thread asks of the system's allocator. Giving back is not counted.
#[derive(Debug, Default)]
pub struct Counting {
    calls: AtomicU64,
    bytes: AtomicU64,
}

/// What was asked for since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Allocations, and growths of one.
    pub calls: u64,
    /// Bytes they asked for.
    pub bytes: u64,
}

impl Count {
    /// What was asked for between `earlier` and this count.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl Counting {
    /// A counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What was asked for so far, by all threads.
    #[must_use]
    pub fn count(&self) -> Count {
        Count {
            calls: self.calls.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
        }
    }

    fn note(&self, bytes: usize) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

// SAFETY: every call goes to the system's allocator unchanged, so its guarantees are this one's;
// counting touches two atomics only and can neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator with this layout, as the caller
        // assures, for every allocation here is passed on to it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the system's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.note(new_size);
        // SAFETY: as for `dealloc`; the caller assures that the new size fits the layout's rules.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocating_and_growing_count_and_giving_back_does_not() {
        let counting = Counting::new();
        let layout = Layout::array::<u8>(100).unwrap();
        // SAFETY: the layout is not empty; the memory is grown and freed with the layouts it has.
        unsafe {
            let pointer = counting.alloc(layout);
            let first = counting.count();
            assert_eq!((first.calls, first.bytes), (1, 100));
            let pointer = counting.realloc(pointer, layout, 300);
            let grown = Layout::array::<u8>(300).unwrap();
            counting.dealloc(pointer, grown);
            let since = counting.count().since(first);
            assert_eq!((since.calls, since.bytes), (1, 300));
        }
    }
}
