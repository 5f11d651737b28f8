//! Safe anonymous shared-memory segments that another process (an X server) may fill.
//!
//! Owns one mapping each; refuses to shrink or grow it, so that nobody can pull it away.
#![allow(
    unsafe_code,
    reason = "mapping memory has no safe interface; this crate is that interface"
)]

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::slice;

/// Why there is no segment.
#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    /// A length that no segment can have.
    #[error("a shared memory segment of {0} bytes is not possible")]
    Length(usize),
    /// The system has no more memory, or no more file descriptors.
    #[error("no shared memory: {0}")]
    System(#[from] rustix::io::Errno),
}

/// A segment of shared memory, mapped for reading and writing until it is dropped.
///
/// Whoever gets the file descriptor that came with it can write into it at any time. The owner
/// hands the descriptor only to a process that writes on request, and reads or writes the bytes
/// itself only while no such request is pending.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain memory that belongs to this value alone within the process and has
// no tie to the thread that made it.
unsafe impl Send for SharedMemory {}
// SAFETY: through `&SharedMemory` the memory can only be read.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// A segment of `length` zero bytes, and the descriptor that lets another process map it. The
    /// segment outlives the descriptor.
    ///
    /// # Errors
    /// [`ShmError`] for a length of zero or beyond the address space, or when the system refuses.
    pub fn new(length: usize) -> Result<(Self, OwnedFd), ShmError> {
        if length == 0 || isize::try_from(length).is_err() {
            return Err(ShmError::Length(length));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("heliostat-frame", flags)?;
        ftruncate(&fd, length as u64)?;
        // Shrinking would turn every later access into SIGBUS.
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the address, so no mapping in use is replaced; no reference
        // into the new one exists yet. The file has `length` bytes and is sealed to keep them.
        let start = unsafe {
            let anywhere = std::ptr::null_mut();
            mmap(anywhere, length, access, MapFlags::SHARED, &fd, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(ShmError::Length(length))?;
        Ok((Self { start, length }, fd))
    }

    /// The bytes as they are now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is mapped readable for `length` bytes for as long as `self` lives. The
        // other process writes only while its owner waits for a request it made under `&mut self`
        // (see the type), so the bytes do not change under this borrow.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The bytes, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, mapped writable, and `&mut self` is the only borrow.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let start = self.start.as_ptr().cast::<c_void>();
        // SAFETY: exactly this range was mapped in `new`, and borrows of it have ended.
        let unmapped = unsafe { munmap(start, self.length) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps the same memory once more, as another process would.
    fn mapped_again(fd: &OwnedFd, length: usize) -> SharedMemory {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                access,
                MapFlags::SHARED,
                fd,
                0,
            )
            .unwrap()
        };
        let start = NonNull::new(start.cast()).unwrap();
        SharedMemory { start, length }
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let (mut ours, fd) = SharedMemory::new(10_000).unwrap();
        let mut theirs = mapped_again(&fd, 10_000);
        drop(fd);
        assert!(ours.bytes().iter().all(|byte| *byte == 0));
        ours.bytes_mut()[1] = 7;
        assert_eq!(theirs.bytes()[1], 7);
        theirs.bytes_mut()[9_999] = 8;
        drop(theirs);
        assert_eq!(ours.bytes()[9_999], 8);
    }

    #[test]
    fn nobody_can_change_its_length() {
        let (_memory, fd) = SharedMemory::new(4096).unwrap();
        assert!(ftruncate(&fd, 0).is_err());
        assert!(ftruncate(&fd, 8192).is_err());
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(matches!(SharedMemory::new(0), Err(ShmError::Length(0))));
        assert!(matches!(
            SharedMemory::new(usize::MAX),
            Err(ShmError::Length(_))
        ));
    }

    #[test]
    fn a_thousand_segments_leave_no_mapping_behind() {
        let mappings = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            maps.lines()
                .filter(|line| line.contains("heliostat-frame"))
                .count()
        };
        let held = SharedMemory::new(4096).unwrap();
        for _ in 0..1000 {
            drop(SharedMemory::new(4096).unwrap());
        }
        // Other tests of this process hold two at most.
        assert!((1..=4).contains(&mappings()), "{} mappings", mappings());
        drop(held);
    }
}
