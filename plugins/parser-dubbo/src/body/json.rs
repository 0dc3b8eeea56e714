//! Fastjson (and Gson) as text: a value on each line, the last line of a request is its attachments.

use super::{keep, Body, ATTACHMENTS};
use crate::options::Options;

pub(super) fn request(bytes: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for place in [&mut body.dubbo, &mut body.service, &mut body.service_version, &mut body.method, &mut body.types] {
        let line = lines.next()?;
        if line == b"null" {
            continue;
        }
        keep(place, &text(&mut &*line)?);
    }
    let last = lines.next_back()?;
    pairs(last, body, options);
    Some(())
}

pub(super) fn response(bytes: &[u8], is_error: bool, body: &mut Body, options: &Options) -> Option<()> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next()?;
    if is_error {
        keep(&mut body.message, &text(&mut &*first)?);
        return Some(());
    }
    if matches!(first, b"0" | b"3") {
        let exception = lines.clone().next()?;
        let value = |name: &[u8]| {
            let at = exception.windows(name.len()).position(|part| part == name)?;
            text(&mut &exception[at + name.len()..])
        };
        if let Some(message) = value(b"\"message\":") {
            keep(&mut body.message, &message);
        }
        body.exception.push_str("exception");
        if let Some(class) = value(b"\"@type\":") {
            keep(&mut body.exception, &class);
        }
    }
    if matches!(first, b"3" | b"4" | b"5") {
        pairs(lines.next_back()?, body, options);
    }
    Some(())
}

/// The pairs of texts of an object; what is no text is passed over.
fn pairs(line: &[u8], body: &mut Body, options: &Options) {
    let Some(mut rest) = line.strip_prefix(b"{") else { return };
    for _ in 0..ATTACHMENTS {
        let Some(at) = rest.iter().position(|byte| *byte == b'"') else { return };
        rest = &rest[at..];
        let Some(name) = text(&mut rest) else { return };
        let Some(behind) = rest.strip_prefix(b":") else { continue };
        rest = behind;
        if rest.first() == Some(&b'"') {
            let Some(value) = text(&mut rest) else { return };
            body.attachment(&name, &value, options);
        }
    }
}

/// A text in quotes, with what is escaped in it.
fn text(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(b"\"")?;
    let mut found = Vec::new();
    loop {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        match byte {
            b'"' => {
                *bytes = rest;
                return Some(found);
            }
            b'\\' => {
                let (escaped, behind) = rest.split_first()?;
                rest = behind;
                match escaped {
                    b'n' => found.push(b'\n'),
                    b't' => found.push(b'\t'),
                    b'r' => found.push(b'\r'),
                    b'u' => {
                        let digits = std::str::from_utf8(rest.get(..4)?).ok()?;
                        let code = u32::from_str_radix(digits, 16).ok()?;
                        rest = &rest[4..];
                        let character = char::from_u32(code).unwrap_or('\u{fffd}');
                        found.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    other => found.push(*other),
                }
            }
            other => found.push(*other),
        }
    }
}
