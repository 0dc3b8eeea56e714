//! What a header block, a reset or the end of a stream means for the exchange on it.

use crate::fields::Slot;
use crate::frame;
use crate::grpc::{Counter, Speech};
use crate::report::{Ending, Extent};
use crate::session::{Message, Session, Tools};
use crate::streams::{Deferred, Place, Stream};
use metaflow_parser_sdk::{Records, Status};

/// Heads kept for use again.
const MOST_SPARE: usize = 64;

/// What a header block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Request,
    Response,
    /// Behind a response.
    Trailers,
    /// Interim responses, trailers of requests, what belongs to nothing.
    Other,
}

impl Session {
    /// A header block was read into the tools' head.
    pub fn message(&mut self, side: usize, message: Message, tools: &mut Tools, out: &mut Records) {
        self.release_stream(message.stream, tools, out);
        if let Some(promised) = message.promised {
            return self.pushed(promised, message, tools, out);
        }
        match self.part(side, &message, tools) {
            Part::Request => self.request(side, message, tools, out),
            Part::Response => self.response(side, message, tools, out),
            Part::Trailers => self.trailers(message, tools, out),
            Part::Other => {}
        }
    }

    fn part(&mut self, side: usize, message: &Message, tools: &Tools) -> Part {
        let head = &tools.head;
        let id = message.stream;
        if head.has(Slot::Method) {
            self.client = side;
            return Part::Request;
        }
        if head.has(Slot::Status) {
            self.client = 1 - side;
            let is_interim = head.get(Slot::Status).len() == 3 && head.get(Slot::Status)[0] == b'1';
            return if is_interim || self.streams.was_reset(id) { Part::Other } else { Part::Response };
        }
        // What is none of both by its fields may be one whose fields were not captured.
        let may_be = head.unknown > 0 || message.extent != Extent::Whole;
        let is_complete = self.lanes[side].decoder.is_complete() && message.extent == Extent::Whole;
        if side == self.client {
            let is_new = id > self.streams.last_request && self.streams.get(id).is_none();
            return if may_be && is_new { Part::Request } else { Part::Other };
        }
        let was_reset = self.streams.was_reset(id);
        match self.streams.get(id) {
            Some(stream) if stream.has_response => Part::Trailers,
            _ if was_reset => Part::Other,
            // A head that was lost, or sent before the capture began.
            _ if head.has(Slot::GrpcStatus) => Part::Trailers,
            Some(stream) if message.ends_stream && stream.speech.is_some_and(Speech::is_rpc) => Part::Trailers,
            _ if may_be || !is_complete => Part::Response,
            _ => Part::Other,
        }
    }

    fn request(&mut self, side: usize, message: Message, tools: &mut Tools, out: &mut Records) {
        let Message { stream: id, ends_stream, place, extent, .. } = message;
        let head = &tools.head;
        let is_no_call = head.has(Slot::Method) && head.get(Slot::Method) != b"POST";
        let speech = match Speech::of(head) {
            None if head.unknown == 0 || is_no_call => Some(Speech::Http),
            None => self.calls,
            said => said,
        };
        self.learn(speech);
        self.streams.last_request = self.streams.last_request.max(id);
        let waits = speech == Some(Speech::Http) && extent == Extent::Whole && !ends_stream;
        if !(waits && self.hold(id, Speech::Http, place, tools, out)) {
            self.pen(&tools.options, out).request(
                id,
                speech,
                place,
                (&tools.head, &tools.trace),
                (extent, false, !ends_stream),
            );
        }
        let counter = (speech != Some(Speech::Http)).then(Counter::default);
        let (stream, oldest) = self.streams.open(id);
        *stream = Stream { speech, has_request: true, is_no_call, ..Stream::default() };
        stream.counters[side] = counter;
        self.give_up(oldest, place, tools, out);
    }

    /// The server made a request up, whose response will follow on a stream of its own.
    fn pushed(&mut self, promised: u32, message: Message, tools: &mut Tools, out: &mut Records) {
        let speech = Some(Speech::Http);
        self.pen(&tools.options, out).request(
            promised,
            speech,
            message.place,
            (&tools.head, &tools.trace),
            (message.extent, true, false),
        );
        let (stream, oldest) = self.streams.open(promised);
        *stream = Stream { speech, has_request: true, ..Stream::default() };
        self.give_up(oldest, message.place, tools, out);
    }

    fn response(&mut self, side: usize, message: Message, tools: &mut Tools, out: &mut Records) {
        let Message { stream: id, ends_stream, place, extent, .. } = message;
        let head = &tools.head;
        let (stream, oldest) = self.streams.open(id);
        if stream.has_response && stream.is_told {
            return;
        }
        stream.has_response = true;
        let says = Speech::of(head);
        let is_open = head.unknown > 0;
        // A call's outcome stands in its trailers; a head that is not known may be one of a call.
        let waits = match (stream.speech, says) {
            _ if matches!(extent, Extent::Wrong(_) | Extent::TooLong) => false,
            (Some(Speech::Triple), Some(Speech::Grpc)) => true,
            (_, Some(said)) if said.is_rpc() => {
                stream.speech = says;
                true
            }
            (Some(asked), None) if asked.is_rpc() => {
                is_open || extent == Extent::Cut || is_fine(head.number(Slot::Status))
            }
            (None, None) => is_open || extent == Extent::Cut,
            _ => false,
        };
        if !waits {
            let speech = stream.speech.unwrap_or_default();
            stream.is_told = true;
            if ends_stream || extent != Extent::Whole || !self.hold(id, speech, place, tools, out) {
                self.pen(&tools.options, out).response(
                    id,
                    speech,
                    place,
                    (&tools.head, &tools.trace),
                    (extent, !ends_stream),
                );
            }
            if ends_stream {
                self.streams.close(id);
            }
        } else if ends_stream {
            let mut stream = self.streams.close(id).unwrap_or_default();
            stream.counters[side] = Some(Counter::default());
            let speech = self.pen(&tools.options, out).outcome(id, (&stream, &tools.head), place, None, None);
            self.learn(Some(speech));
        } else {
            let spare = tools.spare.pop().unwrap_or_default();
            let head = std::mem::replace(&mut tools.head, spare);
            stream.counters[side] = Some(Counter::default());
            stream.deferred = Some(Deferred { head, place });
        }
        self.give_up(oldest, place, tools, out);
    }

    fn trailers(&mut self, message: Message, tools: &mut Tools, out: &mut Records) {
        let Message { stream: id, ends_stream, place, extent, .. } = message;
        if !ends_stream && extent == Extent::Whole && !tools.head.has(Slot::GrpcStatus) {
            return;
        }
        let Some(mut stream) =
            self.streams.close(id).or_else(|| tools.head.has(Slot::GrpcStatus).then(Stream::default))
        else {
            return;
        };
        let deferred = stream.deferred.take();
        if deferred.is_none() && stream.has_response {
            return;
        }
        let (head, start) = match deferred {
            Some(Deferred { head, place: start }) => (head, start),
            // The head was lost: of the response there are the trailers alone.
            None => (tools.spare.pop().unwrap_or_default(), place),
        };
        let place = Place {
            end_time_ns: place.end_time_ns,
            captured: if start.offset == place.offset {
                place.captured
            } else {
                start.captured.saturating_add(place.captured)
            },
            ..start
        };
        let last = Some((&*tools.head, extent));
        let speech = self.pen(&tools.options, out).outcome(id, (&stream, &head), place, last, None);
        self.learn(Some(speech));
        keep(head, tools);
    }

    /// DATA or a head with END_STREAM passed.
    pub fn stream_ended(&mut self, side: usize, id: u32, time_ns: u64, tools: &mut Tools, out: &mut Records) {
        self.release((id, side), tools, out);
        if side == self.client && self.streams.get(id).is_some_and(|stream| stream.has_request || id % 2 == 1) {
            return;
        }
        let Some(mut stream) = self.streams.close(id) else { return };
        stream.ended_by_data = true;
        if let Some(Deferred { head, place }) = stream.deferred.take() {
            let place = Place { end_time_ns: time_ns, ..place };
            self.pen(&tools.options, out).outcome(id, (&stream, &head), place, None, None);
            keep(head, tools);
        }
    }

    /// RST_STREAM: it answers a request that has no answer yet.
    pub fn reset(&mut self, id: u32, code: u32, place: Place, tools: &mut Tools, out: &mut Records) {
        self.release_stream(id, tools, out);
        self.streams.note_reset(id);
        let Some(stream) = self.streams.close(id) else { return };
        let from_client = place.side == self.client;
        // Blamed is who sends the reset, unless its code accuses the other one.
        let status =
            if from_client != frame::accuses_receiver(code) { Status::ClientError } else { Status::ServerError };
        let name = frame::error_name(code);
        let number = format!("error {code:#x}");
        let exception = if name.is_empty() { &number } else { name };
        let ending = Ending { status, code: Some(code), exception, is_fault: true };
        self.end(id, stream, Place { side: 1 - self.client, ..place }, &ending, tools, out);
    }

    /// GOAWAY: what was asked behind the last stream is not answered.
    pub fn go_away(&mut self, last: u32, code: u32, place: Place, tools: &mut Tools, out: &mut Records) {
        if place.side == self.client {
            return;
        }
        self.release_all(tools, out);
        let name = frame::error_name(code);
        let exception = format!("GOAWAY {}", if name.is_empty() { "with an unknown error" } else { name });
        let status = if frame::accuses_receiver(code) { Status::ClientError } else { Status::ServerError };
        for (id, stream) in self.streams.close_above(last) {
            if id % 2 == 0 {
                continue;
            }
            let ending = Ending { status, code: Some(code), exception: &exception, is_fault: true };
            self.end(id, stream, place, &ending, tools, out);
        }
    }

    fn end(&mut self, id: u32, mut stream: Stream, at: Place, ending: &Ending, tools: &mut Tools, out: &mut Records) {
        if let Some(Deferred { head, place }) = stream.deferred.take() {
            let place = Place { end_time_ns: at.end_time_ns, ..place };
            self.pen(&tools.options, out).outcome(id, (&stream, &head), place, None, Some(ending));
            keep(head, tools);
        } else if stream.has_request && !stream.is_told {
            self.pen(&tools.options, out).end_without_response(id, &stream, at, ending);
        }
    }

    /// The connection ended, or too many streams are open: tell of the response what is there.
    pub fn abandon(&mut self, id: u32, mut stream: Stream, at: Place, tools: &mut Tools, out: &mut Records) {
        self.release_stream(id, tools, out);
        if let Some(Deferred { head, place }) = stream.deferred.take() {
            let ending = Ending {
                status: Status::Unknown,
                code: None,
                exception: "The end of the response was not seen.",
                is_fault: false,
            };
            let place = Place { end_time_ns: at.end_time_ns, ..place };
            self.pen(&tools.options, out).outcome(id, (&stream, &head), place, None, Some(&ending));
            keep(head, tools);
        }
    }

    /// What was spoken on a stream tells of streams that do not say.
    fn learn(&mut self, speech: Option<Speech>) {
        if let Some(speech) = speech.filter(|speech| speech.is_rpc()) {
            self.calls = Some(speech);
        }
    }

    fn give_up(&mut self, oldest: Option<(u32, Stream)>, place: Place, tools: &mut Tools, out: &mut Records) {
        if let Some((id, stream)) = oldest {
            self.abandon(id, stream, place, tools, out);
        }
    }
}

/// A status with which a call goes on to its trailers.
fn is_fine(status: Option<u64>) -> bool {
    status.is_none_or(|status| status == 200)
}

fn keep(head: Box<crate::head::Head>, tools: &mut Tools) {
    if tools.spare.len() < MOST_SPARE {
        tools.spare.push(head);
        if let Some(head) = tools.spare.last_mut() {
            head.clear();
        }
    }
}
