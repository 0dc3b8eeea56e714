//! Kryo: the texts at the beginning are read; behind the arguments, which only their classes can read, the attachments of a
//! trace are searched by their names.

use super::{keep, Body};
use crate::options::Options;

pub(super) fn request(mut bytes: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    for place in [&mut body.dubbo, &mut body.service, &mut body.service_version, &mut body.method, &mut body.types] {
        keep(place, &text(&mut bytes)?);
    }
    search(bytes, body, options);
    Some(())
}

pub(super) fn response(mut bytes: &[u8], is_error: bool, body: &mut Body) -> Option<()> {
    if is_error {
        keep(&mut body.message, &text(&mut bytes)?);
        return Some(());
    }
    // Traces are asked for with requests: what stands in a response is not searched.
    let (kind, rest) = bytes.split_first()?;
    if matches!(kind, 0 | 3) {
        body.exception.push_str("exception");
        // A class that has no number: its name follows, behind a number of the name.
        if let [1, _, name @ ..] = rest {
            if let Some(class) = text(&mut &*name) {
                keep(&mut body.exception, &class);
            }
        }
    }
    Some(())
}

fn search(bytes: &[u8], body: &mut Body, options: &Options) {
    let name = |name: &str| {
        let mut bytes = name.as_bytes().to_vec();
        if let Some(last) = bytes.last_mut() {
            *last |= 0x80;
        }
        bytes
    };
    body.search(bytes, options, name, |rest| {
        // The number of the value's class stands before it, and perhaps a mark that it is no reference.
        let mut rest = rest;
        for _ in 0..2 {
            if rest.first().is_some_and(|byte| *byte < 0x20) {
                rest = &rest[1..];
            }
        }
        text(&mut rest).filter(|value| !value.is_empty())
    });
}

/// A text: short ASCII with the highest bit of its last character set, or a length (the highest bit of its first byte set)
/// and so many characters.
fn text(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        let end = bytes.iter().take(64).position(|byte| byte & 0x80 != 0)?;
        let mut found = bytes[..=end].to_vec();
        found[end] &= 0x7f;
        *bytes = &bytes[end + 1..];
        return Some(found);
    }
    // The first byte of a length has six bits and says whether more follow.
    let (mut value, mut at) = (usize::from(first & 0x3f), 1);
    if first & 0x40 != 0 {
        for shift in [6, 13, 20, 27] {
            let byte = *bytes.get(at)?;
            at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    let mut rest = bytes.get(at..)?;
    let mut found = Vec::new();
    for _ in 1..value.max(1) {
        let size = match rest.first()? {
            0x00..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => return None,
        };
        found.extend_from_slice(rest.get(..size)?);
        rest = &rest[size..];
    }
    *bytes = rest;
    Some(found)
}
