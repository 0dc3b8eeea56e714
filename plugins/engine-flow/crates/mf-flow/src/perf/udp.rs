//! UDP: the time from a request to the first answer (art).

use crate::counts::Period;

const MAX_ART: u64 = 30_000_000_000;

/// For each side: when the peer last sent, unless this side has sent since.
#[derive(Debug, Default)]
pub(crate) struct UdpPerf {
    owes: [Option<u64>; 2],
}

impl UdpPerf {
    /// Takes a datagram of `side`.
    #[inline]
    pub fn packet(&mut self, period: &mut Period, side: usize, now: u64) {
        let side = side & 1;
        if let Some(since) = self.owes[side].take() {
            if now - since <= MAX_ART {
                period.sides[side].art.add_ns(now - since);
            }
        }
        self.owes[side ^ 1] = Some(now);
    }
}
