//! What the tests share: records and messages of both sides, and rows as short lines.
#![allow(dead_code)] // each user needs its own part

use metaflow_parser_sdk::testing::Row;

/// A record.
pub fn record(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A handshake message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A part behind its length in two bytes.
pub fn part(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}

pub fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &part(body)].concat()
}

/// A ClientHello: two suites, SNI, ALPN, groups, formats, signatures, and what is given.
pub fn client_hello(name: &str, more: &[u8]) -> Vec<u8> {
    let server_name = part(&[&[0][..], &part(name.as_bytes())].concat());
    let extensions = [
        extension(0x1a1a, b""),
        extension(0, &server_name),
        extension(16, &part(b"\x02h2\x08http/1.1")),
        extension(10, &part(&[0x2a, 0x2a, 0, 29, 0, 23])),
        extension(11, &[1, 0]),
        extension(13, &part(&[4, 3, 8, 4])),
        more.to_vec(),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[4, 1, 2, 3, 4],
        &part(&[0x0a, 0x0a, 0x13, 1, 0xc0, 0x2f]),
        &[1, 0],
        &part(&extensions),
    ]
    .concat();
    message(1, &body)
}

pub fn server_hello(random: u8, session: &[u8], cipher: u16, extensions: &[u8]) -> Vec<u8> {
    let body =
        [&[3, 3][..], &[random; 32], &[session.len() as u8], session, &cipher.to_be_bytes(), &[0], &part(extensions)]
            .concat();
    message(2, &body)
}

/// The extension by which TLS 1.3 is offered, and by which it is chosen.
pub fn offers_13() -> Vec<u8> {
    extension(43, &[4, 3, 4, 3, 3])
}

pub fn chooses_13() -> Vec<u8> {
    [extension(43, &[3, 4]), extension(51, &[0, 29, 0, 1, 9])].concat()
}

fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    if body.len() < 128 {
        [&[tag, body.len() as u8][..], body].concat()
    } else {
        [&[tag, 0x82][..], &part(body)].concat()
    }
}

fn common_name(name: &str) -> Vec<u8> {
    der(0x30, &der(0x31, &der(0x30, &[der(6, &[0x55, 4, 3]), der(12, name.as_bytes())].concat())))
}

/// A Certificate message with one certificate: subject, issuer, validity, names.
pub fn certificate(subject: &str, until: &str) -> Vec<u8> {
    let names = der(0x30, &[der(0x82, b"shop.example"), der(0x87, &[127, 0, 0, 1])].concat());
    let san = der(0x30, &[der(6, &[0x55, 0x1d, 0x11]), der(4, &names)].concat());
    let fields = [
        der(0xa0, &[2, 1, 2]),
        der(2, &[1]),
        der(0x30, &[]),
        common_name("Test CA"),
        der(0x30, &[der(0x17, b"230101000000Z"), der(0x17, until.as_bytes())].concat()),
        common_name(subject),
        der(0x30, &[]),
        der(0xa3, &der(0x30, &san)),
    ]
    .concat();
    let one = der(0x30, &[der(0x30, &fields), der(0x30, &[]), der(3, &[0])].concat());
    let chain = [&(one.len() as u32).to_be_bytes()[1..], &one].concat();
    message(11, &[&(chain.len() as u32).to_be_bytes()[1..], &chain].concat())
}

pub fn ccs() -> Vec<u8> {
    record(20, [1])
}

/// An encrypted record of a handshake.
pub fn finished() -> Vec<u8> {
    record(22, [0xee; 40])
}

pub fn data(length: usize) -> Vec<u8> {
    record(23, vec![0xdd; length])
}

/// What matters of a row, in a line.
pub fn line(row: &Row) -> String {
    let mut text = row.kind().to_owned();
    for name in ["status", "request_type", "request_resource", "version", "result", "exception"] {
        let value = if name == "status" { row.status() } else { row.text(name) };
        if !value.is_empty() {
            text += &format!(" {value}");
        }
    }
    text
}

pub fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter().map(line).collect()
}
