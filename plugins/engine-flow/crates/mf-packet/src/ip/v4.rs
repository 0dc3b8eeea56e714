//! IPv4 headers (RFC 791).

use super::fragment::Piece;
use super::Header;
use crate::{Addr, View};

/// Parses the header with its options skipped.
#[inline]
pub(super) fn parse<'a>(view: View<'a>) -> Result<Header<'a>, &'static str> {
    let h: &[u8; 20] = view.head().ok_or("ipv4_header_truncated")?;
    if h[0] >> 4 != 4 {
        return Err("ipv4_version_wrong");
    }
    let header_len = u32::from(h[0] & 15) * 4;
    if header_len < 20 {
        return Err("ipv4_header_length_below_20");
    }
    let mut total = u32::from(u16::from_be_bytes([h[2], h[3]]));
    let mut remark = None;
    if total == 0 {
        // Segmentation offload of packets beyond 64 KiB leaves the field 0: the frame's length is the packet's.
        total = view.wire;
    } else if total < header_len {
        return Err("ipv4_total_length_below_header");
    } else if total > view.wire {
        remark = Some("ipv4_total_length_beyond_frame");
        total = view.wire;
    }
    let payload = view
        .limit(total)
        .skip(header_len)
        .ok_or("ipv4_header_beyond_packet")?;
    let id = u16::from_be_bytes([h[4], h[5]]);
    let place = u16::from_be_bytes([h[6], h[7]]);
    // Bit 13 is "more fragments", the 13 low bits are the offset in units of 8 bytes.
    let fragment = (place & 0x3fff != 0).then(|| Piece {
        id: u32::from(id),
        offset: u32::from(place & 0x1fff) * 8,
        more: place & 0x2000 != 0,
    });
    Ok(Header {
        src: Addr::v4(u32::from_be_bytes([h[12], h[13], h[14], h[15]])),
        dst: Addr::v4(u32::from_be_bytes([h[16], h[17], h[18], h[19]])),
        protocol: h[9],
        ttl: h[8],
        id,
        payload_len: payload.wire,
        payload,
        fragment,
        remark,
    })
}
