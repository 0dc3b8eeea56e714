//! One connection above its packets: the login, the commands, and which response answers which.

mod client;
mod server;

use crate::message::{At, Attributes, Kind, Message, Sink, Status};
use crate::options::Options;
use crate::pending::{Pending, Waiting};
use crate::proto::{caps, Answer};
use crate::response::{Agreed, Response};
use crate::statements::Statements;
use crate::wire::Codec;

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
    /// Nothing of the client was seen: the capture may have one direction only.
    pub is_alone: bool,
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
            is_alone: true,
            attributes: Attributes::default(),
            endpoint: Vec::new(),
            text: Vec::new(),
        }
    }

    /// The session ends: tells what was going on.
    pub fn close<S: Sink>(&mut self, sink: &mut S) {
        self.end_events(sink);
        self.cut_short("the rest of the response was not seen", sink);
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
        self.cut_short("the rest of the response was lost in a gap of the capture", sink);
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
