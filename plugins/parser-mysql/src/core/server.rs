//! The server's packets: greeting, responses, events, errors that nothing asked for.

use super::{error_status, Core, Events, Phase};
use crate::message::{Kind, Message, Sink, Status};
use crate::pending::Waiting;
use crate::proto::{Answer, ErrPacket, Greeting};
use crate::response::{is_eof, Eof, Step};
use crate::wire::Packet;

impl Core {
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
        if self.pending.front().is_none() && self.is_alone {
            match packet.first_seq {
                1 if self.phase != Phase::Greeted => self.guess(),
                // Behind the greeting and the login of a client that is not seen.
                2.. if self.phase == Phase::Greeted => {
                    self.phase = Phase::Auth;
                    self.pending.push(Waiting { is_guess: true, ..Waiting::new(Answer::Auth) });
                }
                _ => {}
            }
        }
        if self.pending.front().is_none() {
            return self.unasked(packet, sink);
        }
        let Some(front) = self.pending.front_mut() else { return Ok(()) };
        if front.is_guess && !self.response.is_open && is_prepared(packet) {
            front.answer = Answer::Prepare;
        }
        let answer = front.answer;
        let is_guess = front.is_guess;
        match self.response.take(answer, packet, &mut self.agreed) {
            Step::More => {
                self.sends_file |= std::mem::take(&mut self.response.wants_file);
                Ok(())
            }
            Step::Done => {
                self.complete(sink);
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

    fn complete<S: Sink>(&mut self, sink: &mut S) {
        let Some(waiting) = self.pending.pop() else { return };
        self.tell(&waiting, "", sink);
        if self.response.code == 0 {
            self.succeeded(waiting);
        }
        self.response.reset();
    }

    /// Tells of a response whose rest will not be seen, what is known of it. What it would have changed in the session is not taken over.
    pub(super) fn cut_short<S: Sink>(&mut self, reason: &str, sink: &mut S) {
        if !self.response.is_open {
            return;
        }
        if let Some(waiting) = self.pending.pop() {
            self.tell(&waiting, reason, sink);
        }
        self.response.reset();
    }

    /// Tells the response to `waiting`; `missing`: why its rest is not known.
    fn tell<S: Sink>(&mut self, waiting: &Waiting, missing: &str, sink: &mut S) {
        let response = &self.response;
        let failed = response.code != 0;
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
            status: match missing {
                _ if failed => error_status(response.code),
                "" => Status::Ok,
                _ => Status::Unknown,
            },
            code: failed.then_some(i32::from(response.code)),
            request_id: response.statement_id.map(u64::from),
            affected_rows: (counts && !failed).then_some(response.affected_rows),
            start: response.start,
            end_time_ns: response.end_time_ns,
            length: response.length,
            version: if waiting.answer == Answer::Auth { &self.version } else { b"" },
            exception: if failed { &response.text } else { missing.as_bytes() },
            result: if failed { b"" } else { &response.text },
            attributes: Some(&self.attributes),
            ..Message::default()
        });
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
}

/// Whether it answers a COM_STMT_PREPARE that was not seen: 12 bytes with a filler in their midst. As an OK packet it would be one
/// with no status at all and with a text of control characters.
fn is_prepared(packet: &Packet<'_>) -> bool {
    match *packet.payload {
        [0, a, b, 0, 0, _, _, _, _, 0, _, _] => packet.total == 12 && (a, b) != (0, 0),
        _ => false,
    }
}
