//! The server's bytes: replies, pushes, confirmations, replication.

use super::{Session, Subscriptions};
use crate::message::{At, Kind, Message, Side, Sink, Status};
use crate::options::Obfuscate;
use crate::pending::Expect;
use crate::push::Push;
use crate::replication::{Event, Replication};
use crate::reply::Progress;
use crate::request::Topic;

impl Session {
    pub(super) fn server_bytes<S: Sink>(&mut self, at: At, data: &[u8], sink: &mut S) {
        let mut from = 0;
        while from < data.len() && !self.withdrawn {
            let here = At { offset: at.offset + from as u64, ..at };
            if self.server.lost.is_some() {
                if !self.server_resumes {
                    self.server.skip(data.len() - from);
                    return;
                }
                self.found(Side::Server, at.time_ns, sink);
                self.server_resumes = false;
            }
            if self.replication.is_some() {
                match self.replicate(here, &data[from..], sink) {
                    Some(used) => from += used,
                    None => return,
                }
                continue;
            }
            if self.replies.is_idle() {
                self.server.start = here;
                if self.pending.front() == Some(&mut Expect::Sync) && self.sync_starts(here, data[from], sink) {
                    from += usize::from(data[from] == b'\n');
                    continue;
                }
            }
            match self.replies.feed(&data[from..]) {
                Progress::More => return,
                Progress::Value(used) => {
                    from += used;
                    self.server.is_trusted = true;
                    self.value(At { offset: at.offset + from as u64, ..at }, sink);
                }
                Progress::Bad(reason) => {
                    self.wrong(Side::Server, here, reason, sink);
                    self.server.skip(1);
                    from += 1;
                }
            }
        }
    }

    /// Before the answer to `SYNC`: line feeds keep the connection alive, and `SYNC` is answered by the image itself.
    fn sync_starts<S: Sink>(&mut self, at: At, byte: u8, sink: &mut S) -> bool {
        if byte == b'$' {
            self.pending.pop();
            self.replication = Some(Box::new(Replication::new(self.options, true)));
            sink.emit(&Message {
                kind: Kind::Response,
                start: at,
                end_time_ns: at.time_ns,
                result: b"database image",
                ..Message::default()
            });
        }
        byte == b'$' || byte == b'\n'
    }

    fn replicate<S: Sink>(&mut self, at: At, data: &[u8], sink: &mut S) -> Option<usize> {
        let replication = self.replication.as_mut()?;
        if replication.is_idle() {
            self.server.start = at;
        }
        let (used, request_type, resource) = match replication.feed(data) {
            Event::More => return None,
            Event::Nothing(used) => return Some(used),
            Event::Image(used) => (used, "RDB", &b"database image"[..]),
            Event::Command(used) => (used, replication.reader.command.name(), &replication.reader.command.text[..]),
            Event::Bad(reason) => {
                self.wrong(Side::Server, at, reason, sink);
                return None;
            }
        };
        sink.emit(&Message {
            kind: Kind::Session,
            start: self.server.start,
            end_time_ns: at.time_ns,
            length: at.offset + used as u64 - self.server.start.offset,
            request_type,
            resource,
            attributes: &[("replication", "true")],
            ..Message::default()
        });
        Some(used)
    }

    /// A whole value came from the server.
    fn value<S: Sink>(&mut self, end: At, sink: &mut S) {
        let length = end.offset - self.server.start.offset;
        let reply = &self.replies.reply;
        let push = Push::of(reply, self.subscriptions.any() || self.pending.is_empty(), self.monitor);
        if let Push::Confirm { topic, added } = push {
            let count = self.subscriptions.of(topic);
            *count = if added { count.saturating_add(1) } else { count.saturating_sub(1) };
            if !added && reply.last_integer == 0 && topic != Topic::Shard {
                *self.subscriptions.of(topic) = 0;
            }
            if let Some(Expect::Confirm { topic: waited, left }) = self.pending.front() {
                if *waited == topic {
                    let done = match left {
                        Some(left) => {
                            *left = left.saturating_sub(1);
                            *left == 0
                        }
                        None => *self.subscriptions.of(topic) == 0,
                    };
                    self.confirmed(done, length, end, sink);
                    return;
                }
            }
        }
        if let Some(request_type) = push.name() {
            sink.emit(&Message {
                kind: Kind::Session,
                start: self.server.start,
                end_time_ns: end.time_ns,
                length,
                request_type,
                resource: if self.options.obfuscate == Obfuscate::Values { b"" } else { &reply.text },
                ..Message::default()
            });
            return;
        }
        self.answer(length, end, sink);
    }

    /// One confirmation of a subscription; the last one completes the response.
    fn confirmed<S: Sink>(&mut self, done: bool, length: u64, end: At, sink: &mut S) {
        let confirmed = &mut self.pending.confirmed;
        if confirmed.count == 0 {
            confirmed.start = self.server.start;
            confirmed.text.clone_from(&self.replies.reply.text);
        }
        confirmed.count += 1;
        confirmed.length += length;
        if !done {
            return;
        }
        let count = confirmed.count.to_string();
        let attributes = [("confirmations", count.as_str())];
        sink.emit(&Message {
            kind: Kind::Response,
            start: confirmed.start,
            end_time_ns: end.time_ns,
            length: confirmed.length,
            result: &confirmed.text,
            attributes: if confirmed.count > 1 { &attributes } else { &[] },
            ..Message::default()
        });
        self.pending.pop();
    }

    fn answer<S: Sink>(&mut self, length: u64, end: At, sink: &mut S) {
        let expect = self.pending.pop();
        let reply = &self.replies.reply;
        let is_error = reply.is_error();
        let hidden = expect == Some(Expect::Reply { hide: true })
            || (self.options.obfuscate == Obfuscate::Values && !matches!(reply.kind, b'+' | b':' | b'#' | b'_'));
        let mut attributes = [("", ""); 2];
        let mut used = 0;
        let error = std::str::from_utf8(&reply.error).unwrap_or("");
        if is_error && (error.starts_with("MOVED ") || error.starts_with("ASK ")) {
            attributes[used] = ("redirect", error);
            used += 1;
        }
        if reply.nested_error {
            attributes[used] = ("nested_error", error);
            used += 1;
        }
        sink.emit(&Message {
            kind: Kind::Response,
            status: if is_error { Status::ServerError } else { Status::Ok },
            start: self.server.start,
            end_time_ns: end.time_ns,
            length,
            exception: if is_error { &reply.error } else { b"" },
            result: if is_error {
                b""
            } else if hidden {
                b"?"
            } else {
                &reply.text
            },
            attributes: &attributes[..used],
            ..Message::default()
        });
        match expect {
            Some(Expect::Monitor) if !is_error => self.monitor = true,
            Some(Expect::Reset) if !is_error => {
                self.monitor = false;
                self.subscriptions = Subscriptions::default();
            }
            Some(Expect::Sync) if !is_error => {
                let with_image = !reply.text.starts_with(b"CONTINUE");
                self.replication = Some(Box::new(Replication::new(self.options, with_image)));
            }
            _ => {}
        }
    }
}
