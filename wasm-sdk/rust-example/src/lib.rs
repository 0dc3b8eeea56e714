//! KV1, the private protocol of `wasm-sdk/README.md`, in Rust.

use metaflow_parser_sdk::{export_parser, Appended, Check, Kind, Parser, RecordType, Records};
use metaflow_parser_sdk::{Segment, Sessions, Status, StreamBuffer, Text, Transport};

const MAGIC: &[u8] = b"KV1!";
const VERBS: [&str; 4] = ["", "GET", "SET", "DEL"];
const HEADER: usize = 16;
const LONGEST_BODY: u32 = 4080;

/// One direction: its bytes, and what of them could not be used and was not yet told.
#[derive(Default)]
struct Lane {
    stream: StreamBuffer,
    started: bool,
    searching: bool,
    lost: Option<(u64, u64, &'static str)>,
}

/// One session.
#[derive(Default)]
struct Session {
    lanes: [Lane; 2],
    ended: bool,
}

/// The parser.
pub struct Kv1(Sessions<Session>);

/// The fields of a header that KV1 allows, or the offset of what is wrong.
struct Header {
    kind: u8,
    verb: u8,
    key: usize,
    id: u32,
    size: usize,
}

impl Header {
    fn read(head: &[u8; HEADER]) -> Result<Header, usize> {
        let [m0, m1, m2, m3, kind, verb, k0, k1, i0, i1, i2, i3, b0, b1, b2, b3] = *head;
        let (key, body) = (u16::from_be_bytes([k0, k1]), u32::from_be_bytes([b0, b1, b2, b3]));
        if [m0, m1, m2, m3] != MAGIC {
            return Err(0);
        }
        if !(1..=3).contains(&kind) {
            return Err(4);
        }
        if kind != RecordType::Response as u8 && !(1..=3).contains(&verb) {
            return Err(5);
        }
        if body > LONGEST_BODY {
            return Err(12);
        }
        if u32::from(key) > body {
            return Err(6);
        }
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        Ok(Header { kind, verb, key: usize::from(key), id, size: HEADER + body as usize })
    }

    fn report(&self, stream: &StreamBuffer, key: &[u8], out: &mut Records) {
        let is_response = self.kind == RecordType::Response as u8;
        out.begin(match self.kind {
            1 => RecordType::Request,
            2 => RecordType::Response,
            _ => RecordType::Session,
        });
        out.stream_offset(stream.offset()).time_ns(stream.time_ns()).length(self.size as u64);
        out.request_id(u64::from(self.id)).stream_id(u64::from(self.id));
        if is_response {
            out.code(i32::from(self.verb)).status(match self.verb {
                0 => Status::Ok,
                1 => Status::ClientError,
                _ => Status::ServerError,
            });
            out.text_bytes(if self.verb == 0 { Text::Result } else { Text::Exception }, key);
        } else {
            out.text(Text::RequestType, VERBS.get(usize::from(self.verb)).copied().unwrap_or_default());
            out.text_bytes(Text::RequestResource, key);
        }
        out.end();
    }
}

impl Lane {
    /// Take the segment's bytes; what a loss costs is remembered until the next message is found.
    fn append(&mut self, segment: &Segment) {
        let before = match (self.started, self.stream.is_empty()) {
            (false, _) => (segment.stream_offset, segment.timestamp_ns),
            (true, true) => (self.stream.offset(), segment.timestamp_ns),
            (true, false) => (self.stream.offset(), self.stream.time_ns()),
        };
        if !self.started {
            self.started = true;
            self.searching = segment.kind == Kind::Data && segment.is_mid_stream();
        }
        if let Appended::Gap { .. } = self.stream.append(segment, HEADER + LONGEST_BODY as usize) {
            self.lost.get_or_insert((before.0, before.1, "bytes lost in the capture"));
            self.searching = true;
        }
    }

    /// Look for the next message after a loss; false when it has not come.
    fn search(&mut self, out: &mut Records) -> bool {
        if !self.searching {
            return true;
        }
        let bytes = self.stream.bytes();
        let found = bytes.windows(MAGIC.len()).position(|window| window == MAGIC);
        let passed = found.unwrap_or((bytes.len() + 1).saturating_sub(MAGIC.len()));
        if passed > 0 {
            self.lost.get_or_insert((self.stream.offset(), self.stream.time_ns(), "no message begins here"));
            self.stream.consume(passed);
        }
        if found.is_some() {
            self.searching = false;
            self.tell_lost(out);
        }
        found.is_some()
    }

    fn tell_lost(&mut self, out: &mut Records) {
        if let Some((offset, time, reason)) = self.lost.take() {
            out.skipped(offset, time, self.stream.offset().wrapping_sub(offset), reason);
        }
    }

    /// Report every message that is there; false when this is not KV1.
    fn messages(&mut self, out: &mut Records) -> bool {
        while let Some(head) = self.stream.bytes().first_chunk::<HEADER>() {
            let Ok(header) = Header::read(head) else {
                out.violation(self.stream.offset(), self.stream.time_ns(), "not a KV1 header");
                return false;
            };
            let Some(frame) = self.stream.bytes().get(..header.size) else { break };
            let key = frame.get(HEADER..HEADER + header.key).unwrap_or_default();
            header.report(&self.stream, key, out);
            self.stream.consume(header.size);
        }
        true
    }
}

impl Parser for Kv1 {
    fn new() -> Self {
        Kv1(Sessions::new(1024))
    }

    fn check(&mut self, segment: &Segment) -> Check {
        for (at, wanted) in MAGIC.iter().enumerate() {
            match segment.payload.get(at) {
                None => return Check::More,
                Some(byte) if byte != wanted => return Check::no("no KV1 magic", at),
                Some(_) => {}
            }
        }
        match segment.payload.first_chunk::<HEADER>().map(Header::read) {
            None => Check::More,
            Some(Err(at)) => Check::no("not a KV1 header", at),
            Some(Ok(header)) if header.kind == RecordType::Response as u8 => Check::Response,
            Some(Ok(_)) => Check::Request,
        }
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        if segment.kind == Kind::Close {
            if let Some(mut session) = self.0.close(segment.session_id).filter(|session| !session.ended) {
                session.lanes.iter_mut().for_each(|lane| lane.tell_lost(out));
            }
            return;
        }
        let session = self.0.get(segment.session_id);
        if session.ended {
            return;
        }
        let lane = &mut session.lanes[segment.direction.index()];
        let is_datagram = segment.transport != Transport::Tcp && segment.kind == Kind::Data;
        if is_datagram {
            *lane = Lane::default(); // it holds whole messages
        }
        lane.append(segment);
        if is_datagram {
            lane.searching = false;
        }
        session.ended = lane.search(out) && !lane.messages(out);
        if is_datagram && !session.ended && !lane.stream.is_empty() {
            let (offset, time, left) = (lane.stream.offset(), lane.stream.time_ns(), lane.stream.len());
            out.skipped(offset, time, left as u64, "the datagram ends inside a message");
            lane.stream.clear();
        }
    }
}

export_parser!(Kv1);

#[cfg(test)]
mod tests {
    use super::Kv1;
    use metaflow_parser_sdk::testing::Script;

    #[test]
    fn any_split_is_equal_and_damage_is_survived() {
        let get = b"KV1!\x01\x01\0\x01\0\0\0\x07\0\0\0\x03kvv";
        let talk = Script::new(7741).client(get).client(get).server(b"KV1!\x02\0\0\0\0\0\0\x07\0\0\0\0");
        assert_eq!(talk.run::<Kv1>().len(), 3);
        talk.assert_any_split_is_equal::<Kv1>();
        talk.assert_survives_damage::<Kv1>();
    }
}
