//! Bounded text made from bytes of the wire: printable, valid UTF-8, and the same however the bytes were split.

/// Appends `data` to `out` as printable UTF-8, stopping when `out` has `limit` bytes.
///
/// Control characters and bytes that are not UTF-8 become `\xNN`, so that a binary value can be read and searched.
pub fn push_printable(out: &mut Vec<u8>, data: &[u8], limit: usize) {
    let room = limit.saturating_sub(out.len());
    let data = &data[..data.len().min(room)];
    if data.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        out.extend_from_slice(data);
        return;
    }
    let mut rest = data;
    while !rest.is_empty() {
        let (good, bad) = match std::str::from_utf8(rest) {
            Ok(_) => (rest, 0),
            Err(error) => {
                let good = error.valid_up_to();
                match error.error_len() {
                    Some(bad) => (&rest[..good], bad),
                    // A character that is cut at the end was cut by a limit, not by the sender: it is dropped.
                    None => {
                        rest = &rest[..good];
                        (rest, 0)
                    }
                }
            }
        };
        for &byte in good {
            if byte < 0x20 || byte == 0x7f {
                push_escape(out, byte);
            } else {
                out.push(byte);
            }
        }
        for &byte in &rest[good.len()..good.len() + bad] {
            push_escape(out, byte);
        }
        rest = &rest[good.len() + bad..];
    }
    if out.len() > limit {
        let mut end = limit;
        while end > 0 && out[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        out.truncate(end);
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
    }
}

/// Reads a decimal length: an optional minus and at most 18 digits.
pub fn parse_number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

/// Position of the first line feed.
pub fn find_lf(data: &[u8]) -> Option<usize> {
    data.iter().position(|&byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printable(data: &[u8], limit: usize) -> String {
        let mut out = Vec::new();
        push_printable(&mut out, data, limit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_printable_utf8_and_bounded() {
        assert_eq!(printable(b"plain", 10), "plain");
        assert_eq!(printable("gr\u{fc}n".as_bytes(), 10), "gr\u{fc}n");
        assert_eq!(printable(b"a\x00\xffb\r\n", 64), "a\\x00\\xffb\\r\\n");
        assert_eq!(printable("\u{20ac}\u{20ac}".as_bytes(), 4), "\u{20ac}");
        assert_eq!(printable(b"0123456789", 4), "0123");
    }

    #[test]
    fn numbers_are_strict() {
        assert_eq!(parse_number(b"42"), Some(42));
        assert_eq!(parse_number(b"-1"), Some(-1));
        for bad in [&b""[..], b"-", b"+1", b"1 ", b"0x1", b"1234567890123456789"] {
            assert_eq!(parse_number(bad), None, "{bad:?}");
        }
    }
}
