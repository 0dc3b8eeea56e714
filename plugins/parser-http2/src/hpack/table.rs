//! The dynamic table (RFC 7541, 2.3.2 and 4), as far as it is known.

use crate::fields::Class;
use std::collections::VecDeque;

/// What an entry costs beyond its texts (RFC 7541, 4.1).
const OVERHEAD: usize = 32;
/// The size that both sides start with (RFC 9113, 6.5.2).
const INITIAL: usize = 4096;
/// More than this is not kept, whatever the peers agree on: 2048 entries at most.
const LARGEST: usize = 64 << 10;

/// One field. Names are kept as what they are for, and values of no use are not kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub class: Class,
    pub name_len: usize,
    pub value_len: usize,
    pub value: Box<[u8]>,
}

impl Entry {
    const fn size(&self) -> usize {
        OVERHEAD + self.name_len + self.value_len
    }
}

/// The entries that were seen, the newest first.
///
/// The newest entries have the smallest indices whatever lies behind them, so that what was added since a loss is found
/// by its right index even when the rest of the table is not known.
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
    /// Nothing of this direction was missed: an index behind the entries is an error of the peer.
    pub is_complete: bool,
}

impl Default for Table {
    fn default() -> Table {
        Table { entries: VecDeque::new(), size: 0, limit: INITIAL, is_complete: false }
    }
}

impl Table {
    /// The entry with this index, 0 for the newest.
    pub fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// Number of entries.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Add the newest entry. One that is larger than the table empties it, which is no error (RFC 7541, 4.4).
    pub fn insert(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push_front(entry);
        self.shrink();
    }

    /// The encoder changed the size of its table.
    pub fn resize(&mut self, limit: usize) {
        // Entries that are not kept here may be asked for: they are unknown then, and no error.
        self.is_complete &= limit <= LARGEST;
        self.limit = limit.min(LARGEST);
        self.shrink();
    }

    /// Fields were missed: no index is known any more, and the size neither.
    pub fn lose(&mut self) {
        self.entries.clear();
        self.size = 0;
        self.limit = self.limit.max(INITIAL);
        self.is_complete = false;
    }

    fn shrink(&mut self) {
        while self.size > self.limit {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.size();
        }
    }
}
