//! The result of `mf_parse`.

use super::column::{read_columns, Column, Malformed};
use super::ids::{col, ty, RECORDS_MAGIC};
use super::numbers::Numbers;
use super::texts::Texts;

/// Messages, one a row; every access is in bounds whatever the parser wrote.
#[derive(Debug)]
pub struct Records<'a> {
    rows: usize,
    numbers: [Option<Column<'a>>; col::FIRST_TEXT as usize],
    /// The text columns that are there, with their positions.
    texts: Vec<(usize, Column<'a>)>,
}

/// Rows whose numbers are read at a time: they stay in the processor's cache until they are used.
pub const CHUNK: usize = 256;

/// Rows that one result may have: a pipelined batch of 1 MiB holds far fewer messages.
const MAX_ROWS: usize = 1 << 20;

impl<'a> Records<'a> {
    /// Reads a result.
    ///
    /// # Errors
    /// When a length is wrong, a known column has the wrong type or appears twice, or a required one is missing.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut numbers = [const { None }; col::FIRST_TEXT as usize];
        let mut texts: Vec<(usize, Column<'a>)> = Vec::new();
        let rows = read_columns(bytes, RECORDS_MAGIC, MAX_ROWS, |id, column| {
            let wanted = match id {
                col::TYPE | col::STATUS | col::PROTOCOL | col::FLAGS => ty::U8,
                col::SEGMENT_INDEX | col::CAPTURED_BYTES => ty::U32,
                col::CODE => ty::I32,
                col::REQUEST_ID..=col::TIME_NS | col::LENGTH..=col::AFFECTED_ROWS | col::PASSES => ty::U64,
                col::FIRST_TEXT..=col::LAST_TEXT => ty::UTF8,
                _ => return Ok(()),
            };
            if column.ty != wanted {
                return Err("a known column has the wrong type");
            }
            let is_new = match id.checked_sub(col::FIRST_TEXT).map(usize::from) {
                Some(position) => {
                    let is_new = texts.iter().all(|(known, _)| *known != position);
                    texts.push((position, column));
                    is_new
                }
                None => numbers.get_mut(usize::from(id)).is_some_and(|slot| slot.replace(column).is_none()),
            };
            if is_new {
                Ok(())
            } else {
                Err("a column appears twice")
            }
        })?;
        let records = Records { rows, numbers, texts };
        for required in [col::SEGMENT_INDEX, col::TYPE] {
            if rows > 0 && records.number(required).is_none() {
                return Err(Malformed { what: "segment_index or type is missing", at: 8 });
            }
        }
        Ok(records)
    }

    /// Number of messages.
    pub fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn number(&self, id: u16) -> Option<&Column<'a>> {
        self.numbers.get(usize::from(id))?.as_ref()
    }

    /// A u8 column's row.
    #[inline]
    pub fn u8(&self, id: u16, row: usize) -> Option<u8> {
        self.number(id)?.u8(row)
    }

    /// A u32 column's row.
    #[inline]
    pub fn u32(&self, id: u16, row: usize) -> Option<u32> {
        self.number(id)?.u32(row)
    }

    /// An i32 column's row.
    #[inline]
    pub fn i32(&self, id: u16, row: usize) -> Option<i32> {
        self.number(id)?.i32(row)
    }

    /// A u64 column's row.
    #[inline]
    pub fn u64(&self, id: u16, row: usize) -> Option<u64> {
        self.number(id)?.u64(row)
    }

    /// One text of a row.
    #[inline]
    pub fn text(&self, position: usize, row: usize) -> &str {
        self.texts.iter().find(|(known, _)| *known == position).map_or("", |(_, column)| column.text(row))
    }

    /// Puts all texts of a row in place of those before.
    #[inline]
    pub fn texts<'t>(&'t self, row: usize, out: &mut Texts<'t>) {
        out.clear();
        for (position, column) in &self.texts {
            out.put(*position, column.text(row));
        }
    }

    /// The numbers of the rows from `first` on, of [`CHUNK`] at most.
    pub fn numbers(&self, first: usize, out: &mut Vec<Numbers>) {
        out.clear();
        out.resize(self.rows.saturating_sub(first).min(CHUNK), Numbers::default());
        for (id, column) in self.numbers.iter().enumerate() {
            if let Some(column) = column {
                Numbers::spread(out, id as u16, column, first);
            }
        }
    }
}
