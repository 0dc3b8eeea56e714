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

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by a set of bytes, with 64-bit positions.
    fn model(seen: &mut [bool], at: usize, len: usize, top: &mut usize) -> Seen {
        let covered = seen[at..at + len].iter().filter(|&&byte| byte).count();
        let verdict = match covered {
            _ if at >= *top => Seen::New,
            n if n == len => Seen::Retransmission,
            0 => Seen::OutOfOrder,
            _ => Seen::Overlap,
        };
        seen[at..at + len].fill(true);
        *top = (*top).max(at + len);
        verdict
    }

    #[test]
    fn agrees_with_a_set_of_bytes_across_the_wrap() {
        let mut rng = 1u64;
        let mut random = |n: u64| {
            rng = mf_packet::mix(rng, 0x9e37);
            rng % n
        };
        for round in 0..400 {
            let base = (random(1 << 33) as u32).wrapping_sub(5000);
            let (mut ranges, mut seen, mut top) = (SeqRanges::default(), vec![false; 40_000], 0);
            ranges.start(base);
            let mut at: usize = 0;
            for _ in 0..200 {
                let len = 1 + random(100) as usize;
                // Mostly in order; sometimes a hole, sometimes somewhere before. Few holes at a time, so that none is given up.
                let start = match random(10) {
                    0 => at + 1 + random(50) as usize,
                    1 | 2 => at.saturating_sub(random(300) as usize),
                    _ => at,
                };
                if ranges.older.len() >= MAX_OLDER {
                    break;
                }
                let expect = model(&mut seen, start, len, &mut top);
                let got = ranges.insert(base.wrapping_add(start as u32), len as u32);
                assert_eq!(got, expect, "round {round} at {start} len {len} top {top}");
                at = top;
            }
        }
    }

    #[test]
    fn at_most_sixteen_ranges_are_kept() {
        let mut ranges = SeqRanges::default();
        for i in 0..1000u32 {
            assert_eq!(ranges.insert(i * 200, 100), Seen::New);
            assert!(ranges.older.len() <= MAX_OLDER);
        }
        assert_eq!(
            ranges.insert(999 * 200 - 100, 100),
            Seen::OutOfOrder,
            "a young gap is still open"
        );
        assert_eq!(
            ranges.insert(100, 100),
            Seen::Retransmission,
            "an old one is taken for filled"
        );
    }

    #[test]
    fn a_long_stream_and_a_jump() {
        let mut ranges = SeqRanges::default();
        let mut seq = 4_000_000_000u32;
        for _ in 0..100_000 {
            assert_eq!(ranges.insert(seq, 60_000), Seen::New);
            seq = seq.wrapping_add(60_000);
        }
        assert_eq!(
            ranges.insert(seq.wrapping_sub(60_000), 60_000),
            Seen::Retransmission
        );
        assert_eq!(ranges.insert(seq.wrapping_add(1 << 31), 10), Seen::Jump);
        assert_eq!(
            ranges.insert(seq.wrapping_add((1 << 31) + 10), 10),
            Seen::New
        );
    }

    #[test]
    fn a_lost_first_segment_comes_out_of_order() {
        let mut ranges = SeqRanges::default();
        ranges.start(1000);
        assert_eq!(ranges.next(), Some(1000));
        assert_eq!(ranges.insert(1100, 100), Seen::New);
        assert_eq!(ranges.insert(1000, 100), Seen::OutOfOrder);
        assert_eq!(
            ranges.insert(1050, 100),
            Seen::Retransmission,
            "both joined to one range"
        );
        assert_eq!(ranges.insert(1150, 100), Seen::Overlap);
        assert_eq!(ranges.next(), Some(1250));
    }
}
