//! Reassembly of one direction of a TCP connection (RFC 9293 section 3.4: sequence numbers are modulo 2^32).

use super::hold::HoldQueue;
use super::store::Store;

/// Old data further back than this is not a retransmission: no window is that large in practice.
const FAR_BACK: i64 = -(1 << 24);
/// So many segments in a row that go on from each other, all far outside the window, are the stream itself.
const STRANGE_LIMIT: u8 = 4;

/// Bounds of one direction, see the options of the same names.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes held out of order.
    pub bytes: usize,
    /// Runs held out of order.
    pub segments: usize,
    /// Longest wait for a hole, nanoseconds.
    pub wait_ns: u64,
    /// Longest wait for a hole the receiver has acknowledged.
    pub acked_wait_ns: u64,
    /// Largest believable jump of the sequence number.
    pub max_jump: u32,
}

/// A run of ordered bytes, or the news that they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Offset of the first byte in its direction.
    pub offset: u64,
    /// Its TCP sequence number.
    pub seq: u32,
    /// Capture time of the packet that brought it (for a gap: of the packet after the gap).
    pub time_ns: u64,
    /// The bytes; empty for a gap.
    pub data: &'a [u8],
    /// Bytes missing, of a datagram those behind `data`; 0 for data of a stream.
    pub gap: u32,
    /// The snap length cut the packet: data that is followed by a gap, or that gap.
    pub truncated: bool,
}

/// What a direction did, to be added to the engine's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Bytes seen before.
    pub duplicate: u64,
    /// Holes given up.
    pub gaps: u64,
    /// Bytes in them.
    pub gap_bytes: u64,
    /// Bytes cut by the snap length.
    pub cut_bytes: u64,
    /// Segments far outside the window, dropped.
    pub out_of_window: u64,
    /// Sequence numbers taken up anew.
    pub resync: u64,
    /// Bytes whose hole was given up for want of memory.
    pub no_memory: u64,
}

/// One direction of one connection.
#[derive(Debug, Default)]
pub struct Direction {
    started: bool,
    start_seen: bool,
    strange: u8,
    strange_seq: u32,
    next_seq: u32,
    next_offset: u64,
    end: Option<u64>,
    acked: u64,
    hole_since: u64,
    acked_since: u64,
    queue: HoldQueue,
}

impl Direction {
    /// Whether the first byte of the stream is known (a SYN was seen, or the answer to one).
    pub fn start_seen(&self) -> bool {
        self.start_seen
    }

    /// Whether segments wait for a hole to be filled.
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether all bytes up to the FIN were delivered.
    pub fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| self.next_offset >= end)
    }

    /// Offset after the last delivered byte.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Sequence number of the next byte.
    pub fn next_seq(&self) -> u32 {
        self.next_seq
    }

    /// Number of bytes held out of order.
    pub fn held_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Counts a datagram of `len` captured and `cut` missing bytes; returns the offset of its first byte.
    pub fn count_datagram(&mut self, len: usize, cut: u32) -> u64 {
        let offset = self.next_offset;
        self.next_offset = offset.saturating_add(len as u64).saturating_add(u64::from(cut));
        offset
    }

    /// Takes the sequence number of the first byte: `seq` of a SYN plus one, or the number its answer acknowledges.
    /// A second, different one counts only while nothing was delivered.
    pub fn start(&mut self, first_seq: u32) {
        if !self.started || (self.next_offset == 0 && self.queue.is_empty() && self.next_seq != first_seq) {
            self.started = true;
            self.start_seen = true;
            self.next_seq = first_seq;
        }
    }

    /// The stream ends before sequence number `seq` (that of the FIN).
    pub fn finish_at(&mut self, seq: u32) {
        if self.started && self.end.is_none() {
            let ahead = i64::from(seq.wrapping_sub(self.next_seq) as i32);
            self.end = Some(self.next_offset.saturating_add_signed(ahead));
        }
    }

    /// The other side acknowledged everything before `ack`.
    #[inline]
    pub fn acknowledged(&mut self, ack: u32, now: u64) {
        if !self.started {
            return;
        }
        let ahead = ack.wrapping_sub(self.next_seq) as i32;
        if ahead <= 0 {
            return;
        }
        self.acked = self.acked.max(self.next_offset.saturating_add(ahead as u64));
        self.note_acked_hole(now);
    }

    /// Whether `ack` acknowledges bytes that were not delivered.
    #[inline]
    pub fn lacks(&self, ack: u32) -> bool {
        self.started && (ack.wrapping_sub(self.next_seq) as i32) > 0
    }

    /// The offset up to which `ack` acknowledges; 0 where that says nothing. A FIN's own number is not a byte.
    pub fn offset_acked(&self, ack: u32, limits: &Limits) -> u64 {
        let ahead = ack.wrapping_sub(self.next_seq) as i32;
        if !self.started || ahead <= 0 || ahead.unsigned_abs() > limits.max_jump {
            return 0;
        }
        self.next_offset.saturating_add(u64::from(ahead.unsigned_abs())).min(self.end.unwrap_or(u64::MAX))
    }

    /// Offset of a sequence number near the last delivered byte; negative before the first one.
    pub fn offset_of(&self, seq: u32) -> i64 {
        let ahead = i64::from(seq.wrapping_sub(self.next_seq) as i32);
        i64::try_from(self.next_offset).unwrap_or(i64::MAX).saturating_add(ahead)
    }

    /// Whether a segment brings bytes that were not delivered.
    pub fn has_new(&self, seq: u32, len: u32) -> bool {
        !self.started || i64::from(seq.wrapping_sub(self.next_seq) as i32) + i64::from(len) > 0
    }

    fn note_acked_hole(&mut self, now: u64) {
        if self.acked_since == 0 && self.queue.front().is_some_and(|held| held.offset <= self.acked) {
            self.acked_since = now.max(1);
        }
    }

    /// Takes a segment's payload when it is whole and goes on from the last one, nothing waits and no end is known: what
    /// [`Direction::push`] would give. `None`: nothing was taken.
    #[inline]
    pub fn next_in_order<'a>(&mut self, seq: u32, time_ns: u64, data: &'a [u8], wire_len: u32) -> Option<Piece<'a>> {
        let is_next = self.started && seq == self.next_seq && self.end.is_none() && self.queue.is_empty();
        if !is_next || data.is_empty() || wire_len as usize > data.len() {
            return None;
        }
        self.strange = 0;
        let offset = self.next_offset;
        self.next_offset = offset.saturating_add(data.len() as u64);
        self.next_seq = seq.wrapping_add(data.len() as u32);
        Some(Piece { offset, seq, time_ns, data, gap: 0, truncated: false })
    }

    /// Takes a segment's payload; `wire_len` > `data.len()` when the capture cut it. What is in order now is given to
    /// `out`, in order.
    #[allow(clippy::too_many_arguments)]
    pub fn push(
        &mut self,
        seq: u32,
        time_ns: u64,
        data: &[u8],
        wire_len: u32,
        limits: &Limits,
        store: &mut Store,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        if !self.started {
            self.started = true;
            self.next_seq = seq;
        }
        let missing = wire_len.saturating_sub(u32::try_from(data.len()).unwrap_or(u32::MAX));
        let len = data.len() as u64 + u64::from(missing);
        let mut ahead = i64::from(seq.wrapping_sub(self.next_seq) as i32);
        if ahead > i64::from(limits.max_jump) || ahead < FAR_BACK {
            if !self.is_the_stream_after_all(seq, len) {
                counts.out_of_window += 1;
                return;
            }
            counts.resync += 1;
            self.take_up_at(seq, time_ns, store, counts, out);
            ahead = 0;
        } else {
            self.strange = 0;
        }
        if ahead.saturating_add_unsigned(len) <= 0 {
            counts.duplicate += len;
            return;
        }
        let (mut data, mut missing) = (data, missing);
        if ahead < 0 {
            let old = ahead.unsigned_abs();
            counts.duplicate += old;
            let known = usize::try_from(old).unwrap_or(usize::MAX).min(data.len());
            missing = missing.saturating_sub((old - known as u64) as u32);
            data = data.get(known..).unwrap_or_default();
            ahead = 0;
        }
        let offset = self.next_offset.saturating_add_signed(ahead);
        let end = offset.saturating_add(data.len() as u64 + u64::from(missing));
        let in_order = ahead == 0 && self.queue.front().is_none_or(|held| held.offset >= end);
        if in_order {
            self.deliver(data, missing, u64::MAX, time_ns, counts, out);
            if !self.queue.is_empty() {
                self.drain(store, counts, out);
            }
            return;
        }
        if !store.has_room(data.len()) {
            // No memory left for waiting: what this direction misses is given up, and it goes on from here.
            counts.no_memory += data.len() as u64;
            while self.queue.front().is_some_and(|held| held.offset <= offset) {
                self.skip_hole(store, counts, out);
            }
            self.gap_up_to(offset, time_ns, false, counts, out);
            let known = usize::try_from(self.next_offset.saturating_sub(offset)).unwrap_or(usize::MAX);
            let limit = self.queue.front().map_or(u64::MAX, |held| held.offset);
            self.deliver(data.get(known..).unwrap_or_default(), missing, limit, time_ns, counts, out);
            self.drain(store, counts, out);
            return;
        }
        if self.queue.is_empty() {
            self.hole_since = time_ns;
            self.acked_since = 0;
        }
        counts.duplicate += self.queue.insert(store, offset, time_ns, data, missing);
        self.drain(store, counts, out);
        self.note_acked_hole(time_ns);
        while self.queue.bytes() > limits.bytes || self.queue.len() > limits.segments {
            self.skip_hole(store, counts, out);
        }
    }

    /// Gives up holes that were waited for long enough. Cheap when nothing waits.
    #[inline]
    pub fn expire(
        &mut self,
        now: u64,
        limits: &Limits,
        store: &mut Store,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        while !self.queue.is_empty() {
            let late = now.saturating_sub(self.hole_since) >= limits.wait_ns;
            let acked = self.acked_since != 0 && now.saturating_sub(self.acked_since) >= limits.acked_wait_ns;
            if !late && !acked {
                return;
            }
            self.skip_hole(store, counts, out);
            self.note_acked_hole(now);
        }
    }

    /// Tells what is missing before `target` as gaps, and delivers what is held there.
    pub fn give_up(
        &mut self,
        target: u64,
        time_ns: u64,
        store: &mut Store,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        while self.next_offset < target {
            let held = self.queue.front().map_or(u64::MAX, |held| held.offset);
            self.gap_up_to(held.min(target), time_ns, false, counts, out);
            self.drain(store, counts, out);
        }
    }

    /// The connection is over: everything held is delivered, with gaps for what never came.
    pub fn close(
        &mut self,
        now: u64,
        limits: &Limits,
        store: &mut Store,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        while !self.queue.is_empty() {
            self.skip_hole(store, counts, out);
        }
        // The receiver had bytes at the end that the capture did not bring; a FIN's own number is not a byte.
        let acked = self.end.map_or(self.acked, |end| self.acked.min(end));
        if acked > self.next_offset && acked - self.next_offset <= u64::from(limits.max_jump) && self.end.is_some() {
            self.gap_up_to(acked, now, false, counts, out);
        }
    }

    /// Forgets what is held.
    pub fn reset(&mut self, store: &mut Store) {
        self.queue.clear(store);
        let queue = std::mem::take(&mut self.queue);
        *self = Direction { queue, ..Direction::default() };
    }

    fn is_the_stream_after_all(&mut self, seq: u32, len: u64) -> bool {
        let goes_on = self.strange > 0 && (seq.wrapping_sub(self.strange_seq) as i32).unsigned_abs() < 1 << 20;
        self.strange = if goes_on { self.strange + 1 } else { 1 };
        self.strange_seq = seq.wrapping_add(len as u32);
        self.strange >= STRANGE_LIMIT
    }

    fn take_up_at(
        &mut self,
        seq: u32,
        time_ns: u64,
        store: &mut Store,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        while !self.queue.is_empty() {
            self.skip_hole(store, counts, out);
        }
        // How much is missing cannot be known; one byte says that something is.
        self.gap_up_to(self.next_offset.saturating_add(1), time_ns, false, counts, out);
        self.next_seq = seq;
        self.strange = 0;
        self.end = None;
        self.acked = self.next_offset;
    }

    fn skip_hole(&mut self, store: &mut Store, counts: &mut StreamCounts, out: &mut impl FnMut(Piece<'_>)) {
        if let Some((offset, time_ns)) = self.queue.front().map(|held| (held.offset, held.time_ns)) {
            self.gap_up_to(offset, time_ns, false, counts, out);
            self.drain(store, counts, out);
        }
    }

    fn drain(&mut self, store: &mut Store, counts: &mut StreamCounts, out: &mut impl FnMut(Piece<'_>)) {
        let mut moved = false;
        while self.queue.front().is_some_and(|held| held.offset <= self.next_offset) {
            let Some(held) = self.queue.pop() else { break };
            moved = true;
            let limit = self.queue.front().map_or(u64::MAX, |next| next.offset);
            let known = usize::try_from(self.next_offset - held.offset).unwrap_or(usize::MAX);
            let missing = match known.checked_sub(held.data.len()) {
                None | Some(0) => held.missing,
                Some(beyond) => held.missing.saturating_sub(u32::try_from(beyond).unwrap_or(u32::MAX)),
            };
            self.deliver(held.data.get(known..).unwrap_or_default(), missing, limit, held.time_ns, counts, out);
            store.give_back(held.data);
        }
        if moved {
            self.acked_since = 0;
            if let Some(held) = self.queue.front() {
                self.hole_since = held.time_ns;
            }
        }
    }

    /// Gives `data` and then the gap of `missing` bytes, which ends at `limit` where held bytes begin.
    #[inline]
    fn deliver(
        &mut self,
        data: &[u8],
        missing: u32,
        limit: u64,
        time_ns: u64,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        if !data.is_empty() {
            let (offset, seq) = (self.next_offset, self.next_seq);
            self.next_offset = offset.saturating_add(data.len() as u64);
            self.next_seq = seq.wrapping_add(data.len() as u32);
            out(Piece { offset, seq, time_ns, data, gap: 0, truncated: missing > 0 });
        }
        if missing > 0 {
            let end = self.next_offset.saturating_add(u64::from(missing)).min(limit);
            self.gap_up_to(end, time_ns, true, counts, out);
        }
    }

    fn gap_up_to(
        &mut self,
        end: u64,
        time_ns: u64,
        truncated: bool,
        counts: &mut StreamCounts,
        out: &mut impl FnMut(Piece<'_>),
    ) {
        let gap = u32::try_from(end.saturating_sub(self.next_offset)).unwrap_or(u32::MAX);
        if gap == 0 {
            return;
        }
        let len = u64::from(gap);
        if truncated {
            counts.cut_bytes += len;
        } else {
            counts.gaps += 1;
            counts.gap_bytes += len;
        }
        let (offset, seq) = (self.next_offset, self.next_seq);
        self.next_offset = offset.saturating_add(len);
        self.next_seq = seq.wrapping_add(gap);
        out(Piece { offset, seq, time_ns, data: &[], gap, truncated });
    }
}
