//! A strict reader of results: anything that breaks the ABI's layout is a failed test.

use crate::abi_generated as abi;
use crate::segment::{u16_at, u32_at};
use std::collections::BTreeMap;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any number.
    Number(i128),
    /// Any text.
    Text(String),
}

/// One row: column name to value, absent cells left out. Private columns are called `private_<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub BTreeMap<String, Value>);

impl Row {
    /// A text, "" when absent.
    pub fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A number, if it is there.
    pub fn number(&self, name: &str) -> Option<i128> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The name of the record's type, for example "request".
    pub fn kind(&self) -> &'static str {
        let value = self.number("type").unwrap_or(-1);
        abi::RecordType::ALL.iter().find(|kind| **kind as i128 == value).map_or("?", |kind| kind.name())
    }

    /// The name of the response status, "" when absent.
    pub fn status(&self) -> &'static str {
        let value = self.number("status").unwrap_or(-1);
        abi::Status::ALL.iter().find(|status| **status as i128 == value).map_or("", |status| status.name())
    }

    /// The value of an attribute, if it is there.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let parts: Vec<&str> = self.text("attributes").split('\0').collect();
        parts.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1])
    }
}

/// The rows of a `Records` result.
///
/// # Panics
/// When the bytes are not a well-formed result.
pub fn decode_records(bytes: &[u8]) -> Vec<Row> {
    decode(bytes, abi::MAGIC_RECORDS, |id| {
        abi::RECORD_COLUMNS.iter().find(|(known, ..)| *known == id).map(|(_, kind, name)| (*kind, (*name).to_owned()))
    })
}

/// The rows of a `Checks` result.
///
/// # Panics
/// When the bytes are not a well-formed result.
pub fn decode_checks(bytes: &[u8]) -> Vec<Row> {
    decode(bytes, abi::MAGIC_CHECKS, |id| match u32::from(id) {
        abi::CHECK_COLUMN_VERDICT => Some((abi::COLUMN_TYPE_U8 as u8, "verdict".to_owned())),
        abi::CHECK_COLUMN_OFFSET => Some((abi::COLUMN_TYPE_U32 as u8, "offset".to_owned())),
        abi::CHECK_COLUMN_REASON => Some((abi::COLUMN_TYPE_UTF8 as u8, "reason".to_owned())),
        _ => None,
    })
}

fn decode(bytes: &[u8], magic: u32, known: impl Fn(u16) -> Option<(u8, String)>) -> Vec<Row> {
    let word = |at| u32_at(bytes, at).expect("a result has a header");
    assert_eq!(word(0), magic, "wrong magic");
    let (rows, columns) = (word(4) as usize, word(8) as usize);
    let mut table = vec![Row::default(); rows];
    let mut at = abi::BUFFER_HEADER_SIZE as usize;
    for _ in 0..columns {
        let id = u16_at(bytes, at).expect("column header");
        let (kind, flags) = (bytes[at + 2], bytes[at + 3]);
        let size = u32_at(bytes, at + 4).expect("column size") as usize;
        assert_eq!(size % 8, 0, "column {id} is not padded");
        let body = &bytes[at + 8..at + 8 + size];
        let (expected, name) = known(id).unwrap_or((kind, format!("private_{id}")));
        assert_eq!(kind, expected, "type of column {name}");
        column(&mut table, &name, kind, flags, body);
        at += 8 + size;
    }
    assert_eq!(at, bytes.len(), "bytes behind the last column");
    table
}

fn column(table: &mut [Row], name: &str, kind: u8, flags: u8, body: &[u8]) {
    let rows = table.len();
    let (validity, data) = match flags {
        0 => (None, body),
        1 => {
            let (validity, data) = body.split_at(rows.div_ceil(64) * 8);
            (Some(validity), data)
        }
        _ => panic!("unknown flags of column {name}"),
    };
    for (row, cells) in table.iter_mut().enumerate() {
        if validity.is_some_and(|bits| bits[row / 8] >> (row % 8) & 1 == 0) {
            continue;
        }
        let value = match u32::from(kind) {
            abi::COLUMN_TYPE_U8 => Value::Number(data[row].into()),
            abi::COLUMN_TYPE_I32 => Value::Number(i32::from_le_bytes(fixed(data, row)).into()),
            abi::COLUMN_TYPE_U32 => Value::Number(u32::from_le_bytes(fixed(data, row)).into()),
            abi::COLUMN_TYPE_U64 => Value::Number(u64::from_le_bytes(fixed(data, row)).into()),
            abi::COLUMN_TYPE_UTF8 => {
                let (start, end) = (u32::from_le_bytes(fixed(data, row)), u32::from_le_bytes(fixed(data, row + 1)));
                let text = &data[4 * (rows + 1)..][start as usize..end as usize];
                if text.is_empty() {
                    continue;
                }
                Value::Text(std::str::from_utf8(text).expect("text is UTF-8").to_owned())
            }
            _ => panic!("unknown type {kind} of column {name}"),
        };
        cells.0.insert(name.to_owned(), value);
    }
}

fn fixed<const N: usize>(data: &[u8], row: usize) -> [u8; N] {
    data[row * N..][..N].try_into().expect("a number inside the column")
}
