//! Segments of one direction that wait for bytes of the other.

use std::collections::VecDeque;

use super::conversation::Arrival;
use super::direction::Limits;
use super::store::Store;

/// A segment that waits, as it came.
#[derive(Debug)]
pub struct Parked {
    /// Offset in the other direction up to which it acknowledges.
    pub after: u64,
    /// Sequence number of its first byte.
    pub seq: u32,
    /// Capture time.
    pub time_ns: u64,
    /// The captured bytes.
    pub data: Vec<u8>,
    /// The bytes on the wire.
    pub wire_len: u32,
}

/// Those of one direction, in the order in which they came.
#[derive(Debug, Default)]
pub struct Parking {
    items: VecDeque<Parked>,
    bytes: usize,
}

impl Parking {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether `len` more bytes may wait.
    pub fn has_room(&self, len: usize, limits: &Limits) -> bool {
        self.bytes.saturating_add(len) <= limits.bytes && self.items.len() < limits.segments
    }

    /// The first.
    pub fn front(&self) -> Option<&Parked> {
        self.items.front()
    }

    /// Keeps a copy of a segment.
    pub fn push(&mut self, store: &mut Store, after: u64, arrival: &Arrival<'_>) {
        let &Arrival { seq, time_ns, data, wire_len, .. } = arrival;
        self.bytes += data.len();
        self.items.push_back(Parked { after, seq, time_ns, data: store.hold(data), wire_len });
    }

    /// Takes the first; its buffer goes back to the store by the caller.
    pub fn pop(&mut self) -> Option<Parked> {
        let parked = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(parked.data.len());
        Some(parked)
    }

    /// Drops everything.
    pub fn clear(&mut self, store: &mut Store) {
        while let Some(parked) = self.pop() {
            store.give_back(parked.data);
        }
    }
}
