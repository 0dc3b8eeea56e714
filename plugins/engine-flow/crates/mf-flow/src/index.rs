//! From key to slot: open addressing with linear probing and deletion by shifting back, so that it never needs a clean-up.

const EMPTY: u32 = u32::MAX;

/// (upper half of the hash, slot). Keys live in the slots; half the hash decides nearly always without looking there.
#[derive(Debug)]
pub(crate) struct Index {
    cells: Vec<(u32, u32)>,
    used: usize,
}

impl Index {
    pub fn new() -> Self {
        Self {
            cells: vec![(0, EMPTY); 1024],
            used: 0,
        }
    }

    #[inline]
    fn mask(&self) -> usize {
        self.cells.len() - 1
    }

    /// The slot for which `same` holds among those with this hash.
    #[inline]
    pub fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = (hash >> 32) as u32;
        let mut at = hash as usize & self.mask();
        loop {
            let (have, slot) = self.cells[at];
            if slot == EMPTY {
                return None;
            }
            if have == tag && same(slot) {
                return Some(slot);
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a slot that is not there yet. `hash_of` gives the hash of any slot, for growing.
    pub fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 2 > self.cells.len() {
            let old = std::mem::take(&mut self.cells);
            self.cells = vec![(0, EMPTY); old.len() * 2];
            for (_, slot) in old {
                if slot != EMPTY {
                    self.place(hash_of(slot), slot);
                }
            }
        }
        self.place(hash, slot);
        self.used += 1;
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = hash as usize & self.mask();
        while self.cells[at].1 != EMPTY {
            at = (at + 1) & self.mask();
        }
        self.cells[at] = ((hash >> 32) as u32, slot);
    }

    /// Removes a slot.
    pub fn remove(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let mask = self.mask();
        let mut hole = hash as usize & mask;
        while self.cells[hole].1 != slot {
            if self.cells[hole].1 == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell.1 == EMPTY {
                break;
            }
            // A cell may move into the hole when its home is not between the hole and itself.
            let home = hash_of(cell.1) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = (0, EMPTY);
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn behaves_like_a_map_under_random_work() {
        let hash_of = |slot: u32| mf_packet::mix(7, u64::from(slot / 3)) & 0xff00_0000_0fff; // many collisions
        let (mut index, mut model, mut rng) = (Index::new(), HashMap::new(), 1u64);
        for _ in 0..200_000 {
            rng = mf_packet::mix(rng, 1);
            let slot = (rng % 3000) as u32;
            if model.remove(&slot).is_some() {
                index.remove(hash_of(slot), slot, hash_of);
            } else if index.find(hash_of(slot), |s| s == slot).is_none() {
                index.insert(hash_of(slot), slot, hash_of);
                model.insert(slot, ());
            }
            assert_eq!(index.used, model.len());
        }
        for slot in 0..3000 {
            assert_eq!(
                index.find(hash_of(slot), |s| s == slot).is_some(),
                model.contains_key(&slot)
            );
        }
    }
}
