//! A small reader of classic pcap files (little-endian, Ethernet, IPv4, TCP), so that captures are tested without an engine.

use super::{decode_records, Row};
use crate::abi_generated as abi;
use crate::{Host, Parser};
use std::collections::HashMap;

/// A piece of one direction of a connection.
pub struct Segment {
    /// Which connection.
    pub session: u64,
    /// Who sent it.
    pub from_client: bool,
    /// The connection ended here.
    pub close: bool,
    /// The start of the connection was not captured.
    pub mid_stream: bool,
    /// Capture time, nanoseconds since 1970.
    pub time_ns: u64,
    /// Bytes of this direction before it.
    pub offset: u64,
    /// The captured bytes.
    pub payload: Vec<u8>,
    /// Bytes on the wire.
    pub wire_len: u32,
}

#[derive(Default)]
struct Connection {
    id: u64,
    is_closed: bool,
    mid_stream: bool,
    /// Sequence number of the first byte, for each direction.
    base: [Option<u32>; 2],
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// The TCP payloads of connections to `port`, in the order of the capture; connections are numbered from 1.
pub fn segments(pcap: &[u8], port: u16) -> Vec<Segment> {
    let nanos = word(pcap, 0) == 0xa1b2_3c4d;
    let ethernet = word(pcap, 20) == 1;
    let mut connections: HashMap<(u32, u16), Connection> = HashMap::new();
    let mut found = Vec::new();
    let mut at = 24;
    let mut count = 0;
    while at + 16 <= pcap.len() {
        let fraction = u64::from(word(pcap, at + 4)) * if nanos { 1 } else { 1000 };
        let time_ns = u64::from(word(pcap, at)) * 1_000_000_000 + fraction;
        let kept = word(pcap, at + 8) as usize;
        let frame = &pcap[at + 16..at + 16 + kept];
        at += 16 + kept;
        let link = if ethernet { 14 } else { 0 };
        if frame.len() < link + 40 || (ethernet && short(frame, 12) != 0x0800) || frame[link + 9] != 6 {
            continue;
        }
        let ip = &frame[link..];
        let total = usize::from(short(ip, 2));
        let tcp = &ip[usize::from(ip[0] & 15) * 4..];
        let (source, target) = (short(tcp, 0), short(tcp, 2));
        if source != port && target != port {
            continue;
        }
        let from_client = target == port;
        let client = if from_client { (word(ip, 12), source) } else { (word(ip, 16), target) };
        let seq = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        let header = usize::from(tcp[12] >> 4) * 4;
        let wire_len = total - usize::from(ip[0] & 15) * 4 - header;
        let payload = &tcp[header..tcp.len().min(header + wire_len)];
        let (syn, ends) = (tcp[13] & 2 != 0, tcp[13] & 5 != 0);
        if syn && from_client {
            connections.remove(&client);
        }
        let connection = connections.entry(client).or_insert_with(|| {
            count += 1;
            Connection { id: count, mid_stream: !syn, ..Connection::default() }
        });
        let direction = usize::from(!from_client);
        let base = *connection.base[direction].get_or_insert(seq.wrapping_add(u32::from(syn)));
        let (session, mid_stream) = (connection.id, connection.mid_stream);
        if wire_len > 0 {
            let offset = u64::from(seq.wrapping_sub(base));
            found.push(Segment {
                session,
                from_client,
                close: false,
                mid_stream,
                time_ns,
                offset,
                payload: payload.to_vec(),
                wire_len: wire_len as u32,
            });
        }
        if ends && !connection.is_closed && !from_client {
            connection.is_closed = true;
        }
    }
    for id in 1..=count {
        let time_ns = found.last().map_or(0, |last| last.time_ns);
        let (payload, close) = (Vec::new(), true);
        let from_client = true;
        found.push(Segment {
            session: id,
            from_client,
            close,
            mid_stream: false,
            time_ns,
            offset: 0,
            payload,
            wire_len: 0,
        });
    }
    found
}

/// A batch with these segments.
pub fn batch(segments: &[Segment], port: u16) -> Vec<u8> {
    let mut out = Vec::new();
    for value in [abi::MAGIC_BATCH, segments.len() as u32, 0, 0] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    for segment in segments {
        let start = out.len();
        let size = (abi::SEGMENT_SIZE as usize + segment.payload.len()).next_multiple_of(8);
        let kind = if segment.close { abi::SEGMENT_KIND_CLOSE } else { abi::SEGMENT_KIND_DATA };
        let mut flags = 0;
        if (segment.payload.len() as u32) < segment.wire_len {
            flags |= abi::SEGMENT_FLAG_TRUNCATED;
        }
        if segment.mid_stream {
            flags |= abi::SEGMENT_FLAG_MID_STREAM;
        }
        out.extend_from_slice(&(size as u32).to_le_bytes());
        out.extend_from_slice(&[kind as u8, u8::from(!segment.from_client), 6, flags as u8]);
        for value in [segment.session, segment.time_ns, segment.offset] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&port.to_le_bytes());
        out.extend_from_slice(&40_000u16.to_le_bytes());
        for value in [segment.wire_len, segment.payload.len() as u32, 0] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&segment.payload);
        out.resize(start + size, 0);
    }
    out
}

/// The records of a capture, each with the number of its connection.
pub fn rows<P: Parser>(pcap: &[u8], port: u16) -> Vec<(u64, Row)> {
    cut_rows::<P>(pcap, port, usize::MAX)
}

/// The same with each segment cut behind its first `most` bytes.
pub fn cut_rows<P: Parser>(pcap: &[u8], port: u16, most: usize) -> Vec<(u64, Row)> {
    let mut host = Host::<P>::new();
    let mut found = Vec::new();
    let mut all = segments(pcap, port);
    all.iter_mut().for_each(|segment| segment.payload.truncate(most));
    for chunk in all.chunks(256) {
        let input = batch(chunk, port);
        host.input(input.len()).unwrap()[..input.len()].copy_from_slice(&input);
        for mut row in decode_records(host.parse(input.len()).unwrap()) {
            let index = row.number("segment_index").unwrap() as usize;
            row.0.remove("passes");
            found.push((chunk[index].session, row));
        }
    }
    found
}

/// A row in one line: everything but times, which a capture's golden file need not repeat.
pub fn line(session: u64, row: &Row) -> String {
    let mut text = format!("{session} {}", row.kind());
    if !row.status().is_empty() {
        text += &format!(" {}", row.status());
    }
    for (name, value) in &row.0 {
        if matches!(name.as_str(), "segment_index" | "type" | "status" | "time_ns" | "end_time_ns") {
            continue;
        }
        let value = match value {
            super::Value::Number(number) => number.to_string(),
            super::Value::Text(text) => {
                format!("{:?}", text.trim_end_matches('\0').replace('\0', "|"))
            }
        };
        text += &format!(" {name}={value}");
    }
    text
}
