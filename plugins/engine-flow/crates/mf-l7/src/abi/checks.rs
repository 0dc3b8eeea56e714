//! The result of `mf_check`.

use super::column::{read_columns, Column, Malformed};
use super::ids::{ty, CHECKS_MAGIC};

/// What a parser says of a session's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not this protocol.
    No,
    /// Cannot say yet.
    More,
    /// This protocol, and a request.
    Request,
    /// This protocol, and a response.
    Response,
}

impl Verdict {
    /// Its number in the result.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// One verdict for each segment of the batch.
#[derive(Debug)]
pub struct Checks<'a> {
    verdict: Column<'a>,
    offset: Option<Column<'a>>,
    reason: Option<Column<'a>>,
}

impl<'a> Checks<'a> {
    /// Reads a result for a batch of `segments`.
    ///
    /// # Errors
    /// When a length is wrong, the verdicts are missing, or their number is not that of the segments.
    pub fn read(bytes: &'a [u8], segments: usize) -> Result<Self, Malformed> {
        let (mut verdict, mut offset, mut reason) = (None, None, None);
        let rows = read_columns(bytes, CHECKS_MAGIC, segments, |id, column| {
            let (slot, ty) = match id {
                1 => (&mut verdict, ty::U8),
                2 => (&mut offset, ty::U32),
                16 => (&mut reason, ty::UTF8),
                _ => return Ok(()),
            };
            if column.ty != ty {
                return Err("a known column has the wrong type");
            }
            if slot.replace(column).is_some() {
                return Err("a column appears twice");
            }
            Ok(())
        })?;
        let verdict = verdict.ok_or(Malformed { what: "no verdict column", at: 8 })?;
        if rows != segments {
            return Err(Malformed { what: "not one verdict for each segment", at: 4 });
        }
        Ok(Checks { verdict, offset, reason })
    }

    /// Verdict, offset it was seen at, reason. A number that is no verdict is a refusal.
    pub fn row(&self, row: usize) -> (Verdict, u32, &str) {
        let verdict = match self.verdict.u8(row) {
            Some(1) => Verdict::More,
            Some(2) => Verdict::Request,
            Some(3) => Verdict::Response,
            _ => Verdict::No,
        };
        let offset = self.offset.as_ref().and_then(|column| column.u32(row)).unwrap_or(0);
        (verdict, offset, self.reason.as_ref().map_or("", |column| column.text(row)))
    }
}
