//! A connection: its two directions, and what one says about the other.

use crate::body::{self, Peek};
use crate::message::{self, Body, Extent, Next, Place, Sink};
use crate::pending::Pending;
use crate::side::{Doubt, Phase, Progress, Side};
use crate::start_line;
use metaflow_parser_sdk::{Appended, Direction, Kind, RecordType, Segment, Status, Text};
use std::borrow::Cow;

const GAP: &str = "bytes lost in the capture";
const LOST: &str = "the response was lost in a gap of the capture";
const TUNNEL: &str = "a tunnel of another protocol (CONNECT)";

/// Bytes of the shortest head of a response, `HTTP/1.1 200` and an empty line.
const SHORTEST: u64 = 16;
/// A client that asks after the server said nothing for so long asks anew.
const QUIET_NS: u64 = 1_000_000_000;

/// The segment without its first `length` bytes.
fn behind<'a>(segment: &Segment<'a>, length: usize) -> Segment<'a> {
    Segment {
        payload: segment.payload.get(length..).unwrap_or_default(),
        stream_offset: segment.stream_offset.wrapping_add(length as u64),
        wire_len: segment.wire_len.saturating_sub(length as u32),
        ..*segment
    }
}

/// The state of one connection.
#[derive(Default)]
pub(crate) struct Session {
    sides: [Side; 2],
    pending: Pending,
    is_started: [bool; 2],
    /// Offset and time of a gap of the server in which at least one answer began.
    lost_answer: Option<(u64, u64)>,
    /// Which of the requests a response answers is not known.
    doubt: Option<PairDoubt>,
}

/// Since a loss in a pipeline nobody knows which request a response answers.
#[derive(Clone, Copy, Debug)]
struct PairDoubt {
    /// Most requests that may wait for an answer; none limits those that were lost.
    open: Option<u64>,
    /// When the server was heard last.
    heard_ns: u64,
    /// A response was seen since the loss.
    is_answered: bool,
}

impl Session {
    /// Take a data or gap segment.
    pub fn take(&mut self, segment: &Segment, sink: &mut Sink) {
        let side = segment.direction.index();
        if !std::mem::replace(&mut self.is_started[side], true) {
            if segment.is_mid_stream() {
                self.sides[side].start_in_the_middle(segment.stream_offset, segment.timestamp_ns);
            } else if segment.kind == Kind::Gap || segment.stream_offset > 0 {
                self.lose(segment, sink);
            }
        }
        self.append(segment, sink);
        let captured = segment.payload.len() as u32;
        if segment.kind == Kind::Data && segment.wire_len > captured {
            // The capture cut the packet: what it left out is a gap that is known now.
            let rest = Segment {
                kind: Kind::Gap,
                stream_offset: segment.stream_offset.wrapping_add(u64::from(captured)),
                wire_len: segment.wire_len - captured,
                payload: &[],
                ..*segment
            };
            self.append(&rest, sink);
        }
    }

    /// Bytes of a body that come next in this direction and are not looked at.
    pub fn passing(&self, direction: Direction) -> u64 {
        self.sides[direction.index()].passing()
    }

    /// The connection ends.
    pub fn close(&mut self, sink: &mut Sink) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            self.release(direction, sink);
        }
        for side in &mut self.sides {
            side.close(sink.out);
        }
    }

    /// Heads that lie whole in the segment are read where they lie, and bodies behind them passed over; the rest goes into
    /// the buffer.
    fn append(&mut self, segment: &Segment, sink: &mut Sink) {
        let mut segment = *segment;
        while let Some(length) = self.take_whole(&segment, sink) {
            segment = behind(&segment, length);
            if segment.payload.is_empty() {
                return;
            }
        }
        if !self.sides[segment.direction.index()].pass_body(&segment) {
            self.append_heads(segment, sink);
        }
    }

    /// Report the head that the segment begins with, when it lies in it whole; its length. Those whose body is wanted have to
    /// wait for it.
    fn take_whole(&mut self, segment: &Segment, sink: &mut Sink) -> Option<usize> {
        let direction = segment.direction;
        let is_doubtful = direction == Direction::ServerToClient && self.lost_answer.is_some() || self.doubt.is_some();
        if sink.options.body_bytes > 0 || is_doubtful || !self.sides[direction.index()].wants_head(segment) {
            return None;
        }
        let time_ns = segment.timestamp_ns;
        let place = Place {
            direction,
            offset: segment.stream_offset,
            time_ns,
            end_time_ns: time_ns,
            extent: Extent::Whole,
            body: &[],
            is_unpaired: false,
        };
        let within = &segment.payload[..segment.payload.len().min(sink.options.max_head_bytes)];
        let pending = &mut self.pending;
        let (length, next) = message::report_whole(within, place, sink, || pending.pop())?;
        if let Next::Request(asked, _) = next {
            pending.push(asked, time_ns);
        }
        self.sides[direction.index()].pass_head(segment, length);
        self.go_on(direction, Some(next), time_ns, false, sink);
        Some(length)
    }

    /// The head of a message goes in alone: what follows it in the same packet, mostly a body, need not be copied to be
    /// passed over.
    fn append_heads(&mut self, mut segment: Segment, sink: &mut Sink) {
        while let Some(length) = self.sides[segment.direction.index()].head_in(&segment, sink.options.max_head_bytes) {
            let head = &segment.payload[..length];
            self.append_piece(&Segment { payload: head, wire_len: length as u32, ..segment }, sink);
            segment = behind(&segment, length);
        }
        self.append_piece(&segment, sink);
    }

    fn append_piece(&mut self, segment: &Segment, sink: &mut Sink) {
        if self.sides[segment.direction.index()].stream.is_broken_by(segment) {
            self.sides[segment.direction.index()].resolve_body();
        }
        if self.sides[segment.direction.index()].stream.is_broken_by(segment) {
            self.release(segment.direction, sink);
        }
        if self.sides[segment.direction.index()].stream.is_broken_by(segment) {
            self.lose(segment, sink);
        }
        let side = &mut self.sides[segment.direction.index()];
        let most = sink.options.max_head_bytes.max(64 << 10) + sink.options.body_bytes;
        if let Appended::Overflow { .. } = side.stream.append(segment, most) {
            side.lose_by_error("more bytes than the parser keeps", 0);
        }
        self.advance(segment.direction, sink);
    }

    /// A hole is about to open behind what there is: report the head that it cuts, as far as it goes.
    fn lose(&mut self, segment: &Segment, sink: &mut Sink) {
        let side = &mut self.sides[segment.direction.index()];
        side.try_cut(sink.out);
        let is_used = side.phase == Phase::Head && !side.stream.is_empty() && {
            let length = side.stream.len();
            if segment.direction == Direction::ServerToClient && start_line::begins_cut(side.stream.bytes()) {
                self.tell_lost_answer(sink);
            }
            self.report(segment.direction, length, Extent::Cut, false, sink).is_some()
        };
        let side = &mut self.sides[segment.direction.index()];
        // A gap in a body that is no longer than the body is no loss.
        let loses_head = matches!(side.phase, Phase::Head | Phase::Body) && !is_used;
        let loses_more = side.phase == Phase::Lost && self.lost_answer.is_some();
        let gap = side.stream.offset().wrapping_add(side.stream.len() as u64).wrapping_add(side.stream.skipping());
        side.lose_by_gap(is_used, segment.timestamp_ns, GAP);
        if segment.direction == Direction::ServerToClient && (loses_head || loses_more) {
            self.lost_answer.get_or_insert((gap, segment.timestamp_ns));
        } else {
            // Requests or responses may have been lost with the bytes: which answers which is not known any more.
            if self.pending.habits.pipelines {
                self.doubt = Some(PairDoubt { open: None, heard_ns: segment.timestamp_ns, is_answered: false });
            }
            self.pending.clear();
            self.lost_answer = None;
        }
    }

    /// The next response stands at the start of the bytes: the one whose head was lost before it is told, so that this one does not
    /// answer its request. How many were lost is not known: at least one, not all that wait, and no more than had room.
    fn tell_lost_answer(&mut self, sink: &mut Sink) {
        let stream = &self.sides[1].stream;
        let is_interim = stream.bytes().get(9) == Some(&b'1');
        let Some((offset, time_ns)) = self.lost_answer.filter(|_| !is_interim) else { return };
        self.lost_answer = None;
        let count = self.pending.count();
        let room = stream.offset().wrapping_sub(offset) / SHORTEST;
        let is_one = count == 2 || (room < 2 && self.pending.newest_ns() < time_ns);
        if count < 2 {
            self.pending.clear();
        } else if is_one && self.doubt.is_none() {
            self.pending.lose();
            sink.out.begin(RecordType::Response).stream_offset(offset).time_ns(time_ns).end_time_ns(time_ns);
            sink.out.status(Status::Unknown).text(Text::Exception, LOST).end();
        } else {
            // Of a client that was never seen to ask ahead one answer is enough to know the place again.
            let open = if self.pending.habits.pipelines { count - 1 } else { 1 };
            self.doubt = Some(PairDoubt { open: Some(open), heard_ns: time_ns, is_answered: false });
            self.pending.clear();
        }
    }

    /// A request comes: whether those before it were answered, so that its answer will be known.
    fn settle(&mut self, time_ns: u64) {
        let Some(doubt) = &mut self.doubt else { return };
        let habits = self.pending.habits;
        let asks_anew = doubt.is_answered && habits.waits && !habits.slides;
        if asks_anew || time_ns.saturating_sub(doubt.heard_ns) >= QUIET_NS {
            self.doubt = None;
        } else if let Some(open) = &mut doubt.open {
            *open += 1;
        }
    }

    /// A final response came.
    fn hear(&mut self, time_ns: u64) {
        let Some(doubt) = &mut self.doubt else { return };
        (doubt.heard_ns, doubt.is_answered) = (time_ns, true);
        if let Some(open) = &mut doubt.open {
            *open = open.saturating_sub(1);
            if *open == 0 {
                // All that may have waited are answered.
                self.doubt = None;
            }
        }
    }

    fn advance(&mut self, direction: Direction, sink: &mut Sink) {
        loop {
            let side = &mut self.sides[direction.index()];
            match side.advance(sink.options.max_head_bytes, sink.out) {
                Progress::Wait => return,
                Progress::Foreign => {
                    let (offset, time_ns) = (side.stream.offset(), side.stream.time_ns());
                    return self.withdraw(offset, time_ns, TUNNEL, sink);
                }
                Progress::Violation => {
                    let (offset, time_ns) = side.lost_at();
                    return self.withdraw(offset, time_ns, "no HTTP message for a long time", sink);
                }
                Progress::TooLong => {
                    let length = sink.options.max_head_bytes;
                    self.report(direction, length, Extent::TooLong, true, sink);
                    let side = &mut self.sides[direction.index()];
                    side.consume(length);
                    side.lose_by_error("the rest of a head that is too long", 0);
                }
                Progress::Head(length) => {
                    let bytes = self.sides[direction.index()].stream.bytes();
                    if body::peek(bytes, self.pending.front(), length, sink.options.body_bytes, false) == Peek::More {
                        return;
                    }
                    self.pass_head(direction, length, false, sink);
                }
            }
        }
    }

    fn pass_head(&mut self, direction: Direction, length: usize, is_last: bool, sink: &mut Sink) {
        if direction == Direction::ServerToClient {
            // A server may answer before it has the whole request: the request comes first all the same.
            self.release(Direction::ClientToServer, sink);
            self.tell_lost_answer(sink);
        }
        let is_unpaired = direction == Direction::ServerToClient && self.doubt.is_some();
        let next = self.report(direction, length, Extent::Whole, is_last, sink);
        let time_ns = self.sides[direction.index()].stream.time_ns();
        self.sides[direction.index()].consume(length);
        self.go_on(direction, next, time_ns, is_unpaired, sink);
    }

    /// A message that waits for its body gets no more of it: report it with what there is.
    fn release(&mut self, direction: Direction, sink: &mut Sink) {
        if sink.options.body_bytes == 0 || self.sides[direction.index()].phase != Phase::Head {
            return;
        }
        if let Progress::Head(length) = self.sides[direction.index()].advance(sink.options.max_head_bytes, sink.out) {
            self.pass_head(direction, length, true, sink);
            self.advance(direction, sink);
        }
    }

    fn report(
        &mut self,
        direction: Direction,
        length: usize,
        extent: Extent,
        is_last: bool,
        sink: &mut Sink,
    ) -> Option<Next> {
        let stream = &self.sides[direction.index()].stream;
        let body = match body::peek(stream.bytes(), self.pending.front(), length, sink.options.body_bytes, is_last) {
            Peek::Bytes(body) if extent == Extent::Whole => body,
            _ => Cow::Borrowed(&[][..]),
        };
        let place = Place {
            direction,
            offset: stream.offset(),
            time_ns: stream.time_ns(),
            end_time_ns: stream.time_at(length.saturating_sub(1)),
            extent,
            body: &body,
            is_unpaired: direction == Direction::ServerToClient && self.doubt.is_some(),
        };
        let time_ns = place.time_ns;
        let pending = &mut self.pending;
        let next = message::report(stream.bytes().get(..length)?, place, sink, || pending.pop());
        match next {
            Some(Next::Request(asked, _)) => {
                self.settle(time_ns);
                if self.doubt.is_none() {
                    self.pending.push(asked, time_ns);
                }
            }
            None | Some(Next::Interim) => {}
            Some(_) => self.hear(time_ns),
        }
        next
    }

    fn go_on(&mut self, direction: Direction, next: Option<Next>, time_ns: u64, is_unpaired: bool, sink: &mut Sink) {
        match next {
            Some(Next::Request(..)) => self.sides.iter_mut().for_each(|side| side.doubt = Doubt::None),
            // A client that sent nothing of its body may leave it out once it is answered (RFC 9110, 10.1.1).
            Some(Next::Response(_)) if direction == Direction::ServerToClient => self.sides[0].answered(),
            _ => {}
        }
        let is_seen_alone = is_unpaired || direction == Direction::ServerToClient && !self.is_started[0];
        let side = &mut self.sides[direction.index()];
        match next {
            None => side.lose_by_error("no first line of HTTP where one belongs", 0),
            Some(Next::Interim) => {}
            Some(Next::Request(_, body) | Next::Response(body)) => match body {
                Body::None => {}
                // It may answer a HEAD.
                Body::Bytes(length) if is_seen_alone => side.doubt_body(length),
                Body::Bytes(length) => side.skip_body(length),
                Body::Chunked => side.phase = Phase::ChunkSize,
                Body::UntilClose => side.skip_until_close(),
                Body::Unknown(reason) => side.lose_by_error(reason, 0),
            },
            Some(Next::WebSocket) => self.sides.iter_mut().for_each(|side| side.tunnel(Some("websocket"), time_ns)),
            Some(Next::Tunnel) => self.open_tunnel(direction, time_ns, sink),
            Some(Next::Other(reason)) => {
                let offset = side.stream.offset();
                self.withdraw(offset, time_ns, reason, sink);
            }
        }
    }

    /// HTTP may go on in a tunnel: a request of the client tells. A client that was not to be understood before does not.
    fn open_tunnel(&mut self, direction: Direction, time_ns: u64, sink: &mut Sink) {
        let [client, server] = &mut self.sides;
        if client.phase == Phase::Lost || direction == Direction::ClientToServer {
            let offset = self.sides[direction.index()].stream.offset();
            return self.withdraw(offset, time_ns, TUNNEL, sink);
        }
        if client.phase == Phase::Head && self.pending.is_empty() {
            client.doubt = Doubt::TunnelClient;
            server.doubt = Doubt::TunnelServer;
        }
    }

    /// Give the connection back: another protocol begins.
    fn withdraw(&mut self, offset: u64, time_ns: u64, reason: &str, sink: &mut Sink) {
        sink.out.violation(offset, time_ns, reason);
        self.sides.iter_mut().for_each(|side| side.tunnel(None, time_ns));
        self.pending.clear();
    }
}
