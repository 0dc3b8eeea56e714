//! From key to slot: open addressing with linear probing and deletion by shifting back, so that it never needs a clean-up.

const EMPTY: u32 = u32::MAX;
/// Set in the slot of a cell that stands for the flow's second key.
const ALIAS: u32 = 1 << 31;

/// What a cell stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub slot: u32,
    /// The flow's second key, not its first.
    pub alias: bool,
}

impl Cell {
    #[inline]
    fn of(raw: u32) -> Self {
        Self {
            slot: raw & !ALIAS,
            alias: raw & ALIAS != 0,
        }
    }

    fn raw(self) -> u32 {
        self.slot | if self.alias { ALIAS } else { 0 }
    }
}

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
    pub fn find(&self, hash: u64, mut same: impl FnMut(Cell) -> bool) -> Option<u32> {
        let tag = (hash >> 32) as u32;
        let mut at = hash as usize & self.mask();
        loop {
            let (have, slot) = self.cells[at];
            if slot == EMPTY {
                return None;
            }
            if have == tag && same(Cell::of(slot)) {
                return Some(slot & !ALIAS);
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a slot that is not there yet. `hash_of` gives the hash of what any cell stands for, for growing.
    pub fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(Cell) -> u64) {
        self.insert_raw(hash, slot, hash_of);
    }

    /// Adds the second key of a slot that is there.
    pub fn insert_alias(&mut self, hash: u64, slot: u32, hash_of: impl Fn(Cell) -> u64) {
        self.insert_raw(hash, slot | ALIAS, hash_of);
    }

    fn insert_raw(&mut self, hash: u64, slot: u32, hash_of: impl Fn(Cell) -> u64) {
        if (self.used + 1) * 2 > self.cells.len() {
            let old = std::mem::take(&mut self.cells);
            self.cells = vec![(0, EMPTY); old.len() * 2];
            for (_, slot) in old {
                if slot != EMPTY {
                    self.place(hash_of(Cell::of(slot)), slot);
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

    /// Removes a slot, or its second key.
    pub fn remove(&mut self, hash: u64, cell: Cell, hash_of: impl Fn(Cell) -> u64) {
        let slot = cell.raw();
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
            let home = hash_of(Cell::of(cell.1)) as usize & mask;
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
        // Many collisions; second keys are as good as first ones.
        let hash_of = |cell: Cell| mf_packet::mix(7, u64::from(cell.raw() / 3)) & 0xff00_0000_0fff;
        let (mut index, mut model, mut rng) = (Index::new(), HashMap::new(), 1u64);
        for _ in 0..200_000 {
            rng = mf_packet::mix(rng, 1);
            let cell = Cell {
                slot: (rng % 1500) as u32,
                alias: rng >> 40 & 1 != 0,
            };
            let key = cell.raw();
            if model.remove(&key).is_some() {
                index.remove(hash_of(cell), cell, hash_of);
            } else if index.find(hash_of(cell), |c| c == cell).is_none() {
                if cell.alias {
                    index.insert_alias(hash_of(cell), cell.slot, hash_of);
                } else {
                    index.insert(hash_of(cell), cell.slot, hash_of);
                }
                model.insert(key, ());
            }
            assert_eq!(index.used, model.len());
        }
        for slot in 0..1500 {
            for alias in [false, true] {
                let cell = Cell { slot, alias };
                assert_eq!(
                    index.find(hash_of(cell), |c| c == cell).is_some(),
                    model.contains_key(&cell.raw())
                );
            }
        }
    }
}
