//! ICMP echo: request to reply, reported as srt of the side that replied.

use mf_packet::Icmp;

use crate::counts::Period;

const MAX_WAIT: u64 = 10_000_000_000;
/// Requests in flight that are remembered per flow; `ping` has one, `ping -f` a few.
const PENDING: usize = 8;

/// Requests without a reply: (identifier and sequence, side, time); time 0 is free.
#[derive(Debug, Default)]
pub(crate) struct EchoPerf {
    pending: [(u32, u8, u64); PENDING],
    next: usize,
}

impl EchoPerf {
    /// Takes an ICMP message of `side`.
    pub fn packet(&mut self, period: &mut Period, side: usize, icmp: &Icmp, now: u64) {
        let side = side & 1;
        let tag = u32::from(icmp.id) << 16 | u32::from(icmp.seq);
        if icmp.is_echo_request() {
            self.pending[self.next % PENDING] = (tag, side as u8, now);
            self.next = (self.next + 1) % PENDING;
        } else if icmp.is_echo_reply() {
            let asked = (tag, side as u8 ^ 1);
            if let Some(entry) = self
                .pending
                .iter_mut()
                .find(|e| e.2 != 0 && (e.0, e.1) == asked)
            {
                let waited = now.saturating_sub(entry.2);
                entry.2 = 0;
                if waited <= MAX_WAIT {
                    period.sides[side].srt.add_ns(waited);
                }
            }
        }
    }
}
