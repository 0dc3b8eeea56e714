//! What the tests share: packets of both sides, and rows as short lines.
#![allow(dead_code)] // each user needs its own part

use metaflow_parser_sdk::testing::{Row, Script};

/// A packet.
pub fn packet(first: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut out = vec![first];
    let mut left = body.len();
    loop {
        let byte = (left % 128) as u8;
        left /= 128;
        out.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// Text behind its length.
pub fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// A login as 3.1.1 or 5.
pub fn connect(level: u8, client: &str) -> Vec<u8> {
    let properties: &[u8] = if level == 5 { &[0] } else { &[] };
    packet(
        0x10,
        [&b"\0\x04MQTT"[..], &[level, 0xc2, 0, 60], properties, &text(client), &text("bob"), &text("secret")].concat(),
    )
}

pub fn connack(code: u8) -> Vec<u8> {
    packet(0x20, [0, code])
}

/// Properties behind their length.
pub fn properties(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

pub fn publish(flags: u8, topic: &str, id: u16, rest: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let id: &[u8] = if flags & 6 == 0 { &[] } else { &id };
    packet(0x30 | flags, [&text(topic), id, rest].concat())
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
pub fn ack(kind: u8, id: u16) -> Vec<u8> {
    packet(kind << 4 | if kind == 6 { 2 } else { 0 }, id.to_be_bytes())
}

pub fn subscribe(id: u16, topics: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (topic, qos) in topics {
        body.extend(text(topic));
        body.push(*qos);
    }
    packet(0x82, body)
}

/// A session of 3.1.1.
pub fn session() -> Script {
    Script::new(1883).client(connect(4, "till-7")).server(connack(0))
}

/// A session of 5.
pub fn session5() -> Script {
    Script::new(1883).client(connect(5, "till-7")).server(packet(0x20, [0, 0, 0]))
}

/// What matters of a row, in a line.
pub fn line(row: &Row) -> String {
    let mut text = row.kind().to_owned();
    if let Some(key) = row.number("stream_id") {
        text += &format!(" {}:{}", key >> 32, key & 0xffff_ffff);
    }
    for name in ["status", "request_type", "request_resource", "result", "exception"] {
        let value = if name == "status" { row.status() } else { row.text(name) };
        if !value.is_empty() {
            text += &format!(" {value}");
        }
    }
    if let Some(code) = row.number("code") {
        text += &format!(" code={code}");
    }
    text
}

pub fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter().map(line).collect()
}
