//! VXLAN (RFC 7348): 8 bytes, then an Ethernet frame. Ports: 4789 (IANA), 8472 (Linux before it), 6784 (Weave). VXLAN GPE
//! (draft-ietf-nvo3-vxlan-gpe, port 4790) says what follows, which may be a network service header (NSH, RFC 8300).

use super::{Carries, Inner, TunnelKind};
use crate::link::{mpls, Labelled};
use crate::{ethertype, View};

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

/// NSH in NSH deeper than this is taken for garbage.
const MAX_SERVICE_HEADERS: usize = 4;

/// The bit 0x04 says that the last byte of the first word names the next protocol; both registries have the same numbers. A
/// datagram with the bit for operations (0x01) carries no user frame.
pub(super) fn parse_gpe(view: View<'_>) -> Result<Option<Inner<'_>>, &'static str> {
    let h: &[u8; 8] = view.head().ok_or("vxlan_header_truncated")?;
    if h[0] & 0x08 == 0 || h[0] & 0x01 != 0 {
        return Ok(None);
    }
    let id = u32::from_be_bytes([0, h[4], h[5], h[6]]);
    let mut next = if h[0] & 0x04 != 0 { h[3] } else { 3 };
    let mut view = view.skip(8).ok_or("vxlan_header_truncated")?;
    let mut kind = TunnelKind::Vxlan;
    for _ in 0..=MAX_SERVICE_HEADERS {
        let carries = match next {
            1 => Carries::Network(ethertype::IPV4),
            2 => Carries::Network(ethertype::IPV6),
            3 => Carries::Ethernet,
            4 => {
                let h: &[u8; 8] = view.head().ok_or("nsh_header_truncated")?;
                // Version 0; the length counts words of four bytes, this one's included; a bit says "operations only".
                let words = u32::from(h[1] & 0x3f);
                if h[0] >> 6 != 0 || words < 2 {
                    return Err("nsh_header_wrong");
                }
                if h[0] & 0x20 != 0 {
                    return Ok(None);
                }
                kind = TunnelKind::VxlanNsh;
                next = h[3];
                view = view.skip(words * 4).ok_or("nsh_header_truncated")?;
                continue;
            }
            5 => match mpls(view).ok_or("vxlan_gpe_protocol_unknown")? {
                Labelled::Network(network, inner) => {
                    view = inner;
                    Carries::Network(network)
                }
                Labelled::Frame(inner) => {
                    view = inner;
                    Carries::Ethernet
                }
            },
            _ => return Err("vxlan_gpe_protocol_unknown"),
        };
        return Ok(Some(Inner {
            kind,
            id,
            carries,
            view,
        }));
    }
    Err("nsh_headers_too_many")
}
