//! The numbers of one message.

use crate::abi::ids::{col, flag, status};
use crate::abi::{Numbers, SegmentView, Texts};
use crate::flow::Call;

/// A message with its texts, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Half<'a> {
    /// Its numbers.
    pub message: &'a Message,
    /// Its texts.
    pub texts: &'a Texts<'a>,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The session's slot.
    pub index: u32,
    /// The parser's index.
    pub parser: u16,
}

/// A message without its texts. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Record type: 1 request, 2 response, 3 one-way, 4 exchange.
    pub kind: u8,
    /// `response_status`, `None` when the parser did not say.
    pub status: Option<u8>,
    /// `l7_protocol` number.
    pub protocol: u8,
    /// Record flags.
    pub flags: u8,
    /// 0 client to server, 1 server to client.
    pub direction: u8,
    /// `response_code`.
    pub code: Option<i32>,
    /// `request_id`.
    pub request_id: Option<u64>,
    /// Pairing key.
    pub stream_id: u64,
    /// Offset of the first byte in its direction.
    pub offset: u64,
    /// TCP sequence number of the first byte.
    pub seq: u32,
    /// Time of the first byte.
    pub time_ns: u64,
    /// Time of the last byte.
    pub end_time_ns: u64,
    /// Bytes.
    pub length: Option<u64>,
    /// Bytes captured.
    pub captured: u32,
    /// `sql_affected_rows`.
    pub affected_rows: Option<u64>,
    /// The call that brought the first byte, of a flow that is seen in calls.
    pub call: Call,
    /// Order of the call that brought the last byte.
    pub last_cap_seq: u32,
}

impl Message {
    /// The message with these numbers, finished in `segment`.
    #[inline]
    pub fn of(numbers: &Numbers, segment: &SegmentView, default_protocol: u8) -> Self {
        let head = &segment.head;
        let offset = if numbers.has(col::STREAM_OFFSET) { numbers.stream_offset } else { head.offset };
        // A message cannot begin after the segment that finished it was captured.
        let time_ns = if numbers.has(col::TIME_NS) { numbers.time_ns } else { head.time_ns };
        let whole = if numbers.has(col::LENGTH) { u32::try_from(numbers.length).unwrap_or(u32::MAX) } else { 0 };
        Message {
            kind: numbers.kind,
            status: numbers.some(col::STATUS, numbers.status).filter(|&value| value <= status::PARSE_FAILED),
            protocol: if numbers.has(col::PROTOCOL) { numbers.protocol } else { default_protocol },
            flags: numbers.flags,
            direction: head.direction,
            code: numbers.some(col::CODE, numbers.code),
            request_id: numbers.some(col::REQUEST_ID, numbers.request_id),
            stream_id: numbers.stream_id,
            offset,
            seq: head.seq.wrapping_add(offset.wrapping_sub(head.offset) as u32),
            time_ns,
            end_time_ns: if numbers.has(col::END_TIME_NS) { numbers.end_time_ns } else { head.time_ns.max(time_ns) },
            length: numbers.some(col::LENGTH, numbers.length),
            captured: if numbers.has(col::CAPTURED_BYTES) { numbers.captured_bytes } else { whole },
            affected_rows: numbers.some(col::AFFECTED_ROWS, numbers.affected_rows),
            call: Call::default(),
            last_cap_seq: 0,
        }
    }

    /// Whether more responses follow to the same request.
    pub fn continues(&self) -> bool {
        self.flags & flag::CONTINUES != 0
    }

    /// Takes a further response to the same request in.
    pub fn absorb(&mut self, later: &Message) {
        let failed = matches!(self.status, Some(status::SERVER_ERROR | status::CLIENT_ERROR));
        if !failed {
            self.status = later.status.or(self.status);
            self.code = later.code.or(self.code);
        }
        self.end_time_ns = later.end_time_ns.max(self.end_time_ns);
        self.length = match (self.length, later.length) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        self.captured = self.captured.saturating_add(later.captured);
        self.affected_rows = later.affected_rows.or(self.affected_rows);
        self.flags |= later.flags & !flag::CONTINUES;
    }
}
