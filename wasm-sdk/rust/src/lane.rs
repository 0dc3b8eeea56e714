//! One direction of a session as most protocols need it: bytes in order, and since when the place in them is lost.

use crate::records::Records;
use crate::segment::{Kind, Segment};
use crate::stream::{Appended, StreamBuffer};

/// What is said of bytes that the capture does not have.
pub const GAP: &str = "bytes lost in the capture";
/// What is said of bytes before the first message of a flow whose start was not seen.
pub const JOINED: &str = "the flow was joined in the middle of a message";

/// Messages after a search that are not yet proof.
const PROOF: u32 = 3;

/// The gap behind a segment that the capture cut: to be taken like a gap segment, right after it, so that a message whose
/// end is missing is told before the other side answers it. (A gap segment that tells of it once more does no harm.)
pub fn behind_cut<'a>(segment: &Segment<'a>) -> Option<Segment<'a>> {
    let has = segment.payload.len() as u32;
    let missing = segment.wire_len.checked_sub(has).filter(|missing| *missing > 0)?;
    if segment.kind != Kind::Data || !segment.is_truncated() {
        return None;
    }
    let stream_offset = segment.stream_offset.wrapping_add(u64::from(has));
    Some(Segment { kind: Kind::Gap, stream_offset, wire_len: missing, payload: &[], ..*segment })
}

/// Since when bytes are not understood, and why.
#[derive(Clone, Copy, Debug)]
struct Lost {
    offset: u64,
    time_ns: u64,
    reason: &'static str,
}

/// A [`StreamBuffer`] and what is known of the place in it. While it [`is_lost`](Lane::is_lost) the parser looks for the next
/// message, consumes what is none, and calls [`found`](Lane::found), which tells what was passed over.
#[derive(Default)]
pub struct Lane {
    /// The bytes.
    pub stream: StreamBuffer,
    lost: Option<Lost>,
    is_started: bool,
    /// Good messages in a row, and how many of them are proof.
    good: u32,
    proof: u32,
}

impl Lane {
    /// Append a data or gap segment with at most `limit` bytes left from before. Bytes that are missing lose the place,
    /// as does the first segment of a flow whose start was not seen; true: bytes behind the first segment were lost.
    pub fn append(&mut self, segment: &Segment, limit: usize) -> bool {
        if !self.is_started {
            self.is_started = true;
            if segment.is_mid_stream() {
                self.lose_at(segment.stream_offset, segment.timestamp_ns, JOINED);
            }
        }
        let (offset, time_ns) = (self.stream.offset(), segment.timestamp_ns);
        match self.stream.append(segment, limit) {
            Appended::InOrder => return false,
            Appended::Gap { .. } => self.lose_at(offset, time_ns, GAP),
            Appended::Overflow { .. } => self.lose_at(offset, time_ns, "a message that is too long"),
        }
        true
    }

    /// The place of the next message is not known.
    pub const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Good messages were read since the place was last lost (one from the start on, several after a search, which may
    /// have found what only looked like one): wrong bytes are another protocol, not an accident.
    pub const fn is_proven(&self) -> bool {
        self.good > self.proof
    }

    /// A good message was read.
    pub fn prove(&mut self) {
        self.good = self.good.saturating_add(1);
    }

    /// Give up what comes from the view's first byte on.
    pub fn lose(&mut self, reason: &'static str) {
        self.lose_at(self.stream.offset(), self.stream.time_ns(), reason);
    }

    fn lose_at(&mut self, offset: u64, time_ns: u64, reason: &'static str) {
        (self.good, self.proof) = (0, PROOF);
        self.lost.get_or_insert(Lost { offset, time_ns, reason });
    }

    /// A message begins at the view's first byte: what was passed over before it is told.
    pub fn found(&mut self, out: &mut Records) {
        if let Some(lost) = self.lost.take() {
            let length = self.stream.offset().wrapping_sub(lost.offset);
            if length > 0 {
                out.skipped(lost.offset, lost.time_ns, length, lost.reason);
            }
        }
    }

    /// The session is over: what was never understood is told.
    pub fn close(&mut self, out: &mut Records) {
        if self.lost.is_some() {
            self.stream.clear();
            self.found(out);
        }
    }
}
