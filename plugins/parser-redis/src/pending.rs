//! Commands that wait for their reply, in order, in bounded memory.

use crate::message::At;
use crate::request::Topic;
use std::collections::VecDeque;

/// Commands remembered for one session; of more, the oldest are forgotten.
const MAX_PENDING: u64 = 65536;
const MAX_ENTRIES: usize = 4096;

/// What will answer a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// One value.
    Reply {
        /// It holds secrets.
        hide: bool,
    },
    /// So many confirmations of a subscription.
    Confirm {
        /// What is subscribed to.
        topic: Topic,
        /// Confirmations to come; `None`: one for each subscription there is.
        left: Option<u32>,
    },
    /// One value, then a copy of every command.
    Monitor,
    /// One value, then replication.
    Sync,
    /// One value, then no mode is left.
    Reset,
}

/// The first of several confirmations.
#[derive(Clone, Debug, Default)]
pub struct Confirmed {
    /// Confirmations so far.
    pub count: u32,
    /// Bytes so far.
    pub length: u64,
    /// First byte of the first.
    pub start: At,
    /// The first one's text.
    pub text: Vec<u8>,
}

/// The queue; equal neighbours share an entry, so that a long pipeline costs nothing.
#[derive(Debug, Default)]
pub struct Pending {
    entries: VecDeque<(Expect, u64)>,
    total: u64,
    /// What has come of the front's confirmations.
    pub confirmed: Confirmed,
}

impl Pending {
    /// Adds a command.
    pub fn push(&mut self, expect: Expect) {
        self.total += 1;
        match self.entries.back_mut() {
            Some((last, count)) if *last == expect && matches!(expect, Expect::Reply { .. }) => *count += 1,
            _ => self.entries.push_back((expect, 1)),
        }
        while self.total > MAX_PENDING || self.entries.len() > MAX_ENTRIES {
            self.pop();
        }
    }

    /// What the next value answers.
    pub fn front(&mut self) -> Option<&mut Expect> {
        self.entries.front_mut().map(|(expect, _)| expect)
    }

    /// Takes the oldest command off.
    pub fn pop(&mut self) -> Option<Expect> {
        let (expect, count) = self.entries.front_mut()?;
        let expect = *expect;
        *count -= 1;
        if *count == 0 {
            self.entries.pop_front();
        }
        self.total -= 1;
        self.confirmed = Confirmed::default();
        Some(expect)
    }

    /// No command waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_the_newest_stay() {
        let mut pending = Pending::default();
        for _ in 0..200_000 {
            pending.push(Expect::Reply { hide: false });
        }
        pending.push(Expect::Monitor);
        let mut count = 0;
        let mut last = None;
        while let Some(expect) = pending.pop() {
            count += 1;
            last = Some(expect);
        }
        assert_eq!(count, MAX_PENDING);
        assert_eq!(last, Some(Expect::Monitor));
        assert!(pending.is_empty());
    }
}
