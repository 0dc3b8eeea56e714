//! The self-describing image of a batch, magic `MFT1`: what `mfe_take_raw` hands over when pointers cannot be shared
//! (wasm), so that the reader takes everything with one copy and then only slices.
//!
//! All integers are little-endian, every buffer starts at a multiple of 8, offsets count from the image's start.
//!
//! ```text
//! Image  = 0 u32 "MFT1"   4 u32 columns   8 u64 rows   16 u32 name offset   20 u32 name length   24 Column[columns] · texts · buffers
//! Column = 0 u32 name offset   4 u32 name length   8 u8 type   9 u8 flags{1 nullable, 2 has validity}   10 u16 0   12 u32 0
//!          16 u64 null count   24 Buffer[4]                                                                (88 bytes)
//! Buffer = u64 offset · u64 length in bytes                                             (0, 0 when the type has none)
//! ```
//!
//! Buffers by type, always validity first (bits, least significant first; absent when there is no null):
//!
//! | type | 1 | 2 | 3 |
//! |---|---|---|---|
//! | numbers, bool (bits), fixed16 | values | | |
//! | utf8 | i32 offsets\[rows + 1\] | bytes | |
//! | dict_utf8 | i32 indices\[rows\] | i32 offsets\[entries + 1\] | bytes |
//! | list_utf8 | i32 list offsets\[rows + 1\] | i32 text offsets\[items + 1\] | bytes |
//! | list_f64 | i32 list offsets\[rows + 1\] | f64 items | |

use crate::batch::Batch;
use crate::column::{Column, Data};

/// `"MFT1"` read as a little-endian integer.
pub const MAGIC: u32 = u32::from_le_bytes(*b"MFT1");
const HEADER: usize = 24;
const COLUMN: usize = 88;
const BUFFERS: usize = 24;

/// Writes a batch as an image, replacing what `out` held.
pub fn write(batch: &Batch, out: &mut Vec<u8>) {
    let schema = batch.schema();
    out.clear();
    let columns = batch.present().count();
    out.resize(HEADER + COLUMN * columns, 0);
    put(out, 0, &MAGIC.to_le_bytes());
    put(out, 4, &(columns as u32).to_le_bytes());
    put(out, 8, &(batch.rows() as u64).to_le_bytes());
    text(out, 16, schema.name);
    for (index, (field, _)) in batch.present().enumerate() {
        let at = HEADER + COLUMN * index;
        text(out, at, field.name);
        put(out, at + 8, &[field.ty as u8, u8::from(field.nullable)]);
    }
    for (index, (_, column)) in batch.present().enumerate() {
        write_column(column, HEADER + COLUMN * index, out);
    }
    out.resize(out.len().next_multiple_of(8), 0);
}

fn write_column(column: &Column, at: usize, out: &mut Vec<u8>) {
    put(out, at + 16, &(column.null_count as u64).to_le_bytes());
    if let Some(map) = column.validity.as_ref().filter(|_| column.null_count > 0) {
        if let Some(flags) = out.get_mut(at + 9) {
            *flags |= 2;
        }
        buffer(out, at, 0, |out| out.extend_from_slice(map.bytes()));
    }
    match &column.data {
        Data::U8(v) => buffer(out, at, 1, |out| out.extend_from_slice(v)),
        Data::U16(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::U32(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::U64(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::I32(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::I64(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::F64(v) => buffer(out, at, 1, |out| numbers(v, out, |v| v.to_le_bytes())),
        Data::Bool(v) => buffer(out, at, 1, |out| out.extend_from_slice(v.bytes())),
        Data::Fixed16(v) => buffer(out, at, 1, |out| out.extend_from_slice(v.as_flattened())),
        Data::Utf8(v) => {
            buffer(out, at, 1, |out| numbers(&v.offsets, out, |v| v.to_le_bytes()));
            buffer(out, at, 2, |out| out.extend_from_slice(&v.bytes));
        }
        Data::Dict(v) => {
            buffer(out, at, 1, |out| numbers(&v.indices, out, |v| v.to_le_bytes()));
            buffer(out, at, 2, |out| numbers(&v.values.offsets, out, |v| v.to_le_bytes()));
            buffer(out, at, 3, |out| out.extend_from_slice(&v.values.bytes));
        }
        Data::ListUtf8(list, items) => {
            buffer(out, at, 1, |out| numbers(list, out, |v| v.to_le_bytes()));
            buffer(out, at, 2, |out| numbers(&items.offsets, out, |v| v.to_le_bytes()));
            buffer(out, at, 3, |out| out.extend_from_slice(&items.bytes));
        }
        Data::ListF64(list, items) => {
            buffer(out, at, 1, |out| numbers(list, out, |v| v.to_le_bytes()));
            buffer(out, at, 2, |out| numbers(items, out, |v| v.to_le_bytes()));
        }
    }
}

/// Appends numbers by one loop over room that is there already, which becomes a copy; appending each looks for room each time.
fn numbers<T: Copy, const N: usize>(values: &[T], out: &mut Vec<u8>, bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + values.len() * N, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    room.chunks_exact_mut(N).zip(values).for_each(|(slot, value)| slot.copy_from_slice(&bytes(*value)));
}

fn buffer(out: &mut Vec<u8>, column: usize, slot: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    out.resize(out.len().next_multiple_of(8), 0);
    let start = out.len();
    fill(out);
    let length = out.len() - start;
    put(out, column + BUFFERS + slot * 16, &(start as u64).to_le_bytes());
    put(out, column + BUFFERS + slot * 16 + 8, &(length as u64).to_le_bytes());
}

fn text(out: &mut Vec<u8>, at: usize, text: &str) {
    let start = out.len() as u32;
    out.extend_from_slice(text.as_bytes());
    put(out, at, &start.to_le_bytes());
    put(out, at + 4, &(text.len() as u32).to_le_bytes());
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = out.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}
