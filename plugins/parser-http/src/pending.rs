//! Which requests wait for an answer: the answer to a HEAD has no body, the one to a CONNECT starts a tunnel.

use std::collections::VecDeque;

/// Runs of equal kinds that are remembered; beyond it the newest are taken for plain requests.
const MOST_RUNS: usize = 1024;

/// What a request means for its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing special, or not known.
    #[default]
    Plain,
    Head,
    Connect,
}

impl Asked {
    pub fn of(method: &[u8]) -> Asked {
        match method {
            b"HEAD" => Asked::Head,
            b"CONNECT" => Asked::Connect,
            _ => Asked::Plain,
        }
    }
}

/// The kinds of the unanswered requests in order, as runs: a deep pipeline of equal requests costs one entry.
#[derive(Default)]
pub(crate) struct Pending(VecDeque<(Asked, u64)>);

impl Pending {
    pub fn push(&mut self, asked: Asked) {
        let has_room = self.0.len() < MOST_RUNS;
        match self.0.back_mut() {
            Some((last, count)) if *last == asked => *count += 1,
            _ if has_room => self.0.push_back((asked, 1)),
            _ => {}
        }
    }

    /// The request that the next final response answers; plain when none is known.
    pub fn pop(&mut self) -> Asked {
        let Some((asked, count)) = self.0.front_mut() else { return Asked::Plain };
        let asked = *asked;
        *count -= 1;
        if *count == 0 {
            self.0.pop_front();
        }
        asked
    }

    /// The request that the next final response answers, without taking it.
    pub fn front(&self) -> Asked {
        self.0.front().map_or(Asked::Plain, |(asked, _)| *asked)
    }

    /// No request waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// More than one request waits.
    pub fn has_several(&self) -> bool {
        self.0.len() > 1 || self.0.front().is_some_and(|(_, count)| *count > 1)
    }

    /// Messages were lost: what waits is not known any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Pending};

    #[test]
    fn requests_are_answered_in_order() {
        let mut pending = Pending::default();
        for method in [&b"GET"[..], b"POST", b"HEAD", b"GET", b"CONNECT"] {
            pending.push(Asked::of(method));
        }
        let answers: Vec<Asked> = (0..6).map(|_| pending.pop()).collect();
        pending.push(Asked::Plain);
        assert!(!pending.has_several());
        pending.push(Asked::Plain);
        assert!(pending.has_several());
        assert_eq!(answers, [Asked::Plain, Asked::Plain, Asked::Head, Asked::Plain, Asked::Connect, Asked::Plain]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut pending = Pending::default();
        for _ in 0..10_000 {
            pending.push(Asked::Head);
            pending.push(Asked::Plain);
        }
        assert!(pending.0.len() <= super::MOST_RUNS);
    }
}
