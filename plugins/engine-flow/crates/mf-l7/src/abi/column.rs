//! Reading one column of a result.

use std::borrow::Cow;
use std::fmt;

use super::ids::{ty, TEXT_BYTES};

/// What is wrong with a result, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was found.
    pub what: &'static str,
    /// Byte position in the result.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed result at byte {}: {}", self.at, self.what)
    }
}

impl std::error::Error for Malformed {}

/// A validated column: its data holds every row.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// Column type, one of [`ty`].
    pub ty: u8,
    validity: Option<&'a [u8]>,
    data: &'a [u8],
    text: Cow<'a, str>,
}

impl Column<'_> {
    /// Whether the row has a value.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        match self.validity {
            None => true,
            Some(bits) => bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1),
        }
    }

    /// Tells the rows from `first` on the values of theirs that are there, as bytes.
    #[inline]
    pub fn each<R, const N: usize>(&self, first: usize, rows: &mut [R], mut tell: impl FnMut(&mut R, [u8; N])) {
        let values = self.data.get(first.saturating_mul(N)..).unwrap_or_default().chunks_exact(N);
        let values = values.map(|bytes| <[u8; N]>::try_from(bytes).unwrap_or([0; N]));
        if self.validity.is_none() {
            rows.iter_mut().zip(values).for_each(|(row, value)| tell(row, value));
            return;
        }
        for (at, (row, value)) in rows.iter_mut().zip(values).enumerate() {
            if self.is_valid(first + at) {
                tell(row, value);
            }
        }
    }

    /// The row of a u8 column.
    #[inline]
    pub fn u8(&self, row: usize) -> Option<u8> {
        self.data.get(row).copied().filter(|_| self.is_valid(row))
    }

    /// The row of a u32 column.
    #[inline]
    pub fn u32(&self, row: usize) -> Option<u32> {
        read_u32(self.data, row).filter(|_| self.is_valid(row))
    }

    /// The row of an i32 column.
    #[inline]
    pub fn i32(&self, row: usize) -> Option<i32> {
        self.u32(row).map(|value| value as i32)
    }

    /// The row of a u64 column.
    #[inline]
    pub fn u64(&self, row: usize) -> Option<u64> {
        let at = row.checked_mul(8)?;
        let bytes = self.data.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?)).filter(|_| self.is_valid(row))
    }

    /// The row of a text column; absent is empty.
    #[inline]
    pub fn text(&self, row: usize) -> &str {
        let Some(&[a, b, c, d, e, f, g, h]) = self.data.get(row.saturating_mul(4)..).and_then(<[u8]>::first_chunk)
        else {
            return "";
        };
        let (start, end) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if start == end || !self.is_valid(row) {
            return "";
        }
        // A boundary inside a character (a lie that validation does not look for) is an absent text.
        let text = self.text.get(start as usize..end as usize).unwrap_or("");
        if text.len() > TEXT_BYTES {
            return shortened(text);
        }
        text
    }
}

/// The first bytes of a text that is longer than a text may be.
#[cold]
fn shortened(text: &str) -> &str {
    let cut = (TEXT_BYTES - 3..=TEXT_BYTES).rev().find(|&at| text.is_char_boundary(at));
    cut.and_then(|at| text.get(..at)).unwrap_or("")
}

#[inline]
fn read_u32(data: &[u8], row: usize) -> Option<u32> {
    let at = row.checked_mul(4)?;
    Some(u32::from_le_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Little-endian u32 at a byte position.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Reads header and columns of a result; `take(id, column)` gets each column whose type is known.
/// Returns the number of rows.
pub(super) fn read_columns<'a>(
    bytes: &'a [u8],
    magic: [u8; 4],
    max_rows: usize,
    mut take: impl FnMut(u16, Column<'a>) -> Result<(), &'static str>,
) -> Result<usize, Malformed> {
    let bad = |what, at| Malformed { what, at };
    if bytes.get(..4) != Some(&magic) {
        return Err(bad("wrong magic", 0));
    }
    let rows = u32_at(bytes, 4).ok_or(bad("header cut", 4))? as usize;
    let columns = u32_at(bytes, 8).ok_or(bad("header cut", 8))?;
    if bytes.len() < 16 {
        return Err(bad("header cut", 12));
    }
    if rows > max_rows {
        return Err(bad("more rows than a batch can give", 4));
    }
    let mut at = 16usize;
    for _ in 0..columns {
        let head = bytes.get(at..at + 8).ok_or(bad("column header cut", at))?;
        let id = u16::from_le_bytes([head[0], head[1]]);
        let (ty, flags) = (head[2], head[3]);
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = at + 8;
        let end = body.checked_add(size).ok_or(bad("column size overflows", at))?;
        let content = bytes.get(body..end).ok_or(bad("column is larger than the result", at))?;
        // The last column's padding may be left out; for the others `size` is rounded up.
        at = end.checked_add(7).map_or(end, |padded| padded & !7);
        if let Some(column) = read_column(ty, flags, content, rows).map_err(|what| bad(what, body))? {
            take(id, column).map_err(|what| bad(what, body))?;
        }
    }
    Ok(rows)
}

fn read_column(ty: u8, flags: u8, content: &[u8], rows: usize) -> Result<Option<Column<'_>>, &'static str> {
    let (validity, data) = if flags & 1 != 0 {
        let bits = rows.div_ceil(8);
        let padded = bits.next_multiple_of(8);
        let validity = content.get(..bits).ok_or("validity bits cut")?;
        // With no row after the bits the padding may be missing; then the data is too short anyway.
        (Some(validity), content.get(padded..).unwrap_or_default())
    } else {
        (None, content)
    };
    let width = match ty {
        ty::U8 => 1,
        ty::I32 | ty::U32 => 4,
        ty::U64 => 8,
        ty::UTF8 => return read_text(validity, data, rows).map(Some),
        _ => return Ok(None),
    };
    let need = rows.checked_mul(width).ok_or("too many rows")?;
    let data = data.get(..need).ok_or("column is shorter than its rows")?;
    Ok(Some(Column { ty, validity, data, text: Cow::Borrowed("") }))
}

fn read_text<'a>(validity: Option<&'a [u8]>, data: &'a [u8], rows: usize) -> Result<Column<'a>, &'static str> {
    let table = rows.checked_add(1).and_then(|n| n.checked_mul(4)).ok_or("too many rows")?;
    let (offsets, bytes) = data.split_at_checked(table).ok_or("text offsets cut")?;
    let mut last = 0;
    for chunk in offsets.chunks_exact(4) {
        let offset = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        if offset < last {
            return Err("text offsets go back");
        }
        last = offset;
    }
    let bytes = bytes.get(..last as usize).ok_or("text offsets point behind the column")?;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(repaired(bytes)),
    };
    Ok(Column { ty: ty::UTF8, validity, data: offsets, text })
}

/// The same number of bytes with every byte that is not UTF-8 made a question mark, so that offsets stay right and
/// one bad byte of one message does not cost a batch.
fn repaired(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|_| out.push('?'));
    }
    out
}
