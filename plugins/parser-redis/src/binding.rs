//! The protocol code as a parser of the SDK.

use crate::check::{check, Verdict};
use crate::message::{At, Kind, Message, Side, Sink, Status};
use crate::options::Options;
use crate::session::Session;
use metaflow_parser_sdk as sdk;
use sdk::{Direction, Parser, Records, Segment, Sessions, Text};

/// Sessions whose state is kept at once, at least.
const MAX_SESSIONS: usize = 65536;

/// Record flag: the bytes were inside TLS.
const IS_TLS: u8 = sdk::abi_generated::RECORD_FLAG_IS_TLS as u8;

/// The Redis parser.
pub struct RedisParser {
    options: Options,
    sessions: Sessions<Option<Box<Session>>>,
}

impl Parser for RedisParser {
    fn new() -> Self {
        Self { options: Options::default(), sessions: Sessions::new(MAX_SESSIONS) }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        self.options.set(key, value)
    }

    fn check(&mut self, segment: &Segment) -> sdk::Check {
        let mut verdict = check(side(segment.direction), segment.server_port, segment.payload);
        // Who is who is a guess in a flow that is met in its middle: what a client would not say may be an answer.
        if segment.is_mid_stream() && segment.direction == Direction::ClientToServer {
            if let Verdict::No(..) = verdict {
                match check(Side::Server, segment.client_port, segment.payload) {
                    Verdict::No(..) => {}
                    answer => verdict = answer,
                }
            }
        }
        match verdict {
            Verdict::No(reason, at) => sdk::Check::no(reason, at),
            Verdict::More => sdk::Check::More,
            Verdict::Request => sdk::Check::Request,
            Verdict::Response => sdk::Check::Response,
        }
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        let at = At { time_ns: segment.timestamp_ns, offset: segment.stream_offset };
        let side = side(segment.direction);
        let mut sink = Columns { out, is_tls: segment.is_tls_plaintext() };
        if segment.kind == sdk::Kind::Close {
            if let Some(Some(mut session)) = self.sessions.close(segment.session_id) {
                session.close(at.time_ns, &mut sink);
            }
            return;
        }
        let options = self.options;
        let session = self
            .sessions
            .get(segment.session_id)
            .get_or_insert_with(|| Box::new(Session::new(options, segment.is_mid_stream())));
        match segment.kind {
            sdk::Kind::Data => {
                session.data(side, at, segment.payload, &mut sink);
                let cut = u64::from(segment.wire_len).saturating_sub(segment.payload.len() as u64);
                if segment.is_truncated() && cut > 0 {
                    let offset = at.offset.saturating_add(segment.payload.len() as u64);
                    session.gap(side, At { offset, ..at }, cut, &mut sink);
                }
            }
            sdk::Kind::Gap => session.gap(side, at, u64::from(segment.wire_len), &mut sink),
            sdk::Kind::Close => {}
        }
    }
}

fn side(direction: Direction) -> Side {
    match direction {
        Direction::ClientToServer => Side::Client,
        Direction::ServerToClient => Side::Server,
    }
}

/// Writes messages into the columns of the SDK.
struct Columns<'a> {
    out: &'a mut Records,
    is_tls: bool,
}

impl Sink for Columns<'_> {
    fn emit(&mut self, message: &Message<'_>) {
        let out = &mut *self.out;
        match message.kind {
            Kind::Skipped => {
                let reason = String::from_utf8_lossy(message.exception);
                out.skipped(message.start.offset, message.start.time_ns, message.length, &reason);
                return;
            }
            Kind::Violation => {
                out.violation(message.start.offset, message.start.time_ns, &String::from_utf8_lossy(message.exception));
                return;
            }
            Kind::Request => out.begin(sdk::RecordType::Request),
            Kind::Session => out.begin(sdk::RecordType::Session),
            Kind::Response => out.begin(sdk::RecordType::Response).status(match message.status {
                Status::Ok => sdk::Status::Ok,
                Status::ServerError => sdk::Status::ServerError,
                Status::Unknown => sdk::Status::Unknown,
            }),
        };
        out.stream_offset(message.start.offset).time_ns(message.start.time_ns);
        out.end_time_ns(message.end_time_ns).length(message.length);
        if self.is_tls {
            out.flags(IS_TLS);
        }
        out.text(Text::RequestType, message.request_type);
        out.text_bytes(Text::RequestResource, message.resource);
        out.text_bytes(Text::Exception, message.exception);
        out.text_bytes(Text::Result, message.result);
        for (key, value) in message.attributes {
            out.attribute(key, value);
        }
        out.end();
    }
}
