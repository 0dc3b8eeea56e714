//! The numbers of one message.

use crate::abi::ids::{col, flag, status};
use crate::abi::{Records, SegmentView, Texts};
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
    /// The message in a row of `records`, finished in `segment`.
    #[inline]
    pub fn read(records: &Records<'_>, row: usize, segment: &SegmentView, default_protocol: u8) -> Self {
        let head = &segment.head;
        let offset = records.u64(col::STREAM_OFFSET, row).unwrap_or(head.offset);
        // A message cannot begin after the segment that finished it was captured.
        let time_ns = records.u64(col::TIME_NS, row).unwrap_or(head.time_ns);
        let length = records.u64(col::LENGTH, row);
        Message {
            kind: records.u8(col::TYPE, row).unwrap_or(0),
            status: records.u8(col::STATUS, row).filter(|&value| value <= status::PARSE_FAILED),
            protocol: records.u8(col::PROTOCOL, row).unwrap_or(default_protocol),
            flags: records.u8(col::FLAGS, row).unwrap_or(0),
            direction: head.direction,
            code: records.i32(col::CODE, row),
            request_id: records.u64(col::REQUEST_ID, row),
            stream_id: records.u64(col::STREAM_ID, row).unwrap_or(0),
            offset,
            seq: head.seq.wrapping_add(offset.wrapping_sub(head.offset) as u32),
            time_ns,
            end_time_ns: records.u64(col::END_TIME_NS, row).unwrap_or(head.time_ns.max(time_ns)),
            length,
            captured: records
                .u32(col::CAPTURED_BYTES, row)
                .unwrap_or_else(|| length.map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX))),
            affected_rows: records.u64(col::AFFECTED_ROWS, row),
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
