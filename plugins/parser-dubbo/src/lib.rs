//! Dubbo 2 for MetaFlow: one record for each request, response, heartbeat and one-way call.
//!
//! The README says what is extracted and which options there are.

mod body;
mod check;
mod codes;
mod frame;
mod options;
mod report;
mod session;

use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::{Session, Tools};

/// Connections whose state is kept.
const SESSIONS: usize = 65_536;

/// The parser.
pub struct DubboParser {
    tools: Tools,
    sessions: Sessions<Session>,
}

impl Parser for DubboParser {
    fn new() -> DubboParser {
        DubboParser { tools: Tools::default(), sessions: Sessions::new(SESSIONS) }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.tools.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(mut session) = self.sessions.close(segment.session_id) {
                session.close(&mut self.tools, out);
            }
            return;
        }
        self.sessions.get(segment.session_id).take(segment, &mut self.tools, out);
    }
}

export_parser!(DubboParser);
