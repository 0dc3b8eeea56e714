//! The numbers of one message, read column by column.

use super::column::Column;
use super::ids::col;

/// The numbers of one record. A number without its bit in `set` is absent, and 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// A bit for each number that is there, by column id.
    pub set: u16,
    /// Record type.
    pub kind: u8,
    /// `response_status`.
    pub status: u8,
    /// Protocol number.
    pub protocol: u8,
    /// Record flags.
    pub flags: u8,
    /// The segment in which it was finished.
    pub segment_index: u32,
    /// `response_code`.
    pub code: i32,
    /// Bytes captured.
    pub captured_bytes: u32,
    /// `request_id`.
    pub request_id: u64,
    /// Pairing key.
    pub stream_id: u64,
    /// Offset of the first byte.
    pub stream_offset: u64,
    /// Capture time of the first byte, nanoseconds.
    pub time_ns: u64,
    /// Bytes.
    pub length: u64,
    /// Capture time of the last byte, nanoseconds.
    pub end_time_ns: u64,
    /// `sql_affected_rows`.
    pub affected_rows: u64,
    /// Bytes behind the segment that the parser passes over.
    pub passes: u64,
}

impl Numbers {
    /// Whether a column has a value.
    #[inline]
    pub fn has(&self, id: u16) -> bool {
        self.set >> id & 1 == 1
    }

    /// The value of a column, `None` when it has none.
    #[inline]
    pub fn some<T>(&self, id: u16, value: T) -> Option<T> {
        self.has(id).then_some(value)
    }

    /// Writes a column into the rows, which are those of the column from `first` on.
    pub fn spread(rows: &mut [Numbers], id: u16, column: &Column<'_>, first: usize) {
        macro_rules! each {
            ($type:ty, $field:ident) => {
                column.each(first, rows, |row, bytes| {
                    row.$field = <$type>::from_le_bytes(bytes);
                    row.set |= 1 << id;
                })
            };
        }
        match id {
            col::SEGMENT_INDEX => each!(u32, segment_index),
            col::TYPE => each!(u8, kind),
            col::STATUS => each!(u8, status),
            col::CODE => each!(i32, code),
            col::REQUEST_ID => each!(u64, request_id),
            col::STREAM_ID => each!(u64, stream_id),
            col::STREAM_OFFSET => each!(u64, stream_offset),
            col::TIME_NS => each!(u64, time_ns),
            col::PROTOCOL => each!(u8, protocol),
            col::LENGTH => each!(u64, length),
            col::END_TIME_NS => each!(u64, end_time_ns),
            col::AFFECTED_ROWS => each!(u64, affected_rows),
            col::FLAGS => each!(u8, flags),
            col::CAPTURED_BYTES => each!(u32, captured_bytes),
            col::PASSES => each!(u64, passes),
            _ => {}
        }
    }
}
