//! The records of a block.

use mf_packet::Counters;

use crate::record::{Record, HEADER};

/// Goes through a block, record by record.
#[derive(Debug)]
pub struct Reader<'a, 'c> {
    rest: &'a [u8],
    counters: &'c mut Counters,
}

impl<'a, 'c> Reader<'a, 'c> {
    /// The records of `block`; what is damaged goes to `counters`, stage `segment`.
    pub fn new(block: &'a [u8], counters: &'c mut Counters) -> Self {
        Reader { rest: block, counters }
    }

    /// The rest of the block cannot be told into records.
    fn give_up(&mut self, reason: &'static str) {
        self.counters.hit("segment", reason);
        self.counters.add("segment", "bytes_behind_damage", self.rest.len() as u64);
        self.rest = &[];
    }
}

impl<'a> Iterator for Reader<'a, '_> {
    /// A record and its bytes.
    type Item = (Record<'a>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let size = self.rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
            let Some(size) = size.filter(|_| self.rest.len() >= HEADER) else {
                self.give_up("truncated_header");
                break;
            };
            if size < HEADER || size % 8 != 0 {
                self.give_up("wrong_size");
                break;
            }
            let Some((bytes, rest)) = self.rest.split_at_checked(size) else {
                self.give_up("truncated_record");
                break;
            };
            self.rest = rest;
            match Record::read(bytes) {
                Ok(record) => return Some((record, bytes)),
                Err(damage) => self.counters.hit("segment", damage.0),
            }
        }
        None
    }
}
