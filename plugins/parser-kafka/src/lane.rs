//! One direction of a connection: where its next message begins, and what was passed over to find it.

use metaflow_parser_sdk::{Records, StreamBuffer};

/// Bytes without a message after which a direction that lost its place through an error (not a gap) is given up.
const LONGEST_ERROR: u64 = 256 << 10;

/// What comes next in the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was seen yet.
    #[default]
    Start,
    /// A message begins with the next byte.
    Messages,
    /// The place is lost.
    Lost,
}

/// Where bytes began to be of no use, and why.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    offset: u64,
    time_ns: u64,
    reason: &'static str,
    /// The bytes are wrong, rather than missing.
    is_error: bool,
}

/// One direction.
#[derive(Default)]
pub(crate) struct Lane {
    pub stream: StreamBuffer,
    pub phase: Phase,
    /// A good message was seen.
    pub is_proven: bool,
    since: Since,
}

impl Lane {
    /// The place is lost from here on.
    pub fn lose(&mut self, reason: &'static str, is_error: bool) {
        if self.phase != Phase::Lost {
            self.since = Since { offset: self.stream.offset(), time_ns: self.stream.time_ns(), reason, is_error };
        }
        self.since.is_error &= is_error;
        if is_error {
            // What looked like a message is none: the next one begins behind its first byte.
            self.stream.consume(1);
        }
        self.phase = Phase::Lost;
    }

    /// Offset of the first byte that was passed over.
    pub const fn lost_at(&self) -> u64 {
        self.since.offset
    }

    /// Bytes that may still be passed over while the place is lost.
    pub fn room(&self) -> usize {
        if self.since.is_error {
            let passed = self.stream.offset().wrapping_sub(self.since.offset);
            LONGEST_ERROR.saturating_sub(passed) as usize
        } else {
            usize::MAX
        }
    }

    /// A message begins here.
    pub fn found(&mut self, out: &mut Records) {
        self.tell_skipped(out);
        self.phase = Phase::Messages;
        self.is_proven = true;
    }

    /// The connection ends.
    pub fn close(&mut self, out: &mut Records) {
        self.stream.consume(self.stream.len());
        if self.phase == Phase::Lost {
            self.tell_skipped(out);
        }
    }

    fn tell_skipped(&self, out: &mut Records) {
        let Since { offset, time_ns, reason, .. } = self.since;
        let length = self.stream.offset().wrapping_sub(offset);
        if length > 0 {
            out.skipped(offset, time_ns, length, reason);
        }
    }
}
