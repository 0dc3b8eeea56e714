//! The numbers of one record, kept together while it is made and spread over columns when the result is written.
//!
//! A record sets few of them: setting one is a store and a bit, whatever the records before had.

use crate::abi_generated as abi;
use crate::column::{self, Number};

/// The numbers of one record. A number without its bit in `set` is absent, and 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct Row {
    /// A bit for each number that is there, by column id.
    pub set: u16,
    pub kind: u8,
    pub status: u8,
    pub protocol: u8,
    pub flags: u8,
    pub segment_index: u32,
    pub code: i32,
    pub captured_bytes: u32,
    pub request_id: u64,
    pub stream_id: u64,
    pub stream_offset: u64,
    pub time_ns: u64,
    pub length: u64,
    pub end_time_ns: u64,
    pub affected_rows: u64,
    pub passes: u64,
}

/// Rows whose numbers are put together before they are appended.
const BLOCK_ROWS: usize = 64;

/// The bit of a column in [`Row::set`].
pub(crate) const fn bit(column: u32) -> u16 {
    1 << column
}

/// Write the columns that any row has; returns how many.
pub(crate) fn write(rows: &[Row], out: &mut Vec<u8>) -> u32 {
    let (any, all) = rows.iter().fold((0, u16::MAX), |(any, all), row| (any | row.set, all & row.set));
    let mut columns = 0;
    macro_rules! columns {
        ($($id:ident: $name:ident;)*) => { $(
            if any & bit(abi::$id) != 0 {
                let is_dense = all & bit(abi::$id) != 0;
                write_column(rows, out, abi::$id, is_dense, |row| row.$name);
                columns += 1;
            }
        )* };
    }
    columns! {
        RECORD_COLUMN_SEGMENT_INDEX: segment_index;
        RECORD_COLUMN_TYPE: kind;
        RECORD_COLUMN_STATUS: status;
        RECORD_COLUMN_CODE: code;
        RECORD_COLUMN_REQUEST_ID: request_id;
        RECORD_COLUMN_STREAM_ID: stream_id;
        RECORD_COLUMN_STREAM_OFFSET: stream_offset;
        RECORD_COLUMN_TIME_NS: time_ns;
        RECORD_COLUMN_PROTOCOL: protocol;
        RECORD_COLUMN_LENGTH: length;
        RECORD_COLUMN_END_TIME_NS: end_time_ns;
        RECORD_COLUMN_AFFECTED_ROWS: affected_rows;
        RECORD_COLUMN_FLAGS: flags;
        RECORD_COLUMN_CAPTURED_BYTES: captured_bytes;
        RECORD_COLUMN_PASSES: passes;
    }
    columns
}

fn write_column<T: Number>(rows: &[Row], out: &mut Vec<u8>, id: u32, is_dense: bool, get: impl Fn(&Row) -> T) {
    let flags = if is_dense { 0 } else { abi::COLUMN_FLAG_VALIDITY };
    column::framed(out, id as u16, T::TYPE, flags, |out| {
        if !is_dense {
            for eight in rows.chunks(8) {
                let bits = eight.iter().rev().fold(0, |bits, row| bits << 1 | (row.set >> id & 1) as u8);
                out.push(bits);
            }
            column::pad(out);
        }
        // Through a small block: the result need not be cleared before it is written.
        let mut block = [0; BLOCK_ROWS * 8];
        for some in rows.chunks(BLOCK_ROWS) {
            for (slot, row) in block.chunks_exact_mut(std::mem::size_of::<T>()).zip(some) {
                get(row).store(slot);
            }
            out.extend_from_slice(&block[..std::mem::size_of::<T>() * some.len()]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{bit, write, Row};
    use crate::abi_generated as abi;
    use crate::column::{finish_header, write_header};
    use crate::testing::decode_records;

    /// A column of numbers with these values (`None`: not set), through the layout and back.
    fn through(values: &[Option<u64>]) -> Vec<Option<u64>> {
        let row = |value: &Option<u64>| match value {
            Some(length) => Row { set: bit(abi::RECORD_COLUMN_LENGTH), length: *length, ..Row::default() },
            None => Row::default(),
        };
        let rows: Vec<Row> = values.iter().map(row).collect();
        let mut out = Vec::new();
        write_header(&mut out, abi::MAGIC_RECORDS, values.len() as u32);
        let columns = write(&rows, &mut out);
        finish_header(&mut out, columns);
        decode_records(&out).iter().map(|row| row.number("length").map(|number| number as u64)).collect()
    }

    #[test]
    fn holes_stay_holes_wherever_they_are() {
        let mut random = crate::testing::Random::new(1);
        for length in 0..70 {
            for share in [1, 2, 10, 1000] {
                let values: Vec<_> = (0..length)
                    .map(|_| Some(random.word()).filter(|_| random.below(share) > 0 || share == 1))
                    .collect();
                assert_eq!(through(&values), values);
            }
            let mut values = vec![Some(7); length];
            values.extend([None; 9]);
            assert_eq!(through(&values), values);
        }
    }
}
