//! Prepared statements and portals of a session: what an Execute runs.

use metaflow_parser_sdk::sql::{self, Dialect, Trace};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use metaflow_parser_sdk::sql::Options;

/// Bytes of all statements of a session together.
const MAX_BYTES: usize = 1 << 20;
/// Portals of a session.
const MAX_PORTALS: usize = 64;

/// A statement as it is shown.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    /// Its text, cut to the configured size.
    pub text: Vec<u8>,
    /// `VERB table`.
    pub endpoint: Vec<u8>,
    /// Trace context in its comments.
    pub trace: Option<Trace>,
    /// The batch in which it was parsed.
    pub batch: u64,
}

impl Statement {
    /// What is shown of a text.
    pub fn new(text: &[u8], options: &Options, batch: u64) -> Statement {
        let mut found = Statement { batch, trace: sql::trace([text, b""]), ..Statement::default() };
        found.fill(text, options);
        found
    }

    /// Takes another text, in the same buffers.
    pub fn fill(&mut self, text: &[u8], options: &Options) {
        let shown = &text[..text.len().min(options.max_statement_bytes)];
        self.text.clear();
        self.endpoint.clear();
        if options.endpoint {
            sql::endpoint(shown, Dialect::PostgreSql, &mut self.endpoint);
        }
        // A password in a statement about a role is never shown.
        if options.obfuscate || names_password(shown) {
            sql::obfuscate(shown, Dialect::PostgreSql, &mut self.text);
        } else {
            self.text.extend_from_slice(shown);
        }
    }
}

/// Whether the statement makes or changes a role with its password.
fn names_password(text: &[u8]) -> bool {
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    (starts(b"CREATE") || starts(b"ALTER")) && text.windows(8).any(|window| window.eq_ignore_ascii_case(b"PASSWORD"))
}

/// The statements by name; the oldest are forgotten first. The nameless one stands apart: it is the usual one.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    nameless: Option<Rc<Statement>>,
    named: HashMap<Box<[u8]>, Rc<Statement>>,
    order: VecDeque<Box<[u8]>>,
    bytes: usize,
}

impl Statements {
    pub fn insert(&mut self, name: &[u8], statement: Rc<Statement>, limit: usize) {
        if name.is_empty() {
            self.nameless = Some(statement);
            return;
        }
        self.remove(name);
        self.bytes += size(name, &statement);
        self.named.insert(name.into(), statement);
        self.order.push_back(name.into());
        while self.named.len() > limit || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(&oldest);
        }
    }

    pub fn get(&self, name: &[u8]) -> Option<&Rc<Statement>> {
        if name.is_empty() {
            self.nameless.as_ref()
        } else {
            self.named.get(name)
        }
    }

    pub fn remove(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.nameless = None;
        } else if self.forget(name) {
            self.order.retain(|known| &**known != name);
        }
    }

    fn forget(&mut self, name: &[u8]) -> bool {
        let Some(old) = self.named.remove(name) else { return false };
        self.bytes -= size(name, &old);
        true
    }
}

fn size(name: &[u8], statement: &Statement) -> usize {
    name.len() + statement.text.len() + statement.endpoint.len()
}

/// A statement with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Portal {
    pub statement: Option<Rc<Statement>>,
    /// Name of the statement.
    pub name: Box<[u8]>,
    /// Where its Bind began.
    pub offset: u64,
    pub time_ns: u64,
    /// Bytes of its Bind and of a Describe behind it.
    pub length: u64,
    /// The batch in which it was bound.
    pub batch: u64,
}

/// The portals by name; of too many all are forgotten, since they live for a transaction only.
#[derive(Debug, Default)]
pub(crate) struct Portals {
    nameless: Option<Portal>,
    named: HashMap<Box<[u8]>, Portal>,
}

impl Portals {
    pub fn insert(&mut self, name: &[u8], portal: Portal) {
        if name.is_empty() {
            self.nameless = Some(portal);
            return;
        }
        if self.named.len() >= MAX_PORTALS {
            self.named.clear();
        }
        self.named.insert(name.into(), portal);
    }

    pub fn get(&mut self, name: &[u8]) -> Option<&mut Portal> {
        if name.is_empty() {
            self.nameless.as_mut()
        } else {
            self.named.get_mut(name)
        }
    }

    pub fn remove(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.nameless = None;
        } else {
            self.named.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_bounded_by_number_and_by_size() {
        let options = Options::default();
        let statement = |size: usize| Rc::new(Statement::new(&vec![b'x'; size], &options, 0));
        let mut statements = Statements::default();
        for id in 0..100 {
            statements.insert(format!("s{id}").as_bytes(), statement(10), 10);
        }
        assert!(statements.get(b"s89").is_none() && statements.get(b"s90").is_some());
        for id in 0..2000 {
            statements.insert(format!("s{id}").as_bytes(), statement(4000), 1000);
        }
        assert!(statements.bytes <= MAX_BYTES && statements.get(b"s1999").is_some());
        statements.remove(b"s1999");
        assert!(statements.get(b"s1999").is_none());
        let portal = Portal { statement: None, name: Box::default(), offset: 0, time_ns: 0, length: 0, batch: 0 };
        let mut portals = Portals::default();
        for id in 0..1000 {
            portals.insert(format!("p{id}").as_bytes(), portal.clone());
        }
        assert!(portals.named.len() <= MAX_PORTALS && portals.get(b"p999").is_some());
    }
}
