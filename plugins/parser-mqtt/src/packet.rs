//! What packets hold, and whether bytes have the shape of one.

use crate::frame::{self, Header};
use metaflow_parser_sdk::Cursor;

/// What a CONNECT says; the password is never looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect<'a> {
    pub level: u8,
    pub flags: u8,
    pub keep_alive: u16,
    /// What stands behind the properties.
    pub rest: Cursor<'a>,
}

/// Reads the head of a CONNECT; the error is the byte of the body where it shows.
pub(crate) fn connect(body: &[u8]) -> Result<Option<Connect<'_>>, usize> {
    const NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];
    let Some(name) = NAMES.iter().find(|name| body.starts_with(name)) else {
        let same = |name: &&[u8]| body.iter().zip(*name).take_while(|(a, b)| a == b).count();
        let best = NAMES.iter().map(same).max().unwrap_or(0);
        return if best == body.len() { Ok(None) } else { Err(best) };
    };
    let mut cursor = Cursor::new(&body[name.len()..]);
    let Some(level) = cursor.u8() else { return Ok(None) };
    // A bridge of mosquitto sets the highest bit.
    let level = level & 0x7f;
    if !(3..=5).contains(&level) {
        return Err(name.len());
    }
    let Some(flags) = cursor.u8() else { return Ok(None) };
    let will = flags >> 2 & 1 == 0 && flags & 0x38 != 0;
    if flags & 1 != 0 || flags & 0x18 == 0x18 || will {
        return Err(name.len() + 1);
    }
    let Some(keep_alive) = cursor.u16() else { return Ok(None) };
    Ok(Some(Connect { level, flags, keep_alive, rest: cursor }))
}

/// Topics of a SUBSCRIBE or UNSUBSCRIBE: each is told to `tell` with its options. False when they do not add up.
pub(crate) fn topics<'a>(mut body: Cursor<'a>, is_subscribe: bool, mut tell: impl FnMut(&'a [u8], u8)) -> bool {
    let mut count = 0;
    while !body.rest().is_empty() {
        let Some(topic) = body.behind_u16().filter(|topic| is_text(topic)) else { return false };
        let options = if is_subscribe { body.u8() } else { Some(0) };
        let Some(options) = options.filter(|options| *options & 0xc0 == 0 && *options & 3 != 3) else { return false };
        tell(topic, options);
        count += 1;
    }
    count > 0
}

/// Where the topics of a SUBSCRIBE or UNSUBSCRIBE begin; without a version (`None`) it is found out by what adds up.
pub(crate) fn behind_properties(body: &[u8], is_subscribe: bool, version: Option<u8>) -> Option<Cursor<'_>> {
    let plain = Cursor::new(body);
    let with = || {
        let mut cursor = plain;
        let length = cursor.varint(4)?;
        cursor.bytes(usize::try_from(length).ok()?)?;
        Some(cursor)
    };
    match version {
        Some(5) => with(),
        Some(_) => Some(plain),
        None if topics(plain, is_subscribe, |_, _| ()) => Some(plain),
        None => with().filter(|cursor| topics(*cursor, is_subscribe, |_, _| ())),
    }
}

/// A topic: UTF-8 without control characters, not empty.
pub(crate) fn is_text(topic: &[u8]) -> bool {
    !topic.is_empty() && std::str::from_utf8(topic).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Whether it is a CONNACK to the last byte, of any version.
pub(crate) fn is_connack(body: &[u8]) -> bool {
    match body {
        [0 | 1, 0..=5] => true,
        [0 | 1, 0 | 0x80..=0xa2, properties @ ..] => {
            let mut cursor = Cursor::new(properties);
            let length = cursor.varint(4);
            length == Some(cursor.rest().len() as u64)
                && matches!(cursor.u8(), None | Some(17..=19 | 21 | 22 | 26 | 28 | 31 | 33 | 34 | 36..=42))
        }
        _ => false,
    }
}

/// Whether a whole packet has the shape of its type: what a flow that is joined in the middle is recognised by.
/// `None`: the type has too little shape to tell.
pub(crate) fn has_shape(found: &Header, body: &[u8], version: Option<u8>) -> Option<bool> {
    let mut cursor = Cursor::new(body);
    match found.kind {
        frame::CONNECT => Some(matches!(connect(body), Ok(Some(_)))),
        frame::CONNACK => Some(matches!(body, [0 | 1, 0..=5] | [0 | 1, 0 | 0x80..=0xa2, _, ..])),
        frame::PUBLISH => {
            let is_name = |topic: &[u8]| is_text(topic) && !topic.iter().any(|byte| matches!(byte, b'+' | b'#'));
            let topic = cursor.behind_u16().is_some_and(is_name);
            Some(topic && (found.flags & 6 == 0 || cursor.u16().is_some_and(|id| id != 0)))
        }
        frame::SUBSCRIBE | frame::UNSUBSCRIBE => {
            let is_subscribe = found.kind == frame::SUBSCRIBE;
            let id = cursor.u16().is_some_and(|id| id != 0);
            let rest = behind_properties(cursor.rest(), is_subscribe, version);
            Some(id && rest.is_some_and(|rest| topics(rest, is_subscribe, |_, _| ())))
        }
        frame::SUBACK if body.len() == 3 => {
            let id = cursor.u16().is_some_and(|id| id != 0);
            Some(id && cursor.rest().iter().all(|code| matches!(code, 0..=2 | 0x80..=0xa2)))
        }
        frame::PUBACK | frame::PUBREC | frame::PUBREL | frame::PUBCOMP if body.len() > 4 => Some(false),
        frame::PUBACK | frame::PUBREC | frame::PUBREL | frame::PUBCOMP if body.starts_with(&[0, 0]) => Some(false),
        frame::DISCONNECT | frame::AUTH if body.len() > 2 => Some(false),
        _ => None,
    }
}
