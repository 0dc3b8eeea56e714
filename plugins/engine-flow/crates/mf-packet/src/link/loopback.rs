//! BSD loopback: a 4-byte protocol family, in the byte order of the host that captured (NULL) or in network order (LOOP).

use crate::packet::ethertype;
use crate::{Packet, View};

/// Families fit in one byte, so both byte orders can be told apart without knowing the host.
pub(super) fn peel<'a>(view: View<'a>, packet: &mut Packet<'_>) -> Result<View<'a>, &'static str> {
    let h: &[u8; 4] = view.head().ok_or("loopback_header_truncated")?;
    let family = if h[0] == 0 && h[1] == 0 {
        u32::from_be_bytes(*h)
    } else {
        u32::from_le_bytes(*h)
    };
    packet.eth_type = match family {
        2 => ethertype::IPV4,
        // AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS, 10 on Linux, 23 on Windows.
        10 | 23 | 24 | 28 | 30 => ethertype::IPV6,
        _ => return Err("loopback_family_unknown"),
    };
    view.skip(4).ok_or("loopback_header_truncated")
}
