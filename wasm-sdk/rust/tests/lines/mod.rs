//! The first code block of README.md, word for word (../readme.rs compares them).

use metaflow_parser_sdk::{export_parser, Appended, Check, Direction, Kind, Parser};
use metaflow_parser_sdk::{RecordType, Records, Segment, Sessions, Status, StreamBuffer, Text};

const LONGEST_LINE: usize = 4096;

/// A protocol of lines.
pub struct Lines(Sessions<[StreamBuffer; 2]>);

impl Parser for Lines {
    fn new() -> Self {
        Lines(Sessions::new(65_536))
    }

    fn check(&mut self, segment: &Segment) -> Check {
        match segment.payload {
            [b'G', b'E', b'T', b' ', ..] => Check::Request,
            short if b"GET ".starts_with(short) => Check::More,
            _ => Check::no("no GET", 0),
        }
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            self.0.close(segment.session_id);
            return;
        }
        let stream = &mut self.0.get(segment.session_id)[segment.direction.index()];
        let before = stream.offset();
        if let Appended::Gap { missing, .. } = stream.append(segment, LONGEST_LINE) {
            out.skipped(before, segment.timestamp_ns, missing, "bytes lost in the capture");
        }
        while let Some(end) = stream.bytes().iter().position(|byte| *byte == b'\n') {
            let line = &stream.bytes()[..end];
            let (word, rest) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
            let is_request = segment.direction == Direction::ClientToServer;
            out.begin(if is_request { RecordType::Request } else { RecordType::Response });
            out.stream_offset(stream.offset()).time_ns(stream.time_ns()).length(end as u64 + 1);
            if is_request {
                out.text_bytes(Text::RequestType, word).text_bytes(Text::RequestResource, rest.trim_ascii());
            } else {
                out.status(if word == b"OK" { Status::Ok } else { Status::ServerError });
                out.text_bytes(Text::Result, rest.trim_ascii());
            }
            out.end();
            stream.consume(end + 1);
        }
    }
}

export_parser!(Lines);
