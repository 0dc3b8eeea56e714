//! Reassembly of IP fragments with bounded memory and time.
//!
//! Overlaps: a fragment that repeats bytes already held is dropped when it is an exact copy (a retransmission by the link).
//! Any other overlap discards the whole datagram: IPv6 hosts must do so (RFC 5722) and no honest IPv4 sender makes them, while
//! guessing which host would win is how such packets hide their content.
//!
//! What is given up is not lost: its frames are told as one packet without payload, so that flows count what was on the wire.

use std::collections::{HashMap, VecDeque};

use crate::{transport, Addr, Counters, Packet, Transport, View};

/// Where a fragment belongs in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Identification (16 bits of IPv4, 32 of IPv6).
    pub id: u32,
    /// Offset in the datagram's payload, bytes.
    pub offset: u32,
    /// False for the last fragment.
    pub more: bool,
}

/// What tells the datagrams of a capture apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Identification.
    pub id: u32,
    /// Protocol (IPv4 only: IPv6 takes it from the first fragment).
    pub protocol: u8,
    /// VLAN and tunnel, so that overlay networks with equal addresses stay apart.
    pub context: u64,
}

/// A fragment as the decoder hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Its datagram.
    pub key: Key,
    /// Its place there.
    pub piece: Piece,
    /// What follows the headers.
    pub payload: View<'a>,
    /// What is known of it so far: addresses, protocol (of a datagram that of its first fragment counts), time, lengths.
    pub packet: &'a Packet<'a>,
}

/// Bounds of the reassembly.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes held for unfinished datagrams, bookkeeping included.
    pub bytes: usize,
    /// Unfinished datagrams.
    pub datagrams: usize,
    /// Fragments of one datagram (64 KiB in minimum-size fragments of 8 bytes would be 8192).
    pub pieces: usize,
    /// How long an unfinished datagram waits, nanoseconds (RFC 8200 gives 60 s, Linux 30 s).
    pub timeout_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            datagrams: 1024,
            pieces: 128,
            timeout_ns: 30_000_000_000,
        }
    }
}

/// What a complete datagram consists of; its captured bytes are in the buffer given to [`Reassembler::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Length of the payload on the wire.
    pub wire: u32,
    /// Frames it came in, copies of fragments included.
    pub frames: u16,
    /// Their lengths on the wire, summed.
    pub frame_bytes: u32,
    /// Their captured lengths, summed.
    pub frame_cap: u32,
    /// Their lengths behind the IP headers, summed.
    pub l3_len: u32,
    /// The protocol of the first fragment.
    pub protocol: u8,
}

#[derive(Debug)]
struct Part {
    start: u32,
    end: u32,
    data: Vec<u8>,
}

#[derive(Debug)]
struct Datagram {
    serial: u64,
    parts: Vec<Part>,
    total: Option<u32>,
    /// What the first fragment's header says comes next.
    protocol: u8,
    /// Its frames so far, with the transport header when the first fragment is among them.
    sum: Packet<'static>,
    held: usize,
    /// Set after a bad overlap: further fragments are dropped until the datagram times out.
    poisoned: bool,
}

/// The overhead charged for a part or a datagram besides its bytes.
const OVERHEAD: usize = 96;
const DATAGRAM_OVERHEAD: usize = 480;
/// Places of finished datagrams in the order of expiry that are let be.
const SPARE: usize = 1024;
/// Datagrams given up that wait to be asked for.
const MAX_GIVEN_UP: usize = 1024;
/// The largest payload an offset and a length can make.
const MAX_DATAGRAM: u32 = 65_535 + 65_535;

/// Unfinished datagrams.
#[derive(Debug, Default)]
pub struct Reassembler {
    limits: Limits,
    table: HashMap<Key, Datagram>,
    /// In order of arrival, which is the order of expiry: (arrival time, key, serial).
    order: VecDeque<(u64, Key, u64)>,
    held: usize,
    serial: u64,
    given_up: VecDeque<Packet<'static>>,
}

impl Reassembler {
    /// An empty reassembler.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Unfinished datagrams now.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes a fragment. When it completes its datagram the captured payload is in `out` and the facts are returned.
    pub fn add(
        &mut self,
        fragment: Fragment<'_>,
        counters: &mut Counters,
        out: &mut Vec<u8>,
    ) -> Option<Whole> {
        let Fragment {
            key,
            piece,
            payload,
            packet,
        } = fragment;
        let now_ns = packet.time_ns;
        self.expire(now_ns, counters);
        counters.hit(
            "ip",
            if piece.offset == 0 {
                "fragment_first"
            } else {
                "fragment_later"
            },
        );
        let end = piece.offset.saturating_add(payload.wire);
        if payload.wire == 0 || end > MAX_DATAGRAM || (piece.more && payload.wire % 8 != 0) {
            counters.hit("ip", "fragment_length_wrong");
            return None;
        }
        if !self.table.contains_key(&key) {
            self.open(key, packet, counters);
        }
        let datagram = self.table.get_mut(&key)?;
        count(&mut datagram.sum, packet);
        if datagram.poisoned {
            counters.hit("ip", "fragment_of_overlapping_datagram");
            return None;
        }
        if piece.offset == 0 {
            datagram.protocol = packet.protocol;
            if let Some(found) = transport_of(packet, payload) {
                (datagram.sum.protocol, datagram.sum.transport) = found;
            }
        }
        let at = datagram
            .parts
            .partition_point(|part| part.start < piece.offset);
        let before = at
            .checked_sub(1)
            .and_then(|i| datagram.parts.get(i))
            .map_or(0, |part| part.end);
        let after = datagram.parts.get(at).map_or(u32::MAX, |part| part.start);
        if datagram
            .parts
            .get(at)
            .is_some_and(|part| part.start == piece.offset && part.end == end)
        {
            counters.hit("ip", "fragment_duplicate");
            return None;
        }
        let last_end = datagram.parts.last().map_or(0, |part| part.end);
        let contradicts = match (piece.more, datagram.total) {
            (false, Some(total)) => total != end,
            (false, None) => last_end > end,
            (true, Some(total)) => end > total,
            (true, None) => false,
        };
        if before > piece.offset || after < end || contradicts {
            counters.hit("ip", "fragment_overlap");
            self.held = self.held.saturating_sub(datagram.held);
            datagram.poisoned = true;
            datagram.held = DATAGRAM_OVERHEAD;
            self.held += DATAGRAM_OVERHEAD;
            datagram.parts = Vec::new();
            return None;
        }
        if datagram.parts.len() >= self.limits.pieces {
            counters.hit("ip", "fragment_too_many_pieces");
            return None;
        }
        if !piece.more {
            datagram.total = Some(end);
        }
        let cost = payload.cap.len() + OVERHEAD;
        datagram.held += cost;
        self.held += cost;
        datagram.parts.insert(
            at,
            Part {
                start: piece.offset,
                end,
                data: payload.cap.to_vec(),
            },
        );
        if let Some(whole) = complete(datagram, out) {
            self.held = self.held.saturating_sub(datagram.held);
            self.table.remove(&key);
            counters.hit("ip", "datagram_reassembled");
            return Some(whole);
        }
        while self.held > self.limits.bytes && self.drop_oldest(counters) {
            counters.hit("ip", "reassembly_memory_full");
        }
        None
    }

    /// Gives up everything that waits: the end of the input.
    pub fn finish(&mut self, counters: &mut Counters) {
        while self.drop_oldest(counters) {
            counters.hit("ip", "reassembly_unfinished");
        }
        self.order.clear();
    }

    /// A datagram that was given up, as a packet without payload that stands for its frames; its ports are known when its first
    /// fragment was seen.
    pub fn given_up(&mut self) -> Option<Packet<'static>> {
        self.given_up.pop_front()
    }

    fn open(&mut self, key: Key, packet: &Packet<'_>, counters: &mut Counters) {
        while self.table.len() >= self.limits.datagrams.max(1) && self.drop_oldest(counters) {
            counters.hit("ip", "reassembly_table_full");
        }
        self.serial += 1;
        let datagram = Datagram {
            serial: self.serial,
            parts: Vec::new(),
            total: None,
            protocol: packet.protocol,
            sum: packet.emptied(),
            held: DATAGRAM_OVERHEAD,
            poisoned: false,
        };
        self.held += DATAGRAM_OVERHEAD;
        self.table.insert(key, datagram);
        self.order.push_back((packet.time_ns, key, self.serial));
        // Datagrams that came together behind one that still waits leave their places here.
        if self.order.len() > 2 * self.table.len() + SPARE {
            let table = &self.table;
            self.order.retain(|(_, key, serial)| {
                table
                    .get(key)
                    .is_some_and(|datagram| datagram.serial == *serial)
            });
        }
    }

    /// Drops what waited too long; capture time that jumps back keeps entries longer, never for ever (memory is bounded).
    pub fn expire(&mut self, now_ns: u64, counters: &mut Counters) {
        while let Some(&(since, key, serial)) = self.order.front() {
            let alive = self
                .table
                .get(&key)
                .is_some_and(|datagram| datagram.serial == serial);
            if alive && now_ns.saturating_sub(since) < self.limits.timeout_ns {
                return;
            }
            self.order.pop_front();
            if alive {
                self.give_up(&key, counters);
                counters.hit("ip", "reassembly_timeout");
            }
        }
    }

    fn drop_oldest(&mut self, counters: &mut Counters) -> bool {
        while let Some((_, key, serial)) = self.order.pop_front() {
            if self
                .table
                .get(&key)
                .is_some_and(|datagram| datagram.serial == serial)
            {
                self.give_up(&key, counters);
                return true;
            }
        }
        false
    }

    fn give_up(&mut self, key: &Key, counters: &mut Counters) {
        if let Some(datagram) = self.table.remove(key) {
            self.held = self.held.saturating_sub(datagram.held);
            if self.given_up.len() < MAX_GIVEN_UP {
                self.given_up.push_back(datagram.sum);
            } else {
                counters.add("ip", "fragments_not_counted", datagram.sum.frames.into());
            }
        }
    }
}

/// Adds a fragment's frame (inside a tunnel: its frames) to what a datagram came in.
fn count(sum: &mut Packet<'static>, packet: &Packet<'_>) {
    sum.time_ns = sum.time_ns.max(packet.time_ns);
    sum.frames = sum.frames.saturating_add(packet.frames);
    sum.wire_len = sum.wire_len.saturating_add(packet.wire_len);
    sum.cap_len = sum.cap_len.saturating_add(packet.cap_len);
    sum.l3_len = sum.l3_len.saturating_add(packet.l3_len);
}

/// The transport header in a first fragment, and its protocol.
fn transport_of(packet: &Packet<'_>, payload: View<'_>) -> Option<(u8, Transport)> {
    let (protocol, view) = if packet.is_v4() {
        (packet.protocol, payload)
    } else {
        super::resume(packet.protocol, payload).ok()?
    };
    let (transport, _) = transport::parse(packet.eth_type, protocol, view).ok()?;
    Some((protocol, transport))
}

/// When every byte is there, writes the captured prefix to `out`.
fn complete(datagram: &Datagram, out: &mut Vec<u8>) -> Option<Whole> {
    let total = datagram.total?;
    let mut at = 0;
    for part in &datagram.parts {
        if part.start != at {
            return None;
        }
        at = part.end;
    }
    if at != total {
        return None;
    }
    out.clear();
    for part in &datagram.parts {
        out.extend_from_slice(&part.data);
        if part.data.len() < (part.end - part.start) as usize {
            break; // cut by the capture: what follows is not contiguous
        }
    }
    Some(Whole {
        wire: total,
        frames: datagram.sum.frames,
        frame_bytes: datagram.sum.wire_len,
        frame_cap: datagram.sum.cap_len,
        l3_len: datagram.sum.l3_len,
        protocol: datagram.protocol,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Key, Piece, Reassembler, SPARE};
    use crate::{Addr, Counters, Direction, Frame, Packet, View};

    #[test]
    fn finished_datagrams_behind_one_that_waits_are_forgotten() {
        let mut reassembler = Reassembler::default();
        let (mut counters, mut out) = (Counters::new(), Vec::new());
        let frame = Frame {
            time_ns: 1,
            wire_len: 60,
            link_type: 1,
            interface: 0,
            direction: Direction::Unknown,
            vlan_tci: None,
            data: &[0; 60],
        };
        let mut packet = Packet::new(&frame);
        packet.protocol = 17;
        let mut add = |id, offset, more| {
            let key = Key {
                src: Addr::default(),
                dst: Addr::default(),
                id,
                protocol: 17,
                context: 0,
            };
            let fragment = Fragment {
                key,
                piece: Piece { id, offset, more },
                payload: View::new(&[0; 8], 8),
                packet: &packet,
            };
            reassembler.add(fragment, &mut counters, &mut out).is_some()
        };
        assert!(!add(0, 0, true));
        for id in 1..100_000 {
            assert!(!add(id, 0, true) && add(id, 8, false));
        }
        assert_eq!(reassembler.len(), 1);
        assert!(reassembler.order.len() <= SPARE + 4);
    }
}
