//! The C interface, and the only place with `unsafe`: memory shared with the kernel.
#![allow(unsafe_code)]

use crate::drain::drain;
use crate::expand::Connections;
use crate::ring::Ring;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

extern "C" {
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: i32,
        flags: i32,
        fd: i32,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, length: usize) -> i32;
    fn getpagesize() -> i32;
}

const READ: i32 = 1;
const WRITE: i32 = 2;
const SHARED: i32 = 1;

/// A mapped ring buffer: one page that this side writes, one page and twice the data that the kernel writes (twice, so that a
/// record at the end goes on as if the ring were straight).
pub struct Mapped {
    consumer: *mut c_void,
    producer: *mut c_void,
    page: usize,
    size: u64,
}

/// A ring, and what it said about connections.
pub struct Opened {
    ring: Mapped,
    connections: Option<Connections>,
}

impl Mapped {
    fn new(fd: i32, size: u64) -> Option<Self> {
        let bytes = usize::try_from(size)
            .ok()
            .filter(|bytes| bytes.is_power_of_two() && *bytes >= 4096)?;
        // SAFETY: no arguments, no memory.
        let page = usize::try_from(unsafe { getpagesize() }).ok()?;
        // SAFETY: new mappings at addresses of the kernel's choice; the result is looked at before use.
        let consumer = unsafe { mmap(std::ptr::null_mut(), page, READ | WRITE, SHARED, fd, 0) };
        if consumer as isize == -1 {
            return None;
        }
        let length = page.checked_add(bytes.checked_mul(2)?)?;
        // SAFETY: as above.
        let producer = unsafe { mmap(std::ptr::null_mut(), length, READ, SHARED, fd, page as i64) };
        if producer as isize == -1 {
            // SAFETY: the mapping made just now, used by nobody.
            unsafe { munmap(consumer, page) };
            return None;
        }
        Some(Self {
            consumer,
            producer,
            page,
            size,
        })
    }

    fn data(&self, position: u64) -> *const u8 {
        // SAFETY: the masked position lies within the first of the two images of the data area.
        unsafe {
            self.producer
                .cast::<u8>()
                .add(self.page + (position & (self.size - 1)) as usize)
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: both were mapped by `new` with these lengths.
        unsafe {
            munmap(self.consumer, self.page);
            munmap(self.producer, self.page + 2 * self.size as usize);
        }
    }
}

impl Ring for Mapped {
    fn size(&self) -> u64 {
        self.size
    }

    fn produced(&self) -> u64 {
        // SAFETY: the first word of the producer's page, aligned to it, written atomically by the kernel.
        unsafe { &*self.producer.cast::<AtomicU64>() }.load(Ordering::Acquire)
    }

    fn consumed(&self) -> u64 {
        // SAFETY: the first word of the consumer's page, written by this side only.
        unsafe { &*self.consumer.cast::<AtomicU64>() }.load(Ordering::Relaxed)
    }

    fn consume(&self, position: u64) {
        // SAFETY: as above.
        unsafe { &*self.consumer.cast::<AtomicU64>() }.store(position, Ordering::Release);
    }

    fn header(&self, position: u64) -> u32 {
        // SAFETY: records begin at multiples of 8 inside the data area.
        unsafe { &*self.data(position & !7).cast::<AtomicU32>() }.load(Ordering::Acquire)
    }

    fn read<const N: usize>(&self, position: u64) -> [u8; N] {
        const { assert!(N <= 4096) };
        // SAFETY: no ring has fewer bytes than a page, so these end within the second image; bytes need no alignment.
        unsafe { self.data(position).cast::<[u8; N]>().read() }
    }

    fn copy(&self, position: u64, to: &mut [u8]) {
        let length = to.len().min(self.size as usize);
        // SAFETY: at most `size` bytes from within the first image end within the second; `to` is this side's own.
        unsafe { std::ptr::copy_nonoverlapping(self.data(position), to.as_mut_ptr(), length) };
    }
}

/// Map the ring of `size` data bytes behind `fd`; null when the kernel refuses. The records of a `plain` one are left as they are.
#[no_mangle]
pub extern "C" fn mfk_open(fd: i32, size: u64, plain: i32) -> *mut Opened {
    Mapped::new(fd, size).map_or(std::ptr::null_mut(), |ring| {
        let connections = (plain == 0).then(Connections::default);
        Box::into_raw(Box::new(Opened { ring, connections }))
    })
}

/// Move records to `out`; returns bytes. `counts[0]` becomes the number of records, `counts[1]` of damaged ones.
///
/// # Safety
/// `ring` is from [`mfk_open`] and not closed, used by one thread at a time; `out` has `capacity` bytes; `counts` two words.
#[no_mangle]
pub unsafe extern "C" fn mfk_drain(
    ring: *mut Opened,
    out: *mut u8,
    capacity: usize,
    to_unix: i64,
    counts: *mut u64,
) -> usize {
    if ring.is_null() || out.is_null() || counts.is_null() {
        return 0;
    }
    // SAFETY: what the caller promises.
    let (ring, out, counts) = unsafe {
        (
            &mut *ring,
            std::slice::from_raw_parts_mut(out, capacity),
            std::slice::from_raw_parts_mut(counts, 2),
        )
    };
    let done = drain(&ring.ring, out, to_unix, ring.connections.as_mut());
    counts[0] = done.records;
    counts[1] = done.damaged;
    done.bytes
}

/// Bytes that wait in the ring.
///
/// # Safety
/// As for [`mfk_drain`].
#[no_mangle]
pub unsafe extern "C" fn mfk_queued(ring: *const Opened) -> u64 {
    if ring.is_null() {
        return 0;
    }
    // SAFETY: what the caller promises.
    let ring = unsafe { &(*ring).ring };
    ring.produced().saturating_sub(ring.consumed())
}

/// Unmap. Null is fine.
///
/// # Safety
/// `ring` is from [`mfk_open`], closed once, used by nobody else.
#[no_mangle]
pub unsafe extern "C" fn mfk_close(ring: *mut Opened) {
    if !ring.is_null() {
        // SAFETY: what the caller promises.
        drop(unsafe { Box::from_raw(ring) });
    }
}
