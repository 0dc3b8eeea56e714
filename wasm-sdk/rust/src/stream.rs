//! A contiguous view of one direction of a stream, in bounded memory.

use crate::segment::{Kind, Segment};
use std::cell::Cell;
use std::collections::VecDeque;

// Most buffers are empty most of the time: an empty one gives its memory away and takes it back with the next segment,
// so that 64k idle sessions hold nothing. One vector is passed around by a thread; nothing can be seen of it from outside.
thread_local!(static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) });

/// Largest capacity that is passed around.
const LARGEST_SPARE: usize = 128 << 10;

/// Times remembered for buffered bytes; beyond it neighbours share the earlier time.
const MARKS: usize = 256;

/// What appending a segment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The bytes (if any) follow those that were there.
    InOrder,
    /// Bytes are missing: `dropped` buffered ones were given up, `missing` never came, and what is in the buffer now
    /// starts behind the hole. The parser has to find the next message.
    Gap {
        /// Buffered bytes that were given up.
        dropped: u64,
        /// Bytes that never came.
        missing: u64,
    },
    /// More than the limit was left unconsumed by the segments before: the `dropped` bytes of it and of this segment were
    /// given up. The parser has to find the next message in what comes.
    Overflow {
        /// Bytes that were given up.
        dropped: u64,
    },
}

/// One direction of one session: append segments, look at [`bytes`](StreamBuffer::bytes), [`consume`](StreamBuffer::consume)
/// messages, [`skip`](StreamBuffer::skip) what is of no interest without buffering it.
///
/// It trusts `stream_offset` more than the order of segments: bytes that were seen before are ignored, and a jump
/// forward is a gap even where no gap segment tells of it (as behind a packet that the capture cut).
#[derive(Default)]
pub struct StreamBuffer {
    data: Vec<u8>,
    head: usize,
    /// Stream offset of `data[head]`.
    offset: u64,
    started: bool,
    /// Bytes behind the buffer (which is then empty) that nobody wants.
    skip: u64,
    /// Exclusive end offset and capture time of the pieces in the buffer.
    marks: VecDeque<(u64, u64)>,
    /// Time of the last piece, for a view that is empty.
    last_time: u64,
}

impl StreamBuffer {
    /// Append a data or gap segment. What is left from before may be `limit` bytes at most, so the buffer never holds
    /// more than that and one segment. A parser that refuses messages by their own size (rather than by this limit) gives
    /// the same records for every split.
    pub fn append(&mut self, segment: &Segment, limit: usize) -> Appended {
        if segment.kind == Kind::Close {
            return Appended::InOrder;
        }
        if !self.started {
            self.started = true;
            self.offset = segment.stream_offset;
        }
        let end = self.end();
        // The order of TCP sequence space: a difference beyond half of it is a segment from the past.
        let ahead = segment.stream_offset.wrapping_sub(end) as i64;
        let mut payload = segment.payload;
        let mut lost = Appended::InOrder;
        if segment.kind == Kind::Gap {
            let missing = ahead.saturating_add(i64::from(segment.wire_len));
            return if missing > 0 { self.lose(missing as u64) } else { Appended::InOrder };
        }
        if ahead < 0 {
            let seen = ahead.unsigned_abs();
            if seen >= payload.len() as u64 {
                return Appended::InOrder;
            }
            payload = &payload[seen as usize..];
        } else if ahead > 0 {
            lost = self.lose(ahead as u64);
        }
        if self.skip > 0 {
            let skipped = self.skip.min(payload.len() as u64);
            self.skip -= skipped;
            self.offset = self.offset.wrapping_add(skipped);
            payload = &payload[skipped as usize..];
            self.last_time = segment.timestamp_ns;
        }
        if payload.is_empty() {
            return lost;
        }
        if self.len() > limit {
            let dropped = (self.len() + payload.len()) as u64;
            self.clear_to(self.end().wrapping_add(payload.len() as u64));
            return Appended::Overflow { dropped };
        }
        if self.head > 0 && self.data.len() + payload.len() > self.data.capacity() {
            self.data.drain(..self.head);
            self.head = 0;
        }
        if self.data.capacity() == 0 {
            self.data = SPARE.take();
        }
        self.data.extend_from_slice(payload);
        self.mark(segment.timestamp_ns);
        lost
    }

    /// Appending this segment would leave a hole: the last chance to look at the bytes before it.
    pub fn is_broken_by(&self, segment: &Segment) -> bool {
        let ahead = segment.stream_offset.wrapping_sub(self.end()) as i64;
        let missing = match segment.kind {
            Kind::Data => ahead,
            Kind::Gap => ahead.saturating_add(i64::from(segment.wire_len)),
            Kind::Close => 0,
        };
        self.started && missing > 0 && self.skip < missing as u64
    }

    /// The bytes that are there, in order and without holes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.data.get(self.head..).unwrap_or_default()
    }

    /// How many bytes are there.
    #[inline]
    pub fn len(&self) -> usize {
        self.data.len() - self.head
    }

    /// No byte is there.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stream offset of the first byte of the view (of the next byte to come, when it is empty).
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Capture time of the first byte of the view (of the last piece, when it is empty).
    #[inline]
    pub fn time_ns(&self) -> u64 {
        self.marks.front().map_or(self.last_time, |(_, time)| *time)
    }

    /// Capture time of byte `at` of the view (of the last piece, when it is not there).
    pub fn time_at(&self, at: usize) -> u64 {
        let offset = self.offset.wrapping_add(at as u64);
        let holds = |(end, _): &&(u64, u64)| (end.wrapping_sub(offset) as i64) > 0;
        self.marks.iter().find(holds).map_or(self.last_time, |(_, time)| *time)
    }

    /// Bytes that [`skip`](StreamBuffer::skip) still waits for.
    pub const fn skipping(&self) -> u64 {
        self.skip
    }

    /// Account for bytes in front of the segment that were [skipped](StreamBuffer::skip) and never came: a host may leave out
    /// what the parser passes over.
    #[inline]
    pub fn reach(&mut self, segment: &Segment) {
        let ahead = segment.stream_offset.wrapping_sub(self.offset);
        if ahead != 0 && ahead <= self.skip && segment.kind == Kind::Data && self.is_empty() {
            self.skip -= ahead;
            self.offset = segment.stream_offset;
        }
    }

    /// Whether the segment's bytes are the next of the stream, with nothing before them: they can be looked at where they
    /// lie, and need not be appended as far as they are [passed](StreamBuffer::pass).
    #[inline]
    pub fn is_next(&self, segment: &Segment) -> bool {
        segment.kind == Kind::Data && segment.stream_offset == self.offset && self.is_empty()
    }

    /// Take `count` bytes of a segment that [is next](StreamBuffer::is_next) as though they had been appended and consumed,
    /// or skipped as far as they are to be.
    #[inline]
    pub fn pass(&mut self, segment: &Segment, count: usize) {
        self.started = true;
        self.offset = self.offset.wrapping_add(count as u64);
        self.skip = self.skip.saturating_sub(count as u64);
        self.last_time = segment.timestamp_ns;
    }

    /// Take the first `count` bytes of the view (all, if there are fewer).
    #[inline]
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.len());
        self.head += count;
        self.offset = self.offset.wrapping_add(count as u64);
        if self.head == self.data.len() {
            self.give_away();
            return;
        }
        while let Some((end, _)) = self.marks.front() {
            if (end.wrapping_sub(self.offset) as i64) > 0 {
                break;
            }
            self.marks.pop_front();
        }
    }

    /// Pass over the next `count` bytes, those that are there and those to come; they are never buffered, and a gap that
    /// lies inside them is no loss.
    pub fn skip(&mut self, count: u64) {
        let here = count.min(self.len() as u64);
        self.consume(here as usize);
        self.skip = self.skip.saturating_add(count - here);
    }

    /// Pass over no more: what has not come yet is wanted.
    pub fn stop_skipping(&mut self) {
        self.skip = 0;
    }

    /// Give up what is buffered and what is being skipped; the stream goes on behind it.
    pub fn clear(&mut self) {
        self.clear_to(self.offset.wrapping_add(self.len() as u64));
    }

    fn clear_to(&mut self, offset: u64) {
        self.give_away();
        self.skip = 0;
        self.offset = offset;
    }

    /// Forget the bytes and pass their memory on.
    fn give_away(&mut self) {
        self.head = 0;
        self.marks.clear();
        let mut data = std::mem::take(&mut self.data);
        data.clear();
        if (1..=LARGEST_SPARE).contains(&data.capacity()) {
            SPARE.set(data);
        }
    }

    /// Offset behind the last byte that came.
    fn end(&self) -> u64 {
        self.offset.wrapping_add(self.len() as u64)
    }

    /// Account for `missing` bytes behind the last one.
    fn lose(&mut self, missing: u64) -> Appended {
        if self.skip >= missing {
            self.skip -= missing;
            self.offset = self.offset.wrapping_add(missing);
            return Appended::InOrder;
        }
        let dropped = self.len() as u64;
        self.clear_to(self.end().wrapping_add(missing));
        Appended::Gap { dropped, missing }
    }

    fn mark(&mut self, time: u64) {
        let end = self.end();
        self.last_time = time;
        let is_full = self.marks.len() >= MARKS;
        match self.marks.back_mut() {
            Some((last, last_time)) if is_full || *last_time == time => *last = end,
            _ => self.marks.push_back((end, time)),
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
