//! One connection above its packets: the login, the commands, and which response answers which.

use crate::message::{At, Attributes, Kind, Message, Sink, Status, Trace};
use crate::options::Options;
use crate::pending::{Pending, Waiting};
use crate::proto::{caps, name, query_attributes, Answer, Cursor, ErrPacket, Greeting, Login};
use crate::response::{is_eof, Agreed, Eof, Response, Step};
use crate::sql;
use crate::statements::{Statement, Statements};
use crate::wire::{Codec, Packet};

/// Why a client packet is refused that neither begins a command nor continues a login.
pub const OUT_OF_TURN: &str = "a client packet that neither begins a command nor continues a login";

/// How far the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was seen.
    Start,
    /// The server greeted.
    Greeted,
    /// The client asked for TLS.
    Tls,
    /// The client logged in, the server has not agreed yet.
    Auth,
    /// Commands.
    Command,
}

/// A stream of events after COM_BINLOG_DUMP.
#[derive(Debug, Default)]
struct Events {
    count: u64,
    length: u64,
    start: At,
    end_time_ns: u64,
}

/// The state of a session above its packets.
#[derive(Debug)]
pub struct Core {
    options: Options,
    /// How far the session is.
    pub phase: Phase,
    agreed: Agreed,
    server_caps: Option<u64>,
    version: Vec<u8>,
    connection_id: u64,
    database: Vec<u8>,
    /// Commands without a response.
    pub pending: Pending,
    response: Response,
    statements: Statements,
    /// The client's next packets are a file.
    sends_file: bool,
    /// An EOF packet may follow the response that was just completed.
    swallow_eof: bool,
    events: Option<Events>,
    /// Compression begins behind this packet.
    pub compression: Option<Codec>,
    attributes: Attributes,
    endpoint: Vec<u8>,
    text: Vec<u8>,
}

impl Core {
    /// A new session.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            phase: Phase::Start,
            agreed: Agreed::default(),
            server_caps: None,
            version: Vec::new(),
            connection_id: 0,
            database: Vec::new(),
            pending: Pending::default(),
            response: Response::default(),
            statements: Statements::default(),
            sends_file: false,
            swallow_eof: false,
            events: None,
            compression: None,
            attributes: Attributes::default(),
            endpoint: Vec::new(),
            text: Vec::new(),
        }
    }

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
        let Some(login) = Login::read(packet.payload, packet.total) else {
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
        self.text.extend_from_slice(b"user=");
        self.text.extend_from_slice(login.user);
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
                waiting.changes = sql::endpoint(shown, &mut self.endpoint) == sql::Class::Change;
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

    /// Takes a packet of the server; `Err` says why it fits nothing.
    pub fn server_packet<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), &'static str> {
        if self.phase == Phase::Start && packet.first_seq == 0 {
            if let Some(greeting) = Greeting::read(packet.payload) {
                self.phase = Phase::Greeted;
                // MariaDB puts an old number in front of its own, for the replicas of MySQL 5.
                let version = match greeting.version.strip_prefix(b"5.5.5-") {
                    Some(own) if own.windows(7).any(|part| part == b"MariaDB") => own,
                    _ => greeting.version,
                };
                self.version = version[..version.len().min(128)].to_vec();
                self.connection_id = greeting.connection_id;
                self.server_caps = (greeting.caps != 0).then_some(greeting.caps);
                return Ok(());
            }
        }
        if self.events.is_some() {
            self.event(packet, sink);
            return Ok(());
        }
        if self.pending.front().is_none() {
            return self.unasked(packet, sink);
        }
        let Some(front) = self.pending.front() else { return Ok(()) };
        let answer = front.answer;
        let is_guess = front.is_guess;
        match self.response.take(answer, packet, &mut self.agreed) {
            Step::More => {
                self.sends_file |= std::mem::take(&mut self.response.wants_file);
                Ok(())
            }
            Step::Done => {
                self.complete(packet, sink);
                Ok(())
            }
            Step::Wrong(_) if is_guess => {
                self.pending.pop();
                self.response.reset();
                Err("a response to a command that was not seen")
            }
            Step::Wrong(reason) => Err(reason),
        }
    }

    /// A server packet that nothing asked for.
    fn unasked<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), &'static str> {
        if std::mem::take(&mut self.swallow_eof) && is_eof(packet) && packet.total == 5 {
            self.agreed.eof = Eof::Legacy;
            return Ok(());
        }
        // A server that is busy, or shuts down, says so without being asked.
        if let Some(err) = ErrPacket::read(packet.payload).filter(|err| (1000..ErrPacket::PROGRESS).contains(&err.code))
        {
            self.attributes.clear();
            self.attributes.text("sqlstate", err.sqlstate);
            sink.emit(&Message {
                kind: Kind::Response,
                status: error_status(err.code),
                code: Some(i32::from(err.code)),
                start: packet.start,
                end_time_ns: packet.end_time_ns,
                length: packet.wire,
                exception: err.message,
                attributes: Some(&self.attributes),
                ..Message::default()
            });
            return Ok(());
        }
        Err("a server packet that answers no command")
    }

    fn complete<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) {
        let Some(waiting) = self.pending.pop() else { return };
        let response = &self.response;
        let failed = response.code != 0;
        let is_login = waiting.answer == Answer::Auth;
        self.attributes.clear();
        self.attributes.text("sqlstate", &response.sqlstate);
        if response.result_sets > 0 || response.rows > 0 {
            self.attributes.number("rows", response.rows);
        }
        for (key, value) in [
            ("columns", response.columns),
            ("parameters", response.parameters),
            ("result_sets", if response.result_sets > 1 { response.result_sets } else { 0 }),
            ("warnings", response.warnings),
            ("last_insert_id", response.last_insert_id),
            ("file_bytes", response.file_bytes),
            ("progress_reports", response.progress),
        ] {
            if value > 0 {
                self.attributes.number(key, value);
            }
        }
        self.attributes.text("file", &response.file);
        self.attributes.text("auth_plugin", &response.auth_plugin);
        let counts = response.has_ok && (waiting.changes || response.affected_rows > 0);
        sink.emit(&Message {
            kind: Kind::Response,
            status: if failed { error_status(response.code) } else { Status::Ok },
            code: failed.then_some(i32::from(response.code)),
            request_id: response.statement_id.map(u64::from),
            affected_rows: (counts && !failed).then_some(response.affected_rows),
            start: response.start,
            end_time_ns: packet.end_time_ns,
            length: response.length,
            version: if is_login { &self.version } else { b"" },
            exception: if failed { &response.text } else { b"" },
            result: if failed { b"" } else { &response.text },
            attributes: Some(&self.attributes),
            ..Message::default()
        });
        if !failed {
            self.succeeded(waiting);
        }
        self.response.reset();
    }

    /// What a success changes in the session.
    fn succeeded(&mut self, waiting: Waiting) {
        if let Some(database) = waiting.database {
            self.database = database.into_vec();
        }
        if !self.response.schema.is_empty() {
            self.database = std::mem::take(&mut self.response.schema);
        }
        if waiting.resets {
            self.statements.clear();
        }
        match waiting.answer {
            Answer::Auth => {
                self.logged_in();
            }
            Answer::Prepare => {
                self.swallow_eof = self.agreed.eof == Eof::Unknown;
                if let (Some(id), Some(statement)) = (self.response.statement_id, waiting.prepare) {
                    self.statements.insert(id, *statement, self.options.max_prepared);
                }
            }
            Answer::Events => {
                self.events = Some(Events { start: self.response.start, ..Events::default() });
            }
            _ => {}
        }
    }

    fn event<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) {
        if let Some(events) = &mut self.events {
            if events.count == 0 {
                events.start = packet.start;
            }
            events.count += 1;
            events.length += packet.wire;
            events.end_time_ns = packet.end_time_ns;
        }
        if packet.first() == 0xff || (is_eof(packet) && packet.total <= 8) {
            self.end_events(sink);
            // An error that ends the stream is told like any other that nothing asked for.
            let _ = self.unasked(packet, sink);
        }
    }

    /// Tells of a stream of events that ended.
    pub fn end_events<S: Sink>(&mut self, sink: &mut S) {
        let Some(events) = self.events.take().filter(|events| events.count > 0) else { return };
        self.attributes.clear();
        self.attributes.number("events", events.count);
        sink.emit(&Message {
            kind: Kind::Session,
            start: events.start,
            end_time_ns: events.end_time_ns,
            length: events.length,
            request_type: "BINLOG_EVENTS",
            attributes: Some(&self.attributes),
            ..Message::default()
        });
    }

    /// Answers every open command with "not seen", so that later responses meet their own commands.
    pub fn flush<S: Sink>(&mut self, at: At, sink: &mut S) {
        self.response.reset();
        self.sends_file = false;
        while self.pending.pop().is_some() {
            sink.emit(&Message {
                kind: Kind::Response,
                status: Status::Unknown,
                start: at,
                end_time_ns: at.time_ns,
                exception: b"the response was lost in a gap of the capture",
                ..Message::default()
            });
        }
        // Whether the login worked was not seen; that a command follows says that it did.
        self.logged_in();
    }

    fn logged_in(&mut self) {
        if self.phase == Phase::Auth {
            self.compression = match self.agreed.caps {
                agreed if agreed & caps::COMPRESS != 0 => Some(Codec::Zlib),
                agreed if agreed & caps::ZSTD != 0 => Some(Codec::Zstd),
                _ => None,
            };
            self.phase = Phase::Command;
        }
    }

    /// Commands were lost: the next response answers one of them.
    pub fn guess(&mut self) {
        if self.pending.front().is_none() && self.phase != Phase::Greeted && self.events.is_none() {
            self.pending.push(Waiting { is_guess: true, ..Waiting::new(Answer::Results) });
        }
    }
}

fn error_status(code: u16) -> Status {
    // The reference: 2000 to 2999 are errors of the client library.
    if (2000..3000).contains(&code) {
        Status::ClientError
    } else {
        Status::ServerError
    }
}
