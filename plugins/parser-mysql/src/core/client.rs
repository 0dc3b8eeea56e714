//! The client's packets: login, commands, what of them is shown.

use super::{Core, Phase, OUT_OF_TURN};
use crate::message::{Kind, Message, Sink, Trace};
use crate::pending::Waiting;
use crate::proto::{caps, name, query_attributes, Answer, Cursor, Login};
use crate::response::Eof;
use crate::sql;
use crate::statements::Statement;
use crate::wire::Packet;

impl Core {
    /// The client's next packet must begin a command: its sequence number is 0.
    pub fn expects_command(&self) -> bool {
        let in_login = self.pending.front().is_some_and(|front| front.answer == Answer::Auth);
        self.phase == Phase::Command && !self.sends_file && !in_login
    }

    /// Takes a packet of the client; `Err` says why it fits nothing.
    pub fn client_packet<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), &'static str> {
        if self.sends_file {
            self.response.file_bytes = self.response.file_bytes.saturating_add(packet.total);
            self.sends_file = packet.total > 0;
            return Ok(());
        }
        if packet.first_seq == 0 && self.phase != Phase::Greeted {
            return self.command(packet, sink);
        }
        match self.phase {
            Phase::Start | Phase::Greeted | Phase::Tls => self.login(packet, sink),
            Phase::Auth => Ok(()),
            // The client's part of a login that COM_CHANGE_USER began.
            Phase::Command if !self.expects_command() => Ok(()),
            Phase::Command => Err(OUT_OF_TURN),
        }
    }

    fn login<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), &'static str> {
        let (payload, total) = (packet.payload, packet.total);
        let Some(login) = Login::read(payload, total).or_else(|| Login::begun(payload, total)) else {
            if payload.len() < 4 && (payload.len() as u64) < total {
                // The capture kept too little of it to say anything.
                self.phase = Phase::Auth;
                self.pending.push(Waiting::new(Answer::Auth));
                return Ok(());
            }
            return Err("a first client packet that is no login");
        };
        self.attributes.clear();
        if self.connection_id > 0 {
            self.attributes.number("connection_id", self.connection_id);
        }
        if login.is_ssl_request {
            self.phase = Phase::Tls;
            sink.emit(&Message {
                kind: Kind::Session,
                start: packet.start,
                end_time_ns: packet.end_time_ns,
                length: packet.wire,
                request_type: "SSL_REQUEST",
                version: &self.version,
                attributes: Some(&self.attributes),
                ..Message::default()
            });
            return Ok(());
        }
        let both = self.server_caps.map_or(login.caps, |server| {
            // What a MySQL server says below bit 32 binds; MariaDB's own flags must be said by both.
            login.caps
                & (server | !0xffff_ffff_u64)
                & if server >> 32 == 0 { 0xffff_ffff } else { server | 0xffff_ffff }
        });
        self.agreed.caps = both;
        self.agreed.eof = if both & caps::DEPRECATE_EOF != 0 { Eof::Deprecated } else { Eof::Legacy };
        self.database = login.database.to_vec();
        self.phase = Phase::Auth;
        self.pending.push(Waiting::new(Answer::Auth));
        self.attributes.text("user", login.user);
        self.attributes.text("database", login.database);
        self.attributes.text("auth_plugin", login.plugin);
        self.attributes.text("program_name", login.program);
        self.text.clear();
        if !login.user.is_empty() || Login::read(payload, total).is_some() {
            self.text.extend_from_slice(b"user=");
            self.text.extend_from_slice(login.user);
        }
        if !login.database.is_empty() {
            self.text.extend_from_slice(b" database=");
            self.text.extend_from_slice(login.database);
        }
        sink.emit(&Message {
            kind: Kind::Request,
            start: packet.start,
            end_time_ns: packet.end_time_ns,
            length: packet.wire,
            request_type: "LOGIN",
            resource: &self.text,
            endpoint: b"LOGIN",
            version: &self.version,
            attributes: Some(&self.attributes),
            ..Message::default()
        });
        Ok(())
    }

    fn command<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), &'static str> {
        let command = packet.first();
        let (name, answer) = match name(command) {
            // The capture kept nothing of it: some command, most often a query.
            _ if packet.payload.is_empty() && packet.total > 0 => ("", Answer::Results),
            Some(known) if packet.total > 0 => known,
            _ => return Err("a command byte that MySQL does not have"),
        };
        self.end_events(sink);
        self.phase = Phase::Command;
        self.swallow_eof = false;
        self.attributes.clear();
        self.attributes.text("database", &self.database);
        self.endpoint.clear();
        let mut waiting = Waiting::new(answer);
        let body = packet.payload.get(1..).unwrap_or_default();
        let statement_id = match command {
            0x17..=0x1a | 0x1c | 0xfa => Cursor::new(body).int(4).map(|id| id as u32),
            _ => None,
        };
        let mut trace = None;
        let mut statement = None;
        self.text.clear();
        match command {
            0x03 | 0x16 => {
                let text = self.statement_text(command, body, packet, &mut trace);
                let shown = &text[..text.len().min(self.options.max_statement_bytes)];
                // The last word of a statement that the capture cut may be half of one.
                let is_cut = (packet.payload.len() as u64) < packet.total && shown.len() == text.len();
                let words = if is_cut { whole_words(shown) } else { shown };
                waiting.changes = sql::endpoint(words, &mut self.endpoint) == sql::Class::Change;
                if !self.options.endpoint {
                    self.endpoint.clear();
                }
                if self.options.obfuscate {
                    sql::obfuscate(shown, &mut self.text);
                } else {
                    self.text.extend_from_slice(shown);
                }
                if answer == Answer::Prepare {
                    waiting.prepare = Some(Box::new(Statement {
                        text: self.text.clone(),
                        endpoint: self.endpoint.clone(),
                        changes: waiting.changes,
                    }));
                }
            }
            0x17 | 0xfa => {
                let id = statement_id.unwrap_or(u32::MAX);
                // A client may run what it has just prepared before it knows the id.
                statement = match id {
                    u32::MAX => self.pending.last_prepared().or_else(|| self.statements.get(id)),
                    _ => self.statements.get(id),
                };
                waiting.changes = statement.is_some_and(|statement| statement.changes);
            }
            0x18 | 0x1a | 0x1c => statement = statement_id.and_then(|id| self.statements.get(id)),
            0x19 => {}
            0x02 | 0x05 | 0x06 => {
                self.text.extend_from_slice(&body[..body.len().min(256)]);
                if command == 0x02 {
                    waiting.database = Some(self.text.clone().into_boxed_slice());
                }
            }
            0x11 => {
                let user = Cursor::new(body).nul_bytes().unwrap_or_default();
                self.text.extend_from_slice(b"user=");
                self.text.extend_from_slice(&user[..user.len().min(256)]);
                waiting.resets = true;
            }
            0x04 => self.text.extend_from_slice(Cursor::new(body).nul_bytes().unwrap_or_default()),
            0x0c => {
                self.attributes.number("process", Cursor::new(body).int(4).unwrap_or(0));
            }
            0x12 => {
                self.text.extend_from_slice(body.get(10..).unwrap_or_default());
            }
            0x1f => waiting.resets = true,
            _ => {}
        }
        let closed = if command == 0x19 { statement_id.and_then(|id| self.statements.get(id)) } else { statement };
        let (resource, endpoint) = match closed {
            Some(statement) => (&statement.text[..], &statement.endpoint[..]),
            None => (&self.text[..], &self.endpoint[..]),
        };
        sink.emit(&Message {
            kind: if answer == Answer::None { Kind::Session } else { Kind::Request },
            request_id: statement_id.map(u64::from),
            start: packet.start,
            end_time_ns: packet.end_time_ns,
            length: packet.wire,
            request_type: name,
            resource,
            endpoint,
            trace: trace.as_ref(),
            attributes: Some(&self.attributes),
            ..Message::default()
        });
        if let (0x19, Some(id)) = (command, statement_id) {
            self.statements.remove(id);
        }
        if answer != Answer::None {
            self.pending.push(waiting);
        }
        Ok(())
    }

    /// The text of a statement without the attributes in front of it; its trace context, if it has one.
    fn statement_text<'a>(
        &self,
        command: u8,
        body: &'a [u8],
        packet: &Packet<'a>,
        trace: &mut Option<Trace>,
    ) -> &'a [u8] {
        let mut text = body;
        let may_have = command == 0x03 && (self.agreed.caps == 0 || self.agreed.caps & caps::QUERY_ATTRIBUTES != 0);
        let attributes = if may_have { query_attributes(body) } else { None };
        if let Some(found) = attributes {
            text = &body[found.text_at..];
        }
        *trace = sql::trace([text, packet.tail]);
        if let Some(found) = attributes.filter(|found| !found.traceparent.is_empty()) {
            sql::traceparent(found.traceparent, trace.get_or_insert_with(Trace::default));
        }
        text
    }
}

/// The text without its last word.
fn whole_words(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(u8::is_ascii_whitespace);
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
