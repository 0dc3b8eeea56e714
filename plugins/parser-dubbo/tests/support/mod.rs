//! What the tests share: a small writer of Dubbo's messages with Hessian 2.
#![allow(dead_code)] // each user needs its own part

use metaflow_parser_sdk::testing::Script;

pub const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A message: flags with the serialization, status, id, body.
pub fn frame(flags: u8, status: u8, id: u64, body: &[u8]) -> Vec<u8> {
    [&[0xda, 0xbb, flags, status][..], &id.to_be_bytes(), &(body.len() as u32).to_be_bytes(), body].concat()
}

/// A text of Hessian 2.
pub fn text(text: &str) -> Vec<u8> {
    let count = text.encode_utf16().count();
    let head = match count {
        0..=31 => vec![count as u8],
        32..=1023 => vec![0x30 + (count >> 8) as u8, count as u8],
        _ => vec![b'S', (count >> 8) as u8, count as u8],
    };
    [&head[..], text.as_bytes()].concat()
}

/// A map of texts.
pub fn map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![b'H'];
    for (name, value) in pairs {
        bytes.extend([text(name), text(value)].concat());
    }
    bytes.push(b'Z');
    bytes
}

/// The body of a call: types and arguments, attachments.
pub fn body(method: &str, types: &str, arguments: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    let head = ["2.0.2", "shop.Cart", "1.0.0", method, types].map(text).concat();
    [&head[..], arguments, &map(pairs)].concat()
}

/// A call that wants an answer.
pub fn call(id: u64, method: &str) -> Vec<u8> {
    frame(0xc2, 0, id, &body(method, "Ljava/lang/String;", &text("book"), &[("traceparent", TRACE), ("group", "blue")]))
}

/// An answer with a value.
pub fn answer(id: u64) -> Vec<u8> {
    frame(2, 20, id, &[&[0x91][..], &text("done")].concat())
}

pub fn talk() -> Script {
    Script::new(20880)
}
