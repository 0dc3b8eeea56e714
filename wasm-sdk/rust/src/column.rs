//! Columns that grow row by row, may be sparse, and are written in the layout of the ABI (`v1.md`, 6).
//!
//! Values are kept in the form in which they are written, so that writing is a few copies; the buffers are reused.

use crate::abi_generated as abi;

/// A number that stands in a column.
pub(crate) trait Number: Copy + Default {
    /// `column_type` of the ABI.
    const TYPE: u32;
    /// Append the value, little-endian.
    fn put(self, out: &mut Vec<u8>);
    /// Store the value, little-endian, into a slot of its width.
    fn store(self, slot: &mut [u8]);
}

macro_rules! number {
    ($rust:ty, $kind:expr) => {
        impl Number for $rust {
            const TYPE: u32 = $kind;
            #[inline]
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn store(self, slot: &mut [u8]) {
                slot.copy_from_slice(&self.to_le_bytes());
            }
        }
    };
}
number!(u8, abi::COLUMN_TYPE_U8);
number!(i32, abi::COLUMN_TYPE_I32);
number!(u32, abi::COLUMN_TYPE_U32);
number!(u64, abi::COLUMN_TYPE_U64);

/// Start a result: the number of columns is not known yet.
pub(crate) fn write_header(out: &mut Vec<u8>, magic: u32, rows: u32) {
    for word in [magic, rows, 0, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Put the number of columns into the header at the start of `out`.
pub(crate) fn finish_header(out: &mut [u8], columns: u32) {
    let at = abi::BUFFER_HEADER_EXTRA as usize;
    out[at..at + 4].copy_from_slice(&columns.to_le_bytes());
}

pub(crate) fn pad(out: &mut Vec<u8>) {
    while out.len() % abi::LIMIT_ALIGNMENT as usize != 0 {
        out.push(0);
    }
}

/// Write the header of a column, what `body` appends, and the size.
pub(crate) fn framed(out: &mut Vec<u8>, id: u16, kind: u32, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&id.to_le_bytes());
    out.push(kind as u8);
    out.push(flags as u8);
    let size_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    body(out);
    pad(out);
    let size = (out.len() - start) as u32;
    out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
}

/// A column of numbers with holes.
#[derive(Default)]
pub(crate) struct Numbers<T> {
    data: Vec<u8>,
    rows: u32,
    /// One bit a row, kept from the first hole on: most columns have none.
    validity: Vec<u8>,
    has_holes: bool,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number> Numbers<T> {
    pub fn clear(&mut self) {
        self.data.clear();
        self.validity.clear();
        self.has_holes = false;
        self.rows = 0;
    }

    /// Set the value of `row`, which is the last row or a new one behind it.
    #[inline]
    pub fn set(&mut self, row: u32, value: T) {
        if row < self.rows {
            self.replace_last(value);
            return;
        }
        if row > self.rows || self.has_holes {
            self.leave_holes(row);
        }
        value.put(&mut self.data);
        self.rows += 1;
    }

    /// Leave the rows up to `row` absent and mark it as present.
    fn leave_holes(&mut self, row: u32) {
        if !self.has_holes {
            self.has_holes = true;
            self.validity.resize((self.rows / 8) as usize, 0xff);
            if self.rows % 8 > 0 {
                self.validity.push((1 << (self.rows % 8)) - 1);
            }
        }
        self.data.resize(row as usize * std::mem::size_of::<T>(), 0);
        self.rows = row;
        self.validity.resize((row / 8 + 1) as usize, 0);
        self.validity[(row / 8) as usize] |= 1 << (row % 8);
    }

    /// Replace the value that was set last.
    pub fn replace_last(&mut self, value: T) {
        let width = std::mem::size_of::<T>();
        self.data.truncate(self.data.len().saturating_sub(width));
        value.put(&mut self.data);
    }

    /// Write the column for `rows` rows; returns how many columns were written: 0 when every row is absent.
    pub fn write(&self, out: &mut Vec<u8>, id: u16, rows: u32) -> u32 {
        if self.rows == 0 {
            return 0;
        }
        let sparse = self.rows < rows || self.has_holes;
        let flags = if sparse { abi::COLUMN_FLAG_VALIDITY } else { 0 };
        framed(out, id, T::TYPE, flags, |out| {
            if sparse {
                let start = out.len();
                if self.has_holes {
                    out.extend_from_slice(&self.validity);
                } else {
                    out.resize(start + (self.rows / 8) as usize, 0xff);
                    out.push(((1_u32 << (self.rows % 8)) - 1) as u8);
                }
                out.resize(start + rows.div_ceil(8) as usize, 0);
                pad(out);
            }
            let start = out.len();
            out.extend_from_slice(&self.data);
            out.resize(start + rows as usize * std::mem::size_of::<T>(), 0);
        });
        1
    }
}

/// Ends of texts that are put together before they are appended.
const BLOCK_ENDS: usize = 128;

/// A column of texts; an empty text is an absent one.
#[derive(Default)]
pub(crate) struct Texts {
    /// End of each row's text; its start is the end of the row before.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Texts {
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// Append to the text of `row`, which is the last row or a new one behind it; cut at the ABI's longest text.
    pub fn append(&mut self, row: u32, text: &str) {
        let start = self.open(row);
        let room = (abi::LIMIT_TEXT_BYTES as usize).saturating_sub(self.bytes.len() - start);
        self.bytes.extend_from_slice(cut(text, room).as_bytes());
        self.ends.push(self.bytes.len() as u32);
    }

    /// Make `row` the one whose end is pushed next; where its text starts.
    #[inline]
    fn open(&mut self, row: u32) -> usize {
        if self.ends.len() > row as usize {
            self.ends.truncate(row as usize);
            return self.ends.last().map_or(0, |end| *end as usize);
        }
        if self.ends.len() < row as usize {
            self.ends.resize(row as usize, self.bytes.len() as u32);
        }
        self.bytes.len()
    }

    /// Append several pieces, all or none of them.
    pub fn append_all(&mut self, row: u32, pieces: [&str; 4]) {
        let start = self.open(row);
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if self.bytes.len() - start + length <= abi::LIMIT_TEXT_BYTES as usize {
            for piece in pieces {
                self.bytes.extend_from_slice(piece.as_bytes());
            }
        }
        self.ends.push(self.bytes.len() as u32);
    }

    /// Set the text of `row`, which is the last row or a new one behind it.
    #[inline]
    pub fn set(&mut self, row: u32, text: &str) {
        let text =
            if text.len() <= abi::LIMIT_TEXT_BYTES as usize { text } else { cut(text, abi::LIMIT_TEXT_BYTES as usize) };
        self.set_bytes(row, text.as_bytes());
    }

    /// The same with bytes that are text and not too long.
    #[inline]
    pub fn set_bytes(&mut self, row: u32, text: &[u8]) {
        match (row as usize).wrapping_sub(self.ends.len()) {
            0 => {}
            // Rows that have the text and rows that do not mostly take turns.
            1 => self.ends.push(self.bytes.len() as u32),
            _ => self.open_empty(row),
        }
        append(&mut self.bytes, text);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Make `row` the one whose end is pushed next, without a text.
    #[inline(never)]
    fn open_empty(&mut self, row: u32) {
        let start = self.open(row);
        self.bytes.truncate(start);
    }

    /// Write the column for `rows` rows; returns how many columns were written: 0 when every row is absent.
    pub fn write(&self, out: &mut Vec<u8>, id: u16, rows: u32) -> u32 {
        if self.bytes.is_empty() {
            return 0;
        }
        framed(out, id, abi::COLUMN_TYPE_UTF8, 0, |out| {
            let end = self.bytes.len() as u32;
            out.reserve(4 * (rows as usize + 1) + self.bytes.len());
            out.extend_from_slice(&[0; 4]);
            let mut block = [0; BLOCK_ENDS * 4];
            for ends in self.ends[..self.ends.len().min(rows as usize)].chunks(BLOCK_ENDS) {
                for (slot, end) in block.chunks_exact_mut(4).zip(ends) {
                    slot.copy_from_slice(&end.to_le_bytes());
                }
                out.extend_from_slice(&block[..4 * ends.len()]);
            }
            for _ in self.ends.len()..rows as usize {
                out.extend_from_slice(&end.to_le_bytes());
            }
            out.extend_from_slice(&self.bytes);
        });
        1
    }
}

/// Appends a short text without a call: its bytes are put together as numbers, of which as many are kept as it has.
#[inline]
fn append(bytes: &mut Vec<u8>, text: &[u8]) {
    let length = text.len();
    if let (Some(first), Some(last), true) = (text.first_chunk::<8>(), text.last_chunk::<8>(), length <= 16) {
        let both = u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (length - 8));
        let end = bytes.len() + length;
        bytes.extend_from_slice(&both.to_le_bytes());
        return bytes.truncate(end);
    }
    if let (Some(first), Some(last), true) = (text.first_chunk::<4>(), text.last_chunk::<4>(), length <= 8) {
        let both = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
        let end = bytes.len() + length;
        bytes.extend_from_slice(&both.to_le_bytes());
        return bytes.truncate(end);
    }
    bytes.extend_from_slice(text);
}

/// The longest prefix of `text` within `room` bytes that ends between characters.
#[inline(never)]
fn cut(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    let mut end = room;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::{append, Texts};

    #[test]
    fn short_texts_are_appended_as_they_are() {
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for length in 0..40_u8 {
            let text: Vec<u8> = (1..=length).collect();
            append(&mut all, &text);
            expected.extend_from_slice(&text);
            assert_eq!(all, expected, "{length}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_attributes_not_at_all() {
        let mut texts = Texts::default();
        texts.append(0, &"\u{e9}".repeat(40_000));
        assert_eq!(texts.bytes.len(), 65_534);
        texts.append_all(0, ["k", "\0", "v", "\0"]);
        assert_eq!(texts.bytes.len(), 65_534);
        texts.append_all(2, ["k", "\0", "v", "\0"]);
        assert_eq!(texts.ends, [65_534, 65_534, 65_538]);
    }
}
