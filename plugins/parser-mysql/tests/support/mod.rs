//! Packets of both sides, and rows as lines.
#![allow(dead_code)] // each test file uses its own part

use metaflow_parser_sdk::testing::Row;

/// Capabilities of a client since 4.1 with SECURE_CONNECTION and PLUGIN_AUTH.
pub const CLASSIC: u32 = 1 | 1 << 9 | 1 << 15 | 1 << 19;
pub const DEPRECATE_EOF: u32 = 1 << 24;
pub const COMPRESS: u32 = 1 << 5;
pub const SSL: u32 = 1 << 11;

/// One frame.
pub fn packet(seq: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_le_bytes();
    bytes[3] = seq;
    [&bytes, payload].concat()
}

/// Frames with numbers from `seq` on.
pub fn packets(seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
    payloads.iter().enumerate().flat_map(|(index, payload)| packet(seq + index as u8, payload)).collect()
}

/// A command with its argument.
pub fn command(byte: u8, argument: impl AsRef<[u8]>) -> Vec<u8> {
    packet(0, [&[byte], argument.as_ref()].concat())
}

/// COM_QUERY.
pub fn query(text: &str) -> Vec<u8> {
    command(3, text)
}

/// The server's greeting.
pub fn greeting(caps: u32) -> Vec<u8> {
    let mut payload = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0".to_vec();
    payload.extend_from_slice(&(caps as u16).to_le_bytes());
    payload.extend_from_slice(&[0x21, 2, 0]);
    payload.extend_from_slice(&((caps >> 16) as u16).to_le_bytes());
    payload.push(21);
    payload.extend_from_slice(&[0; 10]);
    payload.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
    packet(0, payload)
}

/// The client's login.
pub fn login(seq: u8, caps: u32, user: &str) -> Vec<u8> {
    let mut payload = caps.to_le_bytes().to_vec();
    payload.extend_from_slice(&[0, 0, 0, 1, 0x21]);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(user.as_bytes());
    payload.extend_from_slice(b"\0\x04hash");
    payload.extend_from_slice(b"caching_sha2_password\0");
    packet(seq, payload)
}

/// OK with these rows changed and status flags.
pub fn ok(seq: u8, affected: u8, status: u16) -> Vec<u8> {
    packet(seq, [&[0, affected, 0][..], &status.to_le_bytes(), &[0, 0]].concat())
}

/// EOF with status flags.
pub fn eof(status: u16) -> Vec<u8> {
    [&[0xfe, 0, 0][..], &status.to_le_bytes()].concat()
}

/// The OK packet that replaces EOF.
pub fn end(status: u16) -> Vec<u8> {
    [&[0xfe, 0, 0][..], &status.to_le_bytes(), &[0, 0]].concat()
}

/// An error.
pub fn err(seq: u8, code: u16, sqlstate: &str, message: &str) -> Vec<u8> {
    packet(seq, [&[0xff][..], &code.to_le_bytes(), b"#", sqlstate.as_bytes(), message.as_bytes()].concat())
}

/// A column definition; its content does not matter.
pub const COLUMN: &[u8] = b"\x03def\x01d\x01t\x01t\x01c\x01c\x0c\x21\0\x0c\0\0\0\xfd\0\0\0\0\0";

/// A result set of one column: its rows are texts, both kinds of end.
pub fn result_set(texts: &[&str], legacy: bool, status: u16) -> Vec<u8> {
    let rows: Vec<Vec<u8>> = texts.iter().map(|text| [&[text.len() as u8], text.as_bytes()].concat()).collect();
    let (middle, last) = (eof(status), if legacy { eof(status) } else { end(status) });
    let mut payloads: Vec<&[u8]> = vec![&[1], COLUMN];
    if legacy {
        payloads.push(&middle);
    }
    payloads.extend(rows.iter().map(Vec::as_slice));
    payloads.push(&last);
    packets(1, &payloads)
}

/// `type request_type|status resource|exception ...` of every row.
pub fn lines(rows: &[Row]) -> Vec<String> {
    let line = |row: &Row| match row.kind() {
        "response" if row.text("exception").is_empty() => {
            let rows = row.attribute("rows").map(|rows| format!(" rows={rows}")).unwrap_or_default();
            let affected = row.number("affected_rows").map(|rows| format!(" affected={rows}")).unwrap_or_default();
            let id = row.number("request_id").map(|id| format!(" id={id}")).unwrap_or_default();
            format!("response {}{rows}{affected}{id}", row.status())
        }
        "response" => {
            let code = row.number("code").map(|code| format!(" {code}")).unwrap_or_default();
            format!("response {}{code} {}", row.status(), row.text("exception"))
        }
        "skipped" => format!("skipped {} {}", row.number("length").unwrap(), row.text("exception")),
        "violation" => format!("violation {}", row.text("exception")),
        kind => {
            let id = row.number("request_id").map(|id| format!(" id={id}")).unwrap_or_default();
            format!("{kind} {}: {}{id}", row.text("request_type"), row.text("request_resource"))
        }
    };
    rows.iter().map(line).collect()
}
