//! Records.

use crate::fields::Slot;
use crate::grpc::{self, Speech};
use crate::head::Head;
use crate::hpack::Wrong;
use crate::options::Options;
use crate::streams::{Place, Stream};
use metaflow_parser_sdk::http::{bodies, status};
use metaflow_parser_sdk::trace::Trace;
use metaflow_parser_sdk::{abi_generated as abi, RecordType, Records, Status, Text};

/// What every record is written with.
pub(crate) struct Pen<'a> {
    pub options: &'a Options,
    pub out: &'a mut Records,
    /// The bytes were captured inside TLS.
    pub is_tls: bool,
    /// Client and server are the other way round.
    pub is_reversed: bool,
    /// The first octets of the body, where they are wanted and there.
    pub body: &'a [u8],
}

/// How a header block was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// The capture lost the rest.
    Cut,
    /// It is longer than the limit.
    TooLong,
    /// It is wrong.
    Wrong(Wrong),
}

/// Why a stream ends without the response that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Ending<'a> {
    pub status: Status,
    /// The error's number, where there is one.
    pub code: Option<u32>,
    pub exception: &'a str,
    /// Somebody ended the stream; otherwise the capture did.
    pub is_fault: bool,
}

impl Pen<'_> {
    fn begin(&mut self, kind: RecordType, id: u32, speech: Speech, place: Place) {
        let out = self.out.begin(kind).stream_offset(place.offset).time_ns(place.time_ns);
        out.protocol(speech.protocol()).request_id(id.into()).stream_id(id.into());
        if place.captured > 0 {
            out.captured_bytes(place.captured);
        }
        let mut flags = 0;
        if self.is_tls {
            flags |= abi::RECORD_FLAG_IS_TLS as u8;
        }
        if self.is_reversed {
            flags |= abi::RECORD_FLAG_IS_REVERSED as u8;
        }
        if flags != 0 {
            out.flags(flags);
        }
    }

    /// A request: `speech` is what is spoken as far as it is known, `is_push` that the server made it up.
    pub fn request(
        &mut self,
        id: u32,
        speech: Option<Speech>,
        place: Place,
        (head, trace): (&Head, &Trace),
        (extent, is_push, has_body): (Extent, bool, bool),
    ) {
        let speech = speech.unwrap_or_default();
        self.begin(RecordType::Request, id, speech, place);
        if !has_body {
            self.out.end_time_ns(place.end_time_ns);
        }
        let path = head.get(Slot::Path);
        self.version(speech, head);
        let domain = if head.has(Slot::Authority) { head.get(Slot::Authority) } else { head.get(Slot::Host) };
        self.out.text_bytes(Text::RequestType, head.get(Slot::Method)).text_bytes(Text::RequestDomain, domain);
        let service = if speech.is_rpc() { grpc::service(path) } else { &[] };
        if service.is_empty() {
            // A CONNECT has no path: what it asks for is the authority (RFC 9113, 8.5).
            let is_connect = head.get(Slot::Method) == b"CONNECT" && !head.has(Slot::Path);
            let resource = if is_connect { domain } else { path };
            let plain = resource.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
            let endpoint = if plain.starts_with(b"/") { self.options.endpoint.of(plain) } else { plain };
            let kept = self.options.masks.address(resource);
            self.out.text_bytes(Text::RequestResource, &kept).text_bytes(Text::Endpoint, endpoint);
        } else {
            self.out.text_bytes(Text::RequestResource, service).text_bytes(Text::Endpoint, path);
            self.out.attribute_bytes("rpc_service", service);
        }
        if let Some(length) = head.number(Slot::ContentLength) {
            self.out.length(length);
        }
        self.out.text_bytes(Text::XRequestId, head.request_id()).text_bytes(Text::HttpProxyClient, head.client_ip());
        self.attributes(head);
        if is_push {
            self.out.attribute("http2_push", "true");
        }
        self.extent(extent, head.unknown);
        trace.write(self.out);
        self.body(head);
        self.out.end();
    }

    /// A response whose head says all.
    pub fn response(
        &mut self,
        id: u32,
        speech: Speech,
        place: Place,
        (head, trace): (&Head, &Trace),
        (extent, has_body): (Extent, bool),
    ) {
        self.begin(RecordType::Response, id, speech, place);
        if !has_body {
            self.out.end_time_ns(place.end_time_ns);
        }
        self.version(speech, head);
        self.http_status(head);
        if let Some(length) = head.number(Slot::ContentLength) {
            self.out.length(length);
        }
        self.out.text_bytes(Text::XRequestId, head.request_id());
        self.attributes(head);
        self.extent(extent, head.unknown);
        trace.write(self.out);
        self.body(head);
        self.out.end();
    }

    /// A response that is complete with its trailers (without any: `None`), or that ended otherwise. Gives what was
    /// spoken, which may be known by its end only.
    pub fn outcome(
        &mut self,
        id: u32,
        (stream, head): (&Stream, &Head),
        place: Place,
        trailers: Option<(&Head, Extent)>,
        ending: Option<&Ending>,
    ) -> Speech {
        let last = trailers.map_or(head, |(last, _)| last);
        let status_head = if last.has(Slot::GrpcStatus) { last } else { head };
        let unknown = head.unknown + trailers.map_or(0, |(last, _)| last.unknown);
        // Where the capture does not have the content type, the end tells: calls end with a header block.
        let may_be_call = stream.speech.is_none() && unknown > 0 && !stream.is_no_call && !stream.ended_by_data;
        let is_call = status_head.has(Slot::GrpcStatus) || may_be_call && stream.looks_like_rpc();
        let speech = stream.speech.unwrap_or(if is_call { Speech::Grpc } else { Speech::Http });
        let is_fine = head.number(Slot::Status).is_none_or(|status| status == 200);
        self.begin(RecordType::Response, id, speech, place);
        self.out.end_time_ns(place.end_time_ns);
        self.version(speech, head);
        let answers = stream.counters[place.side].map_or(0, |counter| counter.messages);
        if let Some(ending) = ending.filter(|ending| ending.is_fault || !speech.is_rpc() || answers == 0) {
            self.ending(ending);
        } else if ending.is_some() {
            self.status_instead(head, answers, true);
        } else if speech.is_rpc() {
            self.rpc_status(head, status_head, unknown > 0, answers);
        } else if may_be_call && is_fine {
            // Calls that failed are answered with 200 too: whether this one did stands in what is not known.
            self.out.status(Status::Unknown).attribute_bytes("http_status", head.get(Slot::Status));
        } else {
            self.http_status(head);
        }
        self.out.text_bytes(Text::XRequestId, head.request_id());
        if speech.is_rpc() {
            self.counts(stream, place.side);
        } else if let Some(length) = head.number(Slot::ContentLength) {
            self.out.length(length);
        }
        self.attributes(head);
        self.extent(trailers.map_or(Extent::Whole, |(_, extent)| extent), unknown);
        self.out.end();
        speech
    }

    /// A response that never came: the stream ended without one.
    pub fn end_without_response(&mut self, id: u32, stream: &Stream, place: Place, ending: &Ending) {
        let speech = stream.speech.unwrap_or_default();
        self.begin(RecordType::Response, id, speech, place);
        self.out.end_time_ns(place.end_time_ns);
        self.ending(ending);
        if speech.is_rpc() {
            self.counts(stream, place.side);
        }
        self.out.end();
    }

    fn ending(&mut self, ending: &Ending) {
        self.out.status(ending.status).text(Text::Exception, ending.exception);
        if let Some(code) = ending.code {
            self.out.attribute("http2_error_code", &code.to_string());
        }
    }

    fn version(&mut self, speech: Speech, head: &Head) {
        if speech == Speech::Triple {
            self.out.text_bytes(Text::Version, head.get(Slot::TriVersion));
        } else {
            self.out.text(Text::Version, "2");
        }
    }

    fn http_status(&mut self, head: &Head) {
        let Some(code) = head.number(Slot::Status).filter(|code| *code < 1000) else {
            self.out.status(Status::Unknown);
            return;
        };
        let status = status::of(code as u16);
        self.out.code(code as i32).status(status);
        if status != Status::Ok {
            self.out.text(Text::Exception, status::phrase(code as u16));
        }
    }

    fn rpc_status(&mut self, head: &Head, last: &Head, is_incomplete: bool, answers: u64) {
        match last.number(Slot::GrpcStatus).filter(|code| *code <= i32::MAX as u64) {
            Some(code) => {
                self.out.code(code as i32).status(grpc::status(code));
                let told = last.get(Slot::GrpcMessage);
                match (code, told) {
                    // What a method of Dubbo threw is an answer to it.
                    (0, _) => drop(
                        self.out
                            .text(Text::Exception, head.number(Slot::TriException).map_or("", grpc::triple_exception)),
                    ),
                    (_, []) => drop(self.out.text(Text::Exception, grpc::status_name(code))),
                    _ => drop(self.out.text_bytes(Text::Exception, &grpc::message(told))),
                }
            }
            None if is_incomplete || last.has(Slot::GrpcStatus) => {
                let told = grpc::message(last.get(Slot::GrpcMessage));
                self.out.status(Status::Unknown).text_bytes(Text::Exception, &told);
                if !last.has(Slot::GrpcStatus) {
                    self.status_instead(head, answers, told.is_empty());
                }
            }
            None if head.number(Slot::Status) == Some(200) => {
                self.out
                    .code(200)
                    .status(Status::Unknown)
                    .text(Text::Exception, "The call ended without a grpc-status.");
            }
            None => self.http_status(head),
        }
    }

    /// The `grpc-status` was not captured: HTTP's stands for it. Whoever answered with a message did not refuse the call,
    /// so that a good status then is the outcome as far as it was seen.
    fn status_instead(&mut self, head: &Head, answers: u64, may_be_fine: bool) {
        let Some(code) = head.number(Slot::Status).filter(|code| *code < 1000) else { return };
        let status = status::of(code as u16);
        self.out.code(code as i32);
        if status != Status::Ok || (may_be_fine && answers > 0) {
            self.out.status(status);
        }
        self.out.attribute("grpc_status", "not captured");
    }

    /// What went over the stream, `side` being the direction of the response.
    fn counts(&mut self, stream: &Stream, side: usize) {
        for (side, name) in [(1 - side, "rpc_request_messages"), (side, "rpc_response_messages")] {
            if let Some(counter) = stream.counters[side].filter(|counter| !counter.is_broken) {
                self.out.attribute(name, &counter.messages.to_string());
            }
        }
        if let Some(counter) = stream.counters[side].filter(|counter| !counter.is_broken) {
            self.out.length(counter.octets);
        }
    }

    fn attributes(&mut self, head: &Head) {
        for (index, value) in head.attributes() {
            let name = self.options.fields.attribute_name(index);
            self.out.attribute_bytes(name, &self.options.masks.header(name, value));
        }
    }

    fn body(&mut self, head: &Head) {
        if !self.body.is_empty() {
            let media_type = bodies::media_type(head.get(Slot::ContentType));
            self.out.private_text(bodies::BODY, &String::from_utf8_lossy(self.body));
            self.out.private_text(bodies::MEDIA_TYPE, &String::from_utf8_lossy(media_type));
        }
    }

    fn extent(&mut self, extent: Extent, unknown: u32) {
        if unknown > 0 {
            self.out.attribute("hpack_unknown_fields", &unknown.to_string());
        }
        match extent {
            Extent::Whole => {}
            Extent::Cut => drop(self.out.attribute("http2_head", "cut")),
            Extent::TooLong => {
                let sentence = format!("Header block longer than {} bytes.", self.options.max_head_bytes);
                self.out.status(Status::ParseFailed).text(Text::Exception, &sentence);
            }
            Extent::Wrong(wrong) => {
                let sentence = format!("Header block wrong at byte {}: {}.", wrong.offset, wrong.reason);
                self.out.status(Status::ParseFailed).text(Text::Exception, &sentence);
            }
        }
    }
}
