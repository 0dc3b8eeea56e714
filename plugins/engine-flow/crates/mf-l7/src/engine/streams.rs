//! TCP segments through their streams, datagrams past them.

use super::core::Core;
use super::L7Engine;
use crate::counters::Count;
use crate::flow::{tcp_flags, L7Flow, Segment};
use crate::session::State;
use crate::sink::L7Sink;
use crate::stream::{Piece, StreamCounts};

impl L7Engine {
    /// A datagram is delivered as it comes.
    pub(super) fn datagram(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        let side = segment.direction & 1;
        let Some(directions) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let cut = segment.wire_len.saturating_sub(segment.payload.len() as u32);
        let mut counts = StreamCounts::default();
        let offset = directions[usize::from(side)].count_datagram(segment.payload.len(), cut);
        counts.cut_bytes += u64::from(cut);
        add_counts(&mut self.core, &counts);
        let piece =
            |offset, data, gap| Piece { offset, seq: 0, time_ns: segment.time_ns, data, gap, truncated: cut > 0 };
        self.core.deliver(flow.index, side, true, piece(offset, segment.payload, cut), sink);
    }

    /// A TCP segment is put in its place; what is in order now is delivered.
    #[inline]
    pub(super) fn tcp(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        let index = flow.index;
        let side = segment.direction & 1;
        let Some(directions) = self.streams.get_mut(index as usize) else {
            return;
        };
        let [a, b] = directions;
        let (own, other) = if side == 0 { (a, b) } else { (b, a) };
        let core = &mut self.core;
        let now = segment.time_ns;
        let flags = segment.flags;
        if flags & (tcp_flags::SYN | tcp_flags::FIN | tcp_flags::RST) == 0 && !other.is_waiting() {
            // Nearly every packet: bytes that go on from the last ones, while nothing waits, begins or ends.
            if let Some(piece) = own.next_in_order(segment.seq, now, segment.payload, segment.wire_len) {
                if flags & tcp_flags::ACK != 0 {
                    other.acknowledged(segment.ack, now);
                }
                if !core.passes(index, side, &piece) {
                    core.deliver(index, side, own.start_seen(), piece, sink);
                }
                return;
            }
        }
        self.tcp_any(flow, segment, sink);
    }

    /// Any other one. Apart, so that those do not pay for what this one needs.
    #[inline(never)]
    fn tcp_any(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        let index = flow.index;
        let side = segment.direction & 1;
        let Some(directions) = self.streams.get_mut(index as usize) else {
            return;
        };
        let [a, b] = directions;
        let (own, other) = if side == 0 { (a, b) } else { (b, a) };
        let core = &mut self.core;
        let now = segment.time_ns;
        let flags = segment.flags;
        let mut seq = segment.seq;
        if flags & tcp_flags::SYN != 0 {
            seq = seq.wrapping_add(1);
            own.start(seq);
            if flags & tcp_flags::ACK != 0 {
                other.start(segment.ack);
            }
        }
        let mut counts = StreamCounts::default();
        if flags & tcp_flags::ACK != 0 {
            other.acknowledged(segment.ack, now);
        }
        // The other side's holes first: an answer behind an acknowledged hole must not overtake it.
        if other.is_waiting() {
            let seen = other.start_seen();
            other.expire(now, &self.limits, &mut self.store, &mut counts, &mut |piece| {
                core_deliver(core, index, side ^ 1, seen, piece, sink);
            });
        }
        let seen = own.start_seen();
        if own.is_waiting() {
            own.expire(now, &self.limits, &mut self.store, &mut counts, &mut |piece| {
                core_deliver(core, index, side, seen, piece, sink);
            });
        }
        let len = segment.payload.len() as u32;
        if len > 0 || segment.wire_len > 0 {
            own.push(
                seq,
                now,
                segment.payload,
                segment.wire_len.max(len),
                &self.limits,
                &mut self.store,
                &mut counts,
                &mut |piece| core_deliver(core, index, side, seen, piece, sink),
            );
        }
        if flags & tcp_flags::FIN != 0 {
            own.finish_at(seq.wrapping_add(segment.wire_len.max(len)));
        }
        let is_waiting = own.is_waiting() || other.is_waiting();
        let over = flags & tcp_flags::RST != 0 || (own.is_finished() && other.is_finished());
        if counts != StreamCounts::default() {
            add_counts(core, &counts);
        }
        if over {
            self.end_streams(flow, sink);
            self.core.begin_close(index, sink);
        } else if is_waiting {
            let session = self.core.sessions.at(index);
            if !session.listed {
                session.listed = true;
                self.waiting.push(flow);
            }
        }
    }

    /// Delivers what is held, with gaps for what never came.
    pub(super) fn end_streams(&mut self, flow: L7Flow, sink: &mut dyn L7Sink) {
        let Some(directions) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let mut counts = StreamCounts::default();
        let core = &mut self.core;
        let now = core.clock;
        for (side, direction) in directions.iter_mut().enumerate() {
            let seen = direction.start_seen();
            direction.close(now, &self.limits, &mut self.store, &mut counts, &mut |piece| {
                core_deliver(core, flow.index, side as u8, seen, piece, sink);
            });
            direction.reset(&mut self.store);
        }
        add_counts(core, &counts);
    }

    /// Gives up holes that were waited for long enough; returns whether others are left.
    pub(super) fn expire_holes(&mut self, flow: L7Flow, now: u64, sink: &mut dyn L7Sink) -> bool {
        let Some(directions) = self.streams.get_mut(flow.index as usize) else {
            return false;
        };
        let mut counts = StreamCounts::default();
        let core = &mut self.core;
        let mut still = false;
        for (side, direction) in directions.iter_mut().enumerate() {
            let seen = direction.start_seen();
            direction.expire(now, &self.limits, &mut self.store, &mut counts, &mut |piece| {
                core_deliver(core, flow.index, side as u8, seen, piece, sink);
            });
            still |= direction.is_waiting();
        }
        add_counts(core, &counts);
        still
    }
}

impl Core {
    /// Whether the session's parser said that it passes over these bytes (a body): then nothing is to be done with them.
    #[inline]
    fn passes(&self, index: u32, side: u8, piece: &Piece<'_>) -> bool {
        let session = self.sessions.peek(index);
        let State::Confirmed(parser) = session.state else { return false };
        let epoch = self.parsers.get(usize::from(parser)).map_or(0, |slot| slot.epoch);
        session.passes(side, epoch, piece.offset.saturating_add(piece.data.len() as u64))
    }
}

#[inline]
fn core_deliver(core: &mut Core, index: u32, side: u8, seen: bool, piece: Piece<'_>, sink: &mut dyn L7Sink) {
    core.deliver(index, side, seen, piece, sink);
}

fn add_counts(core: &mut Core, counts: &StreamCounts) {
    let counters = &mut core.counters;
    counters.add(Count::Duplicate, counts.duplicate);
    counters.add(Count::Gaps, counts.gaps);
    counters.add(Count::GapBytes, counts.gap_bytes);
    counters.add(Count::CutBytes, counts.cut_bytes);
    counters.add(Count::OutOfWindow, counts.out_of_window);
    counters.add(Count::Resync, counts.resync);
    counters.add(Count::NoMemory, counts.no_memory);
}
