//! What the tests share: a small encoder of frames and header blocks, and a reader of captures.
#![allow(dead_code)] // each user needs its own part

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is added to the dynamic table (names of up to 126 octets).
pub fn added(name: &str, value: &str) -> Vec<u8> {
    [&[0x40][..], &string(name), &string(value)].concat()
}

/// A field that is not added.
pub fn plain(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &string(name), &string(value)].concat()
}

fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if text.len() < 127 {
        out.push(text.len() as u8);
    } else {
        out.push(127);
        let mut left = text.len() - 127;
        while left >= 128 {
            out.push((left % 128) as u8 | 0x80);
            left /= 128;
        }
        out.push(left as u8);
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// A block of fields, each added to the table.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| added(name, value)).collect()
}

/// HEADERS with END_HEADERS.
pub fn headers(stream: u32, ends: bool, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 4 | u8::from(ends), stream, &block(fields))
}

/// DATA.
pub fn data(stream: u32, ends: bool, payload: &[u8]) -> Vec<u8> {
    frame(0, u8::from(ends), stream, payload)
}

/// A message of gRPC.
pub fn message(payload: &[u8]) -> Vec<u8> {
    [&[0][..], &(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// A GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, true, &[(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", path)])
}

/// A call.
pub fn call(stream: u32, path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "rpc.example:50051"),
        ("te", "trailers"),
        ("content-type", "application/grpc+proto"),
    ];
    headers(stream, false, &fields)
}

/// What a client sends first.
pub fn hello() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]), &frame(8, 0, 0, &[0, 1, 0, 0])].concat()
}

/// What a server sends first.
pub fn welcome() -> Vec<u8> {
    [frame(4, 0, 0, &[0, 3, 0, 0, 0, 128]), frame(4, 1, 0, &[])].concat()
}
