//! Ethernet II, 802.3 with LLC/SNAP, 802.1Q and 802.1ad tags.

use super::carried;
use crate::packet::ethertype;
use crate::{Packet, View};

/// More tags than this in one frame are taken for garbage.
const MAX_TAGS: usize = 4;

/// Peels the 14 bytes and all tags.
#[inline]
pub(super) fn peel<'a>(view: View<'a>, packet: &mut Packet<'_>) -> Result<View<'a>, &'static str> {
    let h: &[u8; 14] = view.head().ok_or("ethernet_header_truncated")?;
    packet.dst_mac = mac([h[0], h[1], h[2], h[3], h[4], h[5]]);
    packet.src_mac = mac([h[6], h[7], h[8], h[9], h[10], h[11]]);
    let rest = view.skip(14).ok_or("ethernet_header_truncated")?;
    tags(u16::from_be_bytes([h[12], h[13]]), rest, packet)
}

/// A MAC address as 48 bits.
#[inline]
pub(crate) fn mac(b: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]])
}

/// Follows VLAN tags from `kind`, the type field in front of `view`; sets the ethernet type and VLAN ids.
#[inline]
pub(crate) fn tags<'a>(
    kind: u16,
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Result<View<'a>, &'static str> {
    if kind == ethertype::IPV4 || kind == ethertype::IPV6 {
        packet.eth_type = kind;
        return Ok(view);
    }
    let (mut kind, mut view) = (kind, view);
    for _ in 0..MAX_TAGS {
        if !matches!(
            kind,
            ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD
        ) {
            if kind < 0x600 {
                return llc(kind, view, packet);
            }
            packet.eth_type = kind;
            return carried::peel(kind, view, packet).unwrap_or(Ok(view));
        }
        let h: &[u8; 4] = view.head().ok_or("vlan_tag_truncated")?;
        push_vlan(packet, u16::from_be_bytes([h[0], h[1]]));
        kind = u16::from_be_bytes([h[2], h[3]]);
        view = view.skip(4).ok_or("vlan_tag_truncated")?;
    }
    Err("vlan_tags_too_deep")
}

/// Notes one more (inner) tag; the 12 low bits are the id.
#[inline]
pub(crate) fn push_vlan(packet: &mut Packet<'_>, tci: u16) {
    if packet.vlan != 0 && packet.vlan_outer == 0 {
        packet.vlan_outer = packet.vlan;
    }
    packet.vlan = tci & 0x0fff;
}

/// 802.3: the type field is a length. SNAP (aa aa 03 00 00 00) carries an ethernet type; other LLC is not decoded further.
#[cold]
fn llc<'a>(length: u16, view: View<'a>, packet: &mut Packet<'_>) -> Result<View<'a>, &'static str> {
    let view = view.limit(u32::from(length));
    packet.eth_type = 0;
    if let Some(&[0xaa, 0xaa, 3, 0, 0, 0, a, b]) = view.head::<8>() {
        packet.eth_type = u16::from_be_bytes([a, b]);
        return view.skip(8).ok_or("llc_header_truncated");
    }
    Ok(view)
}
