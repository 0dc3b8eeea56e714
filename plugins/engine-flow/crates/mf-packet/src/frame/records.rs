//! MetaFlow's own records: a 24-byte header, the bytes, padding to 8.

use super::{Direction, Frame, Step, MAX_FRAME};

/// `u32 cap_len · u32 wire_len · u64 timestamp_ns · u16 link_type · u16 interface · u32 direction`, little-endian.
#[inline]
pub(super) fn step(bytes: &[u8]) -> Step<'_> {
    let Some(h) = bytes.first_chunk::<24>() else {
        return Step::Need(24);
    };
    let cap_len = u32::from_le_bytes([h[0], h[1], h[2], h[3]]);
    if cap_len > MAX_FRAME {
        return Step::Corrupt("record_length_beyond_limit");
    }
    let size = 24 + (cap_len as usize).next_multiple_of(8);
    let Some(data) = bytes
        .get(24..24 + cap_len as usize)
        .filter(|_| bytes.len() >= size)
    else {
        return Step::Need(size);
    };
    let direction = match h[20] {
        1 => Direction::In,
        2 => Direction::Out,
        _ => Direction::Unknown,
    };
    let frame = Frame {
        time_ns: u64::from_le_bytes([h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]]),
        wire_len: u32::from_le_bytes([h[4], h[5], h[6], h[7]]).max(cap_len),
        link_type: u16::from_le_bytes([h[16], h[17]]),
        interface: u16::from_le_bytes([h[18], h[19]]),
        direction,
        vlan_tci: None,
        data,
    };
    Step::Frame(size, frame)
}
