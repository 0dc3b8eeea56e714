//! Payload that waits for a verdict.

use crate::abi::ids::KIND_DATA;
use crate::stamp::Stamp;

/// One waiting piece.
#[derive(Clone, Copy, Debug)]
pub struct PendingItem {
    /// 0 data, 1 gap, 2 close.
    pub kind: u8,
    /// Side of the flow that sent it.
    pub direction: u8,
    /// Segment flags.
    pub flags: u8,
    /// Offset in its direction.
    pub offset: u64,
    /// Sequence number.
    pub seq: u32,
    /// Capture time.
    pub time_ns: u64,
    /// Bytes on the wire, or missing.
    pub wire_len: u32,
    /// When it was delivered.
    pub stamp: Stamp,
    start: usize,
    len: usize,
}

/// The waiting pieces of one flow, in order of arrival.
#[derive(Debug, Default)]
pub struct Pending {
    bytes: Vec<u8>,
    items: Vec<PendingItem>,
}

impl Pending {
    /// Bytes of memory that count against the limits.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.items.len() * std::mem::size_of::<PendingItem>()
    }

    /// The pieces.
    pub fn items(&self) -> &[PendingItem] {
        &self.items
    }

    /// A piece's bytes.
    pub fn data(&self, item: &PendingItem) -> &[u8] {
        self.bytes.get(item.start..item.start.saturating_add(item.len)).unwrap_or_default()
    }

    /// Adds a piece (`start` and `len` of the template are set here).
    #[allow(clippy::too_many_arguments)]
    pub fn push(
        &mut self,
        kind: u8,
        direction: u8,
        flags: u8,
        offset: u64,
        seq: u32,
        time_ns: u64,
        wire_len: u32,
        stamp: Stamp,
        data: &[u8],
    ) {
        let (start, len) = (self.bytes.len(), data.len());
        self.bytes.extend_from_slice(data);
        self.items.push(PendingItem { kind, direction, flags, offset, seq, time_ns, wire_len, stamp, start, len });
    }

    /// The first data piece of a side.
    pub fn first_of(&self, direction: u8) -> Option<&PendingItem> {
        self.items.iter().find(|item| item.direction == direction && item.len > 0)
    }

    /// Index of the first data piece at or after `from`.
    pub fn first_data(&self, from: usize) -> Option<usize> {
        (from..self.items.len()).find(|&at| self.items[at].kind == KIND_DATA && self.items[at].len > 0)
    }

    /// The bytes of `direction` in the first `end` pieces that follow each other without a gap, at most `max`,
    /// gathered in `scratch`. `datagram`: only the last data piece counts.
    pub fn head<'a>(
        &'a self,
        end: usize,
        direction: u8,
        datagram: bool,
        max: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<(PendingItem, &'a [u8])> {
        let seen = self.items.get(..end.min(self.items.len()))?;
        let mut wanted = seen.iter().filter(|item| item.direction == direction && item.len > 0);
        if datagram {
            let item = *wanted.next_back()?;
            let data = self.data(&item);
            return Some((item, &data[..data.len().min(max)]));
        }
        let first = *wanted.next()?;
        scratch.clear();
        scratch.extend_from_slice(self.data(&first));
        let mut end = first.offset.saturating_add(first.len as u64);
        for item in wanted {
            if item.offset != end || scratch.len() >= max {
                break;
            }
            scratch.extend_from_slice(self.data(item));
            end = end.saturating_add(item.len as u64);
        }
        scratch.truncate(max);
        Some((first, scratch))
    }

    /// Forgets the pieces before index `at` (their bytes stay until all are gone, which is soon). Returns the number
    /// of data bytes forgotten.
    pub fn discard(&mut self, at: usize) -> u64 {
        let gone = self.items.drain(..at.min(self.items.len()));
        let bytes = gone.filter(|item| item.kind == KIND_DATA).map(|item| item.len as u64).sum();
        if self.items.is_empty() {
            self.bytes.clear();
        }
        bytes
    }

    /// Forgets everything, keeping a little memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        self.bytes.shrink_to(4096);
        self.items.shrink_to(16);
    }
}
