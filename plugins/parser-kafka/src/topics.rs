//! Names of topics by their ids, learnt from the answers of brokers.
//!
//! Ids are random and belong to one topic of one cluster for ever, so what one connection tells is right for all.

use crate::facts::TopicId;
use std::collections::HashMap;

/// Names that are kept at least; never more than twice as many.
const NAMES: usize = 4096;
/// Longest name of a topic (Kafka allows 249).
const LONGEST: usize = 256;

/// Two generations: what was not asked for while 4096 others were learnt is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    young: HashMap<TopicId, Box<str>>,
    old: HashMap<TopicId, Box<str>>,
}

impl Topics {
    pub fn learn(&mut self, id: TopicId, name: &[u8]) {
        let Ok(name) = std::str::from_utf8(name) else { return };
        if id == [0; 16] || name.is_empty() || name.len() > LONGEST {
            return;
        }
        if self.young.get(&id).is_some_and(|known| **known == *name) {
            return;
        }
        self.old.remove(&id);
        self.insert(id, name.into());
    }

    pub fn name(&mut self, id: &TopicId) -> Option<&str> {
        if let Some(name) = self.old.remove(id) {
            self.insert(*id, name);
        }
        self.young.get(id).map(|name| &**name)
    }

    fn insert(&mut self, id: TopicId, name: Box<str>) {
        if self.young.len() >= NAMES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, name);
    }
}

/// As RFC 9562 writes it.
pub(crate) fn hyphenated(id: &TopicId) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

/// As Kafka's own tools write it: base64 for URLs, without padding.
pub(crate) fn base64(id: &TopicId) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(22);
    for part in id.chunks(3) {
        let word = part.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..=part.len() {
            text.push(DIGITS[(word >> (18 - 6 * digit)) as usize & 63].into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_asked_for_last_are_kept_and_their_number_is_bounded() {
        let id = |number: u32| {
            let mut id = [7; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            id
        };
        let mut topics = Topics::default();
        topics.learn(id(0), b"first");
        for number in 1..20_000 {
            topics.learn(id(number), b"other");
            assert_eq!(topics.name(&id(0)), Some("first"));
            assert!(topics.young.len() + topics.old.len() <= 2 * NAMES);
        }
        assert_eq!(topics.name(&id(1)), None);
        topics.learn(id(0), b"renamed");
        assert_eq!(topics.name(&id(0)), Some("renamed"));
        topics.learn([0; 16], b"none");
        assert_eq!(topics.name(&[0; 16]), None);
    }

    #[test]
    fn ids_are_written_as_people_know_them() {
        let id = [0xbd, 0x5b, 0x47, 0x5d, 0x16, 0x5f, 0x47, 0x3f, 0x91, 0x0c, 0xb4, 0xa2, 0xd1, 0xdb, 0x0e, 0xff];
        assert_eq!(hyphenated(&id), "bd5b475d-165f-473f-910c-b4a2d1db0eff");
        assert_eq!(base64(&id), "vVtHXRZfRz-RDLSi0dsO_w");
    }
}
