//! The end of sessions.

use super::core::Core;
use crate::abi::ids::KIND_CLOSE;
use crate::infer::Asking;
use crate::session::State;
use crate::sink::L7Sink;
use crate::stream::Piece;

impl Core {
    /// No more payload comes. What waits for parsers is still worked on; then the session ends.
    pub fn begin_close(&mut self, index: u32, sink: &mut dyn L7Sink) {
        let session = self.sessions.at(index);
        if session.closing {
            return;
        }
        session.closing = true;
        session.closed_at = self.arrival;
        match (session.state, session.infer.asking) {
            (State::Confirmed(parser), _) => self.send_close(index, parser, sink),
            (State::Ignored, _) | (State::Inferring, Asking::Payload) => self.finalise(index, sink),
            (State::Inferring, Asking::Verdict(_) | Asking::Endpoint) => {}
            (State::Inferring, Asking::More(parser)) => self.look_further(index, parser, 0, sink),
        }
    }

    /// Tells the parser that the session is over; the session ends when the parser has seen it.
    pub fn send_close(&mut self, index: u32, parser: u16, sink: &mut dyn L7Sink) {
        let stamp = self.sessions.peek(index).closed_at;
        let piece = Piece { offset: 0, seq: 0, time_ns: stamp.clock, data: &[], gap: 0, truncated: false };
        self.hand_over(index, parser, KIND_CLOSE, 0, 0, stamp, &piece, sink);
    }

    /// Ends a session: what waits for its other half is told.
    pub fn finalise(&mut self, index: u32, sink: &mut dyn L7Sink) {
        let session = self.sessions.peek(index);
        if session.ended {
            return;
        }
        self.moment = self.moment.max(session.closed_at);
        // A flow that is over before anybody despaired of it teaches its endpoint too, if it was seen from its beginning.
        let (infer, closed_at) = (&session.infer, session.closed_at);
        if session.state == State::Inferring && infer.begun && infer.violations == 0 {
            let key = self.endpoint(index);
            if self.is_cached(&key) {
                self.endpoints.failed(key, closed_at);
            }
        }
        self.flush_session(index, sink);
        self.drop_pending(index);
        let session = self.sessions.at(index);
        session.ended = true;
        session.state = State::Ignored;
        if !session.held {
            self.release(index, sink);
        }
    }

    /// The caller gave its handle back.
    pub fn let_go(&mut self, index: u32, sink: &mut dyn L7Sink) {
        let session = self.sessions.at(index);
        session.held = false;
        if session.ended {
            self.release(index, sink);
        }
    }

    fn release(&mut self, index: u32, sink: &mut dyn L7Sink) {
        let session = self.sessions.peek(index);
        if session.dropped > 0 {
            let reason = if session.reason.is_empty() { "no parser recognises it" } else { &session.reason };
            self.counters.add_reason("unparsed", &[reason], session.dropped);
        }
        sink.ended(&session.info, &session.stats, &session.domain);
        self.sessions.release(index);
    }
}
