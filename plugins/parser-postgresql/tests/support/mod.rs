//! What the tests share: messages of both sides, and rows as short lines.
#![allow(dead_code)] // each user needs its own part

use metaflow_parser_sdk::testing::{Row, Script};

/// A message with a type.
pub fn message(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A packet without a type.
pub fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

pub fn startup() -> Vec<u8> {
    packet(0x0003_0000, b"user\0bob\0database\0shop\0application_name\0till\0\0")
}

pub fn ssl_request() -> Vec<u8> {
    packet(80_877_103, b"")
}

/// Authentication, one parameter, the key to cancel with.
pub fn welcome() -> Vec<u8> {
    [
        message(b'R', [0; 4]),
        message(b'S', b"server_version\x0015.4\0"),
        message(b'K', b"\0\0\x01\x02\0\0\0\x09"),
        ready(b'I'),
    ]
    .concat()
}

pub fn query(text: &str) -> Vec<u8> {
    message(b'Q', [text.as_bytes(), &[0]].concat())
}

pub fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', [name.as_bytes(), &[0], text.as_bytes(), &[0, 0, 0]].concat())
}

pub fn bind(portal: &str, name: &str, arguments: &[&[u8]]) -> Vec<u8> {
    let mut body = [portal.as_bytes(), &[0], name.as_bytes(), &[0, 0, 0]].concat();
    body.extend((arguments.len() as u16).to_be_bytes());
    for argument in arguments {
        body.extend((argument.len() as u32).to_be_bytes());
        body.extend_from_slice(argument);
    }
    body.extend([0, 0]);
    message(b'B', body)
}

pub fn describe(what: u8, name: &str) -> Vec<u8> {
    message(b'D', [&[what], name.as_bytes(), &[0]].concat())
}

pub fn execute(portal: &str) -> Vec<u8> {
    message(b'E', [portal.as_bytes(), &[0, 0, 0, 0, 0]].concat())
}

pub fn close(what: u8, name: &str) -> Vec<u8> {
    message(b'C', [&[what], name.as_bytes(), &[0]].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub fn columns(names: &[&str]) -> Vec<u8> {
    let mut body = (names.len() as u16).to_be_bytes().to_vec();
    for name in names {
        body.extend_from_slice(name.as_bytes());
        body.extend([0; 19]);
    }
    message(b'T', body)
}

pub fn row(values: &[&str]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        body.extend((value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    message(b'D', body)
}

pub fn done(tag: &str) -> Vec<u8> {
    message(b'C', [tag.as_bytes(), &[0]].concat())
}

pub fn ready(status: u8) -> Vec<u8> {
    message(b'Z', [status])
}

pub fn said(kind: u8, severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(kind, format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0"))
}

pub fn error(code: &str, text: &str) -> Vec<u8> {
    said(b'E', "ERROR", code, text)
}

/// A session up to its first query.
pub fn session() -> Script {
    Script::new(5432).client(startup()).server(welcome())
}

/// What matters of a row, in a line.
pub fn line(row: &Row) -> String {
    let mut text = row.kind().to_owned();
    if !row.status().is_empty() {
        text += &format!(" {}", row.status());
    }
    for name in ["request_type", "request_resource", "result", "exception"] {
        if !row.text(name).is_empty() {
            text += &format!(" {}", row.text(name));
        }
    }
    if let Some(rows) = row.number("affected_rows") {
        text += &format!(" affected={rows}");
    }
    text
}

pub fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter().map(line).collect()
}
