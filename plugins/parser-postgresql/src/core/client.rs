//! The client's messages.

use super::{begin, Core};
use crate::frame::Message;
use crate::startup::Startup;
use crate::statement::{Portal, Statement};
use crate::waiting::Waiting;
use metaflow_parser_sdk::{Cursor, RecordType, Records, Text};
use std::rc::Rc;

impl Core {
    /// A packet without a type.
    pub fn startup(&mut self, packet: &Startup<'_>, message: &Message<'_>, out: &mut Records) {
        match packet {
            Startup::Tls | Startup::Gss => {
                let name = if *packet == Startup::Tls { "ssl request" } else { "gssenc request" };
                begin(out, RecordType::Request, name, message).text(Text::Endpoint, name).end();
                self.queue.push(Waiting::Encryption);
            }
            Startup::Cancel(process) => {
                begin(out, RecordType::Session, "cancel request", message).text(Text::Endpoint, "cancel request");
                out.attribute("process_id", &process.to_string()).end();
            }
            Startup::Begin(found) => {
                begin(out, RecordType::Request, "startup", message).text(Text::Endpoint, "startup");
                out.append(Text::RequestResource, "user=");
                out.append(Text::RequestResource, &metaflow_parser_sdk::lossy(found.user));
                if !found.database.is_empty() {
                    out.append(Text::RequestResource, " database=");
                    out.append(Text::RequestResource, &metaflow_parser_sdk::lossy(found.database));
                }
                for (key, value) in [
                    ("user", found.user),
                    ("database", found.database),
                    ("application_name", found.application),
                    ("client_encoding", found.encoding),
                    ("replication", found.replication),
                ] {
                    if !value.is_empty() {
                        out.attribute_bytes(key, value);
                    }
                }
                out.end();
                // Without a name the database is the user's.
                let database = if found.database.is_empty() { found.user } else { found.database };
                self.database = database[..database.len().min(64)].to_vec();
                self.queue.push(Waiting::Startup);
            }
        }
    }

    /// A message of the client.
    pub fn client(&mut self, message: &Message<'_>, out: &mut Records) {
        let mut body = Cursor::new(message.body);
        match message.kind {
            b'Q' => {
                let statement = Statement::new(body.until_nul_or_end(), &self.options, self.batch);
                self.request("simple query", message, Some(&statement), out);
                out.end();
                self.end_batch(Waiting::Query);
            }
            b'P' => self.parse(message, &mut body, out),
            b'B' => self.bind(message, &mut body),
            b'D' | b'C' => self.object(message, &mut body, out),
            b'E' => self.execute(message, body.until_nul_or_end(), out),
            b'F' => {
                begin(out, RecordType::Request, "function call", message).text(Text::Endpoint, "function call");
                if let Some(function) = body.u32() {
                    out.text(Text::RequestResource, &function.to_string());
                }
                out.end();
                self.end_batch(Waiting::Query);
            }
            b'S' => {
                let is_told = self.in_batch == 0;
                if is_told {
                    begin(out, RecordType::Request, "sync", message).text(Text::Endpoint, "sync").end();
                }
                self.end_batch(Waiting::Sync { is_told });
            }
            b'X' => begin(out, RecordType::Session, "terminate", message).text(Text::Endpoint, "terminate").end(),
            b'd' if self.answer.copy == "in" => {
                self.answer.copied_messages += 1;
                self.answer.copied_bytes += message.total.saturating_sub(5);
            }
            b'c' | b'f' if self.answer.copy == "in" => {
                self.queue.drop_syncs();
                self.in_batch += 1;
            }
            // Flush, passwords, what a replica reports.
            _ => {}
        }
    }

    /// Begins the record of a request about a statement.
    fn request(&self, name: &str, message: &Message<'_>, statement: Option<&Statement>, out: &mut Records) {
        begin(out, RecordType::Request, name, message);
        if let Some(statement) = statement {
            out.text_bytes(Text::RequestResource, &statement.text).text_bytes(Text::Endpoint, &statement.endpoint);
            if let Some(trace) = statement.trace.as_ref().filter(|_| statement.batch == self.batch) {
                out.text(Text::TraceId, &trace.trace_id).text(Text::SpanId, &trace.span_id);
                out.text(Text::XRequestId, &trace.x_request_id);
            }
        }
        if !self.database.is_empty() {
            out.attribute_bytes("database", &self.database);
        }
    }

    fn parse(&mut self, message: &Message<'_>, body: &mut Cursor<'_>, out: &mut Records) {
        let name = body.until_nul_or_end();
        let statement = Statement::new(body.until_nul_or_end(), &self.options, self.batch);
        self.request("parse", message, Some(&statement), out);
        named("statement", name, out);
        out.end();
        self.statements.insert(name, Rc::new(statement), self.options.max_prepared);
        let parsed = self.parsed.get_or_insert_with(Vec::new);
        parsed.clear();
        parsed.extend_from_slice(name);
        self.add(Waiting::Parse(name.into()));
    }

    fn bind(&mut self, message: &Message<'_>, body: &mut Cursor<'_>) {
        let (portal, name) = (body.until_nul_or_end(), body.until_nul_or_end());
        let bound = Portal {
            statement: self.statements.get(name).cloned(),
            name: name.into(),
            offset: message.offset,
            time_ns: message.time_ns,
            length: message.total,
            batch: self.batch,
        };
        self.portals.insert(portal, bound);
        self.add(Waiting::Bind);
    }

    /// Describe and Close, of a statement or of a portal.
    fn object(&mut self, message: &Message<'_>, body: &mut Cursor<'_>, out: &mut Records) {
        let is_statement = body.u8() == Some(b'S');
        let name = body.until_nul_or_end();
        let statement = if is_statement {
            self.statements.get(name).cloned()
        } else {
            self.portals.get(name).and_then(|portal| portal.statement.clone())
        };
        let what = if is_statement { "statement" } else { "portal" };
        if message.kind == b'C' {
            self.request("close", message, statement.as_deref(), out);
            named(what, name, out);
            out.end();
            if is_statement {
                self.statements.remove(name);
            } else {
                self.portals.remove(name);
            }
            self.add(Waiting::Close);
            return;
        }
        // What is described in the batch in which it was made belongs to its making.
        let batch = self.batch;
        let is_told = if is_statement {
            self.parsed.as_deref() != Some(name)
        } else {
            match self.portals.get(name).filter(|portal| portal.batch == batch) {
                Some(portal) => {
                    portal.length += message.total;
                    false
                }
                None => true,
            }
        };
        if is_told {
            self.request("describe", message, statement.as_deref(), out);
            named(what, name, out);
            out.end();
        }
        self.add(Waiting::Describe { is_told });
    }

    fn execute(&mut self, message: &Message<'_>, name: &[u8], out: &mut Records) {
        let batch = self.batch;
        let mut whole = *message;
        let (mut statement, mut of) = (None, Box::default());
        if let Some(portal) = self.portals.get(name) {
            statement.clone_from(&portal.statement);
            of = portal.name.clone();
            // The first execution in the batch in which it was bound begins with the binding.
            if portal.batch == batch && portal.length > 0 {
                whole.offset = portal.offset;
                whole.time_ns = portal.time_ns;
                whole.total += std::mem::take(&mut portal.length);
            }
        }
        self.request("execute", &whole, statement.as_deref(), out);
        named("statement", &of, out);
        named("portal", name, out);
        out.end();
        self.add(Waiting::Execute);
    }

    fn add(&mut self, waiting: Waiting) {
        self.in_batch += 1;
        self.queue.push(waiting);
    }

    fn end_batch(&mut self, waiting: Waiting) {
        self.queue.push(waiting);
        self.batch += 1;
        self.in_batch = 0;
        self.parsed = None;
    }
}

fn named(what: &str, name: &[u8], out: &mut Records) {
    if !name.is_empty() {
        out.attribute_bytes(what, name);
    }
}
