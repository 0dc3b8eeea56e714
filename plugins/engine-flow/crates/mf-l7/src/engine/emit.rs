//! Rows and events for what pairing decides.

use super::core::Core;
use crate::abi::ids::{kind, status, text};
use crate::abi::Texts;
use crate::counters::Count;
use crate::pair::{Message, NIL};
use crate::rows::{write_exchange, write_message, Exchange, RowFlow};
use crate::sink::{ExchangeEvent, L7Sink};

/// An event of nothing, to be filled in.
fn event<'a>(
    info: &'a crate::flow::FlowInfo,
    reversed: bool,
    message: &Message,
    texts: &Texts<'a>,
) -> ExchangeEvent<'a> {
    ExchangeEvent {
        info,
        reversed,
        time_ns: message.time_ns,
        protocol: message.protocol,
        endpoint: texts.0[text::ENDPOINT],
        app_service: texts.0[text::APP_SERVICE],
        app_instance: texts.0[text::APP_INSTANCE],
        biz_type: texts.0[text::BIZ_TYPE].parse().unwrap_or(0),
        request: 0,
        response: 0,
        client_error: 0,
        server_error: 0,
        timeout: 0,
        rrt_us: None,
    }
}

impl Core {
    /// The `l7_message` row.
    pub fn message_row(&mut self, index: u32, parser: u16, message: &Message, texts: &Texts<'_>) {
        if message.status == Some(status::PARSE_FAILED) {
            self.counters.add(Count::ParseFailed, 1);
            let stats = &mut self.sessions.at(index).stats;
            stats.parse_failed = stats.parse_failed.saturating_add(1);
        }
        if !self.options.messages {
            return;
        }
        let session = self.sessions.peek(index);
        let flow = RowFlow {
            info: &session.info,
            reversed: session.reversed,
        };
        let said = message.status.unwrap_or(if message.kind == kind::REQUEST {
            status::UNKNOWN
        } else {
            status::OK
        });
        let name = self
            .parsers
            .get(usize::from(parser))
            .map_or("", |slot| &slot.description.name);
        write_message(&mut self.tables.messages, &flow, message, texts, said, name);
    }

    fn exchange_row(
        &mut self,
        index: u32,
        parser: u16,
        row_type: u8,
        said: u8,
        request: Option<(&Message, Texts<'_>)>,
        response: Option<(&Message, Texts<'_>)>,
        duration_us: Option<u64>,
    ) {
        if !self.options.flow_log {
            return;
        }
        let protocol = request
            .as_ref()
            .or(response.as_ref())
            .map_or(0, |half| half.0.protocol);
        let session = self.sessions.peek(index);
        let flow = RowFlow {
            info: &session.info,
            reversed: session.reversed,
        };
        let description = self
            .parsers
            .get(usize::from(parser))
            .map(|slot| &slot.description);
        let protocol_name =
            description.map_or("", |description| description.protocol_name(protocol));
        let row = Exchange {
            row_type,
            status: said,
            protocol_name,
            request,
            response,
            duration_us,
        };
        write_exchange(&mut self.tables.flow_log, &flow, &row);
    }

    /// Counts a request at its own time.
    pub fn count_request(
        &mut self,
        index: u32,
        message: &Message,
        texts: &Texts<'_>,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.at(index);
        session.stats.requests = session.stats.requests.saturating_add(1);
        let mut event = event(&session.info, session.reversed, message, texts);
        event.request = 1;
        sink.exchange(&event);
    }

    /// Counts a response at its own time; `request` lends it the endpoint.
    pub fn count_response(
        &mut self,
        index: u32,
        message: &Message,
        texts: &Texts<'_>,
        rrt_us: Option<u64>,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.at(index);
        let (client, server) = errors(message.status);
        let stats = &mut session.stats;
        stats.responses = stats.responses.saturating_add(1);
        stats.client_errors = stats.client_errors.saturating_add(u32::from(client));
        stats.server_errors = stats.server_errors.saturating_add(u32::from(server));
        if let Some(rrt) = rrt_us {
            stats.rrt_sum = stats.rrt_sum.saturating_add(rrt);
            stats.rrt_count = stats.rrt_count.saturating_add(1);
            stats.rrt_max = stats.rrt_max.max(rrt);
        }
        let mut event = event(&session.info, session.reversed, message, texts);
        event.response = 1;
        event.client_error = client;
        event.server_error = server;
        event.rrt_us = rrt_us;
        sink.exchange(&event);
    }

    /// A one-way message, or an exchange that the parser paired itself.
    pub fn alone(
        &mut self,
        index: u32,
        parser: u16,
        message: &Message,
        texts: &Texts<'_>,
        sink: &mut dyn L7Sink,
    ) {
        self.count_request(index, message, texts, sink);
        let mut duration = None;
        if message.kind == kind::EXCHANGE {
            duration = Some(message.end_time_ns.saturating_sub(message.time_ns) / 1000);
            let answer = Message {
                time_ns: message.end_time_ns.max(message.time_ns),
                ..*message
            };
            self.count_response(index, &answer, texts, duration, sink);
            self.counters.add(Count::Paired, 1);
        }
        let said = message.status.unwrap_or(status::OK);
        self.exchange_row(
            index,
            parser,
            2,
            said,
            Some((message, *texts)),
            None,
            duration,
        );
    }

    /// A request that is not paired by design.
    pub fn lone_row(
        &mut self,
        index: u32,
        parser: u16,
        message: &Message,
        texts: &Texts<'_>,
        said: u8,
    ) {
        self.exchange_row(index, parser, 0, said, Some((message, *texts)), None, None);
    }

    /// A response without request.
    pub fn lone_response(&mut self, index: u32, parser: u16, message: &Message, texts: &Texts<'_>) {
        self.counters.add(Count::LoneResponses, 1);
        let said = message.status.unwrap_or(status::OK);
        self.exchange_row(index, parser, 1, said, None, Some((message, *texts)), None);
    }

    /// A response that waited for its request in vain (already unlinked).
    pub fn lone_early(&mut self, index: u32, at: u32) {
        self.with_waiting(at, |core, message, texts, parser| {
            core.lone_response(index, parser, message, texts);
        });
    }

    /// A request that got no response (already unlinked).
    pub fn unanswered(
        &mut self,
        index: u32,
        parser: u16,
        at: u32,
        timed_out: bool,
        due: u64,
        sink: &mut dyn L7Sink,
    ) {
        self.with_waiting(at, |core, message, texts, _| {
            let said = if timed_out {
                status::TIMEOUT
            } else {
                status::UNKNOWN
            };
            core.counters.add(
                if timed_out {
                    Count::Timeouts
                } else {
                    Count::Unanswered
                },
                1,
            );
            if timed_out {
                let session = core.sessions.at(index);
                session.stats.timeouts = session.stats.timeouts.saturating_add(1);
                let mut event = event(&session.info, session.reversed, message, texts);
                event.time_ns = due;
                event.timeout = 1;
                sink.exchange(&event);
            }
            core.lone_row(index, parser, message, texts, said);
        });
    }

    /// A request (unlinked) and its only response.
    #[allow(clippy::too_many_arguments)]
    pub fn answer(
        &mut self,
        index: u32,
        parser: u16,
        at: u32,
        message: &Message,
        texts: &Texts<'_>,
        waited_ns: u64,
        sink: &mut dyn L7Sink,
    ) {
        self.with_waiting(at, |core, request, request_texts, _| {
            let rrt = (message.time_ns >= request.time_ns).then_some(waited_ns / 1000);
            core.paired(
                index,
                parser,
                request,
                request_texts,
                message,
                texts,
                rrt,
                sink,
            );
        });
    }

    /// A request and the response that came before it (unlinked, counted already).
    #[allow(clippy::too_many_arguments)]
    pub fn pair(
        &mut self,
        index: u32,
        parser: u16,
        request: &Message,
        texts: &Texts<'_>,
        early: u32,
        timeout: u64,
        sink: &mut dyn L7Sink,
    ) {
        self.with_waiting(early, |core, response, response_texts, _| {
            let waited = response.time_ns.saturating_sub(request.time_ns);
            let rrt = waited / 1000;
            if waited <= timeout {
                // The response was counted when it came; only now is it known how long it took.
                let session = core.sessions.at(index);
                let mut event = event(
                    &session.info,
                    session.reversed,
                    response,
                    &lend(response_texts, texts),
                );
                event.rrt_us = Some(rrt);
                sink.exchange(&event);
                let stats = &mut session.stats;
                stats.rrt_sum = stats.rrt_sum.saturating_add(rrt);
                stats.rrt_count = stats.rrt_count.saturating_add(1);
                stats.rrt_max = stats.rrt_max.max(rrt);
            }
            core.counters.add(Count::Paired, 1);
            let said = response.status.unwrap_or(status::OK);
            let halves = (Some((request, *texts)), Some((response, *response_texts)));
            core.exchange_row(index, parser, 2, said, halves.0, halves.1, Some(rrt));
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn paired(
        &mut self,
        index: u32,
        parser: u16,
        request: &Message,
        request_texts: &Texts<'_>,
        response: &Message,
        texts: &Texts<'_>,
        rrt: Option<u64>,
        sink: &mut dyn L7Sink,
    ) {
        self.counters.add(Count::Paired, 1);
        let lent = lend(texts, request_texts);
        self.count_response(index, response, &lent, rrt, sink);
        let said = response.status.unwrap_or(status::OK);
        self.exchange_row(
            index,
            parser,
            2,
            said,
            Some((request, *request_texts)),
            Some((response, *texts)),
            rrt,
        );
    }

    /// One of several responses to a request that stays open.
    #[allow(clippy::too_many_arguments)]
    pub fn add_part(
        &mut self,
        index: u32,
        at: u32,
        message: &Message,
        texts: &Texts<'_>,
        first: bool,
        waited_ns: u64,
        sink: &mut dyn L7Sink,
    ) {
        if first {
            self.with_waiting(at, |core, request, request_texts, _| {
                let rrt = (message.time_ns >= request.time_ns).then_some(waited_ns / 1000);
                let lent = lend(texts, request_texts);
                core.count_response(index, message, &lent, rrt, sink);
            });
            let part = self.pairs.detached(*message, texts);
            if let Some(slot) = self.pairs.get_mut(at) {
                slot.partner = part;
            }
            return;
        }
        let partner = self.pairs.get(at).map_or(NIL, |slot| slot.partner);
        if let Some(slot) = self.pairs.get_mut(partner) {
            slot.message.absorb(message);
            let earlier = std::mem::take(&mut slot.texts);
            let merged = lend(texts, &earlier.get());
            slot.texts.set(&merged);
        }
    }

    /// The row of a request (unlinked) whose responses came in parts.
    pub fn pair_parts(&mut self, index: u32, parser: u16, at: u32) {
        let partner = self.pairs.get(at).map_or(NIL, |slot| slot.partner);
        self.with_waiting(at, |core, request, request_texts, _| {
            core.with_waiting(partner, |core, response, texts, _| {
                core.counters.add(Count::Paired, 1);
                let rrt = response
                    .time_ns
                    .checked_sub(request.time_ns)
                    .map(|ns| ns / 1000);
                let said = response.status.unwrap_or(status::OK);
                let halves = (Some((request, *request_texts)), Some((response, *texts)));
                core.exchange_row(index, parser, 2, said, halves.0, halves.1, rrt);
            });
        });
    }

    /// Lends a waiting message out while the engine is changed.
    fn with_waiting(&mut self, at: u32, work: impl FnOnce(&mut Core, &Message, &Texts<'_>, u16)) {
        let Some(slot) = self.pairs.get_mut(at) else {
            return;
        };
        let (message, parser) = (slot.message, slot.parser);
        let texts = std::mem::take(&mut slot.texts);
        work(self, &message, &texts.get(), parser);
        if let Some(slot) = self.pairs.get_mut(at) {
            slot.texts = texts;
        }
    }
}

fn errors(said: Option<u8>) -> (u8, u8) {
    match said {
        Some(status::CLIENT_ERROR) => (1, 0),
        Some(status::SERVER_ERROR) => (0, 1),
        _ => (0, 0),
    }
}

/// `own`, with the texts of `other` where it has none.
fn lend<'a>(own: &Texts<'a>, other: &Texts<'a>) -> Texts<'a> {
    let mut out = *own;
    for (slot, lent) in out.0.iter_mut().zip(&other.0) {
        if slot.is_empty() {
            *slot = lent;
        }
    }
    out
}
