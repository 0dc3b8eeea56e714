//! A session: two directions cut into messages, and what is done after a loss.

use crate::core::Core;
use crate::frame::{header, Framed, Message, HEADER, LONGEST};
use crate::resync::{self, Found};
use crate::startup::{self, Read};
use metaflow_parser_sdk::lane::{behind_cut, Lane};
use metaflow_parser_sdk::sql::Options;
use metaflow_parser_sdk::{Direction, Records, Segment};

const NO_MESSAGE: &str = "bytes that are no message of PostgreSQL";

/// A session.
pub(crate) struct Session {
    lanes: [Lane; 2],
    core: Core,
    /// The client's next packet has no type.
    in_startup: bool,
    /// The server's place is lost, and everything that waited before was given up.
    is_flushed: bool,
    /// Bytes of the server were lost (rather than never seen).
    has_gap: bool,
    /// Nothing of this direction was passed over yet.
    is_first: [bool; 2],
    /// The client's beginning was seen before any byte of the server.
    has_begun: bool,
    is_over: bool,
}

impl Session {
    pub fn new(options: Options) -> Session {
        let lanes = [Lane::default(), Lane::default()];
        let core = Core::new(options);
        Session {
            lanes,
            core,
            in_startup: true,
            is_flushed: false,
            has_gap: false,
            is_first: [true; 2],
            has_begun: false,
            is_over: false,
        }
    }

    /// Takes a data or gap segment.
    pub fn take(&mut self, segment: &Segment, out: &mut Records) {
        if self.is_over {
            return;
        }
        let direction = segment.direction;
        if self.lanes[direction.index()].stream.is_broken_by(segment) {
            self.cut(direction, out);
        }
        let was_lost = self.lanes[direction.index()].is_lost();
        let is_gap = self.lanes[direction.index()].append(segment, LONGEST + HEADER);
        self.is_first[direction.index()] &= !is_gap;
        match direction {
            Direction::ServerToClient if is_gap && !was_lost => {
                self.has_gap = true;
                self.core.damage();
            }
            Direction::ClientToServer if is_gap => self.in_startup = false,
            _ => {}
        }
        self.advance(direction, out);
        if let Some(gap) = behind_cut(segment) {
            self.take(&gap, out);
        } else {
            out.pass_over(self.lanes[direction.index()].stream.skipping());
        }
    }

    /// The session is over.
    pub fn close(&mut self, segment: &Segment, out: &mut Records) {
        if !self.is_over {
            self.core.close(segment.timestamp_ns, out);
            self.lanes.iter_mut().for_each(|lane| lane.close(out));
        }
    }

    /// Bytes will be missing behind those that are there: a message whose head is there is taken as it is.
    fn cut(&mut self, direction: Direction, out: &mut Records) {
        let lane = &mut self.lanes[direction.index()];
        if lane.is_lost() || (direction == Direction::ClientToServer && self.in_startup) {
            return;
        }
        if let Framed::Header(found) = header(direction, lane.stream.bytes()) {
            let body = lane.stream.bytes().get(HEADER..).unwrap_or_default();
            let (offset, time_ns) = (lane.stream.offset(), lane.stream.time_ns());
            let message = Message { kind: found.kind, body, total: found.total, offset, time_ns, end_ns: None };
            match direction {
                Direction::ClientToServer => self.core.client(&message, out),
                Direction::ServerToClient => self.core.server(&message, out),
            }
            lane.stream.skip(found.total);
        }
    }

    /// Takes every message that is there.
    fn advance(&mut self, direction: Direction, out: &mut Records) {
        while !self.is_over {
            let lane = &self.lanes[direction.index()];
            if lane.stream.is_empty() || lane.stream.skipping() > 0 {
                return;
            }
            let is_lost = lane.is_lost();
            let goes_on = match direction {
                _ if self.core.is_encrypted && self.is_tls(direction, out) => false,
                _ if is_lost => self.search(direction, out),
                Direction::ClientToServer if self.in_startup => self.startup(out),
                Direction::ServerToClient if self.core.expects_choice() => self.choice(out),
                _ => self.message(direction, out),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// After encryption was agreed on, a record of TLS ends what can be read; anything else was captured in the clear.
    fn is_tls(&mut self, direction: Direction, out: &mut Records) -> bool {
        let first = self.lanes[direction.index()].stream.bytes().first();
        let is_record = first.is_some_and(|first| (0x14..=0x17).contains(first));
        if is_record {
            self.withdraw(direction, "after SSLRequest the session is TLS, which cannot be read", out);
        } else {
            self.core.is_encrypted = false;
        }
        is_record
    }

    fn startup(&mut self, out: &mut Records) -> bool {
        let lane = &mut self.lanes[0];
        let bytes = lane.stream.bytes();
        if bytes[0] != 0 {
            self.in_startup = false;
            return true;
        }
        match startup::read(bytes) {
            Read::More => return false,
            Read::Whole(packet, length) => {
                let message = Message {
                    kind: 0,
                    body: &[],
                    total: length as u64,
                    offset: lane.stream.offset(),
                    time_ns: lane.stream.time_ns(),
                    end_ns: Some(lane.stream.time_at(length - 1)),
                };
                self.core.startup(&packet, &message, out);
                self.in_startup = !matches!(packet, startup::Startup::Begin(_));
                lane.stream.consume(length);
                lane.prove();
            }
            Read::No(reason, _) => return self.wrong(Direction::ClientToServer, reason, out),
        }
        true
    }

    fn choice(&mut self, out: &mut Records) -> bool {
        let lane = &mut self.lanes[1];
        let kind = lane.stream.bytes()[0];
        let is_error = kind == b'E';
        if is_error {
            // A server that knows of no encryption answers with a message.
            return self.message(Direction::ServerToClient, out);
        }
        if !matches!(kind, b'S' | b'N' | b'G') {
            return self.wrong(Direction::ServerToClient, "no answer to a request of encryption", out);
        }
        let (offset, time_ns) = (lane.stream.offset(), lane.stream.time_ns());
        let message = Message { kind, body: &[], total: 1, offset, time_ns, end_ns: Some(time_ns) };
        self.core.choice(&message, out);
        lane.stream.consume(1);
        true
    }

    /// Takes the message that begins here; false when more of it is needed.
    fn message(&mut self, direction: Direction, out: &mut Records) -> bool {
        let bytes = self.lanes[direction.index()].stream.bytes();
        let found = match header(direction, bytes) {
            Framed::More => return false,
            Framed::No(reason) => return self.wrong(direction, reason, out),
            Framed::Header(found) => found,
        };
        if bytes.len() < found.wanted {
            return false;
        }
        let [client, server] = &mut self.lanes;
        let lane = match direction {
            Direction::ClientToServer => {
                if server.is_lost() && self.has_gap && !self.is_flushed && starts_request(found.kind) {
                    self.core.flush(false, (server.stream.offset(), client.stream.time_ns()), out);
                    self.is_flushed = true;
                }
                client
            }
            Direction::ServerToClient => server,
        };
        let end_ns = (found.wanted as u64 == found.total).then(|| lane.stream.time_at(found.wanted - 1));
        let message = Message {
            kind: found.kind,
            body: &lane.stream.bytes()[HEADER..found.wanted],
            total: found.total,
            offset: lane.stream.offset(),
            time_ns: lane.stream.time_ns(),
            end_ns,
        };
        match direction {
            Direction::ClientToServer => self.core.client(&message, out),
            Direction::ServerToClient => self.core.server(&message, out),
        }
        lane.stream.skip(found.total);
        lane.prove();
        true
    }

    /// Looks for the next message after a loss.
    fn search(&mut self, direction: Direction, out: &mut Records) -> bool {
        let is_first = self.is_first[direction.index()];
        if direction == Direction::ServerToClient && is_first && self.has_begun {
            // What answers the login is the server's beginning, though the handshake of TCP was not seen.
            self.lanes[1].found(out);
            return true;
        }
        let is_untouched = self.lanes[1].stream.is_empty() && self.is_first[1];
        let lane = &mut self.lanes[direction.index()];
        // A session that is joined may begin with its login, at the first byte that is seen.
        let may_begin = direction == Direction::ClientToServer && self.in_startup;
        let (found, begins) = match startup::read(lane.stream.bytes()) {
            Read::More if may_begin => return false,
            Read::Whole(..) if may_begin => (Found::At(0), true),
            _ => (resync::find(direction, lane.stream.bytes(), is_first), false),
        };
        if direction == Direction::ClientToServer {
            self.in_startup = begins;
            self.has_begun = begins && is_untouched;
        }
        self.is_first[direction.index()] &= found == Found::Wait(0);
        if let Found::Wait(at) = found {
            lane.stream.consume(at);
            return false;
        }
        if let Found::At(at) = found {
            lane.stream.consume(at);
        }
        let at = (lane.stream.offset(), lane.stream.time_ns());
        lane.found(out);
        if direction == Direction::ServerToClient {
            if self.has_gap && !self.is_flushed {
                self.core.flush(true, at, out);
            }
            (self.is_flushed, self.has_gap) = (false, false);
        }
        true
    }

    /// A byte that fits nothing: another protocol where the client's place is sure, otherwise a loss.
    fn wrong(&mut self, direction: Direction, reason: &'static str, out: &mut Records) -> bool {
        let lane = &mut self.lanes[direction.index()];
        if direction == Direction::ClientToServer && (lane.is_proven() || self.in_startup) {
            self.withdraw(direction, reason, out);
            return false;
        }
        lane.lose(NO_MESSAGE);
        // The byte that was looked at begins no message.
        lane.stream.consume(1);
        if direction == Direction::ServerToClient {
            self.has_gap = true;
            self.core.damage();
        }
        true
    }

    fn withdraw(&mut self, direction: Direction, reason: &str, out: &mut Records) {
        let lane = &self.lanes[direction.index()];
        let who = if direction == Direction::ClientToServer { "client" } else { "server" };
        let text = format!("{reason} (byte {} of the {who}'s stream)", lane.stream.offset());
        out.violation(lane.stream.offset(), lane.stream.time_ns(), &text);
        self.lanes = [Lane::default(), Lane::default()];
        self.is_over = true;
    }
}

/// The client would not send it before it has the answer to what it sent before, unless it pipelines.
const fn starts_request(kind: u8) -> bool {
    !matches!(kind, b'd' | b'c' | b'f' | b'p' | b'H')
}
