//! What the decoder found in one frame.

use crate::frame::Direction;
use crate::hash::Mixer;
use crate::tunnel::Tunnel;
use crate::{Addr, Frame, Transport};

/// Ethernet types this crate knows by name.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// 802.1Q tag.
    pub const VLAN: u16 = 0x8100;
    /// 802.1ad outer tag (QinQ).
    pub const QINQ: u16 = 0x88a8;
    /// The QinQ type of older switches.
    pub const QINQ_OLD: u16 = 0x9100;
    /// A PPPoE session.
    pub const PPPOE: u16 = 0x8864;
    /// MPLS.
    pub const MPLS: u16 = 0x8847;
    /// MPLS with a label of the receiver's upstream neighbour (of old: multicast).
    pub const MPLS_UPSTREAM: u16 = 0x8848;
    /// Transparent Ethernet bridging (RFC 1701's Ethernet-in-GRE).
    pub const TEB: u16 = 0x6558;
}

/// IP protocol numbers this crate knows by name.
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP.
    pub const IPIP: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
}

/// A decoded packet. Addresses, ports and transport are those of the innermost decoded layer; `tunnel` is the outermost tunnel.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// Capture time, nanoseconds since 1970. For a reassembled datagram the time of the fragment that completed it.
    pub time_ns: u64,
    /// Bytes of the whole frame on the wire (summed over the fragments of a reassembled datagram).
    pub wire_len: u32,
    /// Bytes of the frame that were captured (summed likewise).
    pub cap_len: u32,
    /// Frames this packet came in: 1, or the number of fragments.
    pub frames: u16,
    /// Interface number of the source.
    pub interface: u16,
    /// What the capture said about the direction.
    pub direction: Direction,
    /// Ethernet type of the innermost decoded frame (0 when unknown).
    pub eth_type: u16,
    /// VLAN id, 0 without a tag. With QinQ the inner (customer) tag.
    pub vlan: u16,
    /// The outer tag's id under QinQ, else 0.
    pub vlan_outer: u16,
    /// Source MAC as 48 bits, 0 when the link has none.
    pub src_mac: u64,
    /// Destination MAC as 48 bits, 0 when the link has none.
    pub dst_mac: u64,
    /// The outermost tunnel, `kind == None` without one.
    pub tunnel: Tunnel,
    /// Source address (of ARP: the sender's protocol address).
    pub src: Addr,
    /// Destination address (of ARP: the target's protocol address).
    pub dst: Addr,
    /// IP protocol after extension headers; 0 for frames without IP.
    pub protocol: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification, 0 for IPv6.
    pub ip_id: u16,
    /// Bytes after the IP header on the wire (IPv6: extension headers included); 0 without IP.
    pub l3_len: u32,
    /// Transport header.
    pub transport: Transport,
    /// The transport payload as captured.
    pub payload: &'a [u8],
    /// The transport payload's length on the wire; larger than `payload.len()` when the capture cut it.
    pub payload_wire: u32,
}

impl<'a> Packet<'a> {
    /// An empty packet with the frame's own facts.
    pub fn new(frame: &Frame<'a>) -> Self {
        Self {
            time_ns: frame.time_ns,
            wire_len: frame.wire_len,
            cap_len: frame.data.len() as u32,
            frames: 1,
            interface: frame.interface,
            direction: frame.direction,
            eth_type: 0,
            vlan: 0,
            vlan_outer: 0,
            src_mac: 0,
            dst_mac: 0,
            tunnel: Tunnel::default(),
            src: Addr::default(),
            dst: Addr::default(),
            protocol: 0,
            ttl: 0,
            ip_id: 0,
            l3_len: 0,
            transport: Transport::None,
            payload: &[],
            payload_wire: 0,
        }
    }

    /// True when the innermost network layer is IPv4.
    #[inline]
    pub fn is_v4(&self) -> bool {
        self.eth_type == ethertype::IPV4
    }

    /// True for IPv4 and IPv6.
    #[inline]
    pub fn is_ip(&self) -> bool {
        matches!(self.eth_type, ethertype::IPV4 | ethertype::IPV6)
    }

    /// The same packet with nothing counted in it yet: no frames, bytes, transport or payload.
    #[cold]
    pub(crate) fn emptied(&self) -> Packet<'static> {
        Packet {
            frames: 0,
            wire_len: 0,
            cap_len: 0,
            l3_len: 0,
            transport: Transport::None,
            payload_wire: 0,
            ..self.detached()
        }
    }

    /// The same packet without its payload, which is borrowed from the frame.
    #[cold]
    pub fn detached(&self) -> Packet<'static> {
        Packet {
            time_ns: self.time_ns,
            wire_len: self.wire_len,
            cap_len: self.cap_len,
            frames: self.frames,
            interface: self.interface,
            direction: self.direction,
            eth_type: self.eth_type,
            vlan: self.vlan,
            vlan_outer: self.vlan_outer,
            src_mac: self.src_mac,
            dst_mac: self.dst_mac,
            tunnel: self.tunnel,
            src: self.src,
            dst: self.dst,
            protocol: self.protocol,
            ttl: self.ttl,
            ip_id: self.ip_id,
            l3_len: self.l3_len,
            transport: self.transport,
            payload: &[],
            payload_wire: self.payload_wire,
        }
    }

    /// Source and destination port; 0, 0 when the transport has none.
    #[inline]
    pub fn ports(&self) -> (u16, u16) {
        match &self.transport {
            Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Transport::Udp(udp) => (udp.src_port, udp.dst_port),
            _ => (0, 0),
        }
    }

    /// Source and destination of the flow this packet belongs to: IP addresses, or the MACs of a frame without them.
    #[inline]
    pub fn addresses(&self) -> (Addr, Addr) {
        if self.is_ip() || self.eth_type == ethertype::ARP {
            (self.src, self.dst)
        } else {
            (Addr::mac(self.src_mac), Addr::mac(self.dst_mac))
        }
    }

    /// A hash that is the same for both directions of a flow, on every machine; shards keep `hash % shards`.
    #[inline]
    pub fn symmetric_hash(&self) -> u64 {
        let (src, dst) = self.addresses();
        let (src_port, dst_port) = self.ports();
        let (a, b) = if (src, src_port) <= (dst, dst_port) {
            ((src, src_port), (dst, dst_port))
        } else {
            ((dst, dst_port), (src, src_port))
        };
        let tail = u64::from(a.1) | u64::from(b.1) << 16 | u64::from(self.protocol) << 32;
        Mixer::new(0)
            .word(a.0.hi ^ b.0.hi.rotate_left(32))
            .word(a.0.lo)
            .word(b.0.lo)
            .word(tail)
            .finish()
    }

    /// True when the capture holds fewer payload bytes than the wire did.
    #[inline]
    pub fn truncated(&self) -> bool {
        (self.payload.len() as u32) < self.payload_wire
    }
}
