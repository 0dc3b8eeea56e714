//! Tunnels: from an outer IP packet to the frame or packet inside.

mod geneve;
mod gre;
mod vxlan;

use crate::packet::proto;
use crate::{ethertype, Addr, Packet, Transport, View};

/// Kinds of tunnels, numbered as in the `tunnel_type` column of the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TunnelKind {
    /// No tunnel.
    #[default]
    None = 0,
    /// VXLAN (RFC 7348).
    Vxlan = 1,
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, RFC 4213, RFC 2473).
    Ipip = 2,
    /// GRE (RFC 2784, RFC 2890), also with Ethernet or ERSPAN inside.
    Gre = 3,
    /// Geneve (RFC 8926).
    Geneve = 4,
    /// VXLAN GPE with a network service header (RFC 8300).
    VxlanNsh = 5,
}

/// The outermost tunnel of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// Kind of the outermost tunnel.
    pub kind: TunnelKind,
    /// How many tunnels were peeled: 0, 1 or 2.
    pub tier: u8,
    /// VXLAN and Geneve: VNI; GRE: key (0 without one); ERSPAN: session; IPIP: 0.
    pub id: u32,
    /// Outer source address.
    pub src: Addr,
    /// Outer destination address.
    pub dst: Addr,
    /// Outer source MAC.
    pub src_mac: u64,
    /// Outer destination MAC.
    pub dst_mac: u64,
    /// VLAN of the outer frame, 0 without a tag.
    pub vlan: u16,
}

/// Which kinds are peeled; a kind that is off is an ordinary flow of its outer addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelSet {
    /// VXLAN.
    pub vxlan: bool,
    /// Geneve.
    pub geneve: bool,
    /// GRE with everything it carries.
    pub gre: bool,
    /// IP in IP.
    pub ipip: bool,
}

impl Default for TunnelSet {
    fn default() -> Self {
        Self {
            vxlan: true,
            geneve: true,
            gre: true,
            ipip: true,
        }
    }
}

/// More tunnels than this are not peeled: what is inside is then an ordinary flow of the second tunnel's addresses.
pub const MAX_TIERS: u8 = 2;

/// What a tunnel header carries.
pub(crate) struct Inner<'a> {
    pub kind: TunnelKind,
    pub id: u32,
    pub carries: Carries,
    pub view: View<'a>,
}

/// The layer inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carries {
    /// An Ethernet frame.
    Ethernet,
    /// A network packet of this ethernet type.
    Network(u16),
}

/// Looks for a tunnel in the payload of an IP packet. None when there is none (or it is switched off); Err when the tunnel
/// header says what it is but cannot be used: the packet then stays a flow of its outer addresses and is counted.
#[inline]
pub(crate) fn find<'a>(
    (set, vxlan_ports): (TunnelSet, &[u16; 4]),
    protocol: u8,
    transport: &Transport,
    view: View<'a>,
    payload: View<'a>,
) -> Result<Option<Inner<'a>>, &'static str> {
    match (protocol, transport) {
        (proto::UDP, Transport::Udp(udp)) => match udp.dst_port {
            4789 | 8472 | 6784 if set.vxlan => vxlan::parse(payload),
            4790 if set.vxlan => vxlan::parse_gpe(payload),
            port if set.vxlan && port != 0 && vxlan_ports.contains(&port) => vxlan::parse(payload),
            6081 if set.geneve => geneve::parse(payload),
            _ if set.vxlan => Ok(vxlan::guess(payload)),
            _ => Ok(None),
        },
        (proto::IPIP, _) if set.ipip => Ok(Some(ipip(ethertype::IPV4, view))),
        (proto::IPV6, _) if set.ipip => Ok(Some(ipip(ethertype::IPV6, view))),
        (proto::GRE, _) if set.gre => gre::parse(view),
        _ => Ok(None),
    }
}

fn ipip(eth_type: u16, view: View<'_>) -> Inner<'_> {
    Inner {
        kind: TunnelKind::Ipip,
        id: 0,
        carries: Carries::Network(eth_type),
        view,
    }
}

/// Notes the tunnel in the packet and clears what belongs to the outer frame.
pub(crate) fn enter(packet: &mut Packet<'_>, inner: &Inner<'_>) {
    let tunnel = &mut packet.tunnel;
    if tunnel.tier == 0 {
        tunnel.kind = inner.kind;
        tunnel.id = inner.id;
        tunnel.src = packet.src;
        tunnel.dst = packet.dst;
        tunnel.src_mac = packet.src_mac;
        tunnel.dst_mac = packet.dst_mac;
        tunnel.vlan = packet.vlan;
    }
    tunnel.tier += 1;
    packet.transport = Transport::None;
    match inner.carries {
        Carries::Ethernet => {
            packet.vlan = 0;
            packet.vlan_outer = 0;
        }
        Carries::Network(eth_type) => packet.eth_type = eth_type,
    }
}
