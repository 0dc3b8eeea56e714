//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) for MetaFlow: one record for each request and each final response.
//!
//! A message is reported when its head is complete; bodies are passed over without being kept, unless the option `body_bytes` asks
//! for their first bytes. The README says what is
//! extracted and which options there are.

mod body;
mod check;
mod chunked;
mod fields;
mod head;
mod known;
mod message;
mod options;
mod pending;
mod resync;
mod scan;
mod session;
mod side;
mod start_line;

use known::Memory;
use message::Sink;
use metaflow_parser_sdk::trace::Trace;
use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use options::Options;
use session::Session;

/// Connections whose state is kept.
const SESSIONS: usize = 65_536;

/// The parser.
pub struct HttpParser {
    options: Options,
    sessions: Sessions<Session>,
    trace: Trace,
    memory: Memory,
}

impl Parser for HttpParser {
    fn new() -> HttpParser {
        HttpParser {
            options: Options::default(),
            sessions: Sessions::new(SESSIONS),
            trace: Trace::default(),
            memory: Memory::default(),
        }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        // What heads said was said under the options of before.
        self.memory = Memory::default();
        self.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        let mut sink = Sink {
            options: &self.options,
            trace: &mut self.trace,
            memory: &mut self.memory,
            out,
            is_tls: segment.is_tls_plaintext(),
        };
        if segment.kind == Kind::Close {
            if let Some(mut session) = self.sessions.close(segment.session_id) {
                session.close(&mut sink);
            }
            return;
        }
        let session = self.sessions.get(segment.session_id);
        session.take(segment, &mut sink);
        out.pass_over(session.passing(segment.direction));
    }
}

export_parser!(HttpParser);
