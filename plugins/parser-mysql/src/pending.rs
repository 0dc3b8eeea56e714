//! Commands that wait for their response, in order.

use crate::proto::Answer;
use crate::statements::Statement;
use std::collections::VecDeque;

/// Commands remembered for one session; clients send a handful ahead at most.
const MAX_PENDING: usize = 1024;

/// A command that waits.
#[derive(Debug)]
pub struct Waiting {
    /// How it is answered.
    pub answer: Answer,
    /// The statement changes rows.
    pub changes: bool,
    /// The statement that is being prepared.
    pub prepare: Option<Box<Statement>>,
    /// The database that is being chosen.
    pub database: Option<Box<[u8]>>,
    /// COM_RESET_CONNECTION or COM_CHANGE_USER: statements are forgotten.
    pub resets: bool,
    /// Its request was not seen: nothing is known of it.
    pub is_guess: bool,
}

impl Waiting {
    /// A command with nothing special about it.
    pub fn new(answer: Answer) -> Self {
        Self { answer, changes: false, prepare: None, database: None, resets: false, is_guess: false }
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct Pending {
    queue: VecDeque<Waiting>,
}

impl Pending {
    /// Adds a command; of too many, the oldest is forgotten.
    pub fn push(&mut self, waiting: Waiting) {
        if self.queue.len() >= MAX_PENDING {
            self.queue.pop_front();
        }
        self.queue.push_back(waiting);
    }

    /// The command that the next response answers.
    pub fn front(&self) -> Option<&Waiting> {
        self.queue.front()
    }

    /// The same, to say more of it.
    pub fn front_mut(&mut self) -> Option<&mut Waiting> {
        self.queue.front_mut()
    }

    /// Takes it off.
    pub fn pop(&mut self) -> Option<Waiting> {
        self.queue.pop_front()
    }

    /// The statement that was prepared last and whose id is not known yet.
    pub fn last_prepared(&self) -> Option<&Statement> {
        self.queue.iter().rev().find_map(|waiting| waiting.prepare.as_deref())
    }
}
