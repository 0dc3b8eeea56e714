//! The properties of MQTT 5 (2.2.2).

use metaflow_parser_sdk::trace::{Trace, TraceRules};
use metaflow_parser_sdk::Cursor;

/// The properties that are shown or needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Properties<'a> {
    pub topic_alias: Option<u16>,
    pub content_type: &'a [u8],
    pub response_topic: &'a [u8],
    pub reason: &'a [u8],
    pub client_id: &'a [u8],
    pub auth_method: &'a [u8],
    pub server: &'a [u8],
}

/// Reads the properties that stand here; user properties are shown to `trace`. `None`: they are not well formed or cut.
pub(crate) fn read<'a>(cursor: &mut Cursor<'a>, rules: &TraceRules, trace: &mut Trace) -> Option<Properties<'a>> {
    let length = cursor.varint(4)?;
    let mut inner = Cursor::new(cursor.bytes(usize::try_from(length).ok()?)?);
    let mut found = Properties::default();
    while !inner.rest().is_empty() {
        match inner.varint(4)? {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => drop(inner.bytes(1)?),
            0x13 | 0x21 | 0x22 => drop(inner.bytes(2)?),
            0x02 | 0x11 | 0x18 | 0x27 => drop(inner.bytes(4)?),
            0x0b => drop(inner.varint(4)?),
            0x23 => found.topic_alias = Some(inner.u16()?),
            0x03 => found.content_type = inner.behind_u16()?,
            0x08 => found.response_topic = inner.behind_u16()?,
            0x12 => found.client_id = inner.behind_u16()?,
            0x15 => found.auth_method = inner.behind_u16()?,
            0x1c => found.server = inner.behind_u16()?,
            0x1f => found.reason = inner.behind_u16()?,
            // Correlation and authentication data, response information.
            0x09 | 0x16 | 0x1a => drop(inner.behind_u16()?),
            0x26 => {
                let (name, value) = (inner.behind_u16()?, inner.behind_u16()?);
                rules.see(name, value, trace);
            }
            _ => return None,
        }
    }
    Some(found)
}
