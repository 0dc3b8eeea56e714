//! One row for each exchange, lone request, lone response or one-way message.

use mf_column::{Field, Schema, Table, Type};

use super::ends::{attributes, Ends};
use super::target::Target;
use super::{RowFlow, RowOf};
use crate::abi::ids::{flag, text as t};
use crate::abi::{Texts, TEXT_COUNT};
use crate::pair::{Half, Message};

/// `flow_log.l7_flow_log`, the columns an engine knows (deepflow-model.md section 1.4; tags come later).
pub static L7_FLOW_LOG: Schema = Schema {
    name: "l7_flow_log",
    fields: &[
        Field::new("start_time_ns", Type::U64),
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
        Field::repeating("signal_source", Type::U8),
        Field::repeating("tunnel_type", Type::U8),
        Field::repeating("capture_nic", Type::U32),
        Field::repeating("capture_nic_type", Type::U8),
        Field::repeating("capture_network_type_id", Type::U8),
        Field::repeating("nat_source", Type::U8),
        Field::repeating("observation_point", Type::DictUtf8),
        Field::repeating("agent_id", Type::U16),
        Field::new("req_tcp_seq", Type::U32),
        Field::new("resp_tcp_seq", Type::U32),
        Field::new("l7_protocol", Type::U8),
        Field::repeating("biz_protocol", Type::DictUtf8),
        Field::new("version", Type::DictUtf8),
        Field::new("type", Type::U8),
        Field::new("is_tls", Type::Bool),
        Field::new("is_async", Type::Bool),
        Field::new("is_reversed", Type::Bool),
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
        Field::new("_trace_id_2", Type::Utf8),
        Field::new("span_id", Type::Utf8),
        Field::new("parent_span_id", Type::Utf8),
        Field::new("x_request_id_0", Type::Utf8),
        Field::new("x_request_id_1", Type::Utf8),
        Field::new("http_proxy_client", Type::Utf8),
        Field::new("app_service", Type::DictUtf8),
        Field::new("app_instance", Type::DictUtf8),
        Field::nullable("response_duration", Type::U64),
        Field::nullable("request_length", Type::U64),
        Field::nullable("response_length", Type::U64),
        Field::nullable("sql_affected_rows", Type::U64),
        Field::new("captured_request_byte", Type::U32),
        Field::new("captured_response_byte", Type::U32),
        Field::new("direction_score", Type::U8),
        Field::new("attribute_names", Type::ListUtf8),
        Field::new("attribute_values", Type::ListUtf8),
        Field::new("biz_type", Type::U8),
        Field::optional("process_id_0", Type::I32),
        Field::optional("process_id_1", Type::I32),
        Field::optional("process_kname_0", Type::DictUtf8),
        Field::optional("process_kname_1", Type::DictUtf8),
        Field::optional("syscall_trace_id_request", Type::U64),
        Field::optional("syscall_trace_id_response", Type::U64),
        Field::optional("syscall_thread_0", Type::U32),
        Field::optional("syscall_thread_1", Type::U32),
        Field::optional("syscall_coroutine_0", Type::U64),
        Field::optional("syscall_coroutine_1", Type::U64),
        Field::optional("syscall_cap_seq_0", Type::U32),
        Field::optional("syscall_cap_seq_1", Type::U32),
    ],
};

const START_TIME_NS: usize = L7_FLOW_LOG.column("start_time_ns");
const END_TIME_NS: usize = L7_FLOW_LOG.column("end_time_ns");
const FLOW_ID: usize = L7_FLOW_LOG.column("flow_id");
const SIGNAL_SOURCE: usize = L7_FLOW_LOG.column("signal_source");
const TUNNEL_TYPE: usize = L7_FLOW_LOG.column("tunnel_type");
const CAPTURE_NIC: usize = L7_FLOW_LOG.column("capture_nic");
const CAPTURE_NIC_TYPE: usize = L7_FLOW_LOG.column("capture_nic_type");
const CAPTURE_NETWORK_TYPE_ID: usize = L7_FLOW_LOG.column("capture_network_type_id");
const NAT_SOURCE: usize = L7_FLOW_LOG.column("nat_source");
const OBSERVATION_POINT: usize = L7_FLOW_LOG.column("observation_point");
const AGENT_ID: usize = L7_FLOW_LOG.column("agent_id");
const REQ_TCP_SEQ: usize = L7_FLOW_LOG.column("req_tcp_seq");
const RESP_TCP_SEQ: usize = L7_FLOW_LOG.column("resp_tcp_seq");
const L7_PROTOCOL: usize = L7_FLOW_LOG.column("l7_protocol");
const BIZ_PROTOCOL: usize = L7_FLOW_LOG.column("biz_protocol");
const VERSION: usize = L7_FLOW_LOG.column("version");
const TYPE: usize = L7_FLOW_LOG.column("type");
const IS_TLS: usize = L7_FLOW_LOG.column("is_tls");
const IS_ASYNC: usize = L7_FLOW_LOG.column("is_async");
const IS_REVERSED: usize = L7_FLOW_LOG.column("is_reversed");
const REQUEST_TYPE: usize = L7_FLOW_LOG.column("request_type");
const REQUEST_DOMAIN: usize = L7_FLOW_LOG.column("request_domain");
const REQUEST_RESOURCE: usize = L7_FLOW_LOG.column("request_resource");
const ENDPOINT: usize = L7_FLOW_LOG.column("endpoint");
const REQUEST_ID: usize = L7_FLOW_LOG.column("request_id");
const RESPONSE_STATUS: usize = L7_FLOW_LOG.column("response_status");
const RESPONSE_CODE: usize = L7_FLOW_LOG.column("response_code");
const RESPONSE_EXCEPTION: usize = L7_FLOW_LOG.column("response_exception");
const RESPONSE_RESULT: usize = L7_FLOW_LOG.column("response_result");
const TRACE_ID: usize = L7_FLOW_LOG.column("trace_id");
const TRACE_ID_2: usize = L7_FLOW_LOG.column("_trace_id_2");
const SPAN_ID: usize = L7_FLOW_LOG.column("span_id");
const PARENT_SPAN_ID: usize = L7_FLOW_LOG.column("parent_span_id");
const X_REQUEST_ID_0: usize = L7_FLOW_LOG.column("x_request_id_0");
const X_REQUEST_ID_1: usize = L7_FLOW_LOG.column("x_request_id_1");
const HTTP_PROXY_CLIENT: usize = L7_FLOW_LOG.column("http_proxy_client");
const APP_SERVICE: usize = L7_FLOW_LOG.column("app_service");
const APP_INSTANCE: usize = L7_FLOW_LOG.column("app_instance");
const RESPONSE_DURATION: usize = L7_FLOW_LOG.column("response_duration");
const REQUEST_LENGTH: usize = L7_FLOW_LOG.column("request_length");
const RESPONSE_LENGTH: usize = L7_FLOW_LOG.column("response_length");
const SQL_AFFECTED_ROWS: usize = L7_FLOW_LOG.column("sql_affected_rows");
const CAPTURED_REQUEST_BYTE: usize = L7_FLOW_LOG.column("captured_request_byte");
const CAPTURED_RESPONSE_BYTE: usize = L7_FLOW_LOG.column("captured_response_byte");
const DIRECTION_SCORE: usize = L7_FLOW_LOG.column("direction_score");
const ATTRIBUTE_NAMES: usize = L7_FLOW_LOG.column("attribute_names");
const BIZ_TYPE: usize = L7_FLOW_LOG.column("biz_type");
const PROCESS_ID: usize = L7_FLOW_LOG.column("process_id_0");
const PROCESS_KNAME: usize = L7_FLOW_LOG.column("process_kname_0");
const SYSCALL_TRACE_ID: usize = L7_FLOW_LOG.column("syscall_trace_id_request");
const SYSCALL_THREAD: usize = L7_FLOW_LOG.column("syscall_thread_0");
const SYSCALL_COROUTINE: usize = L7_FLOW_LOG.column("syscall_coroutine_0");
const SYSCALL_CAP_SEQ: usize = L7_FLOW_LOG.column("syscall_cap_seq_0");

/// What a row tells; at least one half is there.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// 0 request, 1 response, 2 session.
    pub row_type: u8,
    /// `response_status`.
    pub status: u8,
    /// Name of the protocol.
    pub protocol_name: &'a str,
    /// The request (a one-way message is one too), or an exchange that the parser paired itself.
    pub request: Option<Half<'a>>,
    /// The response.
    pub response: Option<Half<'a>>,
    /// Microseconds from the request's first byte to the response's.
    pub duration_us: Option<u64>,
}

/// What every row of the table has.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeRow {
    ends: Ends,
    start_time_ns: u64,
    end_time_ns: u64,
    request_id: Option<u64>,
    duration_us: Option<u64>,
    /// Of the request and of the response.
    length: [Option<u64>; 2],
    affected_rows: Option<u64>,
    code: Option<i32>,
    seq: [u32; 2],
    captured: [u32; 2],
    protocol: u8,
    row_type: u8,
    status: u8,
    direction_score: u8,
}

/// Writes one row. `parser` is the index of who found it.
pub fn write_exchange(to: RowOf<'_, ExchangeRow>, flow: &RowFlow<'_>, row: &Exchange<'_>, parser: u16) {
    let Some(first) = row.request.or(row.response).map(|half| half.message) else {
        return;
    };
    let RowOf { table, recent, before } = to;
    let last = row.response.map_or(first, |half| half.message);
    let info = flow.info;
    let halves = [row.request, row.response].map(|half| half.map(|half| half.message));
    recent.push(ExchangeRow {
        ends: Ends::of(flow),
        start_time_ns: first.time_ns,
        end_time_ns: last.end_time_ns.max(first.end_time_ns),
        request_id: first.request_id.or(last.request_id),
        duration_us: row.duration_us,
        length: halves.map(|half| half.and_then(|message| message.length)),
        affected_rows: last.affected_rows,
        code: last.code,
        seq: halves.map(|half| half.map_or(0, |message| message.seq)),
        captured: halves.map(|half| half.map_or(0, |message| message.captured)),
        protocol: first.protocol,
        row_type: row.row_type,
        status: row.status,
        direction_score: info.direction_score,
    });
    if before.moved(flow, parser, first.protocol) {
        table.u8(SIGNAL_SOURCE, info.signal_source);
        table.u8(TUNNEL_TYPE, info.tunnel_type);
        table.u32(CAPTURE_NIC, info.capture_nic);
        table.u8(CAPTURE_NIC_TYPE, info.capture_nic_type);
        table.u8(CAPTURE_NETWORK_TYPE_ID, info.capture_network_type_id);
        table.u8(NAT_SOURCE, info.nat_source);
        table.str(OBSERVATION_POINT, info.seen_at(flow.reversed));
        table.u16(AGENT_ID, info.agent_id);
        table.str(BIZ_PROTOCOL, row.protocol_name);
    }
    let flags = first.flags | last.flags;
    // What is rare is only written when it is there: an unset value is false.
    if flags & (flag::TLS | flag::ASYNC | flag::REVERSED) != 0 {
        for (column, bit) in [(IS_TLS, flag::TLS), (IS_ASYNC, flag::ASYNC), (IS_REVERSED, flag::REVERSED)] {
            if flags & bit != 0 {
                table.bool(column, true);
            }
        }
    }
    let concurrent = info.process_side.map_or("", |side| write_calls(table, usize::from(side & 1), flow.reversed, row));
    write_texts(table, row, concurrent);
    table.end_row();
}

/// Writes what every row has into the columns of the rows from `first` on.
pub fn spread_exchanges(table: &mut Table, first: usize, rows: &[ExchangeRow]) {
    table.fill_u64(START_TIME_NS, first, rows.iter().map(|row| row.start_time_ns));
    table.fill_u64(END_TIME_NS, first, rows.iter().map(|row| row.end_time_ns));
    Ends::spread(table, FLOW_ID, first, rows.iter().map(|row| &row.ends));
    table.fill_u32(REQ_TCP_SEQ, first, rows.iter().map(|row| row.seq[0]));
    table.fill_u32(RESP_TCP_SEQ, first, rows.iter().map(|row| row.seq[1]));
    table.fill_u8(L7_PROTOCOL, first, rows.iter().map(|row| row.protocol));
    table.fill_u8(TYPE, first, rows.iter().map(|row| row.row_type));
    table.fill_some_u64(REQUEST_ID, first, rows.iter().map(|row| row.request_id));
    table.fill_u8(RESPONSE_STATUS, first, rows.iter().map(|row| row.status));
    table.fill_some_i32(RESPONSE_CODE, first, rows.iter().map(|row| row.code));
    table.fill_some_u64(RESPONSE_DURATION, first, rows.iter().map(|row| row.duration_us));
    table.fill_some_u64(REQUEST_LENGTH, first, rows.iter().map(|row| row.length[0]));
    table.fill_some_u64(RESPONSE_LENGTH, first, rows.iter().map(|row| row.length[1]));
    table.fill_some_u64(SQL_AFFECTED_ROWS, first, rows.iter().map(|row| row.affected_rows));
    table.fill_u32(CAPTURED_REQUEST_BYTE, first, rows.iter().map(|row| row.captured[0]));
    table.fill_u32(CAPTURED_RESPONSE_BYTE, first, rows.iter().map(|row| row.captured[1]));
    table.fill_u8(DIRECTION_SCORE, first, rows.iter().map(|row| row.direction_score));
}

/// Writes who made the calls on `side` of the flow. Returns the attribute that says whose trace ids prove nothing.
fn write_calls(table: &mut Table, side: usize, reversed: bool, row: &Exchange<'_>) -> &'static str {
    let (request, response) = (row.request.map(|half| half.message), row.response.map(|half| half.message));
    let Some(any) = request.or(response) else { return "" };
    let end = side ^ usize::from(reversed);
    table.i32(PROCESS_ID + end, any.call.pid as i32);
    let name = any.call.comm.split(|byte| *byte == 0).next().unwrap_or_default();
    table.text(PROCESS_KNAME + end, name);
    let coroutine = [request, response].into_iter().flatten().map(|message| message.call.coroutine_id);
    if let Some(coroutine) = coroutine.clone().find(|id| *id != 0) {
        table.u64(SYSCALL_COROUTINE + end, coroutine);
    }
    // The request ends with the call that brought its last byte, the response begins with its first.
    let request_seq = request.map(|message| (message, message.last_cap_seq));
    let response_seq = response.map(|message| (message, message.call.cap_seq));
    for (place, half) in [request_seq, response_seq].into_iter().enumerate() {
        let Some((message, cap_seq)) = half else { continue };
        table.u32(SYSCALL_THREAD + place, message.call.tid);
        table.u32(SYSCALL_CAP_SEQ + place, cap_seq);
        if !message.call.concurrent && message.call.trace_id != 0 {
            table.u64(SYSCALL_TRACE_ID + place, message.call.trace_id);
        }
    }
    let concurrent = |half: Option<&Message>| half.is_some_and(|message| message.call.concurrent);
    match (concurrent(request), concurrent(response)) {
        (false, false) => "",
        (true, false) => "concurrent_thread\0request\0",
        (false, true) => "concurrent_thread\0response\0",
        (true, true) => "concurrent_thread\0request and response\0",
    }
}

fn write_texts(table: &mut Table, row: &Exchange<'_>, concurrent: &str) {
    let request = row.request.as_ref().map_or(&Texts::NONE, |half| half.texts);
    let response = row.response.as_ref().map_or(&Texts::NONE, |half| half.texts);
    let positions = request.positions().or(response.positions());
    for position in positions {
        let (asked, answered) = (request.0[position], response.0[position]);
        // What describes the request: its own words first, the response's where it has none. Of an outcome the other way round.
        let (own, other) = if OF_RESPONSE >> position & 1 == 1 { (answered, asked) } else { (asked, answered) };
        TARGETS[position].write(table, if own.is_empty() { other } else { own });
    }
    if positions.has(t::X_REQUEST_ID) {
        for (column, texts) in [(X_REQUEST_ID_0, request), (X_REQUEST_ID_1, response)] {
            if texts.positions().has(t::X_REQUEST_ID) {
                table.utf8(column, texts.0[t::X_REQUEST_ID]);
            }
        }
    }
    if positions.has(t::ATTRIBUTES) || !concurrent.is_empty() {
        attributes(table, ATTRIBUTE_NAMES, &[request.0[t::ATTRIBUTES], response.0[t::ATTRIBUTES], concurrent]);
    }
    if positions.has(t::BIZ_TYPE) {
        let own = request.0[t::BIZ_TYPE];
        if let Ok(number) = if own.is_empty() { response.0[t::BIZ_TYPE] } else { own }.parse() {
            table.u8(BIZ_TYPE, number);
        }
    }
}

const TARGETS: [Target; TEXT_COUNT] = Target::all(&TEXTS, &WORDS);

/// The texts that the response's words come first for, a bit for each position.
const OF_RESPONSE: u32 = 1 << t::EXCEPTION | 1 << t::RESULT;

const TEXTS: [(usize, usize); 9] = [
    (REQUEST_RESOURCE, t::REQUEST_RESOURCE),
    (ENDPOINT, t::ENDPOINT),
    (TRACE_ID, t::TRACE_ID),
    (TRACE_ID_2, t::TRACE_ID_2),
    (SPAN_ID, t::SPAN_ID),
    (PARENT_SPAN_ID, t::PARENT_SPAN_ID),
    (HTTP_PROXY_CLIENT, t::PROXY_CLIENT),
    (RESPONSE_EXCEPTION, t::EXCEPTION),
    (RESPONSE_RESULT, t::RESULT),
];

const WORDS: [(usize, usize); 5] = [
    (VERSION, t::VERSION),
    (REQUEST_TYPE, t::REQUEST_TYPE),
    (REQUEST_DOMAIN, t::REQUEST_DOMAIN),
    (APP_SERVICE, t::APP_SERVICE),
    (APP_INSTANCE, t::APP_INSTANCE),
];
