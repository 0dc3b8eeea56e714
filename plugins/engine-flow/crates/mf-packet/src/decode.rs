//! The walk from a frame's first byte to the transport payload.

use crate::ip::fragment::{Fragment, Key, Limits, Reassembler};
use crate::tunnel::{Carries, TunnelSet, MAX_TIERS};
use crate::{
    ethertype, ip, link, proto, transport, tunnel, Addr, Counters, Frame, Mixer, Packet, Transport,
    View,
};

/// Options of a decoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecoderConfig {
    /// Tunnels to peel.
    pub tunnels: TunnelSet,
    /// Bounds of fragment reassembly.
    pub fragments: Limits,
    /// UDP ports that carry VXLAN besides 4789, 8472 and 6784, whatever is inside (elsewhere IPv4 inside must fit); 0 is none.
    pub vxlan_ports: [u16; 4],
}

/// Decodes frames one after the other; the state is that of fragment reassembly.
#[derive(Debug, Default)]
pub struct Decoder {
    tunnels: TunnelSet,
    vxlan_ports: [u16; 4],
    reassembler: Reassembler,
    /// Reassembled datagrams of the current frame: one for each tunnel tier and one for the innermost packet.
    scratch: [Vec<u8>; 3],
    counters: Counters,
}

impl Decoder {
    /// A decoder with options.
    pub fn new(config: DecoderConfig) -> Self {
        Self {
            tunnels: config.tunnels,
            vxlan_ports: config.vxlan_ports,
            reassembler: Reassembler::new(config.fragments),
            ..Self::default()
        }
    }

    /// What was not (fully) decoded, by stage and reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Frames of a datagram whose fragments never came together, as one packet without payload (and without ports when the first
    /// fragment was not seen); to be asked for when a frame gave none, until there is none.
    #[inline]
    pub fn given_up(&mut self) -> Option<Packet<'static>> {
        self.reassembler.given_up()
    }

    /// The end of the input: fragments that still wait are given up.
    pub fn finish(&mut self) {
        self.reassembler.finish(&mut self.counters);
    }

    /// Decodes one frame. None when it holds no whole packet: damaged, or a fragment whose datagram is not complete (counted
    /// either way). A frame without IP (ARP, LLDP, ...) is a packet with `protocol == 0`.
    #[inline(always)]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Packet<'a>> {
        let mut packet = Packet::new(frame);
        self.fill(frame, &mut packet).then_some(packet)
    }

    /// The same into `packet` ([`Packet::new`] of the frame), so that its 300 bytes are written once and in place; false when
    /// there is none.
    #[inline]
    pub fn fill<'a>(&'a mut self, frame: &Frame<'a>, packet: &mut Packet<'a>) -> bool {
        usual(frame, packet) || self.walk(frame, packet)
    }

    /// Any frame, layer by layer.
    #[inline(never)]
    fn walk<'a>(&'a mut self, frame: &Frame<'a>, packet: &mut Packet<'a>) -> bool {
        let Self {
            tunnels,
            vxlan_ports,
            reassembler,
            scratch,
            counters,
        } = self;
        let mut scratch = scratch.iter_mut();
        if let Some(tci) = frame.vlan_tci {
            packet.vlan = tci & 0x0fff;
        }
        let mut view = match link::peel(
            frame.link_type,
            View::new(frame.data, frame.wire_len),
            packet,
        ) {
            Ok(view) => view,
            Err(reason) => {
                counters.hit("link", reason);
                return false;
            }
        };
        loop {
            if !packet.is_ip() {
                return other(packet, view, counters);
            }
            let header = match ip::parse(packet.eth_type, view) {
                Ok(header) => header,
                Err(reason) => {
                    counters.hit("ip", reason);
                    return false;
                }
            };
            if let Some(remark) = header.remark {
                counters.hit("ip", remark);
            }
            packet.src = header.src;
            packet.dst = header.dst;
            packet.protocol = header.protocol;
            packet.ttl = header.ttl;
            packet.ip_id = header.id;
            packet.l3_len = header.payload_len;
            view = header.payload;
            if let Some(piece) = header.fragment {
                let Some(buffer) = scratch.next() else {
                    return false;
                };
                let v4 = packet.is_v4();
                let key = Key {
                    src: header.src,
                    dst: header.dst,
                    id: piece.id,
                    protocol: if v4 { header.protocol } else { 0 },
                    context: context(packet),
                };
                let fragment = Fragment {
                    key,
                    piece,
                    payload: view,
                    packet,
                };
                let whole = reassembler.add(fragment, counters, buffer);
                let Some(whole) = whole else { return false };
                view = View {
                    cap: buffer.as_slice(),
                    wire: whole.wire,
                };
                packet.protocol = whole.protocol;
                packet.l3_len = whole.l3_len;
                packet.wire_len = whole.frame_bytes;
                packet.cap_len = whole.frame_cap;
                packet.frames = whole.frames;
                if !v4 {
                    match ip::resume(packet.protocol, view) {
                        Ok((protocol, rest)) => (packet.protocol, view) = (protocol, rest),
                        Err(reason) => {
                            counters.hit("ip", reason);
                            return false;
                        }
                    }
                }
            }
            let (header, payload) = match transport::parse(packet.eth_type, packet.protocol, view) {
                Ok(found) => found,
                Err(reason) => {
                    counters.hit("transport", reason);
                    return false;
                }
            };
            packet.transport = header;
            packet.payload = payload.cap;
            packet.payload_wire = payload.wire;
            if matches!(header, Transport::Tcp(_)) {
                return true;
            }
            match tunnel::find(
                (*tunnels, vxlan_ports),
                packet.protocol,
                &header,
                view,
                payload,
            ) {
                Ok(None) => return true,
                Ok(Some(_)) if packet.tunnel.tier >= MAX_TIERS => {
                    counters.hit("tunnel", "more_than_two_tiers");
                    return true;
                }
                Ok(Some(inner)) => {
                    tunnel::enter(packet, &inner);
                    view = inner.view;
                    if inner.carries == Carries::Ethernet {
                        match link::peel(link::linktype::ETHERNET, view, packet) {
                            Ok(rest) => view = rest,
                            Err(reason) => {
                                counters.hit("tunnel", reason);
                                return false;
                            }
                        }
                    }
                }
                Err(reason) => {
                    counters.hit("tunnel", reason);
                    return true;
                }
            }
        }
    }
}

/// Bytes of the headers of Ethernet, IPv4 and TCP without options.
const USUAL: usize = ETHERNET + IPV4 + 20;
const ETHERNET: usize = 14;
const IPV4: usize = 20;

/// Nearly every frame: TCP in IPv4 without options or fragments, in Ethernet without tags; its layers have fixed places. False
/// when it is another one, or something is odd about it: then nothing was written, and the walk says what it is.
#[inline]
fn usual<'a>(frame: &Frame<'a>, packet: &mut Packet<'a>) -> bool {
    let data = frame.data;
    let Some(h) = data.first_chunk::<USUAL>() else {
        return false;
    };
    // Ethernet type, then version and header length; "more fragments" and the offset; the protocol.
    let kind = u32::from_be_bytes([h[12], h[13], h[14], 0]);
    let place = u16::from_be_bytes([h[20], h[21]]) & 0x3fff;
    if frame.link_type != link::linktype::ETHERNET
        || kind != u32::from(ethertype::IPV4) << 16 | 0x4500
        || place != 0
        || h[23] != proto::TCP
        || frame.vlan_tci.is_some()
    {
        return false;
    }
    let total = usize::from(u16::from_be_bytes([h[16], h[17]]));
    let header_len = (h[46] >> 4) * 4;
    let start = ETHERNET + IPV4 + usize::from(header_len);
    let end = ETHERNET + total;
    if header_len < 20 || start > end || end > data.len().max(frame.wire_len as usize) {
        return false;
    }
    let Some(tcp) = h.last_chunk::<20>() else {
        return false;
    };
    let captured = data.get(..end).unwrap_or(data);
    let options = captured.get(USUAL..start.min(captured.len()));
    packet.eth_type = ethertype::IPV4;
    packet.dst_mac = link::mac([h[0], h[1], h[2], h[3], h[4], h[5]]);
    packet.src_mac = link::mac([h[6], h[7], h[8], h[9], h[10], h[11]]);
    packet.src = Addr::v4(u32::from_be_bytes([h[26], h[27], h[28], h[29]]));
    packet.dst = Addr::v4(u32::from_be_bytes([h[30], h[31], h[32], h[33]]));
    packet.protocol = proto::TCP;
    packet.ttl = h[22];
    packet.ip_id = u16::from_be_bytes([h[18], h[19]]);
    packet.l3_len = (total - IPV4) as u32;
    packet.transport = Transport::Tcp(transport::tcp_of(tcp, options.unwrap_or(&[])));
    packet.payload = captured.get(start..).unwrap_or(&[]);
    packet.payload_wire = (end - start) as u32;
    true
}

/// VLAN and tunnel as one word: equal addresses in two overlay networks are different hosts.
fn context(packet: &Packet<'_>) -> u64 {
    let tunnel = &packet.tunnel;
    let place =
        u64::from(packet.vlan) | u64::from(packet.vlan_outer) << 16 | u64::from(tunnel.tier) << 32;
    Mixer::new(place)
        .word(u64::from(tunnel.id) | (tunnel.kind as u64) << 32)
        .finish()
}

/// A frame without IP: ARP gets its protocol addresses, everything else is payload.
#[cold]
fn other<'a>(packet: &mut Packet<'a>, view: View<'a>, counters: &mut Counters) -> bool {
    packet.protocol = 0;
    packet.transport = Transport::None;
    (packet.src, packet.dst) = (Addr::default(), Addr::default());
    packet.l3_len = view.wire;
    packet.payload = view.cap;
    packet.payload_wire = view.wire;
    if packet.eth_type != ethertype::ARP {
        counters.hit("link", "ethernet_type_not_decoded");
        return true;
    }
    let Some(h) = view.head::<28>() else {
        counters.hit("link", "arp_truncated");
        return false;
    };
    // Hardware type 1 (Ethernet), protocol IPv4, address lengths 6 and 4; anything else has its addresses elsewhere.
    if h[..6] != [0, 1, 8, 0, 6, 4] {
        counters.hit("link", "arp_not_ethernet_ipv4");
        return false;
    }
    packet.src = Addr::v4(u32::from_be_bytes([h[14], h[15], h[16], h[17]]));
    packet.dst = Addr::v4(u32::from_be_bytes([h[24], h[25], h[26], h[27]]));
    true
}
