//! Quarantine for parsers that keep failing. Time is packet time, so that a capture gives the same result each time.

use std::collections::VecDeque;

/// Quarantines double up to this power of two.
const MAX_STRIKES: u32 = 8;

/// The fault history of one parser.
#[derive(Debug, Default)]
pub struct FaultState {
    recent: VecDeque<u64>,
    until: u64,
    strikes: u32,
}

impl FaultState {
    /// Notes a fault. Returns true when it puts the parser into quarantine.
    pub fn fault(&mut self, now: u64, limit: u32, window_ns: u64, first_ns: u64) -> bool {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|&time| now.saturating_sub(time) > window_ns) {
            self.recent.pop_front();
        }
        if self.recent.len() < limit.max(1) as usize {
            return false;
        }
        self.quarantine(now, first_ns);
        true
    }

    /// Puts the parser into quarantine at once.
    pub fn quarantine(&mut self, now: u64, first_ns: u64) {
        self.recent.clear();
        self.until = now.saturating_add(first_ns.saturating_mul(1 << self.strikes.min(MAX_STRIKES)));
        self.strikes = self.strikes.saturating_add(1);
    }

    /// Whether the parser must not be called now.
    #[inline]
    pub fn is_quarantined(&self, now: u64) -> bool {
        now < self.until
    }
}
