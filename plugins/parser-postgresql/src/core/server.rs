//! The server's messages.

use super::{begin, Core, Stream, NOT_RUN};
use crate::answer::{Answer, Said};
use crate::error::{blame, Fields};
use crate::frame::Message;
use crate::waiting::Waiting;
use metaflow_parser_sdk::{Cursor, RecordType, Records, Text};

/// Bytes of a notification's payload that are kept.
const MAX_PAYLOAD: usize = 256;

impl Core {
    /// The byte that answers a request of encryption.
    pub fn choice(&mut self, message: &Message<'_>, out: &mut Records) {
        self.queue.pop();
        self.answer = Answer::default();
        self.answer.touch(message);
        self.is_encrypted = message.kind != b'N';
        self.answer.choice = if self.is_encrypted { "accepted" } else { "refused" };
        self.answer.tell(message.end_ns, &self.options, out);
    }

    /// A message of the server.
    pub fn server(&mut self, message: &Message<'_>, out: &mut Records) {
        let mut body = Cursor::new(message.body);
        match message.kind {
            b'Z' => self.ready(message, body.u8().unwrap_or(0), out),
            b'A' => notification(message, &mut body, out),
            b'N' => self.notice(message, out),
            b'E' => self.error(message, out),
            b'S' | b'R' | b'K' | b'v' => self.login(message, &mut body),
            b'1' => {
                if self.reach(|waiting| matches!(waiting, Waiting::Parse(_)), message, out) {
                    self.queue.pop();
                    let open = std::mem::take(&mut self.answer);
                    self.tell(message, out);
                    self.answer = open;
                }
            }
            b'2' => {
                if self.reach(|waiting| *waiting == Waiting::Bind, message, out) {
                    self.queue.pop();
                }
                self.answer.touch(message);
            }
            b'3' => {
                if self.reach(|waiting| *waiting == Waiting::Close, message, out) {
                    self.queue.pop();
                    self.tell(message, out);
                }
            }
            b't' => {
                self.answer.touch(message);
                self.answer.parameters = body.u16().unwrap_or(0).into();
            }
            b'T' | b'n' => self.described(message, &mut body, out),
            b'D' => {
                self.answer.touch(message);
                self.answer.rows += 1;
            }
            b'C' | b'I' | b's' => self.complete(message, body.until_nul_or_end(), out),
            b'G' | b'H' | b'W' => self.copy(message, out),
            b'd' => self.copied(message),
            b'c' => {
                self.answer.touch(message);
                self.end_stream(out);
            }
            _ => self.answer.touch(message),
        }
    }

    /// Goes to the first message of this kind in the cycle at hand; what stands before it was not answered.
    fn reach(&mut self, wanted: impl Fn(&Waiting) -> bool, message: &Message<'_>, out: &mut Records) -> bool {
        let Some(before) = self.queue.before(wanted) else { return false };
        for _ in 0..before {
            self.give_up(super::LOST, (message.offset, message.time_ns), out);
        }
        true
    }

    /// Tells the answer, which this message completes.
    fn tell(&mut self, message: &Message<'_>, out: &mut Records) {
        self.answer.touch(message);
        self.answer.tell(message.end_ns, &self.options, out);
    }

    fn login(&mut self, message: &Message<'_>, body: &mut Cursor<'_>) {
        let in_login = self.queue.front() == Some(&Waiting::Startup);
        if !in_login && !self.answer.is_open {
            return;
        }
        self.answer.touch(message);
        match message.kind {
            b'S' if in_login => {
                let (name, value) = (body.until_nul_or_end(), body.until_nul_or_end());
                if name == b"server_version" {
                    self.answer.version = value[..value.len().min(64)].to_vec();
                }
            }
            b'R' => {
                let method = match body.u32() {
                    Some(2) => "kerberos",
                    Some(3) => "password",
                    Some(5) => "md5",
                    Some(7) => "gss",
                    Some(9) => "sspi",
                    Some(10) => "scram-sha-256",
                    Some(0) if self.answer.auth.is_empty() => "trust",
                    _ => self.answer.auth,
                };
                self.answer.auth = method;
            }
            b'K' => self.answer.process = body.u32().unwrap_or(0),
            _ => {}
        }
    }

    /// The row description, or that there is none.
    fn described(&mut self, message: &Message<'_>, body: &mut Cursor<'_>, out: &mut Records) {
        let columns = if message.kind == b'T' { body.u16().unwrap_or(0).into() } else { 0 };
        if matches!(self.queue.front(), Some(Waiting::Query)) || self.queue.front().is_none() {
            self.answer.touch(message);
            if self.answer.columns == 0 {
                self.answer.columns = columns;
            }
            return;
        }
        let found = self.reach(|waiting| matches!(waiting, Waiting::Describe { .. }), message, out);
        self.answer.columns = columns;
        match self.queue.front() {
            Some(Waiting::Describe { is_told: true }) if found => {
                self.queue.pop();
                self.tell(message, out);
            }
            Some(Waiting::Describe { .. }) if found => {
                self.queue.pop();
                self.answer.touch(message);
            }
            _ => self.answer.touch(message),
        }
    }

    /// CommandComplete, EmptyQueryResponse or PortalSuspended.
    fn complete(&mut self, message: &Message<'_>, tag: &[u8], out: &mut Records) {
        self.end_stream(out);
        self.answer.touch(message);
        match message.kind {
            b'C' => self.answer.complete(tag),
            b's' => self.answer.is_suspended = true,
            _ => self.answer.results += 1,
        }
        let is_simple = matches!(self.queue.front(), None | Some(Waiting::Query | Waiting::Stream));
        if !is_simple && self.reach(|waiting| *waiting == Waiting::Execute, message, out) {
            self.queue.pop();
            self.answer.tell(message.end_ns, &self.options, out);
        }
    }

    fn copy(&mut self, message: &Message<'_>, out: &mut Records) {
        self.answer.copy = match message.kind {
            b'G' => "in",
            b'H' => "out",
            _ => "both",
        };
        if message.kind != b'W' {
            self.answer.touch(message);
            return;
        }
        // The stream may go on for days: the request that began it is answered now.
        if self.queue.front() == Some(&Waiting::Query) {
            self.queue.replace_front(Waiting::Stream);
            self.tell(message, out);
        }
        self.stream = Some(Stream { offset: message.offset + message.total, ..Stream::default() });
    }

    fn copied(&mut self, message: &Message<'_>) {
        let bytes = message.total.saturating_sub(5);
        let Some(stream) = &mut self.stream else {
            self.answer.touch(message);
            self.answer.copied_messages += 1;
            self.answer.copied_bytes += bytes;
            return;
        };
        if stream.messages == 0 {
            (stream.offset, stream.time_ns) = (message.offset, message.time_ns);
        }
        stream.messages += 1;
        stream.bytes += bytes;
        stream.end_ns = message.time_ns;
    }

    fn notice(&mut self, message: &Message<'_>, out: &mut Records) {
        let fields = Fields::read(message.body);
        if self.queue.front().is_some() || self.answer.is_open {
            self.answer.touch(message);
            self.answer.notice(&fields);
            return;
        }
        begin(out, RecordType::Session, "notice", message).status(blame(fields.sqlstate));
        let mut said = Said::default();
        said.take(&fields);
        said.write(&self.options, out);
        out.end();
    }

    fn error(&mut self, message: &Message<'_>, out: &mut Records) {
        let fields = Fields::read(message.body);
        self.end_stream(out);
        self.answer.touch(message);
        self.answer.error.get_or_insert_with(Box::default).take(&fields);
        match self.queue.front() {
            // ReadyForQuery follows, unless the session ends with the error.
            Some(Waiting::Query) if !fields.is_fatal() => return,
            Some(Waiting::Parse(name)) => self.statements.remove(name),
            Some(Waiting::Stream | Waiting::Sync { is_told: false }) | None => {}
            // The error belongs to the execution that the message was sent for.
            Some(Waiting::Bind | Waiting::Describe { is_told: false }) => {
                let before = self.queue.before(|waiting| *waiting == Waiting::Execute);
                if let Some(before) = before {
                    for _ in 0..before {
                        self.give_up(NOT_RUN, (message.offset, message.time_ns), out);
                    }
                } else {
                    self.lone_error(message, out);
                    return;
                }
            }
            Some(_) => {}
        }
        self.is_failed = true;
        if !matches!(self.queue.front(), Some(Waiting::Stream | Waiting::Sync { is_told: false })) {
            self.queue.pop();
        }
        self.answer.tell(message.end_ns, &self.options, out);
    }

    /// An error of a message that was not told and that no execution follows.
    fn lone_error(&mut self, message: &Message<'_>, out: &mut Records) {
        self.is_failed = true;
        let name = if self.queue.pop() == Some(Waiting::Bind) { "bind" } else { "describe" };
        begin(out, RecordType::Session, name, message);
        if let Some(error) = std::mem::take(&mut self.answer).error {
            out.status(blame(&error.sqlstate));
            error.write(&self.options, out);
        }
        out.end();
    }

    /// ReadyForQuery: the end of a cycle.
    fn ready(&mut self, message: &Message<'_>, transaction: u8, out: &mut Records) {
        self.end_stream(out);
        self.answer.transaction = transaction;
        let reason = if self.is_failed { NOT_RUN } else { super::LOST };
        self.is_failed = false;
        match self.queue.front() {
            Some(Waiting::Startup | Waiting::Query) => {
                self.queue.pop();
                self.tell(message, out);
                return;
            }
            Some(Waiting::Encryption) => return,
            None if self.answer.is_open => return self.tell(message, out),
            None => {}
            Some(_) => {
                let before = self.queue.before(Waiting::ends_cycle).unwrap_or(self.queue.len());
                for _ in 0..before {
                    self.give_up(reason, (message.offset, message.time_ns), out);
                }
                match self.queue.pop() {
                    Some(Waiting::Sync { is_told: true }) => return self.tell(message, out),
                    Some(Waiting::Query | Waiting::Startup) => return self.tell(message, out),
                    _ => {}
                }
            }
        }
        self.answer = Answer::default();
    }
}

fn notification(message: &Message<'_>, body: &mut Cursor<'_>, out: &mut Records) {
    let process = body.u32().unwrap_or(0);
    let (channel, payload) = (body.until_nul_or_end(), body.until_nul_or_end());
    begin(out, RecordType::Session, "notification", message).text(Text::Endpoint, "notification");
    out.text_bytes(Text::RequestResource, channel);
    out.text_bytes(Text::Result, &payload[..payload.len().min(MAX_PAYLOAD)]);
    out.attribute("process_id", &process.to_string()).end();
}
