//! The memory that waiting bytes of all flows share, and the buffers they wait in.

/// Buffers above this size are given back to the allocator instead of being kept for reuse.
const KEEP_CAPACITY: usize = 4096;
/// Buffers kept for reuse.
const KEEP_BUFFERS: usize = 1024;

/// Accounts for bytes that wait and recycles their buffers.
#[derive(Debug)]
pub struct Store {
    used: usize,
    max: usize,
    free: Vec<Vec<u8>>,
}

impl Store {
    /// A store that lets `max` bytes wait at once.
    pub fn new(max: usize) -> Self {
        Store { used: 0, max, free: Vec::new() }
    }

    /// Bytes that wait now.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether `len` more bytes may wait.
    pub fn has_room(&self, len: usize) -> bool {
        self.max.saturating_sub(self.used) >= len
    }

    /// Counts `len` bytes as waiting, for memory that is not one of this store's buffers.
    pub fn reserve(&mut self, len: usize) {
        self.used = self.used.saturating_add(len);
    }

    /// The opposite of [`Store::reserve`].
    pub fn release(&mut self, len: usize) {
        self.used = self.used.saturating_sub(len);
    }

    /// A copy of `data` in a recycled buffer, counted.
    pub fn hold(&mut self, data: &[u8]) -> Vec<u8> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.extend_from_slice(data);
        self.reserve(data.len());
        buffer
    }

    /// Takes a buffer from [`Store::hold`] back.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        self.release(buffer.len());
        if buffer.capacity() <= KEEP_CAPACITY && self.free.len() < KEEP_BUFFERS {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}
