//! One connection: its two directions, message by message. A message says itself what it is, so that nothing else is kept.

use crate::body::Body;
use crate::frame::{Fault, Frame};
use crate::options::Options;
use crate::report;
use metaflow_parser_sdk::abi_generated::RECORD_FLAG_IS_TLS;
use metaflow_parser_sdk::lane::behind_cut;
use metaflow_parser_sdk::{Appended, Direction, Records, Segment, StreamBuffer};

/// Bytes without a message after which a direction that lost its place through an error (not a gap) is given up.
const LONGEST_ERROR: u64 = 256 << 10;

/// What all connections share.
#[derive(Default)]
pub(crate) struct Tools {
    pub options: Options,
    pub body: Body,
}

/// Where bytes began to be of no use, and why.
#[derive(Clone, Copy)]
struct Lost {
    offset: u64,
    time_ns: u64,
    reason: &'static str,
    /// The bytes are wrong, rather than missing.
    is_error: bool,
}

/// One direction.
#[derive(Default)]
struct Lane {
    stream: StreamBuffer,
    is_started: bool,
    /// A good message was seen.
    is_proven: bool,
    lost: Option<Lost>,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Session {
    lanes: [Lane; 2],
    is_over: bool,
}

impl Session {
    pub fn take(&mut self, segment: &Segment, tools: &mut Tools, out: &mut Records) {
        if self.is_over {
            return;
        }
        let side = segment.direction;
        let flags = if segment.is_tls_plaintext() { RECORD_FLAG_IS_TLS as u8 } else { 0 };
        let lane = &mut self.lanes[side.index()];
        if lane.stream.is_broken_by(segment) {
            // The last chance to tell of a message whose end is missing; a hole inside of it is no loss then.
            lane.rest(side, flags, tools, out);
        }
        let appended = lane.stream.append(segment, tools.options.max_message_bytes);
        if !lane.is_started {
            lane.is_started = true;
            if segment.is_mid_stream() {
                lane.lose("joined in the middle of the connection", false);
            }
        }
        if appended != Appended::InOrder {
            lane.lose("bytes lost in the capture, before the next message could be told", false);
        }
        if let Err((offset, reason)) = lane.run(side, flags, tools, out) {
            out.violation(offset, segment.timestamp_ns, reason);
            *self = Session { is_over: true, ..Session::default() };
        }
        if let Some(gap) = behind_cut(segment) {
            self.take(&gap, tools, out);
        }
    }

    /// The connection ends: what is there of the last messages is told.
    pub fn close(&mut self, tools: &mut Tools, out: &mut Records) {
        if self.is_over {
            return;
        }
        for side in [Direction::ClientToServer, Direction::ServerToClient] {
            let lane = &mut self.lanes[side.index()];
            lane.rest(side, 0, tools, out);
            lane.stream.consume(lane.stream.len());
            lane.found(out);
        }
    }
}

impl Lane {
    /// Tell of all messages that are there. `Err`: this is not Dubbo, from that offset on.
    fn run(
        &mut self,
        side: Direction,
        flags: u8,
        tools: &mut Tools,
        out: &mut Records,
    ) -> Result<(), (u64, &'static str)> {
        loop {
            let bytes = self.stream.bytes();
            if bytes.is_empty() {
                return Ok(());
            }
            match Frame::read(bytes) {
                Ok(frame) => {
                    // While the place is lost a head alone decides: its magic and its bits are seldom met by chance.
                    self.found(out);
                    if self.stream.len() < frame.size().min(tools.options.max_message_bytes) {
                        return Ok(());
                    }
                    self.is_proven = true;
                    self.tell(&frame, side, flags, tools, out);
                }
                Err(Fault::More) => return Ok(()),
                Err(Fault::No(reason, _)) => {
                    let Some(lost) = self.lost else {
                        if !self.is_proven {
                            return Err((self.stream.offset(), reason));
                        }
                        self.lose(reason, true);
                        continue;
                    };
                    let passed = self.stream.offset().wrapping_sub(lost.offset);
                    if lost.is_error && passed > LONGEST_ERROR {
                        return Err((self.stream.offset(), "no message of Dubbo for a long time"));
                    }
                    self.pass(lost);
                }
            }
        }
    }

    /// Pass over what cannot be the beginning of a message.
    fn pass(&mut self, lost: Lost) {
        let bytes = self.stream.bytes();
        let room = if lost.is_error {
            let passed = self.stream.offset().wrapping_sub(lost.offset);
            (LONGEST_ERROR + 1).saturating_sub(passed) as usize
        } else {
            usize::MAX
        };
        let next = bytes.iter().skip(1).position(|byte| *byte == 0xda).map_or(bytes.len(), |at| at + 1);
        self.stream.consume(next.min(room).max(1));
    }

    fn lose(&mut self, reason: &'static str, is_error: bool) {
        match &mut self.lost {
            Some(lost) => lost.is_error &= is_error,
            None => {
                let (offset, time_ns) = (self.stream.offset(), self.stream.time_ns());
                self.lost = Some(Lost { offset, time_ns, reason, is_error });
            }
        }
    }

    /// The place is known again: what was passed over is told.
    fn found(&mut self, out: &mut Records) {
        if let Some(lost) = self.lost.take() {
            let length = self.stream.offset().wrapping_sub(lost.offset);
            if length > 0 {
                out.skipped(lost.offset, lost.time_ns, length, lost.reason);
            }
        }
    }

    /// Tell of the message of which only the beginning is there, and pass over it.
    fn rest(&mut self, side: Direction, flags: u8, tools: &mut Tools, out: &mut Records) {
        if let (None, Ok(frame)) = (self.lost, Frame::read(self.stream.bytes())) {
            self.is_proven = true;
            self.tell(&frame, side, flags, tools, out);
        }
    }

    fn tell(&mut self, frame: &Frame, side: Direction, flags: u8, tools: &mut Tools, out: &mut Records) {
        report::message(&self.stream, frame, side, flags, tools, out);
        self.stream.skip(frame.size() as u64);
    }
}
