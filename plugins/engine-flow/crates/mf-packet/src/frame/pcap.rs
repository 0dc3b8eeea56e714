//! Records of a classic pcap file (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>), after its file header.

use super::{block_flags, Direction, Frame, Step, MAX_FRAME};

/// Byte order, resolution and link type, which the file header says once.
pub(super) struct Pcap {
    big_endian: bool,
    nanoseconds: bool,
    link_type: u16,
}

impl Pcap {
    pub(super) fn new(flags: u32, link_type: u16) -> Self {
        Self {
            big_endian: flags & block_flags::BIG_ENDIAN != 0,
            nanoseconds: flags & block_flags::NANOSECONDS != 0,
            link_type,
        }
    }

    /// `u32 seconds · u32 micro- or nanoseconds · u32 captured length · u32 wire length`, then the bytes.
    #[inline]
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let Some(h) = bytes.first_chunk::<16>() else {
            return Step::Need(16);
        };
        let words = [
            [h[0], h[1], h[2], h[3]],
            [h[4], h[5], h[6], h[7]],
            [h[8], h[9], h[10], h[11]],
            [h[12], h[13], h[14], h[15]],
        ];
        let [sec, sub, cap_len, wire_len] = if self.big_endian {
            words.map(u32::from_be_bytes)
        } else {
            words.map(u32::from_le_bytes)
        };
        if cap_len > MAX_FRAME {
            return Step::Corrupt("pcap_record_length_beyond_limit");
        }
        let size = 16 + cap_len as usize;
        let Some(data) = bytes.get(16..size) else {
            return Step::Need(size);
        };
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let frame = Frame {
            time_ns: u64::from(sec) * 1_000_000_000 + u64::from(sub) * unit,
            wire_len: wire_len.max(cap_len),
            link_type: self.link_type,
            interface: 0,
            direction: Direction::Unknown,
            vlan_tci: None,
            data,
        };
        Step::Frame(size, frame)
    }
}
