//! Batches of records: how many, how they are compressed, and the trace in the headers of the first that carry one.

use crate::codec;
use metaflow_parser_sdk::trace::{Trace, TraceRules};

/// Bytes of a batch (magic 2) before its records.
const HEADER: usize = 61;
/// Where the magic stands in every version.
const MAGIC: usize = 16;
/// Records and headers of a message that are looked at for a trace.
const RECORDS: usize = 64;
const HEADERS: u64 = 64;
/// A batch that ends a transaction.
const CONTROL: u8 = 0x20;

/// What the batches of a message tell.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    pub count: u64,
    /// The compression of the first batch.
    pub compression: Option<u8>,
    /// The first trace, and another one.
    pub trace: Trace,
    pub other: Trace,
    looked: usize,
    plain: Vec<u8>,
}

impl Batches {
    pub fn clear(&mut self) {
        (self.count, self.compression, self.looked) = (0, None, 0);
        self.trace.clear();
        self.other.clear();
    }

    /// Look at a run of batches, of which the end may be missing; `limit`: bytes of a batch that are decompressed.
    pub fn see(&mut self, mut run: &[u8], rules: &TraceRules, limit: usize) {
        while let Some(head) = run.get(..MAGIC + 2) {
            let length = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
            let Ok(length) = usize::try_from(length) else { return };
            match head[MAGIC] {
                2 => self.see_batch(&run[..run.len().min(12 + length)], rules, limit),
                0 | 1 => {
                    self.count += 1;
                    self.compression.get_or_insert(head[MAGIC + 1] & 7);
                }
                _ => return,
            }
            let Some(next) = run.get(12 + length..).filter(|_| length > 0) else { return };
            run = next;
        }
    }

    fn see_batch(&mut self, batch: &[u8], rules: &TraceRules, limit: usize) {
        let Some(head) = batch.get(..HEADER) else { return };
        let flags = head[22];
        if flags & CONTROL != 0 {
            return;
        }
        self.count += u64::from(u32::from_be_bytes([head[57], head[58], head[59], head[60]]) & 0x7fff_ffff);
        let kind = *self.compression.get_or_insert(flags & 7);
        if self.looked >= RECORDS {
            return;
        }
        if kind == 0 {
            self.see_records(&batch[HEADER..], rules);
        } else if limit > 0 {
            let mut plain = std::mem::take(&mut self.plain);
            codec::decompress(flags & 7, &batch[HEADER..], limit, &mut plain);
            self.see_records(&plain, rules);
            self.plain = plain;
        }
    }

    fn see_records(&mut self, mut bytes: &[u8], rules: &TraceRules) {
        while self.looked < RECORDS && self.is_looking() {
            let Some(length) = varint(&mut bytes).and_then(|length| usize::try_from(length).ok()) else { return };
            self.looked += 1;
            let record = &bytes[..bytes.len().min(length)];
            let _ = self.see_record(record, rules);
            let Some(next) = bytes.get(length..).filter(|_| length > 0) else { return };
            bytes = next;
        }
    }

    fn is_looking(&self) -> bool {
        self.trace.trace_id().is_empty() || self.trace_id_2().is_empty()
    }

    /// The headers of a record: attributes, time, offset, key and value stand before them.
    fn see_record(&mut self, mut rest: &[u8], rules: &TraceRules) -> Option<()> {
        rest = rest.get(1..)?;
        varint(&mut rest)?;
        varint(&mut rest)?;
        field(&mut rest)?;
        field(&mut rest)?;
        let count = u64::try_from(varint(&mut rest)?).ok()?;
        let is_first = self.trace.trace_id().is_empty();
        let trace = if is_first { &mut self.trace } else { &mut self.other };
        if !is_first {
            trace.clear();
        }
        for _ in 0..count.min(HEADERS) {
            let name = field(&mut rest)?;
            rules.see(name, field(&mut rest)?, trace);
        }
        Some(())
    }

    /// Another trace, "" without one.
    pub fn trace_id_2(&self) -> &str {
        let own = self.trace.trace_id_2();
        let other = self.other.trace_id();
        if own.is_empty() && other != self.trace.trace_id() {
            other
        } else {
            own
        }
    }
}

/// A signed number: 7 bits a byte, the lowest first, the sign in the lowest bit.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Bytes behind their length; null is empty.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?.max(0)).ok()?;
    let (field, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(field)
}
