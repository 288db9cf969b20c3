//! Page-aligned memory for O_DIRECT, touched in advance: the first touch costs more than the copy that it serves.

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;

/// O_DIRECT's unit for positions, lengths and addresses, and the device's physical block.
pub const BLOCK_BYTES: usize = 4096;

/// An anonymous mapping, in huge pages where the kernel has them.
///
/// Its address never changes, also when the value moves, so the kernel may keep it while an operation is in flight.
#[derive(Debug)]
pub struct AlignedBuffer {
    address: NonNull<u8>,
    length: usize,
}

impl AlignedBuffer {
    /// Maps and touches `length` zero bytes.
    ///
    /// # Errors
    /// When the kernel has no memory left.
    pub fn new(length: usize) -> io::Result<Self> {
        assert!(length > 0, "an empty mapping does not exist");
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory in use.
        let address = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the range was just mapped. Failure leaves small pages, which are correct too.
        unsafe { libc::madvise(address, length, libc::MADV_HUGEPAGE) };
        let address = NonNull::new(address.cast::<u8>()).expect("mmap never maps address 0 unasked");
        let mut buffer = Self { address, length };
        for page in buffer.chunks_mut(BLOCK_BYTES) {
            // A plain store could be dropped by the compiler: the memory is known to be zero already.
            // SAFETY: `page` is a valid, exclusive, non-empty slice.
            unsafe { ptr::write_volatile(page.as_mut_ptr(), 0) };
        }
        Ok(buffer)
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is `length` bytes, initialised (zero) and lives as long as `self`.
        unsafe { slice::from_raw_parts(self.address.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` is exclusive.
        unsafe { slice::from_raw_parts_mut(self.address.as_ptr(), self.length) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping, and nothing borrows it any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}
