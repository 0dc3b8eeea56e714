//! The calls that brought a flow's bytes, to be found by offset when a message is known.

use std::collections::VecDeque;

use crate::flow::Call;
use crate::pair::Message;

/// Calls of one direction kept behind what parsers have seen: a message may have begun in an earlier one.
const KEEP: usize = 64;
/// Calls of one direction kept at all; batches bound what parsers have not seen, this bounds the rest.
const MOST: usize = 1 << 16;

/// A call's bytes: from `offset` to that of the next call.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    /// Sequence number on the wire of the first byte.
    seq: u32,
    /// The bytes have another length on the wire, so only the first one's number is known.
    plaintext: bool,
    call: Call,
    /// The last of the calls that this entry stands for.
    last_cap_seq: u32,
}

impl Entry {
    /// Whether `next` is more of the same: one thread going on with one message.
    fn goes_on(&self, next: &Entry) -> bool {
        let (a, b) = (&self.call, &next.call);
        let same_thread = (a.pid, a.tid, a.coroutine_id, a.concurrent) == (b.pid, b.tid, b.coroutine_id, b.concurrent);
        same_thread && (a.trace_id == b.trace_id || b.trace_id == 0)
    }
}

/// The calls of both directions.
#[derive(Debug, Default)]
pub struct CallLog {
    sides: [VecDeque<Entry>; 2],
}

impl CallLog {
    /// A call brought the bytes of `side` from `offset` on.
    pub fn push(&mut self, side: u8, offset: u64, seq: u32, plaintext: bool, call: Call) {
        let entries = &mut self.sides[usize::from(side & 1)];
        if entries.len() >= MOST {
            entries.pop_front();
        }
        entries.push_back(Entry { offset, seq, plaintext, call, last_cap_seq: call.cap_seq });
    }

    fn find(&self, side: u8, offset: u64) -> Option<&Entry> {
        let entries = &self.sides[usize::from(side & 1)];
        let behind = entries.partition_point(|entry| entry.offset <= offset);
        entries.get(behind.saturating_sub(1))
    }

    /// Says who sent or received a message of `side`, whose last bytes are those of the segment at `ends_with` (none: the
    /// last seen).
    pub fn fill(&self, side: u8, ends_with: Option<u64>, message: &mut Message) {
        let Some(first) = self.find(side, message.offset) else { return };
        message.call = first.call;
        let last = match ends_with {
            Some(offset) => self.find(side, offset),
            None => self.sides[usize::from(side & 1)].back(),
        };
        message.last_cap_seq = last.map_or(first.call.cap_seq, |last| last.last_cap_seq.max(first.call.cap_seq));
        let into = if first.plaintext { 0 } else { message.offset.wrapping_sub(first.offset) as u32 };
        message.seq = first.seq.wrapping_add(into);
    }

    /// The parser has seen the bytes of `side` up to the segment at `offset`: of the calls before it only so many are kept.
    pub fn seen(&mut self, side: u8, offset: u64) {
        let entries = &mut self.sides[usize::from(side & 1)];
        if entries.len() <= KEEP {
            return;
        }
        let mut before = entries.partition_point(|entry| entry.offset < offset);
        while before > KEEP {
            // A long message of one thread becomes one entry; else the oldest is forgotten.
            let (Some(last), Some(next)) = (entries.get(before - 2).copied(), entries.get(before - 1).copied()) else {
                break;
            };
            if last.goes_on(&next) {
                if let Some(kept) = entries.get_mut(before - 2) {
                    kept.last_cap_seq = next.last_cap_seq;
                }
                entries.remove(before - 1);
            } else {
                entries.pop_front();
            }
            before -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(cap_seq: u32, trace_id: u64) -> Call {
        Call { cap_seq, trace_id, tid: 1, ..Call::default() }
    }

    fn filled(log: &CallLog, offset: u64, ends_with: u64) -> (u32, u32, u64, u32) {
        let mut message = Message { offset, ..Message::default() };
        log.fill(0, Some(ends_with), &mut message);
        (message.call.cap_seq, message.last_cap_seq, message.call.trace_id, message.seq)
    }

    #[test]
    fn a_message_is_found_among_the_calls_that_brought_it() {
        let mut log = CallLog::default();
        assert_eq!(filled(&log, 0, 0), (0, 0, 0, 0));
        log.push(0, 0, 1000, false, call(1, 7));
        log.push(0, 100, 1100, false, call(2, 7));
        log.push(0, 200, 5000, true, call(3, 9));
        assert_eq!(filled(&log, 0, 100), (1, 2, 7, 1000));
        assert_eq!(filled(&log, 150, 200), (2, 3, 7, 1150));
        // Of plaintext only the first byte's number is known.
        assert_eq!(filled(&log, 250, 250), (3, 3, 9, 5000));
    }

    #[test]
    fn a_long_message_becomes_short_and_keeps_its_ends() {
        let mut log = CallLog::default();
        log.push(0, 0, 0, false, call(1, 7));
        for number in 1..2000u32 {
            log.push(0, u64::from(number) * 10, number * 10, false, call(number + 1, 0));
            log.seen(0, u64::from(number) * 10);
        }
        assert!(log.sides[0].len() <= KEEP + 2, "{}", log.sides[0].len());
        assert_eq!(filled(&log, 0, 19_990), (1, 2000, 7, 0));
        // Threads that take turns are kept apart: the oldest is forgotten.
        let mut log = CallLog::default();
        for number in 0..1000u32 {
            let tid = number % 2;
            log.push(0, u64::from(number), number, false, Call { tid, ..call(number + 1, 5) });
            log.seen(0, u64::from(number));
        }
        assert!(log.sides[0].len() <= KEEP + 2);
        assert_eq!(filled(&log, 999, 999), (1000, 1000, 5, 999));
    }
}
