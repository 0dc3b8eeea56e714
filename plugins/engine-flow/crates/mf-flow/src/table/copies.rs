//! Copies of one packet: a mirror that sees it at two ports, on both sides of a router, inside and outside of a tunnel.

use mf_packet::{Mixer, Packet, Transport};

use crate::Key;

/// Packets remembered; a later one takes the place of an earlier one.
const PLACES: usize = 1 << 16;
/// This much of a payload tells packets apart (with its length, the IP identification and the transport's numbers).
const COMPARED: usize = 64;

/// The packets of the last moments, by what a router leaves as it is.
#[derive(Debug)]
pub(crate) struct Copies {
    window_ns: u64,
    seen: Vec<(u64, u64)>,
}

impl Copies {
    /// None when copies are not looked for.
    pub fn new(window_ns: u64) -> Option<Self> {
        (window_ns > 0).then(|| Self {
            window_ns,
            seen: vec![(0, 0); PLACES],
        })
    }

    /// Whether the same packet of `side` came within the window before. A host that sends again gives the packet another IP
    /// identification, or waits longer.
    pub fn has(&mut self, key: &Key, side: usize, packet: &Packet<'_>) -> bool {
        if !packet.is_ip() {
            return false;
        }
        let print = print_of(key, side, packet);
        let Some(place) = self.seen.get_mut(print as usize % PLACES) else {
            return false;
        };
        if place.0 == print && packet.time_ns.abs_diff(place.1) <= self.window_ns {
            return true;
        }
        *place = (print, packet.time_ns);
        false
    }
}

/// A hash of what a packet is, whatever VLAN or tunnel it is in; never 0.
fn print_of(key: &Key, side: usize, packet: &Packet<'_>) -> u64 {
    let (a, b) = match &packet.transport {
        Transport::Tcp(tcp) => (
            u64::from(tcp.seq) | u64::from(tcp.ack) << 32,
            u64::from(tcp.flags)
                | u64::from(tcp.window) << 8
                | tcp.options.timestamps.map_or(0, |t| u64::from(t.0) << 24),
        ),
        Transport::Udp(udp) => (udp.length.into(), 0),
        Transport::Icmp(icmp) => (
            u64::from(icmp.id) | u64::from(icmp.seq) << 16,
            u64::from(icmp.kind) | u64::from(icmp.code) << 8,
        ),
        Transport::None => (0, 0),
    };
    let lengths = u64::from(packet.payload_wire) | u64::from(packet.ip_id) << 32;
    let mut mixer = Mixer::new(key.loose_hash(side as u64))
        .word(lengths)
        .word(a)
        .word(b);
    let compared = packet.payload.get(..COMPARED).unwrap_or(packet.payload);
    for part in compared.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(part) {
            *to = *from;
        }
        mixer = mixer.word(u64::from_le_bytes(word));
    }
    mixer.finish() | 1
}
