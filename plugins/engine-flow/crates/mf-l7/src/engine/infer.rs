//! The search for a flow's parser: ask, hear the verdict, confirm or go on to the next.

use super::core::Core;
use crate::abi::ids::{FLAG_MID_STREAM, FLAG_TRUNCATED, KIND_DATA};
use crate::abi::Verdict;
use crate::counters::Count;
use crate::flow::TCP;
use crate::infer::{Asking, Candidates, EndpointKey, Known, PendingItem, Shown, Why, LEARNING_NS};
use crate::parser::Op;
use crate::session::State;
use crate::sink::L7Sink;

/// So few bytes of a stream are shown without counting: a head begins to tell something behind them.
const FEW_BYTES: usize = 64;

impl Core {
    /// The server's side of a session.
    pub fn endpoint(&self, index: u32) -> EndpointKey {
        let session = self.sessions.peek(index);
        let (info, side) = (&session.info, session.server_side());
        EndpointKey {
            ip: info.ip[side],
            port: info.port[side],
            transport: info.transport,
            is_ipv4: info.is_ipv4,
            layer: info.layer,
        }
    }

    /// Whether what is learned of an endpoint is remembered.
    pub fn is_cached(&self, key: &EndpointKey) -> bool {
        !self.options.endpoint_whitelist.contains(&key.port)
    }

    /// Starts over with the first waiting payload: who may be asked about it?
    pub fn ask(&mut self, index: u32, sink: &mut dyn L7Sink) {
        if !self.sessions.peek(index).infer.prepared {
            let key = self.endpoint(index);
            let now = self.sessions.peek(index).pending.as_ref().and_then(|pending| pending.items().first());
            let now = now.map_or(self.clock, |item| item.stamp.clock);
            if self.has_to_learn(now) {
                self.sessions.at(index).infer.asking = Asking::Endpoint;
                self.learners.extend(self.sessions.handle(index));
                return;
            }
            let known = if self.is_cached(&key) { self.endpoints.get(&key, now) } else { Known::Nothing };
            let endpoint = match known {
                Known::Unknown => {
                    self.counters.add(Count::KnownUnknown, 1);
                    // Not a failure of the endpoint again: after its time it shall be looked at anew.
                    return self.ignore(index, "flows of this endpoint were given up many times", sink);
                }
                Known::Parser(parser) => Some(parser),
                Known::Nothing => None,
            };
            let parsers = self.parsers.iter().map(|slot| &slot.description);
            let infer = &mut self.sessions.at(index).infer;
            infer.candidates = Candidates::new(parsers, key.transport, key.layer, key.port, endpoint);
            infer.prepared = true;
        }
        let session = self.sessions.at(index);
        let Some(pending) = session.pending.as_mut() else {
            return;
        };
        let before = pending.size();
        let first = pending.first_data(0);
        let dropped = first.unwrap_or(pending.items().len());
        for item in pending.items().iter().take(dropped) {
            session.skipped[usize::from(item.direction & 1)] = true;
        }
        pending.discard(dropped);
        session.infer.cursor = session.infer.cursor.saturating_sub(dropped);
        let Some(item) = pending.items().first() else {
            session.infer.asking = Asking::Payload;
            self.drop_pending_sized(index, before);
            if self.sessions.peek(index).closing {
                self.finalise(index, sink);
            }
            return;
        };
        if session.infer.direction != item.direction {
            session.infer.in_a_row = 0;
        }
        session.infer.direction = item.direction;
        session.infer.decided = session.infer.decided.max(item.stamp);
        // What is asked from here on was asked when this payload came, also when it waited behind a refused one.
        self.moment = session.infer.decided;
        session.infer.tried = session.infer.violated;
        let parsers = self.parsers.iter().map(|slot| &slot.description);
        session.infer.candidates.look_at(parsers, pending.data(item));
        let after = pending.size();
        self.store.release(before.saturating_sub(after));
        self.ask_next(index, sink);
    }

    /// Whether something that was delivered long enough before `now` to count is still with a parser.
    fn has_to_learn(&self, now: u64) -> bool {
        let counts = now.saturating_sub(LEARNING_NS);
        self.parsers.iter().any(|slot| slot.oldest() <= counts)
    }

    /// Goes on with flows that waited for older ones.
    pub fn ask_learners(&mut self, sink: &mut dyn L7Sink) {
        while let Some(&flow) = self.learners.front() {
            let waiting = self.sessions.find(flow).filter(|session| session.infer.asking == Asking::Endpoint);
            let first = waiting.and_then(|session| session.pending.as_ref()?.items().first().copied());
            if first.is_some_and(|item| self.has_to_learn(item.stamp.clock)) {
                break;
            }
            self.learners.pop_front();
            if let Some(item) = first {
                self.moment = item.stamp;
                self.ask(flow.index, sink);
            }
        }
    }

    fn drop_pending_sized(&mut self, index: u32, counted: usize) {
        if let Some(pending) = self.sessions.at(index).pending.take() {
            self.store.release(counted.saturating_sub(pending.size()));
            self.recycle_pending(pending);
        }
    }

    /// Asks the next candidate about the current payload.
    pub fn ask_next(&mut self, index: u32, sink: &mut dyn L7Sink) {
        loop {
            let infer = &mut self.sessions.at(index).infer;
            let Some((parser, why)) = infer.candidates.next(infer.tried) else {
                return self.all_refused(index, sink);
            };
            infer.shown = Shown::default();
            infer.hinted = why != Why::Order;
            self.note(index, Some(parser), "candidate", "", 0, why.word());
            let Some(slot) = self.parsers.get(usize::from(parser)) else {
                return;
            };
            if !slot.faults.is_quarantined(self.clock) {
                let side = self.sessions.peek(index).infer.direction;
                return self.show(index, parser, side, sink);
            }
            self.refuse(index, parser, 0, "the parser is in quarantine");
        }
    }

    /// Shows one side's bytes, as far as they were looked at, to a candidate.
    pub fn show(&mut self, index: u32, parser: u16, side: u8, sink: &mut dyn L7Sink) {
        let max = self.options.infer_check_bytes;
        let (segments, bytes) = (self.options.batch_segments, self.options.batch_bytes);
        let Some(slot) = self.parsers.get(usize::from(parser)) else {
            return;
        };
        if !self.busy && !slot.check.has_room(max, segments, bytes) {
            self.full(parser, Op::Check, sink);
        }
        self.make_room(parser, Op::Check, max);
        let mut head = self.head(index, side);
        let mut scratch = std::mem::take(&mut self.scratch);
        let session = self.sessions.at(index);
        let datagram = session.info.transport != TCP;
        let end = session.infer.cursor + 1;
        if let Some(pending) = session.pending.as_ref() {
            if let Some((item, data)) = pending.head(end, side, datagram, max, &mut scratch) {
                head.kind = KIND_DATA;
                head.flags = item.flags;
                head.time_ns = item.time_ns;
                head.offset = item.offset;
                head.seq = item.seq;
                head.stamp = session.infer.decided;
                head.wire_len = if datagram { item.wire_len } else { data.len() as u32 };
                let shown = &mut session.infer.shown;
                shown.side = side;
                // Who types sends a segment for each key: the first few bytes are no reason to stop waiting.
                let counts = u16::from(datagram || data.len() >= FEW_BYTES);
                if side == session.infer.direction {
                    shown.asked = shown.asked.saturating_add(counts);
                } else {
                    shown.across = shown.across.saturating_add(counts);
                    shown.across_end = end;
                }
                session.infer.asking = Asking::Verdict(parser);
                if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
                    slot.push(Op::Check, head, data);
                }
            }
        }
        self.scratch = scratch;
    }

    /// A candidate said something about a session (`None`: it failed).
    pub fn verdict(&mut self, index: u32, parser: u16, said: Option<(Verdict, u32, &str)>, sink: &mut dyn L7Sink) {
        let session = self.sessions.peek(index);
        if session.state != State::Inferring || session.infer.asking != Asking::Verdict(parser) {
            return;
        }
        self.moment = session.infer.decided;
        let Some((verdict, offset, reason)) = said else {
            self.refuse(index, parser, 0, "the parser failed");
            return self.ask_next(index, sink);
        };
        let session = self.sessions.peek(index);
        let side = session.infer.shown.side;
        let across = side != session.infer.direction;
        let first = session.pending.as_ref().and_then(|pending| pending.first_of(side));
        let at = first.map_or(0, |item| item.offset).saturating_add(u64::from(offset));
        let from_start = first.is_some_and(|item| item.offset == 0 && item.flags & FLAG_MID_STREAM == 0);
        let word = ["no", "more", "request", "response"][verdict as usize];
        self.note(index, Some(parser), "check", word, at, reason);
        match verdict {
            Verdict::No if across && !from_start => {
                self.sessions.at(index).infer.shown.blind = true;
                self.look_further(index, parser, at, sink);
            }
            Verdict::No => {
                self.refuse(index, parser, at, reason);
                self.ask_next(index, sink);
            }
            Verdict::More => self.look_further(index, parser, at, sink),
            Verdict::Request | Verdict::Response => self.confirm(index, parser, verdict, sink),
        }
    }

    /// The candidate could not tell yet: it is shown what the other side said meanwhile, then the next piece.
    pub fn look_further(&mut self, index: u32, parser: u16, at: u64, sink: &mut dyn L7Sink) {
        let max = self.parsers.get(usize::from(parser)).map_or(0, |slot| slot.description.max_check_segments);
        let check_bytes = self.options.infer_check_bytes;
        let reason = loop {
            let session = self.sessions.at(index);
            let Some(pending) = session.pending.as_ref() else {
                return;
            };
            let (infer, items) = (&mut session.infer, pending.items());
            let looked_at = items.get(..=infer.cursor).unwrap_or(items);
            let other = looked_at.iter().enumerate().skip(infer.shown.across_end);
            let mut other = other.filter(|(_, item)| item.kind == KIND_DATA && item.direction != infer.direction);
            let own = looked_at.iter().filter(|item| item.kind == KIND_DATA && item.direction == infer.direction);
            if other.next().is_some() {
                if infer.shown.across >= max {
                    break "asked for more bytes too often";
                }
                if !infer.shown.blind {
                    let side = infer.direction ^ 1;
                    return self.show(index, parser, side, sink);
                }
                infer.shown.across = infer.shown.across.saturating_add(1);
                infer.shown.across_end = infer.cursor + 1;
                continue;
            }
            if infer.shown.asked >= max {
                break "asked for more bytes too often";
            }
            if own.map(|item| item.wire_len as usize).sum::<usize>() >= check_bytes {
                break "could not tell from as many bytes as are shown";
            }
            let next =
                pending.first_data(infer.cursor + 1).map(|next| (next, items[next].direction, items[next].stamp));
            match next {
                Some((next, side, stamp)) => {
                    infer.cursor = next;
                    infer.decided = infer.decided.max(stamp);
                    if side == infer.direction {
                        return self.show(index, parser, side, sink);
                    }
                }
                None if session.closing => {
                    infer.decided = infer.decided.max(session.closed_at);
                    break "the flow ended before the parser could tell";
                }
                None => {
                    infer.asking = Asking::More(parser);
                    return;
                }
            }
        };
        self.refuse(index, parser, at, reason);
        self.ask_next(index, sink);
    }

    /// A candidate is out for the current payload.
    pub fn refuse(&mut self, index: u32, parser: u16, at: u64, reason: &str) {
        self.note(index, Some(parser), "refuse", "no", at, reason);
        let session = self.sessions.at(index);
        session.infer.tried |= 1 << (parser & 127);
        if let Some(slot) = self.parsers.get(usize::from(parser)) {
            let words = self.counters.add_reason("infer", &[&slot.description.name, " refused: ", reason], 1);
            // What somebody with a claim to the flow said says more than what the others did.
            if session.infer.hinted && session.reason.is_empty() {
                session.reason.push_str(words);
            }
        }
    }

    /// Nobody wants the current payload: it is dropped, the next one is looked at.
    fn all_refused(&mut self, index: u32, sink: &mut dyn L7Sink) {
        let limit = self.options.infer_segments;
        let session = self.sessions.at(index);
        session.infer.refused = session.infer.refused.saturating_add(1);
        session.infer.in_a_row = session.infer.in_a_row.saturating_add(1);
        session.infer.asking = Asking::Payload;
        if session.infer.refused >= limit {
            return self.give_up(index, "every parser refused the flow's payload", sink);
        }
        let side = session.infer.direction;
        session.skipped[usize::from(side & 1)] = true;
        let Some(pending) = session.pending.as_mut() else {
            return;
        };
        if session.infer.refused == 1 {
            let whole = |item: &PendingItem| item.offset == 0 && item.flags & (FLAG_MID_STREAM | FLAG_TRUNCATED) == 0;
            session.infer.begun = pending.items().first().is_some_and(whole);
        }
        let before = pending.size();
        // Inside a long transfer the rest of it is dropped too.
        let dull = session.infer.in_a_row >= 4;
        let items = pending.items().iter();
        let goes_on = |item: &&PendingItem| item.direction == side || item.kind != KIND_DATA;
        let until = if dull { items.take_while(goes_on).count() } else { 1 };
        for item in pending.items().iter().take(until) {
            session.skipped[usize::from(item.direction & 1)] = true;
        }
        let bytes = pending.discard(until);
        session.infer.cursor = session.infer.cursor.saturating_sub(until);
        let after = pending.size();
        self.store.release(before - after);
        self.unparsed(index, bytes);
        self.ask(index, sink);
    }
}
