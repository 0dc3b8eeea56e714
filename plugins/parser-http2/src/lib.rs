//! HTTP/2 (RFC 9113) in clear and gRPC on it, for MetaFlow: one record for each request and each response.
//!
//! Requests and HTTP responses are reported when their head is complete, calls (gRPC, Triple) with their trailers; bodies
//! are passed over without being kept, unless the option `body_bytes` asks for their first octets. The README says what is extracted and which options there are.

mod check;
mod exchange;
mod fields;
mod frame;
mod grpc;
mod head;
mod held;
mod hpack;
mod lane;
mod options;
mod report;
mod resync;
mod session;
mod streams;

use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::{Session, Tools};

/// Connections whose state is kept.
const SESSIONS: usize = 65_536;

/// The parser.
pub struct Http2Parser {
    tools: Tools,
    sessions: Sessions<Session>,
}

impl Parser for Http2Parser {
    fn new() -> Http2Parser {
        Http2Parser { tools: Tools::default(), sessions: Sessions::new(SESSIONS) }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        // The tables of connections hold fields by what the options say of their names.
        self.sessions = Sessions::new(SESSIONS);
        self.tools.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment, &self.tools.options, &mut self.tools.trial)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(mut session) = self.sessions.close(segment.session_id) {
                session.close(segment, &mut self.tools, out);
            }
            return;
        }
        self.sessions.get(segment.session_id).take(segment, &mut self.tools, out);
    }
}

export_parser!(Http2Parser);
