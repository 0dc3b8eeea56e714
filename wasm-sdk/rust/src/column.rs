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
}

macro_rules! number {
    ($rust:ty, $kind:expr) => {
        impl Number for $rust {
            const TYPE: u32 = $kind;
            #[inline]
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
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

fn pad(out: &mut Vec<u8>) {
    while out.len() % abi::LIMIT_ALIGNMENT as usize != 0 {
        out.push(0);
    }
}

/// Write the header of a column, what `body` appends, and the size.
fn framed(out: &mut Vec<u8>, id: u16, kind: u32, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
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
    present: u32,
    validity: Vec<u8>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number> Numbers<T> {
    pub fn clear(&mut self) {
        self.data.clear();
        self.validity.clear();
        self.rows = 0;
        self.present = 0;
    }

    /// Set the value of `row`, which is the last row or a new one behind it.
    #[inline]
    pub fn set(&mut self, row: u32, value: T) {
        if row < self.rows {
            self.replace_last(value);
            return;
        }
        while self.rows < row {
            T::default().put(&mut self.data);
            self.rows += 1;
        }
        value.put(&mut self.data);
        self.rows += 1;
        self.present += 1;
        let byte = (row / 8) as usize;
        if byte >= self.validity.len() {
            self.validity.resize(byte + 1, 0);
        }
        self.validity[byte] |= 1 << (row % 8);
    }

    /// Replace the value that was set last.
    pub fn replace_last(&mut self, value: T) {
        let width = std::mem::size_of::<T>();
        self.data.truncate(self.data.len().saturating_sub(width));
        value.put(&mut self.data);
    }

    /// Write the column for `rows` rows; returns how many columns were written: 0 when every row is absent.
    pub fn write(&self, out: &mut Vec<u8>, id: u16, rows: u32) -> u32 {
        if self.present == 0 {
            return 0;
        }
        let sparse = self.present < rows;
        let flags = if sparse { abi::COLUMN_FLAG_VALIDITY } else { 0 };
        framed(out, id, T::TYPE, flags, |out| {
            if sparse {
                let start = out.len();
                out.extend_from_slice(&self.validity);
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
        let end = self.bytes.len() as u32;
        while self.ends.len() <= row as usize {
            self.ends.push(end);
        }
        let start = if row == 0 { 0 } else { self.ends[row as usize - 1] };
        let room = (abi::LIMIT_TEXT_BYTES as usize).saturating_sub(self.bytes.len() - start as usize);
        self.bytes.extend_from_slice(cut(text, room).as_bytes());
        self.ends[row as usize] = self.bytes.len() as u32;
    }

    /// Set the text of `row`, which is the last row or a new one behind it.
    #[inline]
    pub fn set(&mut self, row: u32, text: &str) {
        if (row as usize) < self.ends.len() {
            let start = if row == 0 { 0 } else { self.ends[row as usize - 1] };
            self.bytes.truncate(start as usize);
        }
        self.append(row, text);
    }

    /// Write the column for `rows` rows; returns how many columns were written: 0 when every row is absent.
    pub fn write(&self, out: &mut Vec<u8>, id: u16, rows: u32) -> u32 {
        if self.bytes.is_empty() {
            return 0;
        }
        framed(out, id, abi::COLUMN_TYPE_UTF8, 0, |out| {
            let end = self.bytes.len() as u32;
            out.reserve(4 * (rows as usize + 1) + self.bytes.len());
            out.extend_from_slice(&0_u32.to_le_bytes());
            for end in &self.ends {
                out.extend_from_slice(&end.to_le_bytes());
            }
            for _ in self.ends.len() as u32..rows {
                out.extend_from_slice(&end.to_le_bytes());
            }
            out.extend_from_slice(&self.bytes);
        });
        1
    }
}

/// The longest prefix of `text` within `room` bytes that ends between characters.
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
