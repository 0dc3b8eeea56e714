//! PostgreSQL (protocol 3: startup, simple and extended query, COPY, replication, notifications) for MetaFlow.
//!
//! A session cuts each direction into messages; [`core`](crate::core) follows the dialogue. Rows and copied data are passed
//! over without being kept. The README says what is extracted and which options there are.

mod answer;
mod check;
mod core;
mod error;
mod frame;
mod resync;
mod session;
mod startup;
mod statement;
mod waiting;

use metaflow_parser_sdk::sql::Options;
use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::Session;

/// Sessions whose state is kept at once, at least.
const SESSIONS: usize = 65_536;

/// The PostgreSQL parser.
pub struct PostgresqlParser {
    options: Options,
    sessions: Sessions<Option<Box<Session>>>,
}

impl Parser for PostgresqlParser {
    fn new() -> Self {
        Self { options: Options::default(), sessions: Sessions::new(SESSIONS) }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(Some(mut session)) = self.sessions.close(segment.session_id) {
                session.close(segment, out);
            }
            return;
        }
        let options = self.options;
        let session = self.sessions.get(segment.session_id).get_or_insert_with(|| Box::new(Session::new(options)));
        session.take(segment, out);
    }
}

export_parser!(PostgresqlParser);
