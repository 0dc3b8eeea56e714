//! What a parser found in a batch.

use super::core::Core;
use crate::abi::ids::{col, flag, kind, text, KIND_CLOSE};
use crate::abi::{Batch, Records, SegmentView, Texts};
use crate::counters::Count;
use crate::infer::Asking;
use crate::pair::{Half, Message, Owner};
use crate::session::State;
use crate::sink::L7Sink;
use crate::stream::Piece;

impl Core {
    /// Works the rows of a result in, in their order.
    pub fn records(&mut self, parser: u16, batch: &Batch, records: &Records<'_>, sink: &mut dyn L7Sink) {
        let default = self.parsers.get(usize::from(parser)).map_or(0, |slot| slot.description.protocol());
        for row in 0..records.rows() {
            let position = records.u32(col::SEGMENT_INDEX, row).map_or(usize::MAX, |at| at as usize);
            let Some(segment) = batch.segment(position) else {
                self.counters.add(Count::BadRecords, 1);
                continue;
            };
            let Some(index) = self.sessions.by_id(segment.head.session_id) else {
                continue;
            };
            let session = self.sessions.peek(index);
            if session.state != State::Confirmed(parser) || session.ended {
                continue;
            }
            match records.u8(col::TYPE, row).unwrap_or(0) {
                kind::REQUEST..=kind::EXCHANGE => {
                    let message = Message::read(records, row, segment, default);
                    let texts = records.texts(row);
                    self.message(index, parser, &message, &texts, sink);
                }
                kind::VIOLATION => {
                    let reason = records.text(text::EXCEPTION, row);
                    let offset = records.u64(col::STREAM_OFFSET, row).unwrap_or(segment.head.offset);
                    if self.violated(index, parser, offset, reason, sink) {
                        self.offer_again(index, batch, position, sink);
                    }
                }
                kind::SKIPPED => {
                    // A parser cannot skip more than the stream has; what it says beyond that is a lie.
                    let end = segment.head.offset.saturating_add(u64::from(segment.head.wire_len));
                    let bytes = records.u64(col::LENGTH, row).unwrap_or(0).min(end);
                    self.counters.add(Count::SkippedBytes, bytes);
                    let stats = &mut self.sessions.at(index).stats;
                    stats.unparsed_bytes = stats.unparsed_bytes.saturating_add(bytes);
                    let reason = records.text(text::EXCEPTION, row);
                    if let Some(slot) = self.parsers.get(usize::from(parser)) {
                        let words = format!("{} skipped: {reason}", slot.description.name);
                        self.counters.add_reason("parser", &words, bytes);
                    }
                }
                _ => self.counters.add(Count::BadRecords, 1),
            }
        }
    }

    fn message(&mut self, index: u32, parser: u16, message: &Message, texts: &Texts<'_>, sink: &mut dyn L7Sink) {
        self.counters.add(Count::Messages, 1);
        let session = self.sessions.at(index);
        if message.flags & flag::REVERSED != 0 && !session.info.direction_certain && !session.reversed {
            session.reversed = true;
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

    /// Offers what a withdrawn parser had from the segment of its violation on to the others.
    fn offer_again(&mut self, index: u32, batch: &Batch, from: usize, sink: &mut dyn L7Sink) {
        let session = self.sessions.peek(index);
        let Some(id) = self.sessions.handle(index).map(|flow| flow.session_id()) else {
            return;
        };
        let closing = session.closing;
        let own = |segment: &&SegmentView| segment.head.session_id == id && segment.head.kind != KIND_CLOSE;
        for segment in batch.segments().iter().skip(from).filter(own) {
            if self.sessions.peek(index).state != State::Inferring {
                break;
            }
            let head = &segment.head;
            let piece = Piece {
                offset: head.offset,
                seq: head.seq,
                time_ns: head.time_ns,
                data: batch.payload(segment),
                gap: if head.kind == crate::abi::ids::KIND_GAP { head.wire_len } else { 0 },
                truncated: false,
            };
            self.hold_back(index, head.kind, head.side, head.flags, &piece, sink);
        }
        let session = self.sessions.peek(index);
        if closing && session.state == State::Inferring && session.infer.asking == Asking::Payload {
            self.finalise(index, sink);
        }
    }
}
