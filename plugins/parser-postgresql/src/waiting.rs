//! What waits for an answer of the server, in order, in bounded memory.

use std::collections::VecDeque;

/// Messages remembered for one session; of more, the oldest are forgotten.
const MAX: usize = 8192;

/// A message that the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// SSLRequest or GSSENCRequest: one byte.
    Encryption,
    /// A login: everything up to ReadyForQuery.
    Startup,
    /// A simple query or a function call: everything up to ReadyForQuery.
    Query,
    /// A stream in both directions that a query began; its request was answered.
    Stream,
    /// The name of the statement.
    Parse(Box<[u8]>),
    Bind,
    /// `is_told`: it is a record of its own.
    Describe {
        is_told: bool,
    },
    Execute,
    Close,
    /// The end of a batch. `is_told`: nothing stands in the batch.
    Sync {
        is_told: bool,
    },
}

impl Waiting {
    /// It ends with ReadyForQuery.
    pub fn ends_cycle(&self) -> bool {
        matches!(self, Waiting::Startup | Waiting::Query | Waiting::Stream | Waiting::Sync { .. })
    }

    /// A request was reported for it.
    pub fn is_told(&self) -> bool {
        match self {
            Waiting::Bind | Waiting::Stream => false,
            Waiting::Describe { is_told } | Waiting::Sync { is_told } => *is_told,
            _ => true,
        }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Waiting>);

impl Queue {
    pub fn push(&mut self, waiting: Waiting) {
        if self.0.len() >= MAX {
            self.0.pop_front();
        }
        self.0.push_back(waiting);
    }

    pub fn front(&self) -> Option<&Waiting> {
        self.0.front()
    }

    pub fn pop(&mut self) -> Option<Waiting> {
        self.0.pop_front()
    }

    /// Takes the front off when a request was reported for it; false when none was.
    pub fn pop_told(&mut self) -> bool {
        let is_told = self.front().is_some_and(Waiting::is_told);
        if is_told {
            self.pop();
        }
        is_told
    }

    pub fn replace_front(&mut self, waiting: Waiting) {
        if let Some(front) = self.0.front_mut() {
            *front = waiting;
        }
    }

    /// How many stand before the first of this kind in the cycle at hand.
    pub fn before(&self, wanted: impl Fn(&Waiting) -> bool) -> Option<usize> {
        for (at, waiting) in self.0.iter().enumerate() {
            if wanted(waiting) {
                return Some(at);
            }
            if waiting.ends_cycle() {
                return None;
            }
        }
        None
    }

    /// How many stand before the last cycle.
    pub fn before_last_cycle(&self) -> usize {
        let without_last = self.0.len().saturating_sub(1);
        self.0.iter().take(without_last).rposition(Waiting::ends_cycle).map_or(0, |at| at + 1)
    }

    /// Forgets the Syncs right behind the front: the server ignores them while it copies in.
    pub fn drop_syncs(&mut self) {
        while matches!(self.0.get(1), Some(Waiting::Sync { .. })) {
            self.0.remove(1);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_told_apart() {
        let mut queue = Queue::default();
        let sync = || Waiting::Sync { is_told: false };
        for waiting in
            [Waiting::Bind, Waiting::Execute, sync(), Waiting::Query, Waiting::Bind, Waiting::Execute, sync()]
        {
            queue.push(waiting);
        }
        assert_eq!(queue.before(|waiting| *waiting == Waiting::Execute), Some(1));
        assert_eq!(queue.before(|waiting| *waiting == Waiting::Query), None);
        assert_eq!(queue.before_last_cycle(), 4);
        for _ in 0..20_000 {
            queue.push(Waiting::Query);
        }
        assert_eq!(queue.len(), MAX);
    }
}
