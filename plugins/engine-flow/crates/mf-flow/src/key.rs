//! What makes two packets the same flow.

use mf_packet::{ethertype, Addr, Mixer, Packet};

/// Six words: both addresses in order, then ports, protocol, VLAN, ethernet type, tunnel and interface. The end with the
/// smaller (address, port) is side 0, so both directions give the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    words: [u64; 6],
}

impl Key {
    /// The key of a packet and the side (0 or 1) of its sender.
    #[inline(always)]
    pub fn of(packet: &Packet<'_>, with_interface: bool, with_tunnel_id: bool) -> (Self, usize) {
        let (src, dst) = packet.addresses();
        let (src_port, dst_port) = packet.ports();
        let side = usize::from(is_behind((src, src_port), (dst, dst_port)));
        let (a, a_port, b, b_port) = if side == 0 {
            (src, src_port, dst, dst_port)
        } else {
            (dst, dst_port, src, src_port)
        };
        let tunnel = &packet.tunnel;
        let place = u64::from(a_port)
            | u64::from(b_port) << 16
            | u64::from(packet.vlan & 0xfff) << 32
            | u64::from(packet.protocol) << 44
            | (tunnel.kind as u64) << 52
            | u64::from(tunnel.tier) << 60;
        let id = if with_tunnel_id { tunnel.id } else { 0 };
        let interface = if with_interface { packet.interface } else { 0 };
        // Every frame type without IP is a flow of its own between two MACs; IP versions differ by their addresses.
        let kind = if packet.is_ip() {
            0
        } else {
            packet.eth_type.max(1)
        };
        debug_assert!(kind == 0 || kind != ethertype::IPV4);
        let more = u64::from(id) | u64::from(interface) << 32 | u64::from(kind) << 48;
        (
            Self {
                words: [a.lo, b.lo, place, a.hi, b.hi, more],
            },
            side,
        )
    }

    /// Equality without a branch per word (and without a call to memcmp).
    #[inline]
    pub(crate) fn same(&self, other: &Self) -> bool {
        let differ = self
            .words
            .iter()
            .zip(&other.words)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        differ == 0
    }

    /// A hash with a seed.
    #[inline]
    pub fn hash(&self, seed: u64) -> u64 {
        let [a, b, place, a_hi, b_hi, more] = self.words;
        Mixer::new(seed)
            .word(a)
            .word(b ^ a_hi.rotate_left(32))
            .word(place ^ b_hi.rotate_left(24))
            .word(more ^ b_hi)
            .finish()
    }

    /// What both directions of a flow have in common, whatever way they take: ends, protocol and interface.
    fn ends(&self) -> [u64; 6] {
        const PORTS_AND_PROTOCOL: u64 = 0xff << 44 | 0xffff_ffff;
        const INTERFACE_AND_TYPE: u64 = 0xffff_ffff << 32;
        let [a, b, place, a_hi, b_hi, more] = self.words;
        [
            a,
            b,
            place & PORTS_AND_PROTOCOL,
            a_hi,
            b_hi,
            more & INTERFACE_AND_TYPE,
        ]
    }

    /// Equal but for VLAN and tunnel.
    pub(crate) fn same_ends(&self, other: &Self) -> bool {
        self.ends() == other.ends()
    }

    /// A hash without VLAN and tunnel.
    pub(crate) fn loose_hash(&self, seed: u64) -> u64 {
        Self { words: self.ends() }.hash(seed)
    }

    /// The flow's id: a hash of the key and the time of its first packet; never 0.
    pub fn flow_id(&self, start_ns: u64) -> u64 {
        let mut mixer = Mixer::new(start_ns);
        for word in self.words {
            mixer = mixer.word(word);
        }
        mixer.finish().max(1)
    }
}

/// Whether the first end is the greater one. Addresses of at most 48 bits (IPv4, MAC) are compared together with their ports as one
/// number.
#[inline]
fn is_behind((a, a_port): (Addr, u16), (b, b_port): (Addr, u16)) -> bool {
    if (a.hi | b.hi) == 0 && (a.lo | b.lo) >> 48 == 0 {
        return (a.lo << 16 | u64::from(a_port)) > (b.lo << 16 | u64::from(b_port));
    }
    (a, a_port) > (b, b_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_ordered_by_address_and_then_by_port() {
        let addresses = [
            "0.0.0.0",
            "10.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:0:0:1",
            "2001:db8::1",
            "ffff::",
        ];
        let ends: Vec<(Addr, u16)> = addresses
            .iter()
            .flat_map(|text| {
                let addr = Addr::from(text.parse::<std::net::IpAddr>().unwrap());
                [0, 1, 65_535].map(|port| (addr, port))
            })
            .collect();
        for a in &ends {
            for b in &ends {
                assert_eq!(is_behind(*a, *b), a > b, "{a:?} {b:?}");
            }
        }
    }
}
