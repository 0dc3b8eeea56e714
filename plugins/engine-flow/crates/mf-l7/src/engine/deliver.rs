//! Ordered payload on its way to a parser.

use super::core::Core;
use crate::abi::ids::{FLAG_MID_STREAM, FLAG_TRUNCATED, KIND_CLOSE, KIND_DATA, KIND_GAP};
use crate::abi::SegmentHead;
use crate::counters::Count;
use crate::infer::Asking;
use crate::parser::{Op, Slot};
use crate::session::{State, PATIENCE};
use crate::sink::L7Sink;
use crate::stamp::Stamp;
use crate::stream::Piece;

/// Refused payloads of one direction in a row after which only a change of direction is looked at: the start of a
/// message is more likely there than inside a long transfer.
const REFUSED_IN_A_ROW: u8 = 4;

impl Core {
    /// Takes the next ordered piece of one side's bytes.
    #[inline]
    pub fn deliver(&mut self, index: u32, side: u8, start_seen: bool, piece: Piece<'_>, sink: &mut dyn L7Sink) {
        let tcp = self.sessions.peek(index).info.transport == crate::flow::TCP;
        let flags = if !start_seen && tcp { FLAG_MID_STREAM } else { 0 };
        self.deliver_flagged(index, side, flags, piece, sink);
    }

    /// Takes the next ordered piece with the segment flags that its source gives it.
    #[inline]
    pub fn deliver_flagged(&mut self, index: u32, side: u8, flags: u8, piece: Piece<'_>, sink: &mut dyn L7Sink) {
        let kind = if piece.gap > 0 && piece.data.is_empty() { KIND_GAP } else { KIND_DATA };
        let flags = if piece.truncated { flags | FLAG_TRUNCATED } else { flags };
        match self.sessions.peek(index).state {
            State::Confirmed(parser) => self.hand_over(index, parser, kind, side, flags, self.arrival, &piece, sink),
            State::Inferring => self.hold_back(index, kind, side, flags, self.arrival, &piece, sink),
            State::Ignored => self.unparsed(index, piece.data.len() as u64),
        }
    }

    /// Counts bytes that nobody was found for.
    pub fn unparsed(&mut self, index: u32, bytes: u64) {
        let session = self.sessions.at(index);
        session.stats.unparsed_bytes = session.stats.unparsed_bytes.saturating_add(bytes);
        session.dropped = session.dropped.saturating_add(bytes);
        self.counters.add(Count::UnparsedBytes, bytes);
    }

    /// Adds a piece to the parser's batch.
    #[allow(clippy::too_many_arguments)]
    pub fn hand_over(
        &mut self,
        index: u32,
        parser: u16,
        kind: u8,
        side: u8,
        flags: u8,
        stamp: Stamp,
        piece: &Piece<'_>,
        sink: &mut dyn L7Sink,
    ) {
        let (segments, bytes) = (self.options.batch_segments, self.options.batch_bytes);
        let session = self.sessions.at(index);
        let Some(slot) = self.parsers.get_mut(usize::from(parser)) else {
            return;
        };
        let end = piece.offset.saturating_add(piece.data.len() as u64);
        if kind == KIND_DATA && piece.gap == 0 && session.passes(side, slot.epoch, end) {
            return;
        }
        if kind != KIND_CLOSE {
            session.first_seq[usize::from(side & 1)] = piece.seq.wrapping_sub(piece.offset as u32);
        }
        let mut head = session.head(index, side);
        head.stamp = stamp;
        head.kind = kind;
        head.flags = flags;
        head.time_ns = piece.time_ns;
        head.offset = piece.offset;
        head.seq = piece.seq;
        head.wire_len = piece.gap.saturating_add(piece.data.len() as u32);
        let was_gap = std::mem::replace(&mut session.after_gap[usize::from(side & 1)], kind == KIND_GAP);
        head.resumes = was_gap && kind == KIND_DATA;
        if session.skipped[usize::from(side & 1)] || session.epoch != slot.epoch {
            head.flags |= FLAG_MID_STREAM;
        }
        let is_plain = !self.busy && session.missed[usize::from(side & 1)].is_none();
        if is_plain && slot.shows_at_once(self.clock) && slot.parse.has_room(piece.data.len(), segments, bytes) {
            // Nearly every segment: nothing was kept from its parser, which is here and takes it where it lies.
            if let Some(seen) = slot.show(head, piece.data) {
                if seen.passes > 0 {
                    session.pass_over(side, slot.epoch, end.saturating_add(seen.passes));
                }
                if self.batch_since == 0 {
                    self.batch_since = self.clock.max(1);
                }
                if seen.withdrew {
                    self.full(parser, Op::Parse, sink);
                }
                return;
            }
        }
        let quarantined = slot.faults.is_quarantined(self.clock);
        let slow = slot.sealed_bytes() > self.options.external_bytes;
        if quarantined || slow {
            self.counters.add(if quarantined { Count::QuarantinedSegments } else { Count::ParserSlow }, 1);
            session.missed[usize::from(side & 1)].get_or_insert(piece.offset);
            if kind == KIND_CLOSE {
                self.finalise(index, sink);
            } else {
                self.unparsed(index, piece.data.len() as u64);
            }
            return;
        }
        let mut is_full = !slot.parse.has_room(piece.data.len(), segments, bytes);
        // What could not be shown when it came (a parser was being called) goes first.
        while (is_full || self.parsers[usize::from(parser)].is_behind()) && !self.busy {
            is_full = false;
            self.full(parser, Op::Parse, sink);
            // What the batch brought may have changed the session: look again.
            match self.sessions.peek(index).state {
                State::Confirmed(now) if now == parser => {}
                State::Inferring if kind != KIND_CLOSE => {
                    return self.hold_back(index, kind, side, flags, stamp, piece, sink);
                }
                _ => return self.unparsed(index, piece.data.len() as u64),
            }
        }
        self.make_room(parser, Op::Parse, piece.data.len());
        let missed = self.sessions.at(index).missed[usize::from(side & 1)].take().filter(|_| kind != KIND_CLOSE);
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            if let Some(from) = missed.filter(|&from| from < piece.offset) {
                let missing = piece.offset - from;
                let seq = piece.seq.wrapping_sub(missing as u32);
                let wire_len = u32::try_from(missing).unwrap_or(u32::MAX);
                slot.push(Op::Parse, SegmentHead { kind: KIND_GAP, offset: from, seq, wire_len, ..head }, &[]);
            }
            let seen = if self.busy { None } else { slot.show(head, piece.data) };
            let epoch = slot.epoch;
            match seen {
                Some(seen) => {
                    if seen.passes > 0 {
                        let end = piece.offset.saturating_add(piece.data.len() as u64).saturating_add(seen.passes);
                        self.sessions.at(index).pass_over(side, epoch, end);
                    }
                    if seen.withdrew {
                        self.full(parser, Op::Parse, sink);
                    }
                }
                None => {
                    slot.push(Op::Parse, head, piece.data);
                    if slot.announces
                        && slot.is_external()
                        && self.sessions.at(index).is_bulk(slot.round, piece.data.len())
                    {
                        self.asks = true;
                    }
                }
            }
        }
        if self.batch_since == 0 {
            self.batch_since = self.clock.max(1);
        }
    }

    /// While a parser's result is worked in nobody is called: what waited for a verdict may fill several batches then. A
    /// host has limits on a batch's size, so a full one is put aside.
    pub fn make_room(&mut self, parser: u16, op: Op, len: usize) {
        let (segments, bytes) = (self.options.batch_segments, self.options.batch_bytes);
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            if slot.is_external() && !slot.filling(op).has_room(len, segments, bytes) {
                slot.seal(op);
            }
        }
    }

    /// Lets a piece wait for a verdict, and asks for one when nobody was asked yet.
    #[allow(clippy::too_many_arguments)]
    pub fn hold_back(
        &mut self,
        index: u32,
        kind: u8,
        side: u8,
        flags: u8,
        stamp: Stamp,
        piece: &Piece<'_>,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.at(index);
        if session.infer.asking == Asking::Payload {
            let dull = session.infer.in_a_row >= REFUSED_IN_A_ROW && session.infer.direction == side;
            if kind == KIND_GAP || dull {
                session.skipped[usize::from(side & 1)] = true;
                return self.unparsed(index, piece.data.len() as u64);
            }
        }
        let full = session.pending.as_ref().map_or(0, |pending| pending.size()) + piece.data.len()
            > self.options.infer_pending_bytes;
        if full && !self.busy {
            self.flush_native(sink);
            return match self.sessions.peek(index).state {
                State::Confirmed(parser) => self.hand_over(index, parser, kind, side, flags, stamp, piece, sink),
                State::Ignored => self.unparsed(index, piece.data.len() as u64),
                State::Inferring => self.wait(index, kind, side, flags, stamp, piece, sink),
            };
        }
        self.wait(index, kind, side, flags, stamp, piece, sink);
    }

    /// Much waits for the verdict of a parser, more than it is ever shown: the host should be asked now, if it runs the parser.
    fn ask_for_verdict(&mut self, index: u32) {
        if let Asking::Verdict(parser) = self.sessions.peek(index).infer.asking {
            self.asks |= self.parsers.get(usize::from(parser)).is_some_and(Slot::is_external);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn wait(
        &mut self,
        index: u32,
        kind: u8,
        side: u8,
        flags: u8,
        stamp: Stamp,
        piece: &Piece<'_>,
        sink: &mut dyn L7Sink,
    ) {
        let mut pending = match self.sessions.at(index).pending.take() {
            Some(pending) => pending,
            None => self.new_pending(),
        };
        let before = pending.size();
        let too_much = before + piece.data.len() > self.options.infer_pending_bytes.saturating_mul(2);
        if too_much || !self.store.has_room(piece.data.len()) {
            self.sessions.at(index).pending = Some(pending);
            self.counters.add(Count::PendingOverflow, piece.data.len() as u64);
            self.unparsed(index, piece.data.len() as u64);
            return self.give_up(index, "too much payload waited for a verdict", sink);
        }
        let wire_len = piece.gap.saturating_add(piece.data.len() as u32);
        pending.push(kind, side, flags, piece.offset, piece.seq, piece.time_ns, wire_len, stamp, piece.data);
        self.store.reserve(pending.size() - before);
        let is_bulk = pending.size() > PATIENCE as usize;
        self.sessions.at(index).pending = Some(pending);
        if is_bulk {
            self.ask_for_verdict(index);
        }
        if self.batch_since == 0 {
            self.batch_since = self.clock.max(1);
        }
        match self.sessions.peek(index).infer.asking {
            Asking::Payload => self.ask(index, sink),
            Asking::More(parser) if kind == KIND_DATA => self.look_further(index, parser, piece.offset, sink),
            _ => {}
        }
    }
}
