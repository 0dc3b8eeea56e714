//! The records of one socket, in the order in which its calls were made.

use std::collections::BTreeMap;

/// Records of one socket that may wait for an earlier one.
const MOST_HELD: usize = 256;

/// What to do with a record that has just come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is the next one.
    Now,
    /// An earlier one is missing; its bytes were kept.
    Later,
    /// Its place was given up.
    Missed,
}

/// Puts records in the order of `cap_seq`: the rings of several processors bring them a little mixed.
#[derive(Debug)]
pub struct Order {
    next: u32,
    held: BTreeMap<u32, Vec<u8>>,
    bytes: usize,
    /// when the hole before the first held record was seen
    since_ns: u64,
}

impl Default for Order {
    fn default() -> Self {
        Order { next: 1, held: BTreeMap::new(), bytes: 0, since_ns: 0 }
    }
}

impl Order {
    /// Takes a record; `bytes` is the whole of it. A record without a number is always next.
    pub fn take(&mut self, cap_seq: u32, bytes: &[u8], now_ns: u64) -> Turn {
        if cap_seq == 0 {
            return Turn::Now;
        }
        if cap_seq == self.next {
            self.next = self.next.saturating_add(1);
            return Turn::Now;
        }
        if cap_seq < self.next || self.held.contains_key(&cap_seq) {
            return Turn::Missed;
        }
        if self.held.is_empty() {
            self.since_ns = now_ns;
        }
        self.bytes += bytes.len();
        self.held.insert(cap_seq, bytes.to_vec());
        Turn::Later
    }

    /// The next held record, when it is its turn.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let entry = self.held.first_entry().filter(|entry| *entry.key() == self.next)?;
        let bytes = entry.remove();
        self.next = self.next.saturating_add(1);
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// Goes on without the missing records before the first held one; returns how many those are.
    pub fn give_up(&mut self, now_ns: u64) -> u32 {
        let Some((&first, _)) = self.held.first_key_value() else { return 0 };
        let missing = first.saturating_sub(self.next);
        self.next = first;
        self.since_ns = now_ns;
        missing
    }

    /// Whether records wait.
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the hole was waited for long enough, or too much waits.
    pub fn is_over(&self, now_ns: u64, wait_ns: u64) -> bool {
        self.is_waiting() && (now_ns.saturating_sub(self.since_ns) >= wait_ns || self.held.len() > MOST_HELD)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_records_come_in_order_and_holes_are_given_up() {
        let mut order = Order::default();
        assert_eq!(order.take(2, b"2", 5), Turn::Later);
        assert_eq!(order.take(2, b"again", 5), Turn::Missed);
        assert_eq!(order.pop(), None);
        assert_eq!(order.take(1, b"1", 6), Turn::Now);
        assert_eq!((order.pop(), order.pop()), (Some(b"2".to_vec()), None));
        assert_eq!(order.take(1, b"1", 6), Turn::Missed);
        assert_eq!((order.take(6, b"6", 10), order.take(5, b"5", 11)), (Turn::Later, Turn::Later));
        assert!(!order.is_over(19, 10) && order.is_over(20, 10));
        assert_eq!((order.give_up(20), order.bytes()), (2, 2));
        assert_eq!((order.pop(), order.pop(), order.bytes()), (Some(b"5".to_vec()), Some(b"6".to_vec()), 0));
        assert_eq!((order.take(0, b"", 0), order.take(7, b"", 0)), (Turn::Now, Turn::Now));
    }
}
