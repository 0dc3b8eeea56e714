//! Which sequence numbers one side has sent: at most 16 ranges, the newest inline, so that a stream without gaps touches one.

/// A distance beyond a quarter of the sequence space is not a gap but a different stream.
const QUARTER: u32 = 1 << 30;
/// Ranges besides the newest.
const MAX_OLDER: usize = 15;

/// What a segment is, compared with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Continues the newest range, or starts a new one after a gap.
    New,
    /// All of it was there before.
    Retransmission,
    /// None of it was there, but something later was.
    OutOfOrder,
    /// A part of it was there: counted as nothing.
    Overlap,
    /// More than a quarter of the sequence space away: the ranges start over here.
    Jump,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    start: u32,
    end: u32,
}

#[derive(Debug, Default)]
pub(crate) struct SeqRanges {
    started: bool,
    last: Range,
    /// Ascending, all before `last`, none touching the next.
    older: Vec<Range>,
}

impl SeqRanges {
    /// The stream begins at `seq` (a SYN's sequence number + 1).
    pub fn start(&mut self, seq: u32) {
        self.started = true;
        self.last = Range {
            start: seq,
            end: seq,
        };
        self.older.clear();
    }

    /// The sequence number after the highest seen byte.
    #[inline]
    pub fn next(&self) -> Option<u32> {
        self.started.then_some(self.last.end)
    }

    /// Adds a segment of `len` > 0 bytes.
    #[inline]
    pub fn insert(&mut self, seq: u32, len: u32) -> Seen {
        if self.started && seq == self.last.end {
            self.last.end = seq.wrapping_add(len);
            if self.last.end.wrapping_sub(self.last.start) > QUARTER {
                self.last.start = self.last.end.wrapping_sub(QUARTER);
            }
            return Seen::New;
        }
        self.insert_elsewhere(seq, len)
    }

    #[cold]
    fn insert_elsewhere(&mut self, seq: u32, len: u32) -> Seen {
        let end = seq.wrapping_add(len);
        if !self.started {
            self.start(seq);
            self.last.end = end;
            return Seen::New;
        }
        let ahead = seq.wrapping_sub(self.last.end);
        if ahead > QUARTER && ahead < 0u32.wrapping_sub(QUARTER) || len > QUARTER {
            self.start(seq);
            self.last.end = end;
            return Seen::Jump;
        }
        if ahead <= QUARTER {
            if self.last.start != self.last.end {
                let closed = self.last;
                self.older.push(closed);
                self.shrink();
            }
            self.last = Range { start: seq, end };
            return Seen::New;
        }
        self.insert_before(seq, end)
    }

    /// The segment begins before the highest seen byte. Distances are measured back from there, so wrap-around is no case.
    fn insert_before(&mut self, seq: u32, end: u32) -> Seen {
        let top = self.last.end;
        let place = |n: u32| i64::from(n.wrapping_sub(top) as i32);
        let (from, to) = (place(seq), place(end));
        if from >= place(self.last.start) {
            if to <= 0 {
                return Seen::Retransmission;
            }
            self.last.end = end;
            return Seen::Overlap;
        }
        // Older ranges are few: a linear pass is enough.
        self.older
            .retain(|range| range.start.wrapping_sub(top) > 0u32.wrapping_sub(2 * QUARTER - 1));
        let mut all = std::mem::take(&mut self.older);
        all.push(self.last);
        let first = all.partition_point(|range| place(range.end) < from);
        let past = all.partition_point(|range| place(range.start) <= to);
        let touched = all.get(first..past).unwrap_or(&[]);
        let mut seen = Seen::OutOfOrder;
        let mut merged = Range { start: seq, end };
        for range in touched {
            let (have_from, have_to) = (place(range.start), place(range.end));
            if have_from <= from && to <= have_to {
                seen = Seen::Retransmission;
            } else if have_from < to && from < have_to {
                seen = Seen::Overlap;
            }
            if have_from < place(merged.start) {
                merged.start = range.start;
            }
            if have_to > place(merged.end) {
                merged.end = range.end;
            }
        }
        all.splice(first..past, [merged]);
        if let Some(last) = all.pop() {
            self.last = last;
        }
        self.older = all;
        self.shrink();
        seen
    }

    /// Too many gaps: the oldest is taken for filled.
    fn shrink(&mut self) {
        if self.older.len() > MAX_OLDER {
            let oldest = self.older.remove(0);
            if let Some(next) = self.older.first_mut() {
                next.start = oldest.start;
            }
        }
    }
}
