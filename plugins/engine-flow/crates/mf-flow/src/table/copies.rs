//! Copies of one packet: seen at two interfaces, by the captures of two hosts, or twice by a mirror.

use mf_packet::{Mixer, Packet, Transport};

use super::SECOND;
use crate::Key;

/// Packets remembered; a later one takes the place of an earlier one.
const PLACES: usize = 1 << 16;
/// This much of a payload tells packets apart (with its length, the IP identification and the transport's numbers).
const COMPARED: usize = 64;

/// How long after one capture point another one may see the same packet, nanoseconds.
const ELSEWHERE_NS: u64 = SECOND;

/// So many packets in a row from one point mean that there is no other, until one is heard.
const ALONE: u32 = 4096;

/// A packet: its hash, when and where it was seen.
type Seen = (u64, u64, u64);

/// The packets of the last moments, by what a router leaves as it is.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    window_ns: u64,
    /// Where the last packet was captured.
    point: Option<u64>,
    /// Packets since another point was heard.
    alone: u32,
    /// Empty while nothing can be a copy: none are asked for, and all packets come from one point.
    seen: Vec<Seen>,
}

impl Copies {
    /// Within `window_ns` even one capture point may see a packet twice; 0: what comes again there was sent again.
    pub fn new(window_ns: u64) -> Self {
        Self {
            window_ns,
            seen: nothing(),
            ..Self::default()
        }
    }

    /// Whether the same packet of `side` was seen before: at another point a moment ago, or at this one within the window. A host
    /// that sends again gives the packet another IP identification, or waits longer.
    #[inline]
    pub fn has(&mut self, source: u32, key: &Key, side: usize, packet: &Packet<'_>) -> bool {
        let point = point_of(source, packet);
        if self.point != Some(point) {
            self.moved(point);
        }
        !self.seen.is_empty() && self.look(point, key, side, packet)
    }

    #[cold]
    fn moved(&mut self, point: u64) {
        self.point = Some(point);
        self.alone = 0;
        if self.seen.is_empty() {
            self.seen = nothing();
        }
    }

    #[cold]
    fn look(&mut self, point: u64, key: &Key, side: usize, packet: &Packet<'_>) -> bool {
        self.alone += u32::from(self.window_ns == 0);
        if self.alone > ALONE {
            self.seen = Vec::new();
            return false;
        }
        if !packet.is_ip() {
            return false;
        }
        // Asked for, copies are known in whatever VLAN or tunnel; otherwise what differs in them is another flow.
        let ends = if self.window_ns > 0 {
            key.loose_hash(side as u64)
        } else {
            key.hash(side as u64)
        };
        let print = print_of(ends, packet);
        let Some(place) = self.seen.get_mut(print as usize % PLACES) else {
            return false;
        };
        let patience = if place.2 == point {
            self.window_ns
        } else {
            self.window_ns.max(ELSEWHERE_NS)
        };
        let &mut (seen, at, _) = place;
        if seen == print && patience > 0 && packet.time_ns.abs_diff(at) <= patience {
            return true;
        }
        *place = (print, packet.time_ns, point);
        false
    }
}

fn nothing() -> Vec<Seen> {
    vec![(0, 0, 0); PLACES]
}

/// A capture point: a source's interface. A cooked capture (of all interfaces; it has no destination MAC) may not say which, but
/// what comes in and what goes out was seen at two.
#[inline]
fn point_of(source: u32, packet: &Packet<'_>) -> u64 {
    let way = if packet.dst_mac == 0 {
        packet.direction as u64
    } else {
        0
    };
    u64::from(source) << 32 | u64::from(packet.interface) << 8 | way
}

/// A hash of what a packet is, begun with that of its ends; never 0.
fn print_of(ends: u64, packet: &Packet<'_>) -> u64 {
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
    let mut mixer = Mixer::new(ends).word(lengths).word(a).word(b);
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
