//! The numbers of `mf_abi_v1`.

/// Magic of a batch, first four bytes.
pub const BATCH_MAGIC: [u8; 4] = *b"MFB1";
/// Magic of the result of a check.
pub const CHECKS_MAGIC: [u8; 4] = *b"MFC1";
/// Magic of the result of a parse.
pub const RECORDS_MAGIC: [u8; 4] = *b"MFR1";
/// Bytes of a batch's header.
pub const BATCH_HEADER: usize = 16;
/// Bytes of a segment's header.
pub const SEGMENT_HEADER: usize = 48;

/// Longest text of one cell; what is longer is cut.
pub const TEXT_BYTES: usize = 65535;

/// Segment kind: payload.
pub const KIND_DATA: u8 = 0;
/// Segment kind: bytes are missing.
pub const KIND_GAP: u8 = 1;
/// Segment kind: the session is over.
pub const KIND_CLOSE: u8 = 2;

/// Segment flag: the capture cut the packet.
pub const FLAG_TRUNCATED: u8 = 1;
/// Segment flag: plaintext of a TLS connection.
pub const FLAG_TLS: u8 = 2;
/// Segment flag: the start of this direction was not seen.
pub const FLAG_MID_STREAM: u8 = 4;

/// Column types.
pub mod ty {
    /// One byte.
    pub const U8: u8 = 1;
    /// Signed 32 bits.
    pub const I32: u8 = 2;
    /// 32 bits.
    pub const U32: u8 = 3;
    /// 64 bits.
    pub const U64: u8 = 4;
    /// UTF-8 text with `rows + 1` u32 offsets.
    pub const UTF8: u8 = 5;
}

/// Column ids of a `Records` result.
pub mod col {
    /// u32: the segment during which the message was finished.
    pub const SEGMENT_INDEX: u16 = 1;
    /// u8: request, response, ...
    pub const TYPE: u16 = 2;
    /// u8: `response_status`.
    pub const STATUS: u16 = 3;
    /// i32: `response_code`.
    pub const CODE: u16 = 4;
    /// u64: `request_id`.
    pub const REQUEST_ID: u16 = 5;
    /// u64: pairing key.
    pub const STREAM_ID: u16 = 6;
    /// u64: offset of the first byte.
    pub const STREAM_OFFSET: u16 = 7;
    /// u64: time of the first byte.
    pub const TIME_NS: u16 = 8;
    /// u8: protocol number.
    pub const PROTOCOL: u16 = 9;
    /// u64: bytes.
    pub const LENGTH: u16 = 10;
    /// u64: time of the last byte.
    pub const END_TIME_NS: u16 = 11;
    /// u64: `sql_affected_rows`.
    pub const AFFECTED_ROWS: u16 = 12;
    /// u8: flags.
    pub const FLAGS: u16 = 13;
    /// u32: captured bytes.
    pub const CAPTURED_BYTES: u16 = 14;
    /// u64: bytes behind the segment that the parser passes over.
    pub const PASSES: u16 = 15;
    /// First id of the texts.
    pub const FIRST_TEXT: u16 = 16;
    /// Last id of the texts.
    pub const LAST_TEXT: u16 = 32;
}

/// Positions in [`super::Texts`]: the text columns in the order of their ids.
pub mod text {
    /// `request_type`.
    pub const REQUEST_TYPE: usize = 0;
    /// `request_domain`.
    pub const REQUEST_DOMAIN: usize = 1;
    /// `request_resource`.
    pub const REQUEST_RESOURCE: usize = 2;
    /// `endpoint`.
    pub const ENDPOINT: usize = 3;
    /// `version`.
    pub const VERSION: usize = 4;
    /// `response_exception`; the reason of a violation or skip.
    pub const EXCEPTION: usize = 5;
    /// `response_result`.
    pub const RESULT: usize = 6;
    /// `trace_id`.
    pub const TRACE_ID: usize = 7;
    /// `span_id`.
    pub const SPAN_ID: usize = 8;
    /// `parent_span_id`.
    pub const PARENT_SPAN_ID: usize = 9;
    /// `x_request_id`.
    pub const X_REQUEST_ID: usize = 10;
    /// `http_proxy_client`.
    pub const PROXY_CLIENT: usize = 11;
    /// `app_service`.
    pub const APP_SERVICE: usize = 12;
    /// `app_instance`.
    pub const APP_INSTANCE: usize = 13;
    /// `_trace_id_2`.
    pub const TRACE_ID_2: usize = 14;
    /// `key\0value\0`...
    pub const ATTRIBUTES: usize = 15;
    /// `biz_type`.
    pub const BIZ_TYPE: usize = 16;
}

/// Values of the `type` column.
pub mod kind {
    /// A request.
    pub const REQUEST: u8 = 1;
    /// A response.
    pub const RESPONSE: u8 = 2;
    /// A one-way message.
    pub const SESSION: u8 = 3;
    /// An exchange that the parser paired itself.
    pub const EXCHANGE: u8 = 4;
    /// The parser withdraws from the session.
    pub const VIOLATION: u8 = 5;
    /// Bytes the parser could not use.
    pub const SKIPPED: u8 = 6;
}

/// Values of the `status` column, as in `response_status`.
pub mod status {
    /// Fine.
    pub const OK: u8 = 0;
    /// No answer in time.
    pub const TIMEOUT: u8 = 2;
    /// The server erred.
    pub const SERVER_ERROR: u8 = 3;
    /// The client erred.
    pub const CLIENT_ERROR: u8 = 4;
    /// Not known.
    pub const UNKNOWN: u8 = 5;
    /// The message could not be read.
    pub const PARSE_FAILED: u8 = 6;
}

/// Bits of the `flags` column.
pub mod flag {
    /// Inside TLS.
    pub const TLS: u8 = 1;
    /// Asynchronous.
    pub const ASYNC: u8 = 2;
    /// Client and server are the other way round.
    pub const REVERSED: u8 = 4;
    /// More responses follow.
    pub const CONTINUES: u8 = 8;
    /// Which request it answers is not known.
    pub const UNPAIRED: u8 = 16;
}
