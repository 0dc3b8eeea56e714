//! Link layers: from the frame's first byte to the ethernet type of what it carries.

mod carried;
mod cooked;
mod ethernet;
mod loopback;

use crate::packet::ethertype;
use crate::{Packet, View};

pub(crate) use carried::{mpls, Labelled};
pub(crate) use ethernet::{mac, tags};

/// Link types of the pcap registry (<https://www.tcpdump.org/linktypes.html>).
pub mod linktype {
    /// BSD loopback, protocol family in host byte order.
    pub const NULL: u16 = 0;
    /// Ethernet.
    pub const ETHERNET: u16 = 1;
    /// PPP, perhaps with the bytes of HDLC framing before it.
    pub const PPP: u16 = 9;
    /// PPP with the bytes of HDLC framing.
    pub const PPP_HDLC: u16 = 50;
    /// Raw IP as some systems write it.
    pub const RAW_BSD: u16 = 12;
    /// Raw IP as OpenBSD writes it.
    pub const RAW_OPENBSD: u16 = 14;
    /// Raw IP, version from the first nibble.
    pub const RAW: u16 = 101;
    /// OpenBSD loopback, protocol family in network byte order.
    pub const LOOP: u16 = 108;
    /// Linux cooked capture.
    pub const LINUX_SLL: u16 = 113;
    /// Raw IPv4.
    pub const IPV4: u16 = 228;
    /// Raw IPv6.
    pub const IPV6: u16 = 229;
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: u16 = 276;
}

/// Peels the link layer: fills MACs, VLANs and the ethernet type of `packet` and gives the network layer, or the reason why not.
#[inline]
pub fn peel<'a>(
    link_type: u16,
    view: View<'a>,
    packet: &mut Packet<'_>,
) -> Result<View<'a>, &'static str> {
    match link_type {
        linktype::ETHERNET => ethernet::peel(view, packet),
        linktype::LINUX_SLL => cooked::peel_v1(view, packet),
        linktype::LINUX_SLL2 => cooked::peel_v2(view, packet),
        linktype::NULL | linktype::LOOP => loopback::peel(view, packet),
        linktype::PPP | linktype::PPP_HDLC => carried::peel_ppp(view, packet),
        linktype::RAW
        | linktype::RAW_BSD
        | linktype::RAW_OPENBSD
        | linktype::IPV4
        | linktype::IPV6 => raw(view, packet),
        _ => Err("link_type_unknown"),
    }
}

/// An IP packet without a link header: the version is the first nibble.
#[inline]
pub(crate) fn raw<'a>(view: View<'a>, packet: &mut Packet<'_>) -> Result<View<'a>, &'static str> {
    packet.eth_type = match view.cap.first().map(|byte| byte >> 4) {
        Some(4) => ethertype::IPV4,
        Some(6) => ethertype::IPV6,
        Some(_) => return Err("raw_ip_version_unknown"),
        None => return Err("raw_ip_empty"),
    };
    Ok(view)
}
