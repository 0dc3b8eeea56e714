//! Finding the next message after the place was lost: only what can hardly be anything else begins one.

use crate::error::Fields;
use crate::frame::{header, Framed, HEADER};
use metaflow_parser_sdk::sql::{is_statement, Dialect};
use metaflow_parser_sdk::{Cursor, Direction};

/// Bytes of a statement in which its first word must stand.
const FIRST_WORD: usize = 512;
/// Longest message whose structure is checked.
const LONGEST: usize = 8 << 10;
/// Longest name of a statement or portal.
const LONGEST_NAME: usize = 128;

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A message begins at this byte.
    At(usize),
    /// None begins before this byte; what comes decides.
    Wait(usize),
}

/// Looks for a message. At the first byte of a flow (`is_first`) the shape of a client's message is enough.
pub(crate) fn find(direction: Direction, bytes: &[u8], is_first: bool) -> Found {
    for at in 0..bytes.len() {
        let mut verdict = is_message(direction, &bytes[at..]);
        if let (true, 0, Direction::ClientToServer, Some(false)) = (is_first, at, direction, verdict) {
            if let Framed::Header(found) = header(direction, bytes) {
                verdict = has_shape(found.kind, found.total, bytes);
            }
        }
        match verdict {
            Some(true) => return Found::At(at),
            Some(false) => {}
            None => return Found::Wait(at),
        }
    }
    Found::Wait(bytes.len())
}

/// Whether the client's message that begins here has the shape of a query in text, an Execute, a Describe or a Close; `None`
/// when more bytes are needed.
pub(crate) fn has_shape(kind: u8, total: u64, bytes: &[u8]) -> Option<bool> {
    let total = usize::try_from(total).ok().filter(|total| *total <= LONGEST);
    let Some(total) = total.filter(|_| matches!(kind, b'Q' | b'P' | b'E' | b'D' | b'C')) else { return Some(false) };
    let is_text = |text: &[u8]| text.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'));
    let body = &bytes[HEADER..bytes.len().min(total)];
    if bytes.len() < total {
        let is_possible = kind != b'Q' || is_text(body.strip_suffix(b"\0").unwrap_or(body));
        return if is_possible { None } else { Some(false) };
    }
    Some(match (kind, body) {
        (b'Q', [text @ .., 0]) => is_text(text),
        (b'E', [name @ .., 0, _, _, _, _]) | (b'D' | b'C', [b'S' | b'P', name @ .., 0]) => is_text(name),
        (b'P', _) => {
            let mut cursor = Cursor::new(body);
            let texts = cursor.until_nul().zip(cursor.until_nul());
            let types = cursor.u16().map(|count| usize::from(count) * 4);
            texts.is_some_and(|(name, text)| is_text(name) && is_text(text)) && types == Some(cursor.rest().len())
        }
        _ => false,
    })
}

/// Whether a message that can be trusted begins with these bytes; `None` when more are needed.
pub(crate) fn is_message(direction: Direction, bytes: &[u8]) -> Option<bool> {
    let found = match header(direction, bytes) {
        Framed::No(_) => return Some(false),
        Framed::More => return None,
        Framed::Header(found) => found,
    };
    // Anchors are small; a first length byte that is not 0 is text.
    if bytes[1] != 0 {
        return Some(false);
    }
    let total = usize::try_from(found.total).ok()?;
    let body = &bytes[HEADER..bytes.len().min(total)];
    let is_whole = bytes.len() >= total;
    let when_whole = |check: fn(&[u8]) -> bool| match (total <= LONGEST, is_whole) {
        (false, _) => Some(false),
        (_, false) => None,
        _ => Some(check(body)),
    };
    match (direction, found.kind) {
        (Direction::ClientToServer, b'Q') => statement(body, is_whole),
        (Direction::ClientToServer, b'P') => match name(body) {
            Some(Some(end)) => statement(&body[end..], is_whole),
            Some(None) => Some(false),
            None => None,
        },
        (Direction::ClientToServer, b'B') => when_whole(is_bind),
        (Direction::ClientToServer, b'S' | b'X') => followed(direction, bytes, total),
        (Direction::ServerToClient, b'Z') => when_whole(|body| matches!(body, [b'I' | b'T' | b'E'])),
        (Direction::ServerToClient, b'1' | b'2' | b'3') => followed(direction, bytes, total),
        (Direction::ServerToClient, b'E' | b'N') => Fields::are_here(body),
        (Direction::ServerToClient, b'C') => when_whole(is_tag),
        (Direction::ServerToClient, b'T') => when_whole(is_description),
        _ => Some(false),
    }
}

/// The message of fixed size is followed by another one.
fn followed(direction: Direction, bytes: &[u8], total: usize) -> Option<bool> {
    let rest = &bytes[total.min(bytes.len())..];
    match header(direction, rest) {
        Framed::No(_) => Some(false),
        Framed::More => None,
        Framed::Header(_) => Some(rest[1] == 0),
    }
}

fn statement(text: &[u8], is_whole: bool) -> Option<bool> {
    let is_all = is_whole || text.len() >= FIRST_WORD;
    let mut text = &text[..text.len().min(FIRST_WORD)];
    if !is_all {
        // A word that goes on may become another one.
        let ends = text.iter().rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        text = &text[..ends.map_or(0, |at| at + 1)];
    }
    match is_statement(text, Dialect::PostgreSql) {
        None if is_all => Some(false),
        known => known,
    }
}

/// Where the text behind a name begins; `Some(None)`: no name.
fn name(body: &[u8]) -> Option<Option<usize>> {
    let end = body.iter().take(LONGEST_NAME).position(|byte| *byte < 0x20);
    match end {
        Some(end) if body[end] == 0 => Some(Some(end + 1)),
        None if body.len() < LONGEST_NAME => None,
        _ => Some(None),
    }
}

/// Whether every length of a Bind adds up.
pub(crate) fn is_bind(body: &[u8]) -> bool {
    let mut cursor = Cursor::new(body);
    let mut read = || {
        cursor.until_nul().filter(|name| name.len() < LONGEST_NAME)?;
        cursor.until_nul().filter(|name| name.len() < LONGEST_NAME)?;
        let formats = cursor.u16()?;
        cursor.bytes(usize::from(formats) * 2)?;
        for _ in 0..cursor.u16()? {
            match cursor.u32()? {
                u32::MAX => {}
                length => drop(cursor.bytes(usize::try_from(length).ok()?)?),
            }
        }
        let formats = cursor.u16()?;
        cursor.bytes(usize::from(formats) * 2)?;
        Some(cursor.rest().is_empty())
    };
    read().unwrap_or(false)
}

/// Whether it is the tag of a command: words in capitals and numbers, to the last byte.
pub(crate) fn is_tag(body: &[u8]) -> bool {
    let Some((0, text)) = body.split_last() else { return false };
    let is_plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'_');
    text.first().is_some_and(u8::is_ascii_uppercase) && text.len() > 1 && text.iter().all(is_plain)
}

/// Whether every column of a RowDescription is there, and nothing else.
pub(crate) fn is_description(body: &[u8]) -> bool {
    let mut cursor = Cursor::new(body);
    let mut read = || {
        for _ in 0..cursor.u16()? {
            cursor.until_nul()?;
            cursor.bytes(16)?;
            cursor.u16().filter(|format| *format <= 1)?;
        }
        Some(cursor.rest().is_empty())
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};

    #[test]
    fn the_first_message_needs_its_shape_only() {
        assert_eq!(find(ClientToServer, b"Q\0\0\0\x0casdf xy\0", true), Found::At(0));
        assert_eq!(find(ClientToServer, b"Q\0\0\0\x0casdf", true), Found::Wait(0));
        assert_ne!(find(ClientToServer, b"Q\0\0\0\x0casdf\x01", true), Found::Wait(0));
        assert_eq!(find(ClientToServer, b"E\0\0\0\x09\0\0\0\0\0", true), Found::At(0));
    }

    #[test]
    fn messages_are_found_behind_other_bytes() {
        for (direction, bytes, expected) in [
            (ClientToServer, &b"abcQ\0\0\0\x0dSELECT 1\0"[..], Found::At(3)),
            (ClientToServer, b"abcQ\0\0\0\x0dSEL", Found::Wait(3)),
            (ClientToServer, b"Q\0\0\0\x0dno query\0", Found::Wait(14)),
            (ClientToServer, b"\0P\0\0\0\x14s\0SELECT $1\0\0\0", Found::At(1)),
            (ClientToServer, b"..B\0\0\0\x11\0\0\0\0\0\x01\0\0\0\x01x\0\0", Found::At(2)),
            (ServerToClient, b"xxZ\0\0\0\x05I", Found::At(2)),
            // The columns "1" and "abcd" of a row.
            (ServerToClient, b"\0\0\0\x011\0\0\0\x04abcdZ\0\0\0\x05T", Found::At(13)),
            (ServerToClient, b"2\0\0\0\x04T\0\0\0", Found::Wait(0)),
            (ServerToClient, b"rowC\0\0\0\x0dDELETE 5\0", Found::At(3)),
            (ServerToClient, b"E\0\0\0\x20SERROR\0", Found::At(0)),
        ] {
            assert_eq!(find(direction, bytes, false), expected, "{bytes:?}");
        }
    }
}
