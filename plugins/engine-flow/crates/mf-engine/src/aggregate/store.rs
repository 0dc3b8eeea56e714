//! Meters by key, in memory that grows with the number of different keys only.

use std::hash::{BuildHasher, RandomState};

use mf_packet::Mixer;

/// A hash table from keys to meters. Look-ups borrow, so that a key with texts is built only when it is new.
///
/// Hashes are the caller's, seeded by the process ([`process_seed`]: an attacker cannot choose keys that collide); the order
/// of rows does not depend on them, because [`Store::drain_sorted`] sorts.
#[derive(Debug)]
pub struct Store<K, M> {
    entries: Vec<Entry<K, M>>,
    /// open addressing: index + 1 into `entries`, 0 = free; a power of two long
    slots: Vec<u32>,
}

#[derive(Debug)]
struct Entry<K, M> {
    hash: u64,
    key: K,
    meter: M,
}

impl<K: Ord, M: Default> Store<K, M> {
    /// An empty table.
    pub fn new() -> Self {
        Store { entries: Vec::new(), slots: vec![0; 16] }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The meter of a key that is there.
    #[inline]
    pub fn find(&mut self, hash: u64, same: impl Fn(&K) -> bool) -> Option<&mut M> {
        let index = self.position(hash, same)?;
        self.entries.get_mut(index).map(|entry| &mut entry.meter)
    }

    /// The meter of a key, made when the key is new.
    #[inline]
    pub fn meter(&mut self, hash: u64, same: impl Fn(&K) -> bool, make: impl FnOnce() -> K) -> &mut M {
        let index = self.place(hash, same, make);
        self.at(index)
    }

    /// Where a key's meter is, made when the key is new.
    pub fn place(&mut self, hash: u64, same: impl Fn(&K) -> bool, make: impl FnOnce() -> K) -> u32 {
        let index = self.position(hash, same).unwrap_or_else(|| {
            self.insert(hash, make());
            self.entries.len() - 1
        });
        index as u32
    }

    /// The meter at a place.
    #[inline]
    pub fn at(&mut self, index: u32) -> &mut M {
        &mut self.entries[index as usize].meter
    }

    /// The key at a place.
    #[inline]
    pub fn key(&self, index: u32) -> Option<&K> {
        self.entries.get(index as usize).map(|entry| &entry.key)
    }

    #[inline]
    fn position(&self, hash: u64, same: impl Fn(&K) -> bool) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let index = self.slots.get(slot).copied().unwrap_or(0).checked_sub(1)? as usize;
            if self.entries.get(index).is_some_and(|entry| entry.hash == hash && same(&entry.key)) {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a key that `find` did not find.
    pub fn insert(&mut self, hash: u64, key: K) -> &mut M {
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = self.entries.len() as u32 + 1;
        let at = self.entries.len();
        self.entries.push(Entry { hash, key, meter: M::default() });
        &mut self.entries[at].meter
    }

    #[cold]
    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0u32; mask + 1];
        for (index, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = index as u32 + 1;
        }
        self.slots = slots;
    }

    /// Everything, ordered by key.
    pub fn drain_sorted(self) -> Vec<(K, M)> {
        let mut rows: Vec<(K, M)> = self.entries.into_iter().map(|entry| (entry.key, entry.meter)).collect();
        rows.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        rows
    }
}

/// A number that differs from run to run, to begin hashes with.
pub fn process_seed() -> u64 {
    RandomState::new().hash_one(0u64)
}

/// Adds a text to a hash.
#[inline]
pub fn hash_text(mut hash: Mixer, text: &str) -> Mixer {
    let mut chunks = text.as_bytes().chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = hash.word(word);
    }
    let mut tail = [0u8; 8];
    for (to, from) in tail.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    hash.word(u64::from_le_bytes(tail)).word(text.len() as u64)
}
