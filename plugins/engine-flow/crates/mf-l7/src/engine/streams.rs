//! TCP segments through their streams, datagrams past them.

use super::core::Core;
use super::L7Engine;
use crate::counters::Count;
use crate::flow::{tcp_flags, L7Flow, Segment};
use crate::session::State;
use crate::sink::L7Sink;
use crate::stream::{Arrival, Means, Piece, StreamCounts};

impl L7Engine {
    /// A datagram is delivered as it comes.
    pub(super) fn datagram(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        let side = segment.direction & 1;
        let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let cut = segment.wire_len.saturating_sub(segment.payload.len() as u32);
        let offset = conversation.side(side).count_datagram(segment.payload.len(), cut);
        add_counts(&mut self.core, &StreamCounts { cut_bytes: u64::from(cut), ..StreamCounts::default() });
        let piece =
            |offset, data, gap| Piece { offset, seq: 0, time_ns: segment.time_ns, data, gap, truncated: cut > 0 };
        self.core.deliver(flow.index, side, true, piece(offset, segment.payload, cut), sink);
    }

    /// A TCP segment is put in its place; what is in order now is delivered.
    #[inline]
    pub(super) fn tcp(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        if segment.flags & (tcp_flags::SYN | tcp_flags::FIN | tcp_flags::RST) == 0 {
            let side = segment.direction & 1;
            let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
                return;
            };
            // Nearly every packet: bytes that go on from the last ones, while nothing waits, begins or ends.
            if let Some((seen, piece)) = conversation.next_in_order(side, &arrival_of(segment)) {
                if !self.core.passes(flow.index, side, &piece) {
                    self.core.deliver(flow.index, side, seen, piece, sink);
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
        let Some(conversation) = self.streams.get_mut(index as usize) else {
            return;
        };
        let core = &mut self.core;
        let flags = segment.flags;
        let mut arrival = arrival_of(segment);
        if flags & tcp_flags::SYN != 0 {
            arrival.seq = arrival.seq.wrapping_add(1);
            conversation.side(side).start(arrival.seq);
            if let Some(ack) = arrival.ack {
                conversation.side(side ^ 1).start(ack);
            }
        }
        let mut counts = StreamCounts::default();
        let mut means = Means { limits: &self.limits, store: &mut self.store, counts: &mut counts };
        conversation.arrive(side, &arrival, &mut means, &mut |side, seen, piece| {
            core.deliver(index, side, seen, piece, sink);
        });
        if flags & tcp_flags::FIN != 0 {
            conversation.side(side).finish_at(arrival.end());
        }
        let over = flags & tcp_flags::RST != 0 || conversation.is_finished();
        let is_waiting = conversation.is_waiting();
        add_counts(core, &counts);
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
        let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let mut counts = StreamCounts::default();
        let core = &mut self.core;
        let mut means = Means { limits: &self.limits, store: &mut self.store, counts: &mut counts };
        conversation.close(core.clock, &mut means, &mut |side, seen, piece| {
            core.deliver(flow.index, side, seen, piece, sink);
        });
        conversation.reset(&mut self.store);
        add_counts(core, &counts);
    }

    /// Gives up holes that were waited for long enough; returns whether others are left.
    pub(super) fn expire_holes(&mut self, flow: L7Flow, now: u64, sink: &mut dyn L7Sink) -> bool {
        let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
            return false;
        };
        let mut counts = StreamCounts::default();
        let core = &mut self.core;
        let mut means = Means { limits: &self.limits, store: &mut self.store, counts: &mut counts };
        conversation.expire(now, 0, &mut means, &mut |side, seen, piece| {
            core.deliver(flow.index, side, seen, piece, sink);
        });
        add_counts(core, &counts);
        conversation.is_waiting()
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
fn arrival_of<'a>(segment: &Segment<'a>) -> Arrival<'a> {
    Arrival {
        seq: segment.seq,
        ack: (segment.flags & tcp_flags::ACK != 0).then_some(segment.ack),
        time_ns: segment.time_ns,
        data: segment.payload,
        wire_len: segment.wire_len,
    }
}

fn add_counts(core: &mut Core, counts: &StreamCounts) {
    if *counts == StreamCounts::default() {
        return;
    }
    let counters = &mut core.counters;
    counters.add(Count::Duplicate, counts.duplicate);
    counters.add(Count::Gaps, counts.gaps);
    counters.add(Count::GapBytes, counts.gap_bytes);
    counters.add(Count::CutBytes, counts.cut_bytes);
    counters.add(Count::OutOfWindow, counts.out_of_window);
    counters.add(Count::Resync, counts.resync);
    counters.add(Count::NoMemory, counts.no_memory);
}
