//! Query attributes: named parameters in front of a statement (MySQL 8.0.23, `CLIENT_QUERY_ATTRIBUTES`).

use super::cursor::Cursor;

/// Where the statement begins, and what the attributes say of traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found<'a> {
    /// Offset of the statement behind the command byte.
    pub text_at: usize,
    /// The attribute `traceparent`.
    pub traceparent: &'a [u8],
}

/// More attributes than this are no attributes.
const MAX_ATTRIBUTES: u64 = 256;

/// Reads the attributes behind the command byte of COM_QUERY; `None` when there are none or they make no sense.
///
/// No statement begins with these bytes, so that the capability need not be known: the first is the count (0 in nearly
/// every query), the second is always 1.
pub fn query_attributes(body: &[u8]) -> Option<Found<'_>> {
    let mut cursor = Cursor::new(body);
    let count = cursor.lenenc()?;
    if cursor.lenenc()? != 1 || count > MAX_ATTRIBUTES {
        return None;
    }
    let mut found = Found { text_at: body.len() - cursor.rest().len(), traceparent: b"" };
    if count == 0 {
        return Some(found);
    }
    let nulls = cursor.bytes((count as usize).div_ceil(8))?;
    if cursor.int(1)? != 1 {
        return None;
    }
    let mut types = Vec::new();
    for _ in 0..count {
        types.push((cursor.int(2)? as u16, cursor.lenenc_bytes()?));
    }
    for (index, (kind, name)) in types.into_iter().enumerate() {
        if nulls[index / 8] >> (index % 8) & 1 == 1 {
            continue;
        }
        let value = value(kind as u8, &mut cursor)?;
        if name.eq_ignore_ascii_case(b"traceparent") {
            found.traceparent = value;
        }
    }
    found.text_at = body.len() - cursor.rest().len();
    Some(found)
}

/// One value of the binary protocol.
fn value<'a>(kind: u8, cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    match kind {
        0x06 => Some(b""),
        0x01 => cursor.bytes(1),
        0x02 | 0x0d => cursor.bytes(2),
        0x03 | 0x04 | 0x09 => cursor.bytes(4),
        0x05 | 0x08 => cursor.bytes(8),
        0x07 | 0x0a | 0x0b | 0x0c => {
            let length = cursor.int(1)? as usize;
            cursor.bytes(length)
        }
        _ => cursor.lenenc_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_skipped_and_traceparent_is_read() {
        assert_eq!(query_attributes(b"\0\x01SELECT 1").unwrap().text_at, 2);
        assert!(query_attributes(b"SELECT 1").is_none());
        let body = b"\x02\x01\x00\x01\x08\x00\x01n\xfe\x00\x0btraceparent\x01\0\0\0\0\0\0\0\x0300-SELECT 1";
        let found = query_attributes(body).unwrap();
        assert_eq!(found.traceparent, b"00-");
        assert_eq!(&body[found.text_at..], b"SELECT 1");
        for cut in 0..body.len() {
            let _ = query_attributes(&body[..cut]);
        }
    }
}
