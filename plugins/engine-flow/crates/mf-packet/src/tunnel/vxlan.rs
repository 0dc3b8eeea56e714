//! VXLAN (RFC 7348): 8 bytes, then an Ethernet frame. Ports: 4789 (IANA), 8472 (Linux before it), 6784 (Weave).

use super::{Carries, Inner, TunnelKind};
use crate::View;

/// VXLAN on a port that nobody named: every reserved bit is 0, and inside stands an Ethernet frame with an IPv4 header whose
/// length fits and whose checksum is right, which chance does not make.
#[inline]
pub(super) fn guess(view: View<'_>) -> Option<Inner<'_>> {
    const IP: usize = 8 + 14;
    let head: &[u8; IP + 20] = view.head()?;
    let [8, 0, 0, 0, _, _, _, 0, ..] = head else {
        return None;
    };
    if head[20..23] != [0x08, 0x00, 0x45] {
        return None;
    }
    let ip = &head[IP..];
    let sum = ip.chunks_exact(2).fold(0_u32, |sum, pair| {
        sum + u32::from(u16::from_be_bytes([pair[0], pair[1]]))
    });
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let is_right = (sum & 0xffff) + (sum >> 16) == 0xffff
        && (20..=(view.wire as usize).saturating_sub(IP)).contains(&total);
    if is_right {
        parse(view).ok().flatten()
    } else {
        None
    }
}

/// A payload without the "VNI is valid" flag is not VXLAN: these ports are free for other use.
pub(super) fn parse(view: View<'_>) -> Result<Option<Inner<'_>>, &'static str> {
    let h: &[u8; 8] = view.head().ok_or("vxlan_header_truncated")?;
    if h[0] & 0x08 == 0 {
        return Ok(None);
    }
    let id = u32::from_be_bytes([0, h[4], h[5], h[6]]);
    let view = view.skip(8).ok_or("vxlan_header_truncated")?;
    Ok(Some(Inner {
        kind: TunnelKind::Vxlan,
        id,
        carries: Carries::Ethernet,
        view,
    }))
}
