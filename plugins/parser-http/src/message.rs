//! One head to one record, and to what follows it on the wire.

use crate::body;
use crate::head::{self, Coding, ContentLength, Head};
use crate::known::Memory;
use crate::options::Options;
use crate::pending::Asked;
use crate::scan;
use crate::start_line::{self, RequestLine, StartLine, StatusLine};
use metaflow_parser_sdk::http::bodies;
use metaflow_parser_sdk::http::status;
use metaflow_parser_sdk::trace::Trace;
use metaflow_parser_sdk::{abi_generated as abi, Direction, RecordType, Records, Status, Text};

/// What every message is written with.
pub(crate) struct Sink<'a> {
    pub options: &'a Options,
    pub trace: &'a mut Trace,
    /// The heads that were read before.
    pub memory: &'a mut Memory,
    pub out: &'a mut Records,
    /// The bytes were captured inside TLS.
    pub is_tls: bool,
}

/// Where a message stands and how much of it there is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub direction: Direction,
    pub offset: u64,
    pub time_ns: u64,
    /// Capture time of the last byte of the head.
    pub end_time_ns: u64,
    pub extent: Extent,
    /// The first bytes of the body, where they are wanted and there.
    pub body: &'a [u8],
    /// Which request a response answers is not known.
    pub is_unpaired: bool,
}

/// How much of the head there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// The capture lost the rest.
    Cut,
    /// It is longer than the limit.
    TooLong,
}

/// How the body is delimited (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Bytes(u64),
    Chunked,
    UntilClose,
    /// The length is not known: the next message has to be searched.
    Unknown(&'static str),
}

/// What a head says about what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A request was seen; its body follows.
    Request(Asked, Body),
    /// An interim response: it is not reported, and the final one follows.
    Interim,
    /// A final response was seen; its body follows.
    Response(Body),
    /// The connection goes on as a WebSocket.
    WebSocket,
    /// The connection goes on as a tunnel, with whatever protocol.
    Tunnel,
    /// The connection goes on with another protocol.
    Other(&'static str),
}

/// Report the message whose head these bytes are (or begin). `asked` gives the request that a final response answers.
///
/// The first line was found good before; `None` when it was not, and nothing is reported.
pub(crate) fn report(bytes: &[u8], place: Place, sink: &mut Sink, asked: impl FnOnce() -> Asked) -> Option<Next> {
    let (start, next) = match scan::line(bytes, 0) {
        Some((line, next)) => (start_line::read(line).ok()?, next),
        None if place.extent == Extent::Cut => (start_line::read_cut(bytes)?, bytes.len()),
        None => return None,
    };
    if is_interim(&start) {
        return Some(Next::Interim);
    }
    let mut head = Head::default();
    let known = sink.memory.like(place.direction, bytes.len().saturating_sub(next));
    head.read(bytes, next, (&sink.options.fields, &sink.options.trace), sink.trace, known);
    Some(tell(bytes, &start, &head, place, sink, asked))
}

/// Report the message whose head begins the bytes, when the bytes hold all of it. Also the length of the head; `None`, and nothing
/// is reported, when they do not or when they are no head.
pub(crate) fn report_whole(
    bytes: &[u8],
    place: Place,
    sink: &mut Sink,
    asked: impl FnOnce() -> Asked,
) -> Option<(usize, Next)> {
    let (line, next) = scan::line(bytes, 0)?;
    let start = start_line::read(line).ok()?;
    let mut head = Head::default();
    let known = sink.memory.like(place.direction, bytes.len().saturating_sub(next));
    let length = head.read(bytes, next, (&sink.options.fields, &sink.options.trace), sink.trace, known)?;
    if is_interim(&start) {
        return Some((length, Next::Interim));
    }
    Some((length, tell(bytes.get(..length)?, &start, &head, place, sink, asked)))
}

fn is_interim(start: &StartLine) -> bool {
    matches!(start, StartLine::Status(StatusLine { code: 100 | 102..=199, .. }))
}

fn tell(
    bytes: &[u8],
    start: &StartLine,
    head: &Head,
    place: Place,
    sink: &mut Sink,
    asked: impl FnOnce() -> Asked,
) -> Next {
    let next = match start {
        StartLine::Request(line) => {
            let asked = Asked::of(line.method);
            Next::Request(asked, request_body(asked, head))
        }
        StartLine::Status(line) => after_response(line, head, asked()),
    };
    let has_body = !matches!(next, Next::Request(_, Body::None) | Next::Response(Body::None));
    begin(sink, start, place, bytes.len(), (!has_body).then_some(place.end_time_ns));
    if let ContentLength::Bytes(length) = head.content_length {
        sink.out.length(length);
    }
    match start {
        StartLine::Request(line) => request(sink, line, head),
        StartLine::Status(line) => response(sink, line, head, place.extent),
    }
    for (index, value) in head.attributes() {
        let name = sink.options.fields.attribute_name(index);
        sink.out.attribute(name, &head::text(&sink.options.masks.header(name, value)));
    }
    if place.is_unpaired {
        sink.out.attribute("http_request", "unknown: a pipeline lost answers or requests in a gap of the capture");
    }
    match place.extent {
        Extent::Whole => {}
        Extent::Cut => drop(sink.out.attribute("http_head", "cut")),
        Extent::TooLong => {
            let limit = sink.options.max_head_bytes;
            sink.out.status(Status::ParseFailed).text(Text::Exception, &format!("Head longer than {limit} bytes."));
        }
    }
    sink.trace.write(sink.out);
    if !place.body.is_empty() {
        sink.out.private_text(bodies::BODY, &String::from_utf8_lossy(place.body));
        sink.out.private_text(bodies::MEDIA_TYPE, &String::from_utf8_lossy(body::media_type(bytes)));
    }
    sink.out.end();
    next
}

fn begin(sink: &mut Sink, start: &StartLine, place: Place, captured: usize, end_time_ns: Option<u64>) {
    let (kind, expected, version) = match start {
        StartLine::Request(line) => (RecordType::Request, Direction::ClientToServer, line.version),
        StartLine::Status(line) => (RecordType::Response, Direction::ServerToClient, line.version),
    };
    let out = sink.out.begin(kind).stream_offset(place.offset).time_ns(place.time_ns).captured_bytes(captured as u32);
    if let Some(end_time_ns) = end_time_ns {
        out.end_time_ns(end_time_ns);
    }
    let mut flags = 0;
    if sink.is_tls {
        flags |= abi::RECORD_FLAG_IS_TLS as u8;
    }
    if place.direction != expected {
        flags |= abi::RECORD_FLAG_IS_REVERSED as u8;
    }
    if place.is_unpaired {
        flags |= abi::RECORD_FLAG_UNPAIRED as u8;
    }
    if flags != 0 {
        out.flags(flags);
    }
    out.text(Text::Version, version);
}

fn request(sink: &mut Sink, line: &RequestLine, head: &Head) {
    let target = Target::read(line);
    let kept = sink.options.masks.address(target.resource);
    let out = sink.out.text_bytes(Text::RequestType, line.method).text_bytes(Text::RequestResource, &kept);
    // The authority of an absolute target replaces the Host field (RFC 9112, 3.2.2).
    let domain = if target.authority.is_empty() { head.host } else { target.authority };
    out.text_bytes(Text::RequestDomain, domain);
    let path = without_query(target.resource);
    out.text_bytes(Text::Endpoint, if path.starts_with(b"/") { sink.options.endpoint.of(path) } else { path });
    out.text_bytes(Text::XRequestId, head.request_id()).text_bytes(Text::HttpProxyClient, head.client_ip());
}

/// The path in front of a query or a fragment.
fn without_query(resource: &[u8]) -> &[u8] {
    scan::find_either(resource, b'?', b'#').map_or(resource, |end| &resource[..end])
}

fn response(sink: &mut Sink, line: &StatusLine, head: &Head, extent: Extent) {
    let status = status::of(line.code);
    let out = sink.out.code(i32::from(line.code)).text_bytes(Text::XRequestId, head.request_id());
    if extent == Extent::TooLong {
        return;
    }
    out.status(status);
    if status != Status::Ok {
        match status::phrase(line.code) {
            "" => out.text_bytes(Text::Exception, line.reason.trim_ascii()),
            phrase => out.text(Text::Exception, phrase),
        };
    }
}

/// A request target in parts.
struct Target<'a> {
    authority: &'a [u8],
    /// Path and query; the authority of a CONNECT; `*`.
    resource: &'a [u8],
}

impl<'a> Target<'a> {
    fn read(line: &RequestLine<'a>) -> Target<'a> {
        let target = line.target;
        if target.starts_with(b"/") || target == b"*" {
            return Target { authority: &[], resource: target };
        }
        let Some(scheme) = target.windows(3).position(|window| window == b"://") else {
            return Target { authority: target, resource: target };
        };
        let rest = &target[scheme + 3..];
        let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let authority = rest[..path].rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        Target { authority, resource: if path < rest.len() { &rest[path..] } else { b"/" } }
    }
}

fn request_body(asked: Asked, head: &Head) -> Body {
    match (head.coding, head.content_length) {
        _ if asked == Asked::Connect => Body::None,
        (Coding::Chunked, _) => Body::Chunked,
        (Coding::Other, _) => {
            Body::Unknown("a request body of unknown length: Transfer-Encoding does not end in chunked")
        }
        (Coding::Absent, ContentLength::Absent | ContentLength::Bytes(0)) => Body::None,
        (Coding::Absent, ContentLength::Bytes(length)) => Body::Bytes(length),
        (Coding::Absent, ContentLength::Wrong) => {
            Body::Unknown("a request body of unknown length: Content-Length is wrong")
        }
    }
}

fn after_response(line: &StatusLine, head: &Head, asked: Asked) -> Next {
    if line.code == 101 {
        let is_websocket = head.upgrade.trim_ascii().eq_ignore_ascii_case(b"websocket");
        return if is_websocket { Next::WebSocket } else { Next::Other("upgraded to another protocol (101)") };
    }
    if asked == Asked::Connect && (200..300).contains(&line.code) {
        return Next::Tunnel;
    }
    Next::Response(match (head.coding, head.content_length) {
        _ if asked == Asked::Head || matches!(line.code, 204 | 304) => Body::None,
        (Coding::Chunked, _) => Body::Chunked,
        (Coding::Absent, ContentLength::Bytes(0)) => Body::None,
        (Coding::Absent, ContentLength::Bytes(length)) => Body::Bytes(length),
        (Coding::Absent, ContentLength::Wrong) => {
            Body::Unknown("a response body of unknown length: Content-Length is wrong")
        }
        (Coding::Other, _) | (Coding::Absent, ContentLength::Absent) => Body::UntilClose,
    })
}
