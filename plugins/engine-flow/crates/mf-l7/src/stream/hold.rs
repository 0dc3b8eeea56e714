//! Segments that arrived before their turn, sorted by offset, never overlapping.

use std::collections::VecDeque;

use super::store::Store;

/// One held run of bytes.
#[derive(Debug)]
pub struct Held {
    /// Offset of the first byte.
    pub offset: u64,
    /// Capture time.
    pub time_ns: u64,
    /// The bytes; may be empty when the snap length cut everything.
    pub data: Vec<u8>,
    /// Bytes after `data` that were on the wire but not captured.
    pub missing: u32,
}

impl Held {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.data.len() as u64)
    }
}

/// The out-of-order queue of one direction.
#[derive(Debug, Default)]
pub struct HoldQueue {
    items: VecDeque<Held>,
    bytes: usize,
}

impl HoldQueue {
    /// Number of runs.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The run with the lowest offset.
    pub fn front(&self) -> Option<&Held> {
        self.items.front()
    }

    /// Takes the run with the lowest offset; its buffer goes back to the store by the caller.
    pub fn pop(&mut self) -> Option<Held> {
        let held = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(held.data.len());
        Some(held)
    }

    /// Holds what is new of `data` at `offset`: bytes that are already held stay as they came first. Returns the
    /// number of bytes that were already there.
    pub fn insert(&mut self, store: &mut Store, offset: u64, time_ns: u64, data: &[u8], missing: u32) -> u64 {
        let (mut offset, mut rest, mut known) = (offset, data, 0);
        let mut at = self.items.partition_point(|held| held.end() <= offset);
        loop {
            let room = match self.items.get(at) {
                Some(held) if held.offset <= offset => {
                    let covered = usize::try_from(held.end() - offset).unwrap_or(usize::MAX).min(rest.len());
                    known += covered as u64;
                    offset = offset.saturating_add(covered as u64);
                    rest = rest.get(covered..).unwrap_or_default();
                    if rest.is_empty() && (missing == 0 || offset < held.end()) {
                        return known;
                    }
                    at += 1;
                    continue;
                }
                Some(held) => usize::try_from(held.offset - offset).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            let (piece, tail) = rest.split_at(rest.len().min(room));
            let last = tail.is_empty();
            if last && piece.is_empty() && missing == 0 {
                return known;
            }
            self.bytes += piece.len();
            let cut = if last { missing } else { 0 };
            self.items.insert(at, Held { offset, time_ns, data: store.hold(piece), missing: cut });
            if last {
                return known;
            }
            offset = offset.saturating_add(piece.len() as u64);
            rest = tail;
            at += 1;
        }
    }

    /// Drops everything.
    pub fn clear(&mut self, store: &mut Store) {
        while let Some(held) = self.pop() {
            store.give_back(held.data);
        }
    }
}
