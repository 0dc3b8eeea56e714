//! A session: records of both directions, up to the end of the handshake.

use crate::alert;
use crate::handshake::{Handshake, Place};
use crate::record::{self, header, Framed, HEADER};
use metaflow_parser_sdk::lane::{behind_cut, Lane};
use metaflow_parser_sdk::{Direction, Records, Segment, Status};

/// Longest handshake message that is put together; a longer one (a chain of many certificates) is passed over.
const LONGEST_MESSAGE: usize = 64 << 10;
const CERTIFICATE: u8 = 11;
const LOST: &str = "part of the handshake was lost in a gap of the capture";

/// One direction.
#[derive(Default)]
struct Side {
    lane: Lane,
    /// Bytes of handshake messages that are not complete.
    pending: Vec<u8>,
    /// Where the first of them was seen.
    pending_at: Place,
    /// Bytes of a message that is too long, still to come.
    skipped: usize,
    /// ChangeCipherSpec was sent: what follows is encrypted.
    is_encrypted: bool,
    /// Its Finished (or what comes behind it) was sent.
    is_finished: bool,
    /// Bytes behind the ServerHello are missing: calls are seen by their beginnings only.
    has_hole: bool,
}

/// A session.
#[derive(Default)]
pub(crate) struct Session {
    sides: [Side; 2],
    handshake: Handshake,
    is_over: bool,
}

impl Session {
    /// Takes a data or gap segment.
    pub fn take(&mut self, segment: &Segment, out: &mut Records) {
        let index = segment.direction.index();
        if segment.direction == Direction::ServerToClient {
            self.handshake.answer_offset.get_or_insert(segment.stream_offset);
        }
        if !self.is_over && self.sides[index].lane.stream.is_broken_by(segment) {
            self.cut(segment.direction, out);
        }
        let has_gap = self.sides[index].lane.append(segment, HEADER + record::LONGEST);
        if has_gap && !self.is_over {
            if self.handshake.server.is_some() {
                self.hole(index);
            } else {
                let at = Place { offset: segment.stream_offset, time_ns: segment.timestamp_ns, ..Place::default() };
                self.sides[index].lane.found(out);
                self.end(Status::Unknown, None, LOST, at, out);
            }
        }
        while !self.is_over && self.step(segment.direction, out) {}
        if self.is_over {
            self.pass_over();
        }
        if let Some(gap) = behind_cut(segment) {
            self.take(&gap, out);
            return;
        }
        out.pass_over(self.sides[index].lane.stream.skipping());
    }

    /// The session is over.
    pub fn close(&mut self, time_ns: u64, out: &mut Records) {
        if !self.is_over && self.handshake.server.is_some() {
            let at = Place { offset: self.sides[1].lane.stream.offset(), time_ns, ..Place::default() };
            self.end(Status::Unknown, None, "the session ended before the handshake did", at, out);
        }
    }

    /// What both agreed on is known: the handshake is followed further, from the next record that can be told.
    fn hole(&mut self, index: usize) {
        let side = &mut self.sides[index];
        side.has_hole = true;
        self.handshake.is_cut = true;
        side.pending = Vec::new();
        side.skipped = 0;
    }

    /// Nothing of the flow is looked at any more.
    fn pass_over(&mut self) {
        for side in &mut self.sides {
            side.pending = Vec::new();
            if side.lane.stream.skipping() < u64::MAX / 4 {
                side.lane.stream.skip(u64::MAX / 2);
            }
        }
    }

    fn end(&mut self, status: Status, failure: Option<(u8, Direction)>, words: &str, at: Place, out: &mut Records) {
        if self.handshake.is_asked || self.handshake.server.is_some() {
            self.handshake.answer(status, failure, words, at, out);
        }
        self.is_over = true;
    }

    /// Bytes will be missing behind those that are there: of a ClientHello what is there is told, of a server's record the
    /// messages that are whole.
    fn cut(&mut self, direction: Direction, out: &mut Records) {
        let side = &mut self.sides[direction.index()];
        let Framed::Record(record::HANDSHAKE, length) = header(side.lane.stream.bytes()) else { return };
        let length = (HEADER + length) as u64;
        let at = Place { length, ..place(&side.lane) };
        if direction == Direction::ServerToClient {
            if side.is_encrypted || side.lane.is_lost() {
                return;
            }
            let payload = side.lane.stream.bytes()[HEADER..].to_vec();
            side.lane.stream.skip(length);
            self.handshake.length += length;
            self.messages(direction, &payload, at, at.time_ns, out);
            // Who a certificate is of stands in its first bytes.
            if let [CERTIFICATE, _, _, _, body @ ..] = &self.sides[direction.index()].pending[..] {
                self.handshake.message(direction, CERTIFICATE, body, at, out);
            }
            self.hole(direction.index());
            return;
        }
        if self.handshake.is_asked {
            return;
        }
        let mut bytes = std::mem::take(&mut side.pending);
        bytes.extend_from_slice(&side.lane.stream.bytes()[HEADER..]);
        if let [1, _, _, _, body @ ..] = &bytes[..] {
            self.handshake.message(direction, 1, body, at, out);
        }
        side.lane.stream.skip(length);
    }

    /// Takes the next record; false when more of it is needed.
    fn step(&mut self, direction: Direction, out: &mut Records) -> bool {
        let index = direction.index();
        let side = &mut self.sides[index];
        if side.has_hole && side.lane.is_lost() {
            let (passed, is_record) = record::find(side.lane.stream.bytes());
            side.lane.stream.consume(passed);
            if !is_record {
                return false;
            }
        }
        // A flow that is joined begins with a hello, or it would not have been recognised.
        side.lane.found(out);
        let bytes = side.lane.stream.bytes();
        let at = place(&side.lane);
        let (kind, length) = match header(bytes) {
            Framed::More => return false,
            Framed::Record(kind, length) => (kind, length),
            Framed::No(reason, _) if side.has_hole => {
                side.lane.lose(reason);
                side.lane.stream.consume(1);
                return true;
            }
            Framed::No(reason, _) => {
                let who = if direction == Direction::ClientToServer { "client" } else { "server" };
                out.violation(at.offset, at.time_ns, &format!("{reason} (byte {} of the {who}'s stream)", at.offset));
                self.is_over = true;
                return false;
            }
        };
        let total = HEADER + length;
        let is_clear = !side.is_encrypted && matches!(kind, record::HANDSHAKE | record::ALERT);
        if is_clear && bytes.len() < total {
            return false;
        }
        if direction == Direction::ServerToClient {
            self.handshake.length += total as u64;
        }
        if is_clear {
            let end_ns = side.lane.stream.time_at(total - 1);
            let payload = bytes[HEADER..total].to_vec();
            side.lane.stream.consume(total);
            side.lane.prove();
            if kind == record::ALERT {
                self.alert(direction, &payload, at, out);
            } else {
                self.messages(direction, &payload, at, end_ns, out);
            }
            return true;
        }
        side.lane.stream.skip(total as u64);
        match kind {
            record::CHANGE_CIPHER_SPEC => {
                if direction == Direction::ServerToClient {
                    self.handshake.list("Change Cipher Spec");
                }
                // In TLS 1.3 it means nothing (and stands before a second ClientHello).
                if self.handshake.server.as_ref().is_some_and(|hello| hello.version < 0x0304) {
                    self.sides[index].is_encrypted = true;
                }
            }
            record::HANDSHAKE => {
                if direction == Direction::ServerToClient {
                    self.handshake.list("Finished");
                }
                self.sides[index].is_finished = true;
            }
            record::APPLICATION_DATA if self.handshake.is_13() => {
                if direction == Direction::ServerToClient {
                    self.handshake.list("Encrypted");
                }
                // The client's first encrypted record behind the ServerHello is its Finished (or what belongs to it).
                self.sides[index].is_finished = true;
            }
            // Early data stands before the ServerHello.
            record::APPLICATION_DATA if self.handshake.server.is_some() && self.sides[index].is_encrypted => {
                self.sides.iter_mut().for_each(|side| side.is_finished = true);
            }
            record::ALERT if self.sides[index].is_encrypted && !self.sides[index].is_finished => {
                self.end(Status::Unknown, None, "an encrypted alert before the handshake was over", at, out);
                return false;
            }
            _ => {}
        }
        // In TLS 1.3 a client finishes when it has verified that the server did, whose records may lie in a hole.
        if self.sides[0].is_finished && (self.sides[1].is_finished || self.handshake.is_13()) {
            self.end(Status::Ok, None, "", at, out);
        }
        true
    }

    fn alert(&mut self, direction: Direction, payload: &[u8], at: Place, out: &mut Records) {
        let [level, description] = payload else { return };
        let is_warning = *level == 1 && *description != alert::CLOSE_NOTIFY;
        // A warning (unrecognized_name of old servers, no_renegotiation) ends nothing.
        if !is_warning {
            let status = alert::blame(*description, direction == Direction::ServerToClient);
            self.end(status, Some((*description, direction)), "", at, out);
        }
    }

    /// Handshake messages, of which a record may hold several, or a part of one.
    fn messages(&mut self, direction: Direction, payload: &[u8], at: Place, end_ns: u64, out: &mut Records) {
        let index = direction.index();
        let side = &mut self.sides[index];
        let dropped = side.skipped.min(payload.len());
        side.skipped -= dropped;
        let payload = &payload[dropped..];
        if side.pending.is_empty() {
            side.pending_at = at;
        }
        side.pending.extend_from_slice(payload);
        let mut pending = std::mem::take(&mut side.pending);
        let mut from = 0;
        while let [kind, high, middle, low, ..] = pending[from..] {
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            let rest = &pending[from + 4..];
            if rest.len() < length {
                if length > LONGEST_MESSAGE {
                    self.sides[index].skipped = length - rest.len();
                    from = pending.len();
                }
                break;
            }
            let place = self.sides[index].pending_at;
            let place = Place { end_ns: Some(end_ns), length: (length + 4 + HEADER) as u64, ..place };
            self.handshake.message(direction, kind, &rest[..length], place, out);
            from += 4 + length;
            self.sides[index].pending_at = at;
        }
        pending.drain(..from);
        self.sides[index].pending = pending;
    }
}

/// Where the next byte of a direction stands.
fn place(lane: &Lane) -> Place {
    Place { offset: lane.stream.offset(), time_ns: lane.stream.time_ns(), ..Place::default() }
}
