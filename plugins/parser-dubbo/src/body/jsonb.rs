//! Fastjson2: each value as JSONB behind a length of four bytes.

use super::{keep, parameters, Body, ATTACHMENTS};
use crate::options::Options;

const TYPED: u8 = 0x92;
const OBJECT: u8 = 0xa6;
const OBJECT_END: u8 = 0xa5;

pub(super) fn request(mut bytes: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    for place in [&mut body.dubbo, &mut body.service, &mut body.service_version, &mut body.method, &mut body.types] {
        let mut value = item(&mut bytes)?;
        keep(place, text(&mut value).unwrap_or_default());
    }
    for number in 0..parameters(body.types.as_bytes()) {
        let mut value = item(&mut bytes)?;
        if number == 0 && body.method.starts_with("$invoke") {
            keep(&mut body.generic, text(&mut value).unwrap_or_default());
        }
    }
    attachments(item(&mut bytes)?, body, options)
}

pub(super) fn response(mut bytes: &[u8], is_error: bool, body: &mut Body, options: &Options) -> Option<()> {
    if is_error {
        keep(&mut body.message, text(&mut item(&mut bytes)?)?);
        return Some(());
    }
    // The kind of the response is a number, of one byte behind its code or of the code alone.
    let kind = *item(&mut bytes)?.last()?;
    if matches!(kind, 0 | 3) {
        let mut exception = item(&mut bytes)?;
        body.exception.push_str("exception");
        if exception.first() == Some(&TYPED) {
            exception = &exception[1..];
            if let Some(class) = text(&mut exception) {
                keep(&mut body.exception, class);
            }
        }
        let name = b"detailMessage";
        let at = exception.windows(name.len()).position(|part| part == name);
        let mut rest = at.and_then(|at| exception.get(at + name.len()..)).unwrap_or_default();
        // The name is a symbol: its number stands behind it.
        if rest.first().is_some_and(|number| *number < 0x30) {
            rest = &rest[1..];
        }
        if let Some(message) = text(&mut rest) {
            keep(&mut body.message, message);
        }
    } else if matches!(kind, 1 | 4) {
        item(&mut bytes)?;
    }
    if matches!(kind, 3..=5) {
        attachments(item(&mut bytes)?, body, options)?;
    }
    Some(())
}

/// A value behind its length.
fn item<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let value = bytes.get(4..length.checked_add(4)?)?;
    *bytes = &bytes[4 + length..];
    Some(value)
}

fn attachments(mut rest: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    if rest.first() == Some(&TYPED) {
        rest = &rest[1..];
        text(&mut rest)?;
    }
    rest = rest.strip_prefix(&[OBJECT])?;
    for _ in 0..ATTACHMENTS {
        if rest.first() == Some(&OBJECT_END) {
            break;
        }
        let name = text(&mut rest)?;
        // What is no text has no place among attachments of Dubbo 2; nothing behind it is read.
        let value = text(&mut rest)?;
        body.attachment(name, value, options);
    }
    Some(())
}

/// A text of ASCII, Latin-1 or UTF-8.
fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (code, mut rest) = bytes.split_first()?;
    let length = match code {
        0x49..=0x78 => usize::from(code - 0x49),
        0x79 | 0x7a => length(&mut rest)?,
        _ => return None,
    };
    let text = rest.get(..length)?;
    *bytes = &rest[length..];
    Some(text)
}

fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (code, rest) = bytes.split_first()?;
    let (high, count) = match code {
        0x00..=0x2f => (usize::from(*code), 0),
        0x30..=0x3f => (usize::from(*code).checked_sub(0x38)?, 1),
        0x40..=0x47 => (usize::from(*code).checked_sub(0x44)?, 2),
        0x48 => (0, 4),
        _ => return None,
    };
    let value = rest.get(..count)?.iter().fold(high, |sum, byte| sum << 8 | usize::from(*byte));
    *bytes = &rest[count..];
    Some(value)
}
