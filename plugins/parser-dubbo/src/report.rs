//! From a message to the columns of a record.

use crate::codes;
use crate::frame::{Frame, HEAD};
use crate::session::Tools;
use metaflow_parser_sdk::{Direction, RecordType, Records, Status, StreamBuffer, Text};
use std::fmt::Write;

/// Set in the key of what the server asks: its ids are counted apart from the client's.
const BY_SERVER: u64 = 1 << 63;

/// Report the message at the beginning of a buffer.
pub(crate) fn message(
    stream: &StreamBuffer,
    frame: &Frame,
    side: Direction,
    flags: u8,
    tools: &mut Tools,
    out: &mut Records,
) {
    let Tools { options, body, .. } = tools;
    let kept = stream.len().min(frame.size()).min(options.max_message_bytes);
    let content = stream.bytes().get(HEAD..kept).unwrap_or_default();
    body.clear();
    if !frame.is_event {
        if frame.is_request {
            body.request(frame.serialization, content, options);
        } else {
            body.response(frame.serialization, content, frame.status != 20, options);
        }
    }
    out.begin(match (frame.is_request, frame.is_two_way) {
        (true, true) => RecordType::Request,
        (true, false) => RecordType::Session,
        (false, _) => RecordType::Response,
    });
    out.stream_offset(stream.offset()).time_ns(stream.time_ns()).length(u64::from(frame.length)).request_id(frame.id);
    let by_server = (side == Direction::ServerToClient) == frame.is_request;
    out.stream_id(if by_server { frame.id ^ BY_SERVER } else { frame.id });
    if kept == frame.size() {
        out.end_time_ns(stream.time_at(kept - 1));
    }
    if flags != 0 {
        out.flags(flags);
    }
    // Of an event without a letter the capture may have cut it.
    if frame.is_event && (kept == frame.size() || event(content) != HEARTBEAT) {
        out.text(Text::RequestType, event(content));
    }
    if frame.is_request {
        out.text(Text::RequestType, &body.method).text(Text::Version, &body.dubbo);
        out.text(Text::RequestDomain, &body.service).text(Text::RequestResource, &body.service);
        if !body.service.is_empty() {
            out.text(Text::Endpoint, &body.service);
            if !body.method.is_empty() {
                out.append(Text::Endpoint, "/").append(Text::Endpoint, &body.method);
            }
        }
    } else {
        let (status, name) = codes::status(frame.status);
        let is_failed = !body.exception.is_empty() && options.exceptions_are_errors;
        out.status(if is_failed { Status::ServerError } else { status }).code(frame.status.into());
        // The class may be what the capture cut.
        let is_named = kept == frame.size() || body.exception != "exception";
        let thrown = if is_named { &body.exception } else { "" };
        out.text(Text::Exception, if name.is_empty() { thrown } else { name });
        // Providers send whole stack traces: the first line says what happened.
        out.text(Text::Result, body.message.lines().next().unwrap_or(""));
    }
    body.trace.write(out);
    if body.trace.span_id().is_empty() {
        out.text(Text::SpanId, &body.span);
    }
    let mut number = String::new();
    let _ = write!(number, "{}", frame.serialization);
    out.attribute("serialization_id", &number);
    if frame.is_event {
        out.attribute("event", "1");
    }
    for (name, value) in [
        ("service_version", &body.service_version),
        ("service_group", &body.group),
        ("parameter_types", &body.types),
        ("generic_method", &body.generic),
        ("remote_application", &body.application),
    ] {
        if !value.is_empty() {
            out.attribute(name, value);
        }
    }
    out.end();
}

const HEARTBEAT: &str = "heartbeat";

/// A provider says with a letter that it takes no more requests (R), or again (W); a heartbeat says nothing.
fn event(content: &[u8]) -> &'static str {
    let says = |letter: u8| content.iter().take(16).any(|byte| byte & 0x7f == letter);
    if says(b'R') {
        "readonly"
    } else if says(b'W') {
        "writeable"
    } else {
        HEARTBEAT
    }
}
