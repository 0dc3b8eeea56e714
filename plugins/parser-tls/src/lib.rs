//! TLS handshakes (SSL 3.0 to TLS 1.3) for MetaFlow: who asked for which name, what was agreed, how long it took.
//!
//! A handshake is one exchange. Once it is over nothing of the flow is looked at. The README says what is extracted.

mod alert;
mod certificate;
mod check;
mod digest;
mod fingerprint;
mod handshake;
mod hello;
mod names;
mod record;
mod session;

use metaflow_parser_sdk::{export_parser, Check, Kind, Parser, Records, Segment, Sessions};
use session::Session;

/// Sessions whose state is kept at once, at least.
const SESSIONS: usize = 65_536;

/// The TLS parser.
pub struct TlsParser {
    sessions: Sessions<Option<Box<Session>>>,
}

impl Parser for TlsParser {
    fn new() -> Self {
        Self { sessions: Sessions::new(SESSIONS) }
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(Some(mut session)) = self.sessions.close(segment.session_id) {
                session.close(segment.timestamp_ns, out);
            }
            return;
        }
        self.sessions.get(segment.session_id).get_or_insert_with(Box::default).take(segment, out);
    }
}

export_parser!(TlsParser);
