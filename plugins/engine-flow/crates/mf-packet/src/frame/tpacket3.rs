//! One block of a TPACKET_V3 ring as the Linux kernel wrote it (packet(7), linux/if_packet.h), on a little-endian host.

use super::{block_flags, Direction, Frame, MAX_FRAME};
use crate::Counters;

/// `TP_STATUS_VLAN_VALID`: the card took the VLAN tag off and the header has it.
const VLAN_VALID: u32 = 1 << 4;
/// `sll_pkttype` of a sent frame.
const OUTGOING: u8 = 4;
/// The packet header (48 bytes) is followed by the link address, a `sockaddr_ll` of 20 bytes.
const ADDRESS: usize = 48;

pub(super) struct Tpacket3 {
    link_type: u16,
    skip_outgoing: bool,
}

impl Tpacket3 {
    pub(super) fn new(flags: u32, link_type: u16) -> Self {
        Self {
            link_type,
            skip_outgoing: flags & block_flags::SKIP_OUTGOING != 0,
        }
    }

    /// Walks the packets of the block: the block header has their number (at 12) and the offset of the first (at 16).
    /// The first `from` of them are passed over; gives the number of frames, and the number of packets after which `each`
    /// wanted to stop.
    pub(super) fn read<F: FnMut(Frame<'_>) -> bool>(
        &self,
        block: &[u8],
        from: usize,
        counters: &mut Counters,
        mut each: F,
    ) -> (u64, Option<usize>) {
        let (Some(count), Some(first)) = (word(block, 12), word(block, 16)) else {
            counters.hit("frame", "ring_block_too_short");
            return (0, None);
        };
        let mut frames = 0;
        let mut at = first as usize;
        let mut goes_on = true;
        for number in 0..count as usize {
            let next = if number < from {
                word(block, at).map(|next| next as usize)
            } else {
                let mut each = |frame: Frame<'_>| goes_on = each(frame);
                self.packet(block, at, &mut frames, counters, &mut each)
            };
            let Some(next) = next else {
                counters.hit("frame", "ring_packet_beyond_block");
                return (frames, None);
            };
            if !goes_on {
                return (frames, Some(number + 1));
            }
            if next == 0 {
                return (frames, None);
            }
            at = at.saturating_add(next);
        }
        (frames, None)
    }

    /// One packet at `at`; gives the offset to the next one, none when a length leaves the block.
    #[inline]
    fn packet<F: FnMut(Frame<'_>)>(
        &self,
        block: &[u8],
        at: usize,
        frames: &mut u64,
        counters: &mut Counters,
        each: &mut F,
    ) -> Option<usize> {
        let packet = block.get(at..)?;
        let h = packet.first_chunk::<68>()?;
        let u32_at = |i: usize| word(h, i).unwrap_or(0);
        let cap_len = u32_at(12);
        if cap_len > MAX_FRAME {
            return None;
        }
        let start = usize::from(u16::from_le_bytes([h[24], h[25]]));
        let data = packet.get(start..start.checked_add(cap_len as usize)?)?;
        let next = u32_at(0) as usize;
        let outgoing = h[ADDRESS + 10] == OUTGOING;
        if outgoing && self.skip_outgoing {
            counters.hit("frame", "loopback_copy_skipped");
            return Some(next);
        }
        *frames += 1;
        each(Frame {
            time_ns: u64::from(u32_at(4)) * 1_000_000_000 + u64::from(u32_at(8)),
            wire_len: u32_at(16).max(cap_len),
            link_type: self.link_type,
            interface: u32_at(ADDRESS + 4) as u16,
            direction: if outgoing {
                Direction::Out
            } else {
                Direction::In
            },
            vlan_tci: (u32_at(20) & VLAN_VALID != 0).then(|| u32_at(32) as u16),
            data,
        });
        Some(next)
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk::<4>()
        .map(|word| u32::from_le_bytes(*word))
}
