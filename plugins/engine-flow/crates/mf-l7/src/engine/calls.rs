//! Bytes of calls, from a kernel collector: they come in order, with gaps that are known to be gaps.

use super::core::Core;
use super::L7Engine;
use crate::abi::ids::{FLAG_MID_STREAM, FLAG_TLS, KIND_DATA};
use crate::abi::Batch;
use crate::counters::Count;
use crate::flow::{CallSegment, L7Flow, TCP};
use crate::sink::L7Sink;
use crate::stream::Piece;

impl L7Engine {
    /// Takes the bytes of a call. They are the next ones of their direction.
    pub fn call(&mut self, flow: L7Flow, segment: &CallSegment<'_>, sink: &mut dyn L7Sink) {
        self.arrive(segment.time_ns, sink);
        let (core, side, len) = (&mut self.core, segment.direction & 1, segment.payload.len());
        let Some(session) = core.sessions.find(flow) else {
            return;
        };
        if session.closing {
            core.counters.add(Count::AfterClose, u64::from(len > 0));
            return;
        }
        let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let cut = segment.wire_len.saturating_sub(len as u32);
        let offset = conversation.side(side).count_datagram(len, cut);
        let calls = session.calls.get_or_insert_default();
        calls.push(side, offset, segment.seq, segment.plaintext, segment.call);
        let is_stream = session.info.transport == TCP;
        core.has_calls = true;
        core.counters.add(Count::Segments, u64::from(len > 0));
        core.counters.add(Count::Bytes, len as u64);
        core.counters.add(Count::CutBytes, u64::from(cut));
        let mut flags = if segment.plaintext { FLAG_TLS } else { 0 };
        if segment.mid_stream && is_stream {
            flags |= FLAG_MID_STREAM;
        }
        let (time_ns, seq, truncated) = (segment.time_ns, segment.seq, cut > 0);
        let mut tell = |offset, seq, data, gap| {
            let piece = Piece { offset, seq, time_ns, data, gap, truncated };
            core.deliver_flagged(flow.index, side, flags, piece, sink);
        };
        if !is_stream {
            tell(offset, seq, segment.payload, cut);
            return;
        }
        if len > 0 {
            tell(offset, seq, segment.payload, 0);
        }
        if cut > 0 {
            tell(offset.saturating_add(len as u64), seq.wrapping_add(len as u32), &[], cut);
        }
    }

    /// Bytes of one direction were not seen; at least one.
    pub fn lose(&mut self, flow: L7Flow, direction: u8, time_ns: u64, bytes: u32, sink: &mut dyn L7Sink) {
        self.arrive(time_ns, sink);
        let (side, gap) = (direction & 1, bytes.max(1));
        let core = &mut self.core;
        if core.sessions.find(flow).is_none_or(|session| session.closing) {
            return;
        }
        let Some(conversation) = self.streams.get_mut(flow.index as usize) else {
            return;
        };
        let offset = conversation.side(side).count_datagram(0, gap);
        core.counters.add(Count::Gaps, 1);
        core.counters.add(Count::GapBytes, u64::from(gap));
        let piece = Piece { offset, seq: 0, time_ns, data: &[], gap, truncated: false };
        core.deliver_flagged(flow.index, side, 0, piece, sink);
    }
}

impl Core {
    /// A batch was worked in: calls before it are needed no more, but for the last ones.
    pub fn forget_calls(&mut self, batch: &Batch) {
        for segment in batch.segments().iter().filter(|segment| segment.head.kind == KIND_DATA) {
            let Some(index) = self.sessions.by_id(segment.head.session_id) else { continue };
            if let Some(calls) = self.sessions.at(index).calls.as_mut() {
                calls.seen(segment.head.side, segment.head.offset);
            }
        }
    }
}
