//! One connection: both directions, what waits for a reply, and the modes that change what a reply means.

mod server;

use crate::message::{At, Kind, Message, Side, Sink, Status};
use crate::options::Options;
use crate::pending::{Expect, Pending};
use crate::replication::Replication;
use crate::reply::ReplyReader;
use crate::request::{Act, Progress, ReplyMode, RequestReader, Scan, Topic};
use metaflow_parser_sdk::unbuffered::Lane;

/// The state of one session.
#[derive(Debug)]
pub struct Session {
    options: Options,
    client: Lane,
    server: Lane,
    requests: RequestReader,
    replies: ReplyReader,
    scan: Scan,
    pending: Pending,
    subscriptions: Subscriptions,
    monitor: bool,
    reply_mode: ReplyMode,
    replication: Option<Box<Replication>>,
    /// The server's next byte begins a message: a command came after its place was lost.
    server_resumes: bool,
    withdrawn: bool,
}

/// How many channels, patterns and shard channels are subscribed to.
#[derive(Debug, Default)]
struct Subscriptions {
    count: [u32; 3],
}

impl Subscriptions {
    fn of(&mut self, topic: Topic) -> &mut u32 {
        &mut self.count[topic as usize]
    }

    fn any(&self) -> bool {
        self.count.iter().any(|count| *count > 0)
    }
}

impl Session {
    /// A new session; `mid_stream`: its beginning was not seen.
    pub fn new(options: Options, mid_stream: bool) -> Self {
        let lane = || Lane { is_trusted: !mid_stream, ..Lane::default() };
        Self {
            options,
            client: lane(),
            server: lane(),
            requests: RequestReader::new(options),
            replies: ReplyReader::new(options.max_result_bytes),
            scan: Scan::default(),
            pending: Pending::default(),
            subscriptions: Subscriptions::default(),
            monitor: false,
            reply_mode: ReplyMode::On,
            replication: None,
            server_resumes: false,
            withdrawn: false,
        }
    }

    /// Takes the next bytes of one direction.
    pub fn data<S: Sink>(&mut self, side: Side, at: At, data: &[u8], sink: &mut S) {
        let lane = if side == Side::Client { &mut self.client } else { &mut self.server };
        if lane.next.is_none() && !lane.is_trusted && side == Side::Client {
            lane.lose(at, "bytes before the first command that was seen");
        }
        let (missing, known) = lane.advance(at, data.len());
        if missing > 0 {
            self.lose(side, At { offset: at.offset - missing, ..at }, missing, sink);
        }
        let at = At { offset: at.offset + known as u64, ..at };
        match side {
            Side::Client => self.client_bytes(at, &data[known..], sink),
            Side::Server => self.server_bytes(at, &data[known..], sink),
        }
    }

    /// Takes the news that `missing` bytes of one direction will never come.
    pub fn gap<S: Sink>(&mut self, side: Side, at: At, missing: u64, sink: &mut S) {
        let lane = if side == Side::Client { &mut self.client } else { &mut self.server };
        let next = *lane.next.get_or_insert(at.offset);
        let end = at.offset.saturating_add(missing);
        if end > next {
            lane.next = Some(end);
            self.lose(side, At { offset: next, ..at }, end - next, sink);
        }
    }

    /// Ends the session; what was given up so far is told.
    pub fn close<S: Sink>(&mut self, time_ns: u64, sink: &mut S) {
        self.found(Side::Client, time_ns, sink);
        self.found(Side::Server, time_ns, sink);
    }

    fn lose<S: Sink>(&mut self, side: Side, at: At, missing: u64, sink: &mut S) {
        const REASON: &str = "bytes after a gap, before the next message could be told";
        let kept = match side {
            Side::Client => self.requests.gap(missing),
            Side::Server => match &mut self.replication {
                Some(replication) => replication.gap(missing).then_some(0),
                None => self.replies.gap(missing),
            },
        };
        if let Some(ending) = kept {
            // The hole ends with a string, as the call does whose beginning was seen.
            let ending = &b"\r\n"[..ending.min(2)];
            let at = At { offset: at.offset + missing - ending.len() as u64, ..at };
            match side {
                Side::Client => self.client_bytes(at, ending, sink),
                Side::Server => self.server_bytes(at, ending, sink),
            }
            return;
        }
        let lane = if side == Side::Client { &mut self.client } else { &mut self.server };
        lane.lose(At { offset: at.offset + missing, ..at }, REASON);
        match side {
            Side::Client => {
                self.requests.reset();
                self.scan.reset();
            }
            Side::Server => {
                self.replies.reset();
                self.server_resumes = false;
            }
        }
    }

    /// Ends a run of bytes that were given up.
    fn found<S: Sink>(&mut self, side: Side, time_ns: u64, sink: &mut S) {
        let lane = if side == Side::Client { &mut self.client } else { &mut self.server };
        if let Some(lost) = lane.lost.take() {
            if lost.bytes > 0 {
                sink.emit(&Message {
                    kind: Kind::Skipped,
                    start: lost.from,
                    end_time_ns: time_ns,
                    length: lost.bytes,
                    exception: lost.reason.as_bytes(),
                    ..Message::default()
                });
            }
        }
    }

    fn client_bytes<S: Sink>(&mut self, at: At, data: &[u8], sink: &mut S) {
        let mut from = 0;
        while from < data.len() && !self.withdrawn {
            let here = At { offset: at.offset + from as u64, ..at };
            if self.client.lost.is_some() {
                self.client_scan(here, &data[from..], sink);
                return;
            }
            if self.requests.is_idle() {
                self.client.start = here;
            }
            match self.requests.feed(&data[from..]) {
                Progress::More => return,
                Progress::Nothing(used) => from += used,
                Progress::Command(used) => {
                    from += used;
                    let end = At { offset: at.offset + from as u64, ..at };
                    self.command(end, sink);
                }
                Progress::Bad(reason) => {
                    self.wrong(Side::Client, here, reason, sink);
                    // The byte that was looked at is no beginning; the search goes on behind it.
                    self.client.skip(1);
                    from += 1;
                }
            }
        }
    }

    /// Looks for a command after the place was lost, then reads on from there.
    fn client_scan<S: Sink>(&mut self, at: At, data: &[u8], sink: &mut S) {
        let held = self.scan.held();
        let mut joined = Vec::new();
        let Some(found) = self.scan.feed(data, &mut joined) else {
            self.client.skip(data.len());
            return;
        };
        // Held bytes were counted as given up when they came.
        if let Some(lost) = &mut self.client.lost {
            lost.bytes = (lost.bytes + found as u64).saturating_sub(held as u64);
        }
        self.found(Side::Client, at.time_ns, sink);
        let start = At { offset: (at.offset + found as u64).saturating_sub(held as u64), ..at };
        self.client_bytes(start, &joined[found..], sink);
    }

    /// A byte that fits nothing: the end of the session where the place is sure, a reason to search where it is not.
    fn wrong<S: Sink>(&mut self, side: Side, at: At, reason: &'static str, sink: &mut S) {
        let lane = if side == Side::Client { &mut self.client } else { &mut self.server };
        if lane.is_trusted {
            let who = if side == Side::Client { "client" } else { "server" };
            let text = format!("{reason} (message at byte {} of the {who}'s stream)", lane.start.offset);
            sink.emit(&Message {
                kind: Kind::Violation,
                start: lane.start,
                end_time_ns: at.time_ns,
                exception: text.as_bytes(),
                ..Message::default()
            });
            self.withdrawn = true;
            return;
        }
        lane.lose(at, "bytes that are no message, before the next message could be told");
        match side {
            Side::Client => self.requests.reset(),
            Side::Server => {
                self.replies.reset();
                self.server_resumes = false;
            }
        }
    }

    fn command<S: Sink>(&mut self, end: At, sink: &mut S) {
        let start = self.client.start;
        self.client.is_trusted = true;
        if self.server.lost.is_some() && !self.server_resumes {
            self.flush(end, sink);
            self.server_resumes = true;
        }
        let command = &self.requests.command;
        let expect = expectation(&mut self.subscriptions, &self.requests);
        let was_silent = self.reply_mode != ReplyMode::On;
        match command.reply_mode {
            Some(mode) => self.reply_mode = mode,
            None if self.reply_mode == ReplyMode::Skip => self.reply_mode = ReplyMode::On,
            None => {}
        }
        let turns_on = command.reply_mode == Some(ReplyMode::On);
        let silent = command.is_ack
            || (was_silent && !turns_on)
            || matches!(command.reply_mode, Some(ReplyMode::Off | ReplyMode::Skip));
        let mut attributes = [("", ""); 2];
        let mut used = 0;
        if command.blocks {
            attributes[used] = ("blocking", "true");
            used += 1;
        }
        if self.requests.is_inline {
            attributes[used] = ("inline", "true");
            used += 1;
        }
        sink.emit(&Message {
            kind: if silent { Kind::Session } else { Kind::Request },
            start,
            end_time_ns: end.time_ns,
            length: end.offset - start.offset,
            request_type: command.name(),
            resource: &command.text,
            attributes: &attributes[..used],
            ..Message::default()
        });
        if !silent {
            self.pending.push(expect);
        }
    }

    /// Answers every open request with "not seen", so that later replies meet their own requests.
    fn flush<S: Sink>(&mut self, at: At, sink: &mut S) {
        while self.pending.pop().is_some() {
            sink.emit(&Message {
                kind: Kind::Response,
                status: Status::Unknown,
                start: At { offset: self.server.next.unwrap_or(0), ..at },
                end_time_ns: at.time_ns,
                exception: b"the reply was lost in a gap of the capture",
                ..Message::default()
            });
        }
    }
}

/// What will answer the command that was just read.
fn expectation(subscriptions: &mut Subscriptions, requests: &RequestReader) -> Expect {
    let command = &requests.command;
    match command.act() {
        Act::Subscribe(topic) => Expect::Confirm { topic, left: Some(command.arguments().max(1)) },
        Act::Unsubscribe(topic) => {
            let named = command.arguments();
            // With nothing subscribed the server still confirms once.
            let left = if named > 0 { Some(named) } else { (*subscriptions.of(topic) == 0).then_some(1) };
            Expect::Confirm { topic, left }
        }
        Act::Monitor => Expect::Monitor,
        Act::Sync => Expect::Sync,
        Act::Reset => Expect::Reset,
        _ => Expect::Reply { hide: command.hide_reply },
    }
}
