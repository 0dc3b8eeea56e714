//! The outcome of the search: confirmed, given up, or withdrawn from.

use super::core::Core;
use crate::abi::ids::{KIND_CLOSE, KIND_DATA};
use crate::abi::Verdict;
use crate::counters::Count;
use crate::infer::Asking;
use crate::parser::Op;
use crate::session::State;
use crate::sink::L7Sink;
use crate::stream::Piece;

/// Parsers that may withdraw from a flow before it is given up.
const MAX_VIOLATIONS: u8 = 2;

/// Score of a server that a parser recognised (deepflow-model.md section 3.6).
const SCORE_BY_PARSER: u8 = 254;

impl Core {
    /// The flow is this parser's; what waited goes to it.
    pub fn confirm(&mut self, index: u32, parser: u16, verdict: Verdict, sink: &mut dyn L7Sink) {
        let Some(slot) = self.parsers.get(usize::from(parser)) else {
            return;
        };
        let (protocol, epoch) = (slot.description.protocol(), slot.epoch);
        let session = self.sessions.at(index);
        let client = session.infer.shown.side ^ u8::from(verdict == Verdict::Response);
        if !session.info.direction_certain {
            session.reversed = client & 1 == 1;
        }
        // What the flow table knew when the flow began depends on when parsers spoke of earlier ones.
        session.info.direction_score = session.info.direction_score.max(SCORE_BY_PARSER);
        session.state = State::Confirmed(parser);
        session.epoch = epoch;
        session.passed = [0; 2];
        session.stats.protocol = protocol;
        let (info, reversed) = (session.info, session.reversed);
        let decided = session.infer.decided;
        let pending = session.pending.take();
        self.counters.add(Count::Confirmed, 1);
        let key = self.endpoint(index);
        if self.is_cached(&key) {
            self.endpoints.confirmed(key, parser, decided);
        }
        self.note(
            index,
            Some(parser),
            "confirm",
            if verdict == Verdict::Request { "request" } else { "response" },
            0,
            "",
        );
        sink.identified(&info, protocol, reversed);
        if let Some(pending) = pending {
            for item in pending.items() {
                let gap = item.wire_len.saturating_sub(pending.data(item).len() as u32);
                let piece = Piece {
                    offset: item.offset,
                    seq: item.seq,
                    time_ns: item.time_ns,
                    data: pending.data(item),
                    gap,
                    truncated: false,
                };
                let stamp = item.stamp.max(decided);
                self.hand_over(index, parser, item.kind, item.direction, item.flags, stamp, &piece, sink);
            }
            self.recycle_pending(pending);
        }
        if self.sessions.peek(index).closing {
            self.send_close(index, parser, sink);
        }
    }

    /// The flow belongs to nobody, and that is remembered of its endpoint.
    pub fn give_up(&mut self, index: u32, reason: &str, sink: &mut dyn L7Sink) {
        self.counters.add(Count::GivenUp, 1);
        let key = self.endpoint(index);
        if self.is_cached(&key) {
            self.endpoints.failed(key, self.moment);
        }
        self.ignore(index, reason, sink);
    }

    /// Nothing of the flow is looked at from here on.
    pub fn ignore(&mut self, index: u32, reason: &str, sink: &mut dyn L7Sink) {
        let session = self.sessions.at(index);
        session.state = State::Ignored;
        if session.reason.is_empty() && session.infer.violations > 0 {
            session.reason.push_str(reason);
        }
        let waiting = session.pending.as_ref().map_or(0, |pending| {
            let data = pending.items().iter().filter(|item| item.kind == KIND_DATA);
            data.map(|item| pending.data(item).len() as u64).sum()
        });
        self.drop_pending(index);
        self.unparsed(index, waiting);
        self.counters.add_reason("infer", &["given up: ", reason], 1);
        self.note(index, None, "give_up", "", 0, reason);
        if self.sessions.peek(index).closing {
            self.finalise(index, sink);
        }
    }

    /// The confirmed parser withdraws. Returns whether the flow may be offered to others.
    pub fn violated(&mut self, index: u32, parser: u16, offset: u64, reason: &str, sink: &mut dyn L7Sink) -> bool {
        self.counters.add(Count::Violations, 1);
        self.note(index, Some(parser), "violate", "", offset, reason);
        if let Some(slot) = self.parsers.get(usize::from(parser)) {
            let words = self.counters.add_reason("infer", &[&slot.description.name, " withdrew: ", reason], 1);
            self.sessions.at(index).reason = words.to_string();
        }
        self.flush_session(index, sink);
        // The parser is told to forget the session; that this is not its end is seen from the state below.
        let mut head = self.head(index, 0);
        head.kind = KIND_CLOSE;
        head.time_ns = self.clock;
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            slot.push(Op::Parse, head, &[]);
        }
        let key = self.endpoint(index);
        if self.is_cached(&key) {
            self.endpoints.failed(key, self.moment);
        }
        let session = self.sessions.at(index);
        session.reversed = false;
        session.stats.protocol = 0;
        session.skipped = [true; 2];
        let infer = &mut session.infer;
        infer.violations = infer.violations.saturating_add(1);
        infer.violated |= 1 << (parser & 127);
        infer.asking = Asking::Payload;
        infer.refused = 0;
        infer.in_a_row = 0;
        session.state = State::Inferring;
        if session.infer.violations > MAX_VIOLATIONS {
            self.give_up(index, "its parsers withdrew", sink);
            return false;
        }
        true
    }
}
