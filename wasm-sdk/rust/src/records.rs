//! The builder of records: one `begin` and `end` for each message, columns out (`v1.md`, 6).

use crate::abi_generated::{self as abi, RecordType, Status, Text};
use crate::column::{self, Texts};
use crate::row::{self, bit, Row};
use std::borrow::Cow;

/// First id of the text columns.
const TEXT_MIN: usize = Text::ALL[0] as usize;

/// Bytes that a batch's answer tells are passed over; of fewer most came in the same batch.
const WORTH_TELLING: u64 = 16 << 10;

/// Records of a batch, column by column. Buffers are reused from batch to batch.
///
/// ```
/// # use metaflow_parser_sdk::{Records, RecordType, Status, Text};
/// # fn report(out: &mut Records) {
/// out.begin(RecordType::Response);
/// out.stream_offset(120).time_ns(1_700_000_000_000_000_000);
/// out.status(Status::ServerError).code(503).text(Text::Exception, "Service Unavailable");
/// out.end();
/// # }
/// ```
#[derive(Default)]
pub struct Records {
    /// The records that were ended.
    rows: Vec<Row>,
    /// The one that is being made, when `is_open`.
    row: Row,
    is_open: bool,
    segment: u32,
    /// Bytes behind the segment at hand that nobody wants.
    passed: u64,
    /// The parser withdrew from a session.
    withdrew: bool,
    texts: [Texts; Text::ALL.len()],
    private: Vec<(u16, Texts)>,
}

macro_rules! setters {
    ($($(#[$about:meta])* $name:ident: $kind:ty, $column:ident;)*) => {
        $(
            $(#[$about])*
            #[inline]
            pub fn $name(&mut self, value: $kind) -> &mut Records {
                if self.is_open {
                    self.row.$name = value;
                    self.row.set |= bit(abi::$column);
                }
                self
            }
        )*
    };
}

impl Records {
    /// Start a record that ends in the segment at hand. A record that was not ended is ended first.
    #[inline]
    pub fn begin(&mut self, kind: RecordType) -> &mut Records {
        self.end();
        self.is_open = true;
        self.withdrew |= matches!(kind, RecordType::Violation);
        self.row = Row {
            set: bit(abi::RECORD_COLUMN_SEGMENT_INDEX) | bit(abi::RECORD_COLUMN_TYPE),
            segment_index: self.segment,
            kind: kind as u8,
            ..Row::default()
        };
        self
    }

    /// Finish the record. What is set outside of `begin` and `end` is ignored.
    #[inline]
    pub fn end(&mut self) {
        if self.is_open {
            self.is_open = false;
            self.rows.push(self.row);
        }
    }

    /// Say that these bytes could not be used and why: `length` bytes from `stream_offset` on.
    pub fn skipped(&mut self, stream_offset: u64, time_ns: u64, length: u64, reason: &str) {
        self.begin(RecordType::Skipped).stream_offset(stream_offset).time_ns(time_ns).length(length);
        self.text(Text::Exception, reason).end();
    }

    /// Withdraw from the session: this is another protocol after all, seen at `stream_offset`.
    pub fn violation(&mut self, stream_offset: u64, time_ns: u64, reason: &str) {
        self.begin(RecordType::Violation).stream_offset(stream_offset).time_ns(time_ns);
        self.text(Text::Exception, reason).end();
    }

    /// Response status.
    #[inline]
    pub fn status(&mut self, value: Status) -> &mut Records {
        if self.is_open {
            self.row.status = value as u8;
            self.row.set |= bit(abi::RECORD_COLUMN_STATUS);
        }
        self
    }

    setters! {
        /// Response code of the protocol.
        code: i32, RECORD_COLUMN_CODE;
        /// The id that people see as `request_id`.
        request_id: u64, RECORD_COLUMN_REQUEST_ID;
        /// The key that pairs a request with its response when the manifest says `pairing = "keyed"`.
        stream_id: u64, RECORD_COLUMN_STREAM_ID;
        /// Offset of the message's first byte in its direction.
        stream_offset: u64, RECORD_COLUMN_STREAM_OFFSET;
        /// Capture time of the message's first byte.
        time_ns: u64, RECORD_COLUMN_TIME_NS;
        /// Protocol number, where it is not the parser's default.
        protocol: u8, RECORD_COLUMN_PROTOCOL;
        /// Bytes of the message: `request_length` or `response_length`.
        length: u64, RECORD_COLUMN_LENGTH;
        /// Capture time of the message's last byte.
        end_time_ns: u64, RECORD_COLUMN_END_TIME_NS;
        /// Rows that a statement changed.
        affected_rows: u64, RECORD_COLUMN_AFFECTED_ROWS;
        /// Bits of `record_flag`.
        flags: u8, RECORD_COLUMN_FLAGS;
        /// Bytes of the message that the capture holds.
        captured_bytes: u32, RECORD_COLUMN_CAPTURED_BYTES;
    }

    /// Set a text; an empty one is absent.
    #[inline]
    pub fn text(&mut self, column: Text, text: &str) -> &mut Records {
        if self.is_open && !text.is_empty() {
            let row = self.at();
            self.texts[column as usize - TEXT_MIN].set(row, text);
        }
        self
    }

    /// Set a text from bytes of the wire: what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub fn text_bytes(&mut self, column: Text, bytes: &[u8]) -> &mut Records {
        // Many fields are not there: they cost no call.
        if self.is_open && !bytes.is_empty() {
            self.put_bytes(column, bytes);
        }
        self
    }

    fn put_bytes(&mut self, column: Text, bytes: &[u8]) {
        if !is_ascii(bytes) || bytes.len() > abi::LIMIT_TEXT_BYTES as usize {
            return self.put_lossy(column, bytes);
        }
        let row = self.at();
        self.texts[column as usize - TEXT_MIN].set_bytes(row, bytes);
    }

    /// Apart, so that the usual text does not pay for what this one needs.
    #[cold]
    fn put_lossy(&mut self, column: Text, bytes: &[u8]) {
        self.text(column, &lossy(bytes));
    }

    /// Continue a text, for values that are joined from parts.
    #[inline]
    pub fn append(&mut self, column: Text, text: &str) -> &mut Records {
        if self.is_open && !text.is_empty() {
            let row = self.at();
            self.texts[column as usize - TEXT_MIN].append(row, text);
        }
        self
    }

    /// Add an attribute. A NUL, which would end it, becomes U+FFFD; what passes the longest text is left out.
    pub fn attribute(&mut self, key: &str, value: &str) -> &mut Records {
        if self.is_open && !key.is_empty() {
            let row = self.at();
            let column = &mut self.texts[Text::Attributes as usize - TEXT_MIN];
            // A NUL is so rare that the copy which replaces it does not matter.
            if value.contains('\0') || key.contains('\0') {
                let clean = |text: &str| text.replace('\0', "\u{fffd}");
                column.append_all(row, [&clean(key), "\0", &clean(value), "\0"]);
            } else {
                column.append_all(row, [key, "\0", value, "\0"]);
            }
        }
        self
    }

    /// Add an attribute whose value comes from the wire: what is not UTF-8 becomes U+FFFD.
    pub fn attribute_bytes(&mut self, key: &str, value: &[u8]) -> &mut Records {
        self.attribute(key, &lossy(value))
    }

    /// Set a text column of the plugin's own; ids below 1024 are the ABI's and are ignored.
    pub fn private_text(&mut self, id: u16, text: &str) -> &mut Records {
        if self.is_open && !text.is_empty() && u32::from(id) >= abi::LIMIT_PRIVATE_COLUMN_MIN {
            let at = self.private.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
                self.private.push((id, Texts::default()));
                self.private.len() - 1
            });
            let row = self.at();
            self.private[at].1.set(row, text);
        }
        self
    }

    /// Say that the next `bytes` bytes of this direction, behind the segment at hand, will be passed over unseen (a body):
    /// a host then leaves out segments that lie wholly inside, at once where it hands them over one by one, after the batch
    /// where it is told in the column `passes`. A hint: it counts for the segment at hand only, and the bytes may come all the
    /// same.
    #[inline]
    pub fn pass_over(&mut self, bytes: u64) {
        self.passed = bytes;
    }

    pub(crate) const fn passed(&self) -> u64 {
        self.passed
    }

    /// The segment at hand was taken: its last record tells what is passed over, where leaving that out is worth a column.
    #[inline]
    pub(crate) fn announce(&mut self) {
        self.end();
        if self.passed >= WORTH_TELLING {
            if let Some(row) = self.rows.last_mut().filter(|row| row.segment_index == self.segment) {
                row.passes = self.passed;
                row.set |= bit(abi::RECORD_COLUMN_PASSES);
            }
        }
    }

    pub(crate) const fn has_withdrawn(&self) -> bool {
        self.withdrew
    }

    /// Records so far in this batch.
    pub fn len(&self) -> usize {
        self.rows.len() + self.is_open as usize
    }

    /// No record so far in this batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the record that is being made.
    #[inline]
    fn at(&self) -> u32 {
        self.rows.len() as u32
    }

    pub(crate) fn at_segment(&mut self, index: u32) {
        self.segment = index;
        self.passed = 0;
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.is_open = false;
        self.withdrew = false;
        self.texts.iter_mut().for_each(Texts::clear);
        self.private.iter_mut().for_each(|(_, texts)| texts.clear());
    }

    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        self.end();
        let rows = self.at();
        out.clear();
        column::write_header(out, abi::MAGIC_RECORDS, rows);
        let mut columns = row::write(&self.rows, out);
        for (column, texts) in Text::ALL.iter().zip(&self.texts) {
            columns += texts.write(out, *column as u16, rows);
        }
        for (id, texts) in &self.private {
            columns += texts.write(out, *id, rows);
        }
        column::finish_header(out, columns);
    }
}

/// The standard library's `is_ascii`, with less ado about texts that are short, as most are.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let Some(last) = bytes.last_chunk::<8>() else {
        return match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first) | u32::from_le_bytes(*last)) & HIGHS as u32 == 0,
            // Of up to three bytes the first, the middle and the last are all.
            _ => match (bytes.first(), bytes.get(bytes.len() / 2), bytes.last()) {
                (Some(first), Some(middle), Some(last)) => (first | middle | last) < 0x80,
                _ => true,
            },
        };
    };
    let (mut all, mut rest) = (u64::from_le_bytes(*last), bytes);
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        all |= u64::from_le_bytes(*chunk);
        rest = behind;
    }
    all & HIGHS == 0
}

/// Text as it is where it is UTF-8, the usual case, and a repaired copy where it is not.
#[inline]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // `from_utf8_lossy` alone walks in chunks and is slower on text that is right.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::is_ascii;

    #[test]
    fn a_byte_beyond_ascii_is_found_wherever_it_stands() {
        for length in 0..40 {
            assert!(is_ascii(&vec![0x7f; length]));
            for at in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {length}");
            }
        }
    }
}
