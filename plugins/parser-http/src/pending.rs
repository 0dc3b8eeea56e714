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

/// The unanswered requests.
#[derive(Default)]
pub(crate) struct Pending {
    /// Their kinds in order, as runs: a deep pipeline of equal requests costs one entry.
    runs: VecDeque<(Asked, u64)>,
    /// When the newest was sent.
    newest_ns: u64,
    /// One that was sent with the oldest of them was answered.
    is_answered: bool,
    pub habits: Habits,
}

/// What the client was seen to do while nothing was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Several requests were open at once.
    pub pipelines: bool,
    /// A request was sent after some of several were answered, not all.
    pub slides: bool,
    /// A request was sent when all of several were answered.
    pub waits: bool,
}

impl Pending {
    /// A request was sent.
    pub fn push(&mut self, asked: Asked, time_ns: u64) {
        if self.runs.is_empty() {
            self.habits.waits |= self.habits.pipelines;
            self.is_answered = false;
        } else {
            self.habits.slides |= self.is_answered;
            // One packet brought both: none waited for the other's answer.
            self.habits.pipelines |= self.newest_ns == time_ns;
        }
        self.newest_ns = time_ns;
        let has_room = self.runs.len() < MOST_RUNS;
        match self.runs.back_mut() {
            Some((last, count)) if *last == asked => *count += 1,
            _ if has_room => self.runs.push_back((asked, 1)),
            _ => {}
        }
    }

    /// A final response came, and nothing was lost before it: the request that it answers; plain when none is known.
    pub fn pop(&mut self) -> Asked {
        self.habits.pipelines |= self.has_several();
        self.is_answered = true;
        self.lose()
    }

    /// The answer to the oldest request was lost.
    pub fn lose(&mut self) -> Asked {
        let Some((asked, count)) = self.runs.front_mut() else { return Asked::Plain };
        let asked = *asked;
        *count -= 1;
        if *count == 0 {
            self.runs.pop_front();
        }
        asked
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|(_, count)| count).sum()
    }

    /// When the newest was sent.
    pub fn newest_ns(&self) -> u64 {
        self.newest_ns
    }

    /// The request that the next final response answers, without taking it.
    pub fn front(&self) -> Asked {
        self.runs.front().map_or(Asked::Plain, |(asked, _)| *asked)
    }

    /// No request waits.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// More than one request waits.
    pub fn has_several(&self) -> bool {
        self.runs.len() > 1 || self.runs.front().is_some_and(|(_, count)| *count > 1)
    }

    /// Messages were lost: what waits is not known any more.
    pub fn clear(&mut self) {
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Pending};

    #[test]
    fn requests_are_answered_in_order() {
        let mut pending = Pending::default();
        for (at, method) in [&b"GET"[..], b"POST", b"HEAD", b"GET", b"CONNECT"].into_iter().enumerate() {
            pending.push(Asked::of(method), at as u64);
        }
        assert_eq!(pending.count(), 5);
        let answers: Vec<Asked> = (0..6).map(|_| pending.pop()).collect();
        pending.push(Asked::Plain, 5);
        assert!(!pending.has_several());
        pending.push(Asked::Plain, 6);
        assert!(pending.has_several());
        assert_eq!(answers, [Asked::Plain, Asked::Plain, Asked::Head, Asked::Plain, Asked::Connect, Asked::Plain]);
    }

    #[test]
    fn habits_are_what_was_seen() {
        let turns = |requests: &[u64], answers: usize, pending: &mut Pending| {
            requests.iter().for_each(|time| pending.push(Asked::Plain, *time));
            (0..answers).for_each(|_| assert_eq!(pending.pop(), Asked::Plain));
            let super::Habits { pipelines, slides, waits } = pending.habits;
            (pipelines, slides, waits)
        };
        let mut in_turn = Pending::default();
        assert_eq!(turns(&[1], 1, &mut in_turn), (false, false, false));
        assert_eq!(turns(&[2], 1, &mut in_turn), (false, false, false));
        // Two are open, and perhaps only because an answer was lost.
        assert_eq!(turns(&[3, 4], 0, &mut in_turn), (false, false, false));
        // They came in one packet; or an answer came, and nothing was lost.
        assert_eq!(turns(&[4], 0, &mut in_turn), (true, false, false));
        let mut batches = Pending::default();
        assert_eq!(turns(&[1, 2, 3], 3, &mut batches), (true, false, false));
        assert_eq!(turns(&[4, 5, 6], 2, &mut batches), (true, false, true));
        assert_eq!(turns(&[7], 0, &mut batches), (true, true, true));
    }

    #[test]
    fn memory_is_bounded() {
        let mut pending = Pending::default();
        for at in 0..10_000 {
            pending.push(Asked::Head, at);
            pending.push(Asked::Plain, at);
        }
        assert!(pending.runs.len() <= super::MOST_RUNS);
    }
}
