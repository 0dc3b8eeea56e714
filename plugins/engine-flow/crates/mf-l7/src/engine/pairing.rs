//! The rules by which responses find their requests.

use super::core::Core;
use crate::abi::ids::{flag, status};
use crate::abi::Texts;
use crate::counters::Count;
use crate::pair::{Half, Message, Owner, SessionPairs, NIL};
use crate::parser::{Pairing, MAX_PARSERS};
use crate::session::State;
use crate::sink::L7Sink;
use crate::stamp::Stamp;

/// The lane of responses that came before their request.
const EARLY_LANE: u16 = MAX_PARSERS as u16;

/// Requests looked at for one that fits better after a gap.
const LOOK_AHEAD: usize = 64;

/// How a waiting request ends when it is not by its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time is over.
    Timeout,
    /// Nobody will know (limit, gap, lost batch); a timeout when the time passed.
    Unknown,
}

impl Core {
    fn pairing(&self, parser: u16) -> (Pairing, u64) {
        self.parsers
            .get(usize::from(parser))
            .map_or((Pairing::None, 0), |slot| (slot.description.pairing, slot.description.session_timeout_ns))
    }

    /// Whether a parser's responses come in the order of its requests.
    pub fn answers_in_order(&self, parser: u16) -> bool {
        self.pairing(parser).0 == Pairing::Fifo
    }

    fn pairs_full(&self) -> bool {
        let full = self.pairs.len() >= self.options.pending_total.max(1);
        full || (self.pairs.bytes() > self.options.pending_bytes && self.pairs.len() > 0)
    }

    /// Works with a session's chains, which are kept in the session, on the pool, which is kept here.
    fn unlink(&mut self, index: u32, at: u32) {
        let own: &mut SessionPairs = &mut self.sessions.at(index).pairs;
        self.pairs.unlink(own, at);
    }

    /// A request: counted now, and kept until its response comes.
    pub fn request(&mut self, owner: Owner, half: Half<'_>, sink: &mut dyn L7Sink) {
        let Owner { index, parser } = owner;
        let message = half.message;
        self.expire_session(index, parser, sink);
        self.count_request(index, half, sink);
        let (pairing, timeout) = self.pairing(parser);
        if pairing == Pairing::None {
            return self.lone_request(owner, half, message.status.unwrap_or(status::UNKNOWN));
        }
        let keyed = pairing == Pairing::Keyed;
        let early = self.find_early(index, message, keyed);
        if early != NIL {
            self.unlink(index, early);
            self.answered_before(early, half, timeout, sink);
            return self.pairs.free(early);
        }
        if keyed {
            // The same key again: the older request will not be answered any more.
            let same = self.pairs.find(index, message.stream_id, false);
            if same != NIL {
                self.end_request(index, same, End::Unknown, sink);
            }
        }
        while self.sessions.peek(index).pairs.count >= self.options.pending_per_flow.max(1) {
            let pairs = &self.sessions.peek(index).pairs;
            let oldest = if pairs.requests.head != NIL { pairs.requests.head } else { pairs.early.head };
            self.push_out(oldest, sink);
        }
        while self.pairs_full() {
            self.push_out(self.pairs.oldest(), sink);
        }
        let own = &mut self.sessions.at(index).pairs;
        self.pairs.insert(own, owner, None, keyed, self.moment.clock, half);
    }

    /// A response: counted now, and put together with its request.
    pub fn response(&mut self, owner: Owner, half: Half<'_>, sink: &mut dyn L7Sink) {
        let Owner { index, parser } = owner;
        let message = half.message;
        self.expire_session(index, parser, sink);
        if message.flags & flag::UNPAIRED != 0 {
            self.end_requests_before(index, message.time_ns, sink);
            self.count_response(index, half, &Texts::NONE, None, sink);
            return self.lone_response(owner, half);
        }
        let (pairing, timeout) = self.pairing(parser);
        let found = match pairing {
            Pairing::None => NIL,
            Pairing::Keyed => self.pairs.find(index, message.stream_id, false),
            Pairing::Fifo => self.find_in_order(index, message, sink),
        };
        let Some(waiting) = self.pairs.get(found) else {
            self.count_response(index, half, &Texts::NONE, None, sink);
            return self.wait_for_request(owner, half, pairing);
        };
        let in_parts = waiting.partner != NIL;
        if !in_parts && message.time_ns.saturating_sub(waiting.message.time_ns) > timeout {
            self.end_request(index, found, End::Timeout, sink);
            self.count_response(index, half, &Texts::NONE, None, sink);
            return self.lone_response(owner, half);
        }
        if !in_parts && !message.continues() {
            self.unlink(index, found);
            self.answer(found, half, sink);
            return self.pairs.free(found);
        }
        self.add_part(found, half, sink);
        if !message.continues() {
            self.unlink(index, found);
            self.pair_parts(found);
            self.pairs.free(found);
        }
    }

    /// A response without request waits a little: the capture may deliver the request late.
    fn wait_for_request(&mut self, owner: Owner, half: Half<'_>, pairing: Pairing) {
        let index = owner.index;
        if pairing == Pairing::None || self.options.early_response_ns == 0 {
            return self.lone_response(owner, half);
        }
        if self.pairs_full() || self.sessions.peek(index).pairs.count >= self.options.pending_per_flow.max(1) {
            self.counters.add(Count::PendingFull, 1);
            return self.lone_response(owner, half);
        }
        let keyed = pairing == Pairing::Keyed;
        if keyed {
            let same = self.pairs.find(index, half.message.stream_id, true);
            if same != NIL {
                self.end_early(index, same);
            }
        }
        let own = &mut self.sessions.at(index).pairs;
        self.pairs.insert(own, owner, Some(EARLY_LANE), keyed, self.moment.clock, half);
    }

    /// One of the requests that a session sent before was answered, and nobody knows which: none of them has an answer.
    fn end_requests_before(&mut self, index: u32, time_ns: u64, sink: &mut dyn L7Sink) {
        loop {
            let head = self.sessions.peek(index).pairs.requests.head;
            if self.pairs.get(head).is_none_or(|slot| slot.message.time_ns > time_ns) {
                return;
            }
            self.end_request(index, head, End::Unknown, sink);
        }
    }

    /// The request a response of an ordered protocol belongs to.
    fn find_in_order(&mut self, index: u32, message: &Message, sink: &mut dyn L7Sink) -> u32 {
        let session = self.sessions.at(index);
        let side = message.direction ^ u8::from(session.reversed);
        let gap_time = session.gap.map_or(0, |gap| gap.reach(message.offset, side));
        if gap_time == 0 {
            // Its parser knows of the loss, and goes on from here.
            session.gap = None;
        }
        loop {
            let session = self.sessions.peek(index);
            let head = session.pairs.requests.head;
            let Some(waiting) = self.pairs.get(head) else {
                return NIL;
            };
            if waiting.message.time_ns > message.time_ns {
                // It was sent before the oldest request: its own request was not captured.
                return NIL;
            }
            if waiting.message.time_ns >= gap_time || waiting.partner != NIL {
                return head;
            }
            // A gap since: the response may have been in it. It was, when a later request came before this one.
            let mut next = self.pairs.next_in_session(head);
            let mut later = false;
            for _ in 0..LOOK_AHEAD {
                let Some(slot) = self.pairs.get(next) else { break };
                if slot.message.time_ns >= gap_time && slot.message.time_ns <= message.time_ns {
                    later = true;
                    break;
                }
                next = self.pairs.next_in_session(next);
            }
            if !later || message.time_ns < gap_time {
                return head;
            }
            self.end_request(index, head, End::Unknown, sink);
        }
    }

    /// A response that came before this request, when there is one.
    fn find_early(&mut self, index: u32, message: &Message, keyed: bool) -> u32 {
        if keyed {
            let at = self.pairs.find(index, message.stream_id, true);
            let fits = self.pairs.get(at).is_some_and(|slot| slot.message.time_ns >= message.time_ns);
            if at != NIL && !fits {
                self.end_early(index, at);
            }
            return if fits { at } else { NIL };
        }
        loop {
            let head = self.sessions.peek(index).pairs.early.head;
            let Some(waiting) = self.pairs.get(head) else {
                return NIL;
            };
            if waiting.message.time_ns >= message.time_ns {
                return head;
            }
            self.end_early(index, head);
        }
    }

    /// Ends requests and early responses whose time is over; every parser has said what it knows.
    pub fn expire_pairs(&mut self, sink: &mut dyn L7Sink) {
        let now = self.moment;
        for parser in 0..self.parsers.len() as u16 {
            let timeout = self.pairing(parser).1;
            while self.end_late(self.pairs.lane_head(parser), timeout, self.clock, sink) {}
        }
        let wait = self.options.early_response_ns;
        while self.end_late(self.pairs.lane_head(EARLY_LANE), wait, self.clock, sink) {}
        self.moment = now;
    }

    /// The same for one session before its next message: what was late at its time is not answered by it.
    fn expire_session(&mut self, index: u32, parser: u16, sink: &mut dyn L7Sink) {
        let now = self.moment;
        let pairs = self.sessions.peek(index).pairs;
        if pairs.requests.head != NIL {
            let timeout = self.pairing(parser).1;
            while self.end_late(self.sessions.peek(index).pairs.requests.head, timeout, now.clock, sink) {}
        }
        if pairs.early.head != NIL {
            let wait = self.options.early_response_ns;
            while self.end_late(self.sessions.peek(index).pairs.early.head, wait, now.clock, sink) {}
        }
        self.moment = now;
    }

    /// Ends a waiting message whose time was over at `clock`. Returns whether it did.
    fn end_late(&mut self, at: u32, wait: u64, clock: u64, sink: &mut dyn L7Sink) -> bool {
        let Some(slot) = self.pairs.get(at) else {
            return false;
        };
        let due = slot.since.saturating_add(wait);
        if clock < due {
            return false;
        }
        self.moment = Stamp { clock: due, turn: 0 };
        if slot.lane == EARLY_LANE {
            self.end_early(slot.session, at);
        } else {
            self.end_request(slot.session, at, End::Timeout, sink);
        }
        true
    }

    /// Ends everything a session has waiting.
    pub fn flush_session(&mut self, index: u32, sink: &mut dyn L7Sink) {
        if let State::Confirmed(parser) = self.sessions.peek(index).state {
            self.expire_session(index, parser, sink);
        }
        while self.sessions.peek(index).pairs.requests.head != NIL {
            self.end_request(index, self.sessions.peek(index).pairs.requests.head, End::Unknown, sink);
        }
        while self.sessions.peek(index).pairs.early.head != NIL {
            self.end_early(index, self.sessions.peek(index).pairs.early.head);
        }
    }

    /// Ends every request of a parser.
    pub fn flush_lane(&mut self, parser: u16, sink: &mut dyn L7Sink) {
        while let Some(slot) = self.pairs.get(self.pairs.lane_head(parser)) {
            self.end_request(slot.session, self.pairs.lane_head(parser), End::Unknown, sink);
        }
    }

    fn push_out(&mut self, at: u32, sink: &mut dyn L7Sink) {
        let Some(slot) = self.pairs.get(at) else {
            return;
        };
        let (index, early) = (slot.session, slot.lane == EARLY_LANE);
        self.counters.add(Count::PendingFull, 1);
        if early {
            self.end_early(index, at);
        } else {
            self.end_request(index, at, End::Unknown, sink);
        }
    }

    /// A request gets no (further) response.
    fn end_request(&mut self, index: u32, at: u32, end: End, sink: &mut dyn L7Sink) {
        self.unlink(index, at);
        let Some(slot) = self.pairs.get(at) else {
            return;
        };
        if slot.partner != NIL {
            self.pair_parts(at);
        } else {
            let due = slot.message.time_ns.saturating_add(self.pairing(slot.parser).1);
            let timed_out = end == End::Timeout || self.moment.clock >= due;
            self.unanswered(at, timed_out.then_some(due), sink);
        }
        self.pairs.free(at);
    }

    fn end_early(&mut self, index: u32, at: u32) {
        self.unlink(index, at);
        self.lone_early(at);
        self.pairs.free(at);
    }
}
