//! Apache Kafka for MetaFlow: one record for each request and each response, for every API that brokers have.
//!
//! Messages are walked through by Kafka's own descriptions ([`schema`]); bytes behind `max_message_bytes` are passed over
//! without being kept. The README says what is extracted and which options there are.

mod answers;
mod check;
mod codec;
mod errors;
mod facts;
mod head;
mod lane;
mod options;
mod records;
mod report;
mod schema;
mod session;
mod topics;
mod walk;

use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::{Session, Tools};

/// Connections whose state is kept.
const SESSIONS: usize = 65_536;

/// The parser.
pub struct KafkaParser {
    tools: Tools,
    sessions: Sessions<Session>,
}

impl Parser for KafkaParser {
    fn new() -> KafkaParser {
        KafkaParser { tools: Tools::default(), sessions: Sessions::new(SESSIONS) }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.tools.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment, &mut self.tools.facts)
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

export_parser!(KafkaParser);
