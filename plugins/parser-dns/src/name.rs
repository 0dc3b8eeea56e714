//! Domain names (RFC 1035, 3.1 and 4.1.4): labels, and pointers to names before.

use crate::wire::{fault, u16_at, Fault};
use std::fmt::Write;

/// Longest name on the wire, its lengths and its end included (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 255;

/// Pass over a name: the offset behind it.
#[inline]
pub(crate) fn skip(message: &[u8], mut at: usize) -> Result<usize, Fault> {
    let start = at;
    loop {
        match message.get(at) {
            None => return fault("a name without an end", message.len()),
            Some(0) => return Ok(at + 1),
            Some(length @ 1..=63) => at += 1 + usize::from(*length),
            Some(192..) => {
                let target = usize::from(u16_at(message, at)? & 0x3fff);
                // A pointer forward could make a loop; no encoder writes one.
                return if target < at { Ok(at + 2) } else { fault("a name that points forward", at) };
            }
            Some(_) => return fault("a label of an unknown type", at),
        }
        if at - start > LONGEST_NAME {
            return fault("a name longer than 255 bytes", start);
        }
    }
}

/// Where the labels of a name, up to a pointer, have a control code.
pub(crate) fn control_code(message: &[u8], mut at: usize) -> Option<usize> {
    while let Some(length @ 1..=63) = message.get(at) {
        let label = message.get(at + 1..)?.iter().take(usize::from(*length));
        if let Some(found) = label.clone().position(|byte| *byte < 0x20) {
            return Some(at + 1 + found);
        }
        at += 1 + label.len();
    }
    None
}

/// Append a name as text (`www.example.com`, `.` for the root) and give the offset behind it.
///
/// A pointer must point before the labels that led to it, so that every name ends.
pub(crate) fn read(message: &[u8], mut at: usize, out: &mut String) -> Result<usize, Fault> {
    let start = out.len();
    let mut behind = None;
    let mut lowest = at;
    let mut wire_length = 1;
    loop {
        match message.get(at) {
            None => return fault("a name without an end", message.len()),
            Some(0) => break,
            Some(length @ 1..=63) => {
                let Some(label) = message.get(at + 1..at + 1 + usize::from(*length)) else {
                    return fault("a label longer than the message", at);
                };
                wire_length += 1 + label.len();
                if wire_length > LONGEST_NAME {
                    return fault("a name longer than 255 bytes", at);
                }
                if out.len() > start {
                    out.push('.');
                }
                push_label(label, out);
                at += 1 + label.len();
            }
            Some(192..) => {
                let target = usize::from(u16_at(message, at)? & 0x3fff);
                if target >= lowest {
                    return fault("a name that points forward or at itself", at);
                }
                behind.get_or_insert(at + 2);
                lowest = target;
                at = target;
            }
            Some(_) => return fault("a label of an unknown type", at),
        }
    }
    if out.len() == start {
        out.push('.');
    }
    Ok(behind.unwrap_or(at + 1))
}

/// A label as text: dots and backslashes are escaped, bytes that are no text are `\DDD` (RFC 4343, 2.1).
fn push_label(label: &[u8], out: &mut String) {
    let is_plain = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_');
    match std::str::from_utf8(label) {
        Ok(text) if label.iter().all(is_plain) => out.push_str(text),
        // mDNS names are UTF-8 (RFC 6762, 16).
        Ok(text) if !text.chars().any(char::is_control) => {
            for character in text.chars() {
                if matches!(character, '.' | '\\') {
                    out.push('\\');
                }
                out.push(character);
            }
        }
        _ => {
            for byte in label {
                match byte {
                    b'.' | b'\\' => out.extend(['\\', char::from(*byte)]),
                    0x20..=0x7e => out.push(char::from(*byte)),
                    // Writing to a String cannot fail.
                    _ => drop(write!(out, "\\{byte:03}")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{read, skip};

    fn both(message: &[u8], at: usize) -> Result<(String, usize), &'static str> {
        let mut text = String::new();
        let behind = read(message, at, &mut text).map_err(|fault| fault.reason)?;
        assert_eq!(skip(message, at).map_err(|fault| fault.reason), Ok(behind));
        Ok((text, behind))
    }

    #[test]
    fn labels_and_pointers() {
        let message = b"\x03www\x07example\x00\x04mail\xc0\x04\xc0\x0d\x00";
        assert_eq!(both(message, 0), Ok(("www.example".to_owned(), 13)));
        assert_eq!(both(message, 13), Ok(("mail.example".to_owned(), 20)));
        assert_eq!(both(message, 20), Ok(("mail.example".to_owned(), 22)));
        assert_eq!(both(message, 22), Ok((".".to_owned(), 23)));
    }

    #[test]
    fn odd_bytes_are_escaped_and_text_is_kept() {
        assert_eq!(both(b"\x03a.b\x02\\\x01\x02\xff\xfe\x00", 0).unwrap().0, "a\\.b.\\\\\\001.\\255\\254");
        assert_eq!(both("\u{6}caf\u{e9} \u{0}".as_bytes(), 0).unwrap().0, "caf\u{e9} ");
    }

    #[test]
    fn loops_and_lies_end() {
        for message in
            [&b"\xc0\x00"[..], b"\x01a\xc0\x00", b"\x01a\xc0\x02", b"\x05ab", b"\x40a\x00", b"\x01a", b"", b"\xc0"]
        {
            let mut text = String::new();
            assert!(read(message, 0, &mut text).is_err(), "{message:?}");
        }
        let mut long = Vec::new();
        for _ in 0..100 {
            long.extend_from_slice(b"\x03abc");
        }
        long.push(0);
        assert!(both(&long, 0).is_err());
        // Pointers that go back one by one, each over a label: the length bounds them.
        let mut chain = b"\x01a\x00".to_vec();
        for _ in 0..300 {
            let target = chain.len().saturating_sub(if chain.len() == 3 { 3 } else { 4 }) as u16;
            chain.extend_from_slice(b"\x01b");
            chain.extend_from_slice(&(0xc000 | target).to_be_bytes());
        }
        let mut text = String::new();
        assert!(read(&chain, chain.len() - 4, &mut text).is_err());
        assert!(text.len() < 600);
    }
}
