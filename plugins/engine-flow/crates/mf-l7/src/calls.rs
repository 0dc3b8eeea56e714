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
