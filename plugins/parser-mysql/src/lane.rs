//! One direction of a session: where the stream stands, and what is known of its place.

use crate::message::At;

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
#[derive(Debug, Default)]
pub struct Lane {
    /// Where the next byte is expected; `None` before the first.
    pub next: Option<u64>,
    /// Set while the place of the next message is not known.
    pub lost: Option<Lost>,
    /// The place is sure: a wrong byte is then no accident of the capture but another protocol.
    pub is_trusted: bool,
}

impl Lane {
    /// How bytes at `at` continue the stream: bytes missing before them, and bytes of them that are known already.
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
        if self.lost.is_none() {
            self.lost = Some(Lost { from, bytes: 0, reason });
        }
    }

    /// Counts bytes that were given up.
    pub fn skip(&mut self, bytes: usize) {
        if let Some(lost) = &mut self.lost {
            lost.bytes += bytes as u64;
        }
    }
}
