//! Prepared statements of a session: what COM_STMT_EXECUTE with a number runs.

use std::collections::{HashMap, VecDeque};

/// Bytes of all statements of a session together.
const MAX_BYTES: usize = 1 << 20;

/// A statement as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its text, cut to the configured size.
    pub text: Vec<u8>,
    /// `VERB table`.
    pub endpoint: Vec<u8>,
    /// It changes rows.
    pub changes: bool,
}

/// The statements by their id; the oldest are forgotten first.
#[derive(Debug, Default)]
pub struct Statements {
    by_id: HashMap<u32, Statement>,
    order: VecDeque<u32>,
    bytes: usize,
    last: Option<u32>,
}

impl Statements {
    /// Remembers a statement, of at most `limit`.
    pub fn insert(&mut self, id: u32, statement: Statement, limit: usize) {
        self.remove(id);
        self.bytes += statement.text.len() + statement.endpoint.len();
        self.by_id.insert(id, statement);
        self.order.push_back(id);
        self.last = Some(id);
        while self.by_id.len() > limit || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(oldest);
        }
    }

    /// The statement with this id; MariaDB's -1 is the one that was prepared last.
    pub fn get(&self, id: u32) -> Option<&Statement> {
        self.by_id.get(&if id == u32::MAX { self.last? } else { id })
    }

    /// Forgets a statement that was closed.
    pub fn remove(&mut self, id: u32) {
        if self.forget(id) {
            self.order.retain(|known| *known != id);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, id: u32) -> bool {
        let Some(old) = self.by_id.remove(&id) else { return false };
        self.bytes -= old.text.len() + old.endpoint.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_bounded_by_number_and_by_size() {
        let mut statements = Statements::default();
        let statement = |size| Statement { text: vec![b'x'; size], ..Statement::default() };
        for id in 0..100 {
            statements.insert(id, statement(10), 10);
        }
        assert!(statements.get(89).is_none() && statements.get(90).is_some());
        assert_eq!(statements.get(u32::MAX), statements.get(99));
        for id in 0..100 {
            statements.insert(id, statement(100_000), 1000);
        }
        assert!(statements.bytes <= MAX_BYTES && statements.get(99).is_some());
        statements.remove(99);
        assert!(statements.get(99).is_none() && statements.get(u32::MAX).is_none());
        statements.clear();
        assert_eq!(statements.bytes, 0);
    }
}
