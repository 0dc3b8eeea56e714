//! What the engine tells while it works: exchanges for aggregation, and what it learned about a flow.

use crate::flow::FlowInfo;

/// One step of an exchange, for the `application` metrics. A request is told when it is seen, its response when that
/// is seen: an exchange is two events, so that each is counted in its own second.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeEvent<'a> {
    /// The flow, with the ends as `open` got them.
    pub info: &'a FlowInfo,
    /// True when the parser found client and server the other way round than `info` says.
    pub reversed: bool,
    /// Capture time of the message's first byte (of the deadline for a timeout).
    pub time_ns: u64,
    /// `l7_protocol` number.
    pub protocol: u8,
    /// The endpoint, of the request for a response.
    pub endpoint: &'a str,
    /// `app_service` the parser found, mostly empty.
    pub app_service: &'a str,
    /// `app_instance` the parser found, mostly empty.
    pub app_instance: &'a str,
    /// `biz_type` number.
    pub biz_type: u8,
    /// The message was read from inside an encrypted connection.
    pub is_tls: bool,
    /// 1 when a request is counted.
    pub request: u8,
    /// 1 when a response is counted.
    pub response: u8,
    /// 1 when the response says that the client erred.
    pub client_error: u8,
    /// 1 when the response says that the server erred.
    pub server_error: u8,
    /// 1 when a request was given up after its session timeout.
    pub timeout: u8,
    /// Microseconds from the request's first byte to the response's, on a paired response.
    pub rrt_us: Option<u64>,
}

/// L7 totals of one flow, for its `l4_flow_log` rows and `network` metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L7Stats {
    /// `l7_protocol` number, 0 while unknown.
    pub protocol: u8,
    /// Requests and one-way messages.
    pub requests: u32,
    /// Responses.
    pub responses: u32,
    /// Responses that say the client erred.
    pub client_errors: u32,
    /// Responses that say the server erred.
    pub server_errors: u32,
    /// Requests without an answer inside the session timeout.
    pub timeouts: u32,
    /// Messages that the parser could not read.
    pub parse_failed: u32,
    /// Sum of request-response times, microseconds.
    pub rrt_sum: u64,
    /// Number of request-response times.
    pub rrt_count: u32,
    /// Largest request-response time, microseconds.
    pub rrt_max: u64,
    /// Payload bytes that no parser made use of.
    pub unparsed_bytes: u64,
}

/// Receives what the engine finds. All methods are called from inside the engine's own calls, in a fixed order.
pub trait L7Sink {
    /// A request, a response, a one-way message or a timeout was counted.
    fn exchange(&mut self, event: &ExchangeEvent<'_>);

    /// The flow's protocol is known; `reversed` when side 1 of `info` is the client.
    fn identified(&mut self, info: &FlowInfo, protocol: u8, reversed: bool) {
        let _ = (info, protocol, reversed);
    }

    /// Nothing more will be told of this flow: its stats since the last `take_stats` and the last domain seen.
    fn ended(&mut self, info: &FlowInfo, stats: &L7Stats, last_domain: &str) {
        let _ = (info, stats, last_domain);
    }
}

/// A sink that keeps nothing.
#[derive(Debug, Default)]
pub struct NoSink;

impl L7Sink for NoSink {
    fn exchange(&mut self, _event: &ExchangeEvent<'_>) {}
}
