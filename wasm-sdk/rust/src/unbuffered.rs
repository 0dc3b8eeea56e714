//! For parsers that read bytes as they come, without a buffer of whole messages: where one direction stands.
//!
//! A parser that would rather see a message whole takes a [`StreamBuffer`](crate::StreamBuffer) or a
//! [`Lane`](crate::lane::Lane) with one in it.

use crate::segment::Segment;

/// Where and when a piece of a stream was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Capture time, nanoseconds.
    pub time_ns: u64,
    /// Offset in the stream of this direction, bytes of the wire, gaps included.
    pub offset: u64,
}

impl At {
    /// Where a segment begins.
    pub const fn of(segment: &Segment) -> At {
        At { time_ns: segment.timestamp_ns, offset: segment.stream_offset }
    }
}

/// Why and since when bytes of a direction are not understood.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// The first byte that was given up.
    pub from: At,
    /// Captured bytes given up so far.
    pub bytes: u64,
    /// Why.
    pub reason: &'static str,
}

/// The state of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane {
    /// Where the next byte is expected; `None` before the first.
    pub next: Option<u64>,
    /// First byte of the message that is being read, where the parser keeps it.
    pub start: At,
    /// Set while the place of the next message is not known.
    pub lost: Option<Lost>,
    /// The place is sure: a wrong byte is then no accident of the capture but another protocol.
    pub is_trusted: bool,
}

impl Lane {
    /// How bytes at `at` continue the stream: bytes missing before them, and bytes of them that are known already.
    #[inline]
    pub fn advance(&mut self, at: At, len: usize) -> (u64, usize) {
        let next = self.next.unwrap_or(at.offset);
        let missing = at.offset.saturating_sub(next);
        let known = next.saturating_sub(at.offset).min(len as u64) as usize;
        self.next = Some(next.max(at.offset.saturating_add(len as u64)));
        (missing, known)
    }

    /// Gives up bytes from `from` on.
    pub fn lose(&mut self, from: At, reason: &'static str) {
        self.is_trusted = false;
        self.lost.get_or_insert(Lost { from, bytes: 0, reason });
    }

    /// Counts bytes that were given up.
    pub fn skip(&mut self, bytes: usize) {
        if let Some(lost) = &mut self.lost {
            lost.bytes += bytes as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_tells_what_is_missing_and_what_is_known() {
        let mut lane = Lane::default();
        let at = |offset| At { time_ns: 1, offset };
        assert_eq!(lane.advance(at(10), 5), (0, 0));
        assert_eq!(lane.advance(at(12), 6), (0, 3));
        assert_eq!(lane.advance(at(20), 1), (2, 0));
        lane.lose(at(18), "a hole");
        lane.lose(at(30), "another");
        lane.skip(3);
        assert!(matches!(lane.lost, Some(Lost { from: At { offset: 18, .. }, bytes: 3, reason: "a hole" })));
    }
}
