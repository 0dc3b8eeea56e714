//! What a kernel ring buffer looks like to its reader (Documentation/bpf/ringbuf.rst).

/// A ring buffer of the kernel: positions grow without end; the reader's says what the kernel may write over.
pub trait Ring {
    /// Bytes of the data area, a power of two.
    fn size(&self) -> u64;
    /// How far the kernel has written (acquire).
    fn produced(&self) -> u64;
    /// How far this reader has read.
    fn consumed(&self) -> u64;
    /// Give everything before `position` back to the kernel (release).
    fn consume(&self, position: u64);
    /// The length word of the record at `position` (acquire): [`BUSY`] and [`DISCARDED`] are bits of it.
    fn header(&self, position: u64) -> u32;
    /// What stands at `position`, a multiple of 8; `N` is at most 4096.
    fn read<const N: usize>(&self, position: u64) -> [u8; N];
    /// Copy what stands at `position` to `to`; shorter when the ring does not have as much.
    fn copy(&self, position: u64, to: &mut [u8]);
}

/// The kernel still writes the record.
pub const BUSY: u32 = 1 << 31;
/// The kernel changed its mind; skip it.
pub const DISCARDED: u32 = 1 << 30;
/// Bytes of a record's own head in the ring.
pub const HEAD: u64 = 8;
