//! The answer of inference, and its columns (`v1.md`, 5).

use crate::abi_generated as abi;
use crate::column::{self, Numbers, Texts};

/// What a parser says about the first bytes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Not this protocol: the reason, and the byte of the payload where it was seen.
    No {
        /// A short phrase for the person who asks why, for example "no HTTP method".
        reason: &'static str,
        /// Offset in the payload.
        offset: u32,
    },
    /// It may be: more bytes are needed to say.
    More,
    /// It is, and this direction carries requests.
    Request,
    /// It is, and this direction carries responses.
    Response,
}

impl Check {
    /// A refusal at a byte of the payload.
    pub const fn no(reason: &'static str, offset: usize) -> Check {
        Check::No { reason, offset: if offset > u32::MAX as usize { u32::MAX } else { offset as u32 } }
    }
}

/// Builder of a `Checks` result.
#[derive(Default)]
pub(crate) struct Checks {
    rows: u32,
    verdict: Numbers<u8>,
    offset: Numbers<u32>,
    reason: Texts,
}

impl Checks {
    pub fn clear(&mut self) {
        self.rows = 0;
        self.verdict.clear();
        self.offset.clear();
        self.reason.clear();
    }

    /// Answer every segment up to `count` that was not asked about with "no": a result has a row for each.
    pub fn fill(&mut self, count: u32) {
        while self.rows < count {
            self.verdict.set(self.rows, abi::VERDICT_NO as u8);
            self.rows += 1;
        }
    }

    /// Add the verdict on the segment with this index; indexes between are answered with "no".
    pub fn set(&mut self, index: u32, check: Check) {
        self.fill(index.saturating_add(1));
        let verdict = match check {
            Check::No { reason, offset } => {
                self.offset.set(index, offset);
                self.reason.append(index, reason);
                abi::VERDICT_NO
            }
            Check::More => abi::VERDICT_MORE,
            Check::Request => abi::VERDICT_REQUEST,
            Check::Response => abi::VERDICT_RESPONSE,
        };
        self.verdict.replace_last(verdict as u8);
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        column::write_header(out, abi::MAGIC_CHECKS, self.rows);
        let mut columns = 0;
        columns += self.verdict.write(out, abi::CHECK_COLUMN_VERDICT as u16, self.rows);
        columns += self.offset.write(out, abi::CHECK_COLUMN_OFFSET as u16, self.rows);
        columns += self.reason.write(out, abi::CHECK_COLUMN_REASON as u16, self.rows);
        column::finish_header(out, columns);
    }
}
