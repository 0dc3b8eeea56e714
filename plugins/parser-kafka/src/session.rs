//! One connection: requests and responses in their order, and what each response answers.

use crate::answers::{self, Answers};
use crate::facts::Facts;
use crate::head::{i32_at, looks, size_at, Head, Looks, PREFIX, WINDOW};
use crate::lane::{Lane, Phase};
use crate::options::Options;
use crate::records::Batches;
use crate::report::{self, Message};
use crate::schema::{Api, SASL_HANDSHAKE};
use crate::topics::Topics;
use crate::walk::{Stop, Walker};
use metaflow_parser_sdk::lane::behind_cut;
use metaflow_parser_sdk::{Appended, Direction, Records, Segment};
use std::collections::VecDeque;

/// Requests of a connection that wait for their response; clients send 5 ahead, brokers answer in order.
const PENDING: usize = 1024;
const CLIENT: usize = Direction::ClientToServer.index();
const SERVER: usize = Direction::ServerToClient.index();

/// What all connections share.
#[derive(Default)]
pub(crate) struct Tools {
    pub options: Options,
    pub facts: Facts,
    pub batches: Batches,
    pub topics: Topics,
    pub text: report::Scratch,
}

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub correlation: i32,
    pub key: i16,
    pub version: i16,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Session {
    lanes: [Lane; 2],
    pending: VecDeque<Pending>,
    /// Requests may have been missed, so that a response may answer none that is known.
    has_missed: bool,
    /// Number of the last response.
    answered: Option<i32>,
    /// SASL tokens travel bare after a handshake of version 0; so many of them wait for an answer.
    has_tokens: bool,
    tokens: u32,
    /// This client says no name of itself.
    has_empty_client: bool,
    flags: u8,
    is_over: bool,
}

impl Session {
    pub fn take(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        if self.is_over {
            return;
        }
        let side = segment.direction.index();
        self.flags = report::flags(segment);
        // No broker speaks first: its client was not captured.
        self.has_missed |= side == SERVER && self.lanes[CLIENT].phase == Phase::Start;
        if self.lanes[side].stream.is_broken_by(segment) {
            // The last chance to tell of a message whose end is missing; a hole inside of it is no loss then.
            self.rest(side, tools, out);
        }
        let lane = &mut self.lanes[side];
        let appended = lane.stream.append(segment, tools.options.max_message_bytes.max(WINDOW));
        if lane.phase == Phase::Start {
            lane.phase = Phase::Messages;
            if segment.is_mid_stream() {
                lane.lose("joined in the middle of the connection", false);
                self.has_missed = true;
            }
        }
        if appended != Appended::InOrder {
            lane.lose("bytes lost in the capture, before the next message could be told", false);
            self.has_missed |= side == CLIENT;
        }
        while !self.is_over && if side == CLIENT { self.client(tools, out) } else { self.server(tools, out) } {}
        if let Some(gap) = behind_cut(segment) {
            self.take(&gap, tools, out);
        }
    }

    /// The connection ends: what is there of the last messages is told.
    pub fn close(&mut self, tools: &mut Tools, out: &mut Records) {
        if self.is_over {
            return;
        }
        for side in [CLIENT, SERVER] {
            self.rest(side, tools, out);
            self.lanes[side].close(out);
        }
    }

    /// Tell of the message of which only the beginning is there, and pass over it.
    fn rest(&mut self, side: usize, tools: &mut Tools, out: &mut Records) {
        let lane = &mut self.lanes[side];
        if lane.phase != Phase::Messages {
            return;
        }
        let bytes = lane.stream.bytes();
        let Ok(size) = size_at(bytes) else { return };
        if side == CLIENT {
            let Ok(head) = Head::read(bytes) else { return };
            if (!lane.is_proven || self.has_tokens) && matches!(looks(bytes, false, &mut tools.facts), Looks::No(..)) {
                return;
            }
            (lane.is_proven, self.has_tokens) = (true, false);
            self.request(&head, tools, out);
            return;
        }
        let place = self.pending_at(self.lanes[side].stream.bytes());
        let is_next = self.lanes[CLIENT].phase == Phase::Start
            && answers::chain(self.lanes[side].stream.bytes(), self.answered, 1) == Answers::Found;
        if place.is_some() || is_next {
            self.response(place, size, tools, out);
        }
    }

    /// Look at the client's next message; `false`: more bytes are needed.
    fn client(&mut self, tools: &mut Tools, out: &mut Records) -> bool {
        let lane = &mut self.lanes[CLIENT];
        let bytes = lane.stream.bytes();
        if bytes.is_empty() {
            return false;
        }
        if lane.phase == Phase::Lost {
            return self.find(CLIENT, tools, out);
        }
        if !lane.is_proven || self.has_tokens {
            match looks(bytes, false, &mut tools.facts) {
                Looks::Request => {
                    lane.is_proven = true;
                    self.has_tokens = false;
                }
                Looks::More => return false,
                Looks::No(..) if self.has_tokens => return self.token(CLIENT, out),
                Looks::No(reason, _) => {
                    self.wrong(CLIENT, reason, out);
                    return true;
                }
            }
        }
        let bytes = self.lanes[CLIENT].stream.bytes();
        match Head::read(bytes) {
            Ok(head) => {
                if bytes.len() < (PREFIX + head.size).min(tools.options.max_message_bytes) {
                    return false;
                }
                self.request(&head, tools, out);
                true
            }
            Err(Looks::No(reason, _)) => {
                self.wrong(CLIENT, reason, out);
                true
            }
            Err(_) => false,
        }
    }

    /// Look at the server's next message; `false`: more bytes are needed.
    fn server(&mut self, tools: &mut Tools, out: &mut Records) -> bool {
        let lane = &self.lanes[SERVER];
        let bytes = lane.stream.bytes();
        if bytes.is_empty() {
            return false;
        }
        if lane.phase == Phase::Lost {
            return self.find(SERVER, tools, out);
        }
        let size = match size_at(bytes) {
            Ok(size) if size >= 4 || self.tokens > 0 => size,
            Err(Looks::More) => return false,
            _ => {
                self.wrong(SERVER, "no length of a response of Kafka", out);
                return true;
            }
        };
        let wanted = (PREFIX + size).min(tools.options.max_message_bytes);
        if bytes.len() < wanted.min(PREFIX + 4) {
            return false;
        }
        let place = self.pending_at(bytes);
        if place.is_none() && self.tokens > 0 {
            return self.token(SERVER, out);
        }
        if place.is_none() && !self.has_missed {
            self.wrong(SERVER, "a response that answers no request", out);
            return true;
        }
        if bytes.len() < wanted {
            return false;
        }
        self.lanes[SERVER].is_proven = true;
        self.response(place, size, tools, out);
        true
    }

    /// The request that a response answers.
    fn pending_at(&self, bytes: &[u8]) -> Option<usize> {
        let correlation = i32_at(bytes, PREFIX)?;
        self.pending.iter().position(|pending| pending.correlation == correlation)
    }

    /// Search the next message; `false`: more bytes are needed.
    fn find(&mut self, side: usize, tools: &mut Tools, out: &mut Records) -> bool {
        let room = self.lanes[side].room();
        let (needs_client, first) = (!self.has_empty_client, self.lanes[side].lost_at());
        let offset = self.lanes[side].stream.offset();
        let bytes = self.lanes[side].stream.bytes();
        let (mut at, mut is_found) = (0, false);
        let is_alone = side == SERVER && self.lanes[CLIENT].phase == Phase::Start;
        let mut waits_at = None;
        while at < bytes.len().min(room) {
            let here = &bytes[at..];
            let verdict = if side == CLIENT {
                looks(here, needs_client && offset.wrapping_add(at as u64) != first, &mut tools.facts)
            } else {
                self.looks_answer(here, &mut tools.facts)
            };
            match verdict {
                Looks::Request => {
                    is_found = true;
                    break;
                }
                // Responses in a row further on are better than what may become one here.
                Looks::More if is_alone => {
                    waits_at.get_or_insert(at);
                    at += 1;
                }
                Looks::More => break,
                Looks::No(..) => at += 1,
            }
        }
        at = waits_at.filter(|_| !is_found).unwrap_or(at);
        self.lanes[side].stream.consume(at);
        if self.lanes[side].room() == 0 {
            self.withdraw(side, "no message of Kafka for a long time", out);
        } else if is_found {
            self.lanes[side].found(out);
        }
        is_found
    }

    /// Whether bytes are the response to a request that waits.
    fn looks_answer(&self, bytes: &[u8], facts: &mut Facts) -> Looks {
        let size = match size_at(bytes) {
            Ok(size) if size >= 4 => size,
            Ok(_) => return Looks::No("too short for a response", 0),
            Err(looks) => return looks,
        };
        if bytes.len() < PREFIX + 4 {
            return Looks::More;
        }
        if self.lanes[CLIENT].phase == Phase::Start {
            let wanted = if self.answered.is_some() { answers::BEHIND } else { answers::UNKNOWN };
            return match answers::chain(bytes, self.answered, wanted) {
                Answers::Found => Looks::Request,
                Answers::More => Looks::More,
                Answers::No => Looks::No("no response that follows the last one", PREFIX),
            };
        }
        let Some(pending) = self.pending_at(bytes).and_then(|place| self.pending.get(place)) else {
            return Looks::No("a response that answers no request", PREFIX);
        };
        let window = (PREFIX + size).min(WINDOW);
        let bytes = &bytes[..bytes.len().min(window)];
        match walk_response(*pending, bytes, size, facts) {
            Err(Stop::Malformed(reason, at)) => Looks::No(reason, at),
            Err(Stop::Cut) if bytes.len() < window => Looks::More,
            _ => Looks::Request,
        }
    }

    /// A token of SASL: secrets, of which nothing is kept.
    fn token(&mut self, side: usize, out: &mut Records) -> bool {
        let lane = &mut self.lanes[side];
        let Ok(size) = size_at(lane.stream.bytes()) else {
            self.wrong(side, "no length of a SASL token", out);
            return true;
        };
        if side == CLIENT {
            report::token(out, lane.stream.offset(), lane.stream.time_ns(), size, self.flags);
            self.tokens = self.tokens.saturating_add(1);
        } else {
            self.tokens = self.tokens.saturating_sub(1);
        }
        lane.stream.skip((PREFIX + size) as u64);
        true
    }

    /// The first bytes of the buffer are no message.
    fn wrong(&mut self, side: usize, reason: &'static str, out: &mut Records) {
        let lane = &mut self.lanes[side];
        if lane.is_proven {
            lane.lose(reason, true);
            self.has_missed |= side == CLIENT;
        } else {
            self.withdraw(side, reason, out);
        }
    }

    fn withdraw(&mut self, side: usize, reason: &str, out: &mut Records) {
        let stream = &mut self.lanes[side].stream;
        out.violation(stream.offset(), stream.time_ns(), reason);
        *self = Session { is_over: true, ..Session::default() };
    }

    /// Tell of the request at the beginning of the buffer.
    fn request(&mut self, head: &Head, tools: &mut Tools, out: &mut Records) {
        let stream = &mut self.lanes[CLIENT].stream;
        let end = PREFIX + head.size;
        let message = Message::new(stream, head.size, head.correlation, self.flags, &tools.options);
        let bytes = message.bytes(stream, &tools.options);
        tools.facts.clear();
        let api = Api::of(head.key);
        if let Some(api) = api.filter(|api| api.knows(head.version)) {
            let mut walker = Walker::new(bytes, head.body, end, head.version, api.is_flexible(head.version));
            let _ = walker.message(api.request, &mut tools.facts);
        }
        let is_one_way = head.key == crate::schema::PRODUCE && tools.facts.acks == Some(0);
        report::request(&message, head, api, is_one_way, bytes, tools, out);
        if !is_one_way {
            if self.pending.len() >= PENDING {
                self.pending.pop_front();
                self.has_missed = true;
            }
            let Head { correlation, key, version, .. } = *head;
            self.pending.push_back(Pending { correlation, key, version });
        }
        self.has_empty_client = head.client.is_empty();
        self.has_tokens |= (head.key, head.version) == (SASL_HANDSHAKE, 0);
        self.lanes[CLIENT].stream.skip(end as u64);
    }

    /// Tell of the response at the beginning of the buffer.
    fn response(&mut self, place: Option<usize>, size: usize, tools: &mut Tools, out: &mut Records) {
        let stream = &mut self.lanes[SERVER].stream;
        let correlation = i32_at(stream.bytes(), PREFIX).unwrap_or(0);
        self.answered = Some(correlation);
        let message = Message::new(stream, size, correlation, self.flags, &tools.options);
        let bytes = message.bytes(stream, &tools.options);
        tools.facts.clear();
        let pending = place.and_then(|place| self.pending.remove(place));
        let walked = pending.map(|pending| walk_response(pending, bytes, size, &mut tools.facts));
        report::response(&message, pending, walked, bytes, tools, out);
        self.lanes[SERVER].stream.skip((PREFIX + size) as u64);
    }
}

/// Walk through the response to a request; `Err(Cut)` also where the version is not known.
fn walk_response(pending: Pending, bytes: &[u8], size: usize, facts: &mut Facts) -> Result<(), Stop> {
    facts.clear();
    let Some(api) = Api::of(pending.key) else { return Err(Stop::Cut) };
    let end = PREFIX + size;
    let mut version = pending.version;
    if api.key == crate::schema::API_VERSIONS && crate::head::i16_at(bytes, PREFIX + 4) == Some(UNSUPPORTED_VERSION) {
        // A broker that does not know the version answers with version 0, which every client reads.
        version = 0;
    }
    if !api.knows(version) {
        return Err(Stop::Cut);
    }
    let mut walker = Walker::new(bytes, PREFIX + 4, end, version, api.is_flexible(version));
    if end < PREFIX + 4 {
        return Err(Stop::Malformed("too short for a response", 0));
    }
    if api.has_response_tags(version) {
        walker.tags()?;
    }
    walker.message(api.response, facts)
}

const UNSUPPORTED_VERSION: i16 = 35;
