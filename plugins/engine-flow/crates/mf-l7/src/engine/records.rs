//! What a parser found in a batch.

use super::core::Core;
use crate::abi::ids::{col, flag, kind, text, FLAG_TLS, KIND_CLOSE, KIND_DATA, KIND_GAP};
use crate::abi::{Batch, Records, SegmentHead as Head, SegmentView, Texts, CHUNK};
use crate::counters::Count;
use crate::infer::Asking;
use crate::pair::{Half, Message, Owner};
use crate::session::{Gap, State, PATIENCE};
use crate::sink::L7Sink;
use crate::stream::Piece;

impl Core {
    /// Works the rows of a result in, in their order.
    pub fn records(&mut self, parser: u16, batch: &Batch, records: &Records<'_>, sink: &mut dyn L7Sink) {
        let default = self.parsers.get(usize::from(parser)).map_or(0, |slot| slot.description.protocol());
        let mut gaps = batch.gaps().iter().peekable();
        let mut chunk = std::mem::take(&mut self.numbers);
        let mut texts = Texts::NONE;
        for row in 0..records.rows() {
            if row % CHUNK == 0 {
                records.numbers(row, &mut chunk);
            }
            let Some(numbers) = chunk.get(row % CHUNK) else { break };
            let position = if numbers.has(col::SEGMENT_INDEX) { numbers.segment_index as usize } else { usize::MAX };
            let Some(segment) = batch.segment(position) else {
                self.counters.add(Count::BadRecords, 1);
                continue;
            };
            while let Some(&gap) = gaps.next_if(|&&gap| gap as usize <= position) {
                self.note_gap(batch, gap);
            }
            let Some(index) = self.sessions.by_id(segment.head.session_id) else {
                continue;
            };
            self.moment = segment.head.stamp;
            let session = self.sessions.peek(index);
            if session.state != State::Confirmed(parser) || session.ended {
                continue;
            }
            match numbers.kind {
                kind::REQUEST..=kind::EXCHANGE => {
                    let mut message = Message::of(numbers, segment, default);
                    let is_own = self.side(index, parser, &segment.head, &mut message);
                    if self.has_calls {
                        self.who(index, &segment.head, is_own, &mut message);
                    }
                    records.texts(row, &mut texts);
                    self.message(index, parser, &message, &texts, sink);
                    if numbers.has(col::PASSES) && segment.head.kind == KIND_DATA {
                        self.announced(index, parser, segment, numbers.passes);
                    }
                }
                kind::VIOLATION => {
                    let reason = records.text(text::EXCEPTION, row);
                    let offset = numbers.some(col::STREAM_OFFSET, numbers.stream_offset).unwrap_or(segment.head.offset);
                    if self.violated(index, parser, offset, reason, sink) {
                        self.offer_again(index, parser, batch, position, offset, sink);
                    }
                }
                kind::SKIPPED => {
                    // A parser cannot skip more than the stream has; what it says beyond that is a lie.
                    let end = segment.head.offset.saturating_add(u64::from(segment.head.wire_len));
                    let bytes = numbers.length.min(end);
                    self.counters.add(Count::SkippedBytes, bytes);
                    let stats = &mut self.sessions.at(index).stats;
                    stats.unparsed_bytes = stats.unparsed_bytes.saturating_add(bytes);
                    let reason = records.text(text::EXCEPTION, row);
                    if let Some(slot) = self.parsers.get(usize::from(parser)) {
                        self.counters.add_reason("parser", &[&slot.description.name, " skipped: ", reason], bytes);
                    }
                }
                _ => self.counters.add(Count::BadRecords, 1),
            }
        }
        self.numbers = chunk;
        for &gap in gaps {
            self.note_gap(batch, gap);
        }
    }

    /// A parser that is asked in batches said that it passes over bytes behind a segment. What of them came in the batch is copied
    /// and seen already.
    fn announced(&mut self, index: u32, parser: u16, segment: &SegmentView, bytes: u64) {
        let Some(slot) = self.parsers.get_mut(usize::from(parser)) else { return };
        slot.announces = true;
        let (epoch, head) = (slot.epoch, &segment.head);
        let end = head.offset.saturating_add(segment.captured() as u64).saturating_add(bytes);
        let session = self.sessions.at(index);
        session.pass_over(head.side, epoch, end);
        session.patience = PATIENCE;
    }

    /// Which side said a message that a segment finished; whether it was the segment's. A close is of no side, and where answers
    /// come in order one side asks and the other answers, whoever told the parser that an answer is complete (a handshake of
    /// TLS ends with the client's word).
    fn side(&self, index: u32, parser: u16, head: &Head, message: &mut Message) -> bool {
        if head.kind == KIND_CLOSE || self.answers_in_order(parser) {
            message.direction = match message.kind {
                kind::REQUEST => 0,
                kind::RESPONSE => 1,
                _ => message.direction,
            };
        }
        let is_own = head.kind != KIND_CLOSE && message.direction == head.direction;
        if !is_own {
            let session = self.sessions.peek(index);
            let side = message.direction ^ u8::from(session.reversed);
            message.seq = session.first_seq[usize::from(side & 1)].wrapping_add(message.offset as u32);
        }
        is_own
    }

    /// Who sent or received a message that was seen in calls.
    fn who(&self, index: u32, head: &Head, is_own: bool, message: &mut Message) {
        let session = self.sessions.peek(index);
        let Some(calls) = session.calls.as_ref() else { return };
        if head.flags & FLAG_TLS != 0 {
            message.flags |= flag::TLS;
        }
        let ends_with = (is_own && head.kind == KIND_DATA).then_some(head.offset);
        let side = if is_own { head.side } else { message.direction ^ u8::from(session.reversed) };
        calls.fill(side, ends_with, message);
    }

    /// Messages from before a gap are uncertain for those behind it, so a gap counts from its place in the batch on.
    fn note_gap(&mut self, batch: &Batch, position: u32) {
        let head = batch.segment(position as usize).map(|segment| segment.head);
        let Some((head, index)) = head.and_then(|head| Some((head, self.sessions.by_id(head.session_id)?))) else {
            return;
        };
        let session = self.sessions.at(index);
        if head.kind != KIND_GAP {
            if let Some(gap) = session.gap.as_mut().filter(|gap| gap.side == head.side) {
                gap.resumed_ns = head.time_ns;
            }
            return;
        }
        session.gap = Some(Gap {
            end: head.offset.saturating_add(u64::from(head.wire_len)),
            time_ns: head.time_ns,
            side: head.side,
            resumed_ns: head.time_ns,
        });
    }

    fn message(&mut self, index: u32, parser: u16, message: &Message, texts: &Texts<'_>, sink: &mut dyn L7Sink) {
        self.counters.add(Count::Messages, 1);
        let session = self.sessions.at(index);
        if message.flags & flag::REVERSED != 0 && !session.info.direction_certain && !session.reversed {
            session.reversed = true;
            session.passed = [0; 2];
            let info = session.info;
            sink.identified(&info, message.protocol, true);
        }
        session.stats.protocol = message.protocol;
        let domain = texts.0[text::REQUEST_DOMAIN];
        if !domain.is_empty() && session.domain != domain {
            session.domain.clear();
            session.domain.push_str(domain);
        }
        let owner = Owner { index, parser };
        let half = Half { message, texts };
        self.message_row(owner, half);
        match message.kind {
            kind::REQUEST => self.request(owner, half, sink),
            kind::RESPONSE => self.response(owner, half, sink),
            _ => self.alone(owner, half, sink),
        }
    }

    /// Offers what a withdrawn parser had from its violation on to the others, also what waits for it in batches behind
    /// this one. Bytes of the violation's segment that lie before `violation` were the withdrawn parser's.
    fn offer_again(
        &mut self,
        index: u32,
        parser: u16,
        batch: &Batch,
        from: usize,
        violation: u64,
        sink: &mut dyn L7Sink,
    ) {
        let session = self.sessions.peek(index);
        let Some(id) = self.sessions.handle(index).map(|flow| flow.session_id()) else {
            return;
        };
        let closing = session.closing;
        let mut waiting = batch.copy_of(id, from);
        if let (Some((head, payload)), Some(at)) = (waiting.first_mut(), batch.segment(from)) {
            if at.head.kind == KIND_DATA && head.side == at.head.side && head.offset == at.head.offset {
                let used = violation.saturating_sub(head.offset).min(payload.len() as u64) as u32;
                payload.drain(..used as usize);
                head.offset = head.offset.saturating_add(u64::from(used));
                head.seq = head.seq.wrapping_add(used);
                head.wire_len = head.wire_len.saturating_sub(used);
            }
        }
        waiting.retain(|(head, payload)| head.kind != KIND_DATA || !payload.is_empty());
        if let Some(slot) = self.parsers.get(usize::from(parser)) {
            waiting.extend(slot.waiting().flat_map(|batch| batch.copy_of(id, 0)));
        }
        for (head, payload) in waiting {
            let gap = head.wire_len.saturating_sub(payload.len() as u32);
            let Head { offset, seq, time_ns, stamp, kind, side, flags, .. } = head;
            let piece = Piece { offset, seq, time_ns, data: &payload, gap, truncated: false };
            match self.sessions.peek(index).state {
                State::Inferring => self.hold_back(index, kind, side, flags, stamp, &piece, sink),
                _ => self.unparsed(index, payload.len() as u64),
            }
        }
        let session = self.sessions.peek(index);
        if closing && session.state == State::Inferring && session.infer.asking == Asking::Payload {
            self.finalise(index, sink);
        }
    }
}
