//! One row for each message.

use mf_column::{Field, Schema, Table, Type};

use super::ends::{attributes, Ends};
use super::target::Target;
use super::{RowFlow, RowOf};
use crate::abi::ids::{flag, kind, text as t};
use crate::abi::{Texts, TEXT_COUNT};
use crate::pair::Message;

/// `l7_message`: enumerations are their numbers (direction 0 c2s, 1 s2c; type 0 request, 1 response, 2 session).
pub static L7_MESSAGE: Schema = Schema {
    name: "l7_message",
    fields: &[
        Field::new("time_ns", Type::U64),
        Field::new("end_time_ns", Type::U64),
        Field::new("flow_id", Type::U64),
        Field::repeating("is_ipv4", Type::Bool),
        Field::repeating("ip4_0", Type::U32),
        Field::repeating("ip4_1", Type::U32),
        Field::repeating("ip6_0", Type::Fixed16),
        Field::repeating("ip6_1", Type::Fixed16),
        Field::repeating("protocol", Type::U8),
        Field::new("client_port", Type::U16),
        Field::repeating("server_port", Type::U16),
        Field::new("direction", Type::U8),
        Field::new("l7_protocol", Type::U8),
        Field::new("type", Type::U8),
        Field::new("is_tls", Type::Bool),
        Field::new("version", Type::DictUtf8),
        Field::new("request_type", Type::DictUtf8),
        Field::new("request_domain", Type::DictUtf8),
        Field::new("request_resource", Type::Utf8),
        Field::new("endpoint", Type::Utf8),
        Field::nullable("request_id", Type::U64),
        Field::new("response_status", Type::U8),
        Field::nullable("response_code", Type::I32),
        Field::new("response_exception", Type::Utf8),
        Field::new("response_result", Type::Utf8),
        Field::new("trace_id", Type::Utf8),
        Field::new("span_id", Type::Utf8),
        Field::new("parent_span_id", Type::Utf8),
        Field::new("x_request_id", Type::Utf8),
        Field::new("http_proxy_client", Type::Utf8),
        Field::nullable("sql_affected_rows", Type::U64),
        Field::new("attribute_names", Type::ListUtf8),
        Field::new("attribute_values", Type::ListUtf8),
        Field::repeating("parser", Type::DictUtf8),
        Field::new("stream_offset", Type::U64),
        Field::nullable("length", Type::U64),
        Field::new("tcp_seq", Type::U32),
        Field::nullable("stream_id", Type::U64),
        Field::new("captured_bytes", Type::U32),
        Field::new("is_async", Type::Bool),
        Field::new("is_reversed", Type::Bool),
        Field::new("trace_id_2", Type::Utf8),
        Field::new("app_service", Type::DictUtf8),
        Field::new("app_instance", Type::DictUtf8),
        Field::new("biz_type", Type::U8),
        Field::repeating("observation_point", Type::DictUtf8),
        Field::repeating("capture_nic", Type::U32),
        Field::repeating("agent_id", Type::U16),
        Field::optional("signal_source", Type::U8),
    ],
};

const TIME_NS: usize = L7_MESSAGE.column("time_ns");
const END_TIME_NS: usize = L7_MESSAGE.column("end_time_ns");
const FLOW_ID: usize = L7_MESSAGE.column("flow_id");
const DIRECTION: usize = L7_MESSAGE.column("direction");
const L7_PROTOCOL: usize = L7_MESSAGE.column("l7_protocol");
const TYPE: usize = L7_MESSAGE.column("type");
const IS_TLS: usize = L7_MESSAGE.column("is_tls");
const VERSION: usize = L7_MESSAGE.column("version");
const REQUEST_TYPE: usize = L7_MESSAGE.column("request_type");
const REQUEST_DOMAIN: usize = L7_MESSAGE.column("request_domain");
const REQUEST_RESOURCE: usize = L7_MESSAGE.column("request_resource");
const ENDPOINT: usize = L7_MESSAGE.column("endpoint");
const REQUEST_ID: usize = L7_MESSAGE.column("request_id");
const RESPONSE_STATUS: usize = L7_MESSAGE.column("response_status");
const RESPONSE_CODE: usize = L7_MESSAGE.column("response_code");
const RESPONSE_EXCEPTION: usize = L7_MESSAGE.column("response_exception");
const RESPONSE_RESULT: usize = L7_MESSAGE.column("response_result");
const TRACE_ID: usize = L7_MESSAGE.column("trace_id");
const SPAN_ID: usize = L7_MESSAGE.column("span_id");
const PARENT_SPAN_ID: usize = L7_MESSAGE.column("parent_span_id");
const X_REQUEST_ID: usize = L7_MESSAGE.column("x_request_id");
const HTTP_PROXY_CLIENT: usize = L7_MESSAGE.column("http_proxy_client");
const SQL_AFFECTED_ROWS: usize = L7_MESSAGE.column("sql_affected_rows");
const ATTRIBUTE_NAMES: usize = L7_MESSAGE.column("attribute_names");
const PARSER: usize = L7_MESSAGE.column("parser");
const STREAM_OFFSET: usize = L7_MESSAGE.column("stream_offset");
const LENGTH: usize = L7_MESSAGE.column("length");
const TCP_SEQ: usize = L7_MESSAGE.column("tcp_seq");
const STREAM_ID: usize = L7_MESSAGE.column("stream_id");
const CAPTURED_BYTES: usize = L7_MESSAGE.column("captured_bytes");
const IS_ASYNC: usize = L7_MESSAGE.column("is_async");
const IS_REVERSED: usize = L7_MESSAGE.column("is_reversed");
const TRACE_ID_2: usize = L7_MESSAGE.column("trace_id_2");
const APP_SERVICE: usize = L7_MESSAGE.column("app_service");
const APP_INSTANCE: usize = L7_MESSAGE.column("app_instance");
const BIZ_TYPE: usize = L7_MESSAGE.column("biz_type");
const OBSERVATION_POINT: usize = L7_MESSAGE.column("observation_point");
const CAPTURE_NIC: usize = L7_MESSAGE.column("capture_nic");
const AGENT_ID: usize = L7_MESSAGE.column("agent_id");
const SIGNAL_SOURCE: usize = L7_MESSAGE.column("signal_source");

/// What every row of the table has.
#[derive(Clone, Copy, Debug)]
pub struct MessageRow {
    ends: Ends,
    time_ns: u64,
    end_time_ns: u64,
    offset: u64,
    stream_id: u64,
    request_id: Option<u64>,
    affected_rows: Option<u64>,
    length: Option<u64>,
    code: Option<i32>,
    seq: u32,
    captured: u32,
    direction: u8,
    protocol: u8,
    row_type: u8,
    status: u8,
}

/// Writes a message. `status` is what its `response_status` shall say, `parser` the index and name of who found it.
pub fn write_message(
    row: RowOf<'_, MessageRow>,
    flow: &RowFlow<'_>,
    message: &Message,
    texts: &Texts<'_>,
    status: u8,
    parser: (u16, &str),
) {
    let RowOf { table, recent, before } = row;
    recent.push(MessageRow {
        ends: Ends::of(flow),
        time_ns: message.time_ns,
        end_time_ns: message.end_time_ns,
        offset: message.offset,
        stream_id: message.stream_id,
        request_id: message.request_id,
        affected_rows: message.affected_rows,
        length: message.length,
        code: message.code,
        seq: message.seq,
        captured: message.captured,
        direction: message.direction,
        protocol: message.protocol,
        row_type: match message.kind {
            kind::REQUEST => 0,
            kind::RESPONSE => 1,
            _ => 2,
        },
        status,
    });
    for position in texts.positions() {
        TARGETS[position].write(table, texts.0[position]);
    }
    if texts.positions().has(t::ATTRIBUTES) {
        attributes(table, ATTRIBUTE_NAMES, &[texts.0[t::ATTRIBUTES]]);
    }
    // What is rare is only written when it is there: an unset value is false or zero.
    if message.flags & (flag::TLS | flag::ASYNC | flag::REVERSED) != 0 {
        for (column, bit) in [(IS_TLS, flag::TLS), (IS_ASYNC, flag::ASYNC), (IS_REVERSED, flag::REVERSED)] {
            if message.flags & bit != 0 {
                table.bool(column, true);
            }
        }
    }
    if texts.positions().has(t::BIZ_TYPE) {
        if let Ok(number) = texts.0[t::BIZ_TYPE].parse() {
            table.u8(BIZ_TYPE, number);
        }
    }
    if before.moved(flow, parser.0, 0) {
        table.str(PARSER, parser.1);
        table.str(OBSERVATION_POINT, flow.info.seen_at(flow.reversed));
        table.u32(CAPTURE_NIC, flow.info.capture_nic);
        table.u16(AGENT_ID, flow.info.agent_id);
    }
    if flow.info.signal_source != 0 {
        table.u8(SIGNAL_SOURCE, flow.info.signal_source);
    }
    table.end_row();
}

/// Writes what every row has into the columns of the rows from `first` on.
pub fn spread_messages(table: &mut Table, first: usize, rows: &[MessageRow]) {
    table.fill_u64(TIME_NS, first, rows.iter().map(|row| row.time_ns));
    table.fill_u64(END_TIME_NS, first, rows.iter().map(|row| row.end_time_ns));
    Ends::spread(table, FLOW_ID, first, rows.iter().map(|row| &row.ends));
    table.fill_u8(DIRECTION, first, rows.iter().map(|row| row.direction));
    table.fill_u8(L7_PROTOCOL, first, rows.iter().map(|row| row.protocol));
    table.fill_u8(TYPE, first, rows.iter().map(|row| row.row_type));
    table.fill_u8(RESPONSE_STATUS, first, rows.iter().map(|row| row.status));
    table.fill_some_u64(REQUEST_ID, first, rows.iter().map(|row| row.request_id));
    table.fill_some_i32(RESPONSE_CODE, first, rows.iter().map(|row| row.code));
    table.fill_some_u64(SQL_AFFECTED_ROWS, first, rows.iter().map(|row| row.affected_rows));
    table.fill_u64(STREAM_OFFSET, first, rows.iter().map(|row| row.offset));
    table.fill_some_u64(LENGTH, first, rows.iter().map(|row| row.length));
    table.fill_u32(TCP_SEQ, first, rows.iter().map(|row| row.seq));
    table.fill_some_u64(STREAM_ID, first, rows.iter().map(|row| (row.stream_id != 0).then_some(row.stream_id)));
    table.fill_u32(CAPTURED_BYTES, first, rows.iter().map(|row| row.captured));
}

const TARGETS: [Target; TEXT_COUNT] = Target::all(&TEXTS, &WORDS);

const TEXTS: [(usize, usize); 10] = [
    (TRACE_ID_2, t::TRACE_ID_2),
    (REQUEST_RESOURCE, t::REQUEST_RESOURCE),
    (ENDPOINT, t::ENDPOINT),
    (RESPONSE_EXCEPTION, t::EXCEPTION),
    (RESPONSE_RESULT, t::RESULT),
    (TRACE_ID, t::TRACE_ID),
    (SPAN_ID, t::SPAN_ID),
    (PARENT_SPAN_ID, t::PARENT_SPAN_ID),
    (X_REQUEST_ID, t::X_REQUEST_ID),
    (HTTP_PROXY_CLIENT, t::PROXY_CLIENT),
];

const WORDS: [(usize, usize); 5] = [
    (APP_SERVICE, t::APP_SERVICE),
    (APP_INSTANCE, t::APP_INSTANCE),
    (VERSION, t::VERSION),
    (REQUEST_TYPE, t::REQUEST_TYPE),
    (REQUEST_DOMAIN, t::REQUEST_DOMAIN),
];
