//! A timing wheel of seconds. A flow has at most one entry that counts; moving its deadline later costs nothing, because the
//! entry is looked at only when its second comes.

use std::collections::VecDeque;

/// Seconds the wheel spans; later deadlines wait in the last bucket and are put back.
pub(crate) const SPAN: u64 = 512;

/// (slot, generation of the slot when it was entered).
pub(crate) type Entry = (u32, u32);

#[derive(Debug)]
pub(crate) struct Wheel {
    buckets: VecDeque<Vec<Entry>>,
    /// The second that the first bucket belongs to.
    first: u64,
}

impl Wheel {
    pub fn new() -> Self {
        Self {
            buckets: (0..SPAN).map(|_| Vec::new()).collect(),
            first: 0,
        }
    }

    /// Starts over at a second; entries are forgotten.
    pub fn reset(&mut self, second: u64) {
        for bucket in &mut self.buckets {
            bucket.clear();
        }
        self.first = second;
    }

    /// The second in which an entry for `second` would really come up.
    pub fn slot_for(&self, second: u64) -> u64 {
        second.clamp(self.first, self.first + SPAN - 1)
    }

    /// Enters a flow for a second (as given by [`Wheel::slot_for`]).
    pub fn enter(&mut self, second: u64, entry: Entry) {
        let at = second.saturating_sub(self.first).min(SPAN - 1) as usize;
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.push(entry);
        }
    }

    /// The next second's entries; the wheel moves on.
    pub fn turn(&mut self) -> (u64, Vec<Entry>) {
        let bucket = self.buckets.pop_front().unwrap_or_default();
        self.buckets.push_back(Vec::new());
        self.first += 1;
        (self.first - 1, bucket)
    }

    /// The second that comes up next.
    pub fn next_second(&self) -> u64 {
        self.first
    }

    /// Takes the entry that comes up first.
    pub fn pop_first(&mut self) -> Option<Entry> {
        let bucket = self.buckets.iter_mut().find(|bucket| !bucket.is_empty())?;
        let entry = bucket.first().copied();
        bucket.swap_remove(0);
        entry
    }
}
