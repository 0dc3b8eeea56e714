//! Events and flow totals: every message is counted once, at its own time.

use super::core::Core;
use crate::abi::ids::{flag, status, text};
use crate::abi::Texts;
use crate::pair::Half;
use crate::session::Session;
use crate::sink::{ExchangeEvent, L7Sink};

/// An event that counts nothing yet. What the message does not say of the service is lent by `other`, its request.
fn event<'a>(session: &'a Session, half: Half<'a>, other: &Texts<'a>) -> ExchangeEvent<'a> {
    let pick = |position: usize| {
        let own = half.texts.0[position];
        if own.is_empty() {
            other.0[position]
        } else {
            own
        }
    };
    ExchangeEvent {
        info: &session.info,
        reversed: session.reversed,
        time_ns: half.message.time_ns,
        protocol: half.message.protocol,
        endpoint: pick(text::ENDPOINT),
        app_service: pick(text::APP_SERVICE),
        app_instance: pick(text::APP_INSTANCE),
        biz_type: match pick(text::BIZ_TYPE) {
            "" => 0,
            number => number.parse().unwrap_or(0),
        },
        is_tls: half.message.flags & flag::TLS != 0,
        request: 0,
        response: 0,
        client_error: 0,
        server_error: 0,
        timeout: 0,
        rrt_us: None,
    }
}

fn add_rrt(session: &mut Session, rrt: u64) {
    let stats = &mut session.stats;
    stats.rrt_sum = stats.rrt_sum.saturating_add(rrt);
    stats.rrt_count = stats.rrt_count.saturating_add(1);
    stats.rrt_max = stats.rrt_max.max(rrt);
}

impl Core {
    /// Counts a request.
    pub fn count_request(&mut self, index: u32, half: Half<'_>, sink: &mut dyn L7Sink) {
        let session = self.sessions.at(index);
        session.stats.requests = session.stats.requests.saturating_add(1);
        sink.exchange(&ExchangeEvent { request: 1, ..event(session, half, &Texts::NONE) });
    }

    /// Counts a response; `request` lends it the endpoint.
    pub fn count_response(
        &mut self,
        index: u32,
        half: Half<'_>,
        request: &Texts<'_>,
        rrt_us: Option<u64>,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.at(index);
        let client_error = u8::from(half.message.status == Some(status::CLIENT_ERROR));
        let server_error = u8::from(half.message.status == Some(status::SERVER_ERROR));
        let stats = &mut session.stats;
        stats.responses = stats.responses.saturating_add(1);
        stats.client_errors = stats.client_errors.saturating_add(u32::from(client_error));
        stats.server_errors = stats.server_errors.saturating_add(u32::from(server_error));
        if let Some(rrt) = rrt_us {
            add_rrt(session, rrt);
        }
        let event = event(session, half, request);
        sink.exchange(&ExchangeEvent { response: 1, client_error, server_error, rrt_us, ..event });
    }

    /// Tells how long an answer took that was counted when it came, before its request.
    pub fn count_late_rrt(
        &mut self,
        index: u32,
        response: Half<'_>,
        request: &Texts<'_>,
        rrt: u64,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.at(index);
        add_rrt(session, rrt);
        sink.exchange(&ExchangeEvent { rrt_us: Some(rrt), ..event(session, response, request) });
    }

    /// Counts a request that was not answered by `due`.
    pub fn count_timeout(&mut self, index: u32, request: Half<'_>, due: u64, sink: &mut dyn L7Sink) {
        let session = self.sessions.at(index);
        session.stats.timeouts = session.stats.timeouts.saturating_add(1);
        let event = event(session, request, &Texts::NONE);
        sink.exchange(&ExchangeEvent { timeout: 1, time_ns: due, ..event });
    }
}
