//! Header blocks (RFC 7541): one decoder for each direction of a connection.

mod fixed;
mod huffman;
mod table;

pub(crate) use fixed::ENTRIES as STATIC_TABLE;

use crate::fields::{Class, Fields};
use table::{Entry, Table};

/// The largest number that a length or an index may have here; a block is shorter.
const LARGEST_NUMBER: usize = 1 << 24;

/// Takes the fields of a block.
pub(crate) trait Sink {
    /// A field of use.
    fn field(&mut self, class: Class, value: &[u8]);
    /// A field that was not captured: it stands in a part of the table that came before.
    fn unknown(&mut self);
    /// Any field, with what of it stands in the block itself.
    fn literal(&mut self, name: Option<&[u8]>, value: &[u8]);
}

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub reason: &'static str,
    /// Octet of the block.
    pub offset: usize,
    /// The block ends too early: where it was cut, that is no error.
    pub is_short: bool,
}

const fn wrong(reason: &'static str, offset: usize) -> Wrong {
    Wrong { reason, offset, is_short: false }
}

const fn short(offset: usize) -> Wrong {
    Wrong { reason: "it ends inside a field", offset, is_short: true }
}

/// Memory for decoded strings, used again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// The state of one direction.
#[derive(Default)]
pub(crate) struct Decoder {
    table: Table,
}

impl Decoder {
    /// The direction is seen from its first frame on: every index must be known.
    pub fn complete(&mut self) {
        self.table.is_complete = true;
    }

    /// Whether nothing was missed.
    pub const fn is_complete(&self) -> bool {
        self.table.is_complete
    }

    /// A block was missed or is wrong: what the table holds is not known any more.
    pub fn lose(&mut self) {
        self.table.lose();
    }

    /// Read a block.
    ///
    /// # Errors
    /// What is wrong, at which octet; the fields before it were given. The table is lost then (see [`Decoder::lose`]).
    pub fn decode(
        &mut self,
        block: &[u8],
        fields: &Fields,
        scratch: &mut Scratch,
        sink: &mut impl Sink,
    ) -> Result<(), Wrong> {
        let (mut at, mut is_first) = (0, true);
        while let Some(first) = block.get(at).copied() {
            let start = at;
            if first & 0x80 != 0 {
                let index = number(block, &mut at, 7)?;
                self.indexed(index, start, fields, sink)?;
            } else if first & 0xe0 == 0x20 {
                if !is_first {
                    return Err(wrong("a change of the table's size behind a field", start));
                }
                self.table.resize(number(block, &mut at, 5)?);
                continue;
            } else {
                let keeps = first & 0x40 != 0;
                let index = number(block, &mut at, if keeps { 6 } else { 4 })?;
                self.literal(block, &mut at, (index, keeps, start), fields, scratch, sink)?;
            }
            is_first = false;
        }
        Ok(())
    }

    fn indexed(&self, index: usize, start: usize, fields: &Fields, sink: &mut impl Sink) -> Result<(), Wrong> {
        if let Some((class, value)) = fields.fixed(index) {
            if class.is_used() {
                sink.field(class, value.as_bytes());
            }
            return Ok(());
        }
        match self.dynamic(index, start)? {
            Some(entry) if entry.class == Class::UNKNOWN => sink.unknown(),
            Some(entry) if entry.class.is_used() => sink.field(entry.class, &entry.value),
            Some(_) => {}
            None => sink.unknown(),
        }
        Ok(())
    }

    /// The entry of an index behind the static table; `None` when it came before the capture.
    fn dynamic(&self, index: usize, start: usize) -> Result<Option<&Entry>, Wrong> {
        let Some(rank) = index.checked_sub(STATIC_TABLE.len() + 1) else {
            return Err(wrong("index 0", start));
        };
        match self.table.get(rank) {
            None if self.table.is_complete => Err(wrong("an index behind the table's end", start)),
            entry => Ok(entry),
        }
    }

    fn literal(
        &mut self,
        block: &[u8],
        at: &mut usize,
        (index, keeps, start): (usize, bool, usize),
        fields: &Fields,
        scratch: &mut Scratch,
        sink: &mut impl Sink,
    ) -> Result<(), Wrong> {
        let (class, name_len, name) = if index == 0 {
            let name = string(block, at, &mut scratch.name)?;
            (fields.class(name), name.len(), Some(name))
        } else if let Some((class, _)) = fields.fixed(index) {
            (class, STATIC_TABLE[index - 1].0.len(), None)
        } else {
            let entry = self.dynamic(index, start)?;
            (entry.map_or(Class::UNKNOWN, |entry| entry.class), entry.map_or(0, |entry| entry.name_len), None)
        };
        let value = string(block, at, &mut scratch.value)?;
        sink.literal(name, value);
        if class == Class::UNKNOWN {
            sink.unknown();
        } else if class.is_used() {
            sink.field(class, value);
        }
        if keeps {
            let kept = if class.is_used() { value.into() } else { Box::default() };
            self.table.insert(Entry { class, name_len, value_len: value.len(), value: kept });
        }
        Ok(())
    }
}

/// A number with a prefix of `bits` bits (RFC 7541, 5.1).
fn number(block: &[u8], at: &mut usize, bits: u32) -> Result<usize, Wrong> {
    let start = *at;
    let most = (1_usize << bits) - 1;
    let Some(first) = block.get(start) else { return Err(short(start)) };
    *at += 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Ok(value);
    }
    for shift in (0..28).step_by(7) {
        let Some(next) = block.get(*at) else { return Err(short(*at)) };
        *at += 1;
        value += usize::from(next & 0x7f) << shift;
        if value > LARGEST_NUMBER {
            break;
        }
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(wrong("a number that is too large", start))
}

/// A string (RFC 7541, 5.2): where it stands, or decoded into `out`.
fn string<'a>(block: &'a [u8], at: &mut usize, out: &'a mut Vec<u8>) -> Result<&'a [u8], Wrong> {
    let start = *at;
    let is_coded = block.get(start).is_some_and(|first| first & 0x80 != 0);
    let length = number(block, at, 7)?;
    let Some(bytes) = block.get(*at..*at + length) else { return Err(short(start)) };
    *at += length;
    if !is_coded {
        return Ok(bytes);
    }
    out.clear();
    huffman::decode(bytes, out).map_err(|()| wrong("a string that is not of the Huffman code", start))?;
    Ok(out)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
