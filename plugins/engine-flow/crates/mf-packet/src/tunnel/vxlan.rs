//! VXLAN (RFC 7348): 8 bytes, then an Ethernet frame. Ports: 4789 (IANA), 8472 (Linux before it), 6784 (Weave).

use super::{Carries, Inner, TunnelKind};
use crate::View;

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
