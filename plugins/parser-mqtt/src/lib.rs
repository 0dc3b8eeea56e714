//! MQTT 3.1, 3.1.1 and 5 for MetaFlow: sessions, publications with every quality of service, subscriptions.
//!
//! A session cuts each direction into packets; payloads are passed over without being kept. The README says what is
//! extracted.

mod check;
mod dialogue;
mod frame;
mod packet;
mod properties;
mod reason;
mod session;

use dialogue::Tools;
use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::Session;

/// Sessions whose state is kept at once, at least.
const SESSIONS: usize = 65_536;

/// The MQTT parser.
pub struct MqttParser {
    tools: Tools,
    sessions: Sessions<Session>,
}

impl Parser for MqttParser {
    fn new() -> Self {
        Self { tools: Tools::default(), sessions: Sessions::new(SESSIONS) }
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(mut session) = self.sessions.close(segment.session_id) {
                session.close(out);
            }
            return;
        }
        self.sessions.get(segment.session_id).take(segment, &mut self.tools, out);
    }
}

export_parser!(MqttParser);
