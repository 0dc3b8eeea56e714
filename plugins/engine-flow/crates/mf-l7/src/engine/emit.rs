//! Rows for what pairing decides.

use super::core::Core;
use crate::abi::ids::{kind, status};
use crate::abi::Texts;
use crate::counters::Count;
use crate::pair::{Half, Message, Owner, NIL};
use crate::rows::{write_exchange, write_message, Exchange, RowFlow};
use crate::sink::L7Sink;

/// `response_status` of something that was answered.
fn said(message: &Message) -> u8 {
    message.status.unwrap_or(status::OK)
}

impl Core {
    /// The `l7_message` row.
    pub fn message_row(&mut self, owner: Owner, half: Half<'_>) {
        let message = half.message;
        if message.status == Some(status::PARSE_FAILED) {
            self.counters.add(Count::ParseFailed, 1);
            let stats = &mut self.sessions.at(owner.index).stats;
            stats.parse_failed = stats.parse_failed.saturating_add(1);
        }
        if !self.options.messages {
            return;
        }
        let session = self.sessions.peek(owner.index);
        let flow = RowFlow { info: &session.info, reversed: session.reversed };
        let status = match (message.status, message.kind) {
            (Some(status), _) => status,
            (None, kind::REQUEST) => status::UNKNOWN,
            (None, _) => status::OK,
        };
        let name = self.parsers.get(usize::from(owner.parser)).map_or("", |slot| &slot.description.name);
        let row = self.tables.messages.row(self.moment, session.info.flow_id);
        write_message(row, &flow, message, half.texts, status, (owner.parser, name));
    }

    /// The `l7_flow_log` row; `protocol_name` is filled in here.
    fn exchange_row(&mut self, owner: Owner, row: Exchange<'_>) {
        if !self.options.flow_log {
            return;
        }
        let protocol = row.request.or(row.response).map_or(0, |half| half.message.protocol);
        let session = self.sessions.peek(owner.index);
        let flow = RowFlow { info: &session.info, reversed: session.reversed };
        let description = self.parsers.get(usize::from(owner.parser)).map(|slot| &slot.description);
        let protocol_name = description.map_or("", |description| description.protocol_name(protocol));
        let to = self.tables.flow_log.row(self.moment, session.info.flow_id);
        write_exchange(to, &flow, &Exchange { protocol_name, ..row }, owner.parser);
    }

    fn session_row(&mut self, owner: Owner, request: Half<'_>, response: Half<'_>, rrt: Option<u64>) {
        self.counters.add(Count::Paired, 1);
        let row = Exchange {
            row_type: 2,
            status: said(response.message),
            protocol_name: "",
            request: Some(request),
            response: Some(response),
            duration_us: rrt,
        };
        self.exchange_row(owner, row);
    }

    /// A one-way message, or an exchange that the parser paired itself.
    pub fn alone(&mut self, owner: Owner, half: Half<'_>, sink: &mut dyn L7Sink) {
        self.count_request(owner.index, half, sink);
        let message = half.message;
        let mut duration_us = None;
        if message.kind == kind::EXCHANGE {
            duration_us = Some(message.end_time_ns.saturating_sub(message.time_ns) / 1000);
            let answer = Message { time_ns: message.end_time_ns.max(message.time_ns), ..*message };
            let answer = Half { message: &answer, texts: half.texts };
            self.count_response(owner.index, answer, &Texts::NONE, duration_us, sink);
            self.counters.add(Count::Paired, 1);
        }
        let status = said(message);
        let (request, response) = (Some(half), None);
        self.exchange_row(owner, Exchange { row_type: 2, status, protocol_name: "", request, response, duration_us });
    }

    /// A request that stays alone.
    pub fn lone_request(&mut self, owner: Owner, half: Half<'_>, status: u8) {
        let row =
            Exchange { row_type: 0, status, protocol_name: "", request: Some(half), response: None, duration_us: None };
        self.exchange_row(owner, row);
    }

    /// A response without request.
    pub fn lone_response(&mut self, owner: Owner, half: Half<'_>) {
        self.counters.add(Count::LoneResponses, 1);
        let status = said(half.message);
        let row =
            Exchange { row_type: 1, status, protocol_name: "", request: None, response: Some(half), duration_us: None };
        self.exchange_row(owner, row);
    }

    /// A response that waited for its request in vain (already unlinked).
    pub fn lone_early(&mut self, at: u32) {
        self.with_waiting(at, |core, owner, half| core.lone_response(owner, half));
    }

    /// A request that got no response (already unlinked); `due` when it is a timeout.
    pub fn unanswered(&mut self, at: u32, due: Option<u64>, sink: &mut dyn L7Sink) {
        self.with_waiting(at, |core, owner, half| {
            let status = if let Some(due) = due {
                core.counters.add(Count::Timeouts, 1);
                core.count_timeout(owner.index, half, due, sink);
                status::TIMEOUT
            } else {
                core.counters.add(Count::Unanswered, 1);
                status::UNKNOWN
            };
            core.lone_request(owner, half, status);
        });
    }

    /// A request (unlinked) and its only response.
    pub fn answer(&mut self, at: u32, response: Half<'_>, sink: &mut dyn L7Sink) {
        self.with_waiting(at, |core, owner, request| {
            let rrt = rrt(request.message, response.message);
            core.count_response(owner.index, response, request.texts, rrt, sink);
            core.session_row(owner, request, response, rrt);
        });
    }

    /// A request and the response that was captured before it (unlinked, counted already).
    pub fn answered_before(&mut self, at: u32, request: Half<'_>, timeout: u64, sink: &mut dyn L7Sink) {
        self.with_waiting(at, |core, owner, response| {
            let rrt = rrt(request.message, response.message).filter(|&us| us <= timeout / 1000);
            if let Some(rrt) = rrt {
                core.count_late_rrt(owner.index, response, request.texts, rrt, sink);
            }
            core.session_row(owner, request, response, rrt);
        });
    }

    /// One of several responses to a request that stays open.
    pub fn add_part(&mut self, at: u32, part: Half<'_>, sink: &mut dyn L7Sink) {
        let partner = self.pairs.get(at).map_or(NIL, |slot| slot.partner);
        if partner == NIL {
            self.with_waiting(at, |core, owner, request| {
                let rrt = rrt(request.message, part.message);
                core.count_response(owner.index, part, request.texts, rrt, sink);
            });
            let first = self.pairs.detached(part);
            if let Some(slot) = self.pairs.get_mut(at) {
                slot.partner = first;
            }
        } else if let Some(slot) = self.pairs.get_mut(partner) {
            slot.message.absorb(part.message);
            let earlier = std::mem::take(&mut slot.texts);
            self.pairs.put_texts(partner, &part.texts.or(&earlier.get()), earlier.bytes());
        }
    }

    /// The row of a request (unlinked) whose responses came in parts.
    pub fn pair_parts(&mut self, at: u32) {
        let waiting = self.pairs.lend();
        let request = waiting.get(at as usize);
        if let Some((request, response)) = request.and_then(|slot| Some((slot, waiting.get(slot.partner as usize)?))) {
            let (asked, answered) = (&request.message, &response.message);
            let (request_texts, response_texts) = (request.texts.get(), response.texts.get());
            let halves = [(asked, &request_texts), (answered, &response_texts)];
            let [asked, answered] = halves.map(|(message, texts)| Half { message, texts });
            self.session_row(request.owner(), asked, answered, rrt(asked.message, answered.message));
        }
        self.pairs.take_back(waiting);
    }

    /// Lends a waiting message out while the engine is changed.
    fn with_waiting(&mut self, at: u32, work: impl FnOnce(&mut Core, Owner, Half<'_>)) {
        let waiting = self.pairs.lend();
        if let Some(slot) = waiting.get(at as usize) {
            work(self, slot.owner(), Half { message: &slot.message, texts: &slot.texts.get() });
        }
        self.pairs.take_back(waiting);
    }
}

/// Microseconds from the request's first byte to the response's, unless the clock says it came before.
fn rrt(request: &Message, response: &Message) -> Option<u64> {
    response.time_ns.checked_sub(request.time_ns).map(|ns| ns / 1000)
}
