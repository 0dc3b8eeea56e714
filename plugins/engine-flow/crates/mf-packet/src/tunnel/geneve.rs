//! Geneve (RFC 8926): 8 bytes and options, then what the protocol type says.

use super::{Carries, Inner, TunnelKind};
use crate::{ethertype, View};

/// Version 0 only; control packets (O bit) carry no user frame.
pub(super) fn parse(view: View<'_>) -> Result<Option<Inner<'_>>, &'static str> {
    let h: &[u8; 8] = view.head().ok_or("geneve_header_truncated")?;
    if h[0] >> 6 != 0 || h[1] & 0x80 != 0 {
        return Ok(None);
    }
    let options = u32::from(h[0] & 0x3f) * 4;
    let carries = match u16::from_be_bytes([h[2], h[3]]) {
        ethertype::TEB => Carries::Ethernet,
        kind @ (ethertype::IPV4 | ethertype::IPV6) => Carries::Network(kind),
        _ => return Err("geneve_protocol_unknown"),
    };
    let id = u32::from_be_bytes([0, h[4], h[5], h[6]]);
    let view = view
        .skip(8 + options)
        .ok_or("geneve_options_beyond_packet")?;
    Ok(Some(Inner {
        kind: TunnelKind::Geneve,
        id,
        carries,
        view,
    }))
}
