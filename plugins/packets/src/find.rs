//! The packets of one flow out of chunks.

use mf_packet::{Addr, Decoder, Format, FrameReader, Mixer};

use crate::chunk::{holds, Header, HEADER};
use crate::pcap::Pcap;

/// A flow: two ends in any order, the protocol, and when.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Address and port of one end.
    pub one: (Addr, u16),
    /// Address and port of the other.
    pub other: (Addr, u16),
    /// IP protocol.
    pub protocol: u8,
    /// Packets before this time are left out, nanoseconds since 1970.
    pub from_ns: u64,
    /// Packets after this time are left out.
    pub to_ns: u64,
}

impl Wanted {
    /// The same hash as [`mf_packet::Packet::symmetric_hash`] of its packets.
    pub fn key(&self) -> u64 {
        let (a, b) = if self.one <= self.other { (self.one, self.other) } else { (self.other, self.one) };
        let tail = u64::from(a.1) | u64::from(b.1) << 16 | u64::from(self.protocol) << 32;
        Mixer::new(0).word(a.0.hi ^ b.0.hi.rotate_left(32)).word(a.0.lo).word(b.0.lo).word(tail).finish()
    }
}

/// Collects one flow's packets as a capture file.
pub struct Finder {
    wanted: Wanted,
    key: u64,
    most_bytes: usize,
    decoder: Decoder,
    pcap: Pcap,
    left_out: u64,
}

impl Finder {
    /// Stops to take packets when the file has `most_bytes`.
    pub fn new(wanted: Wanted, most_bytes: usize) -> Self {
        Self { wanted, key: wanted.key(), most_bytes, decoder: Decoder::default(), pcap: Pcap::default(), left_out: 0 }
    }

    /// Looks through the chunks in `bytes`, one behind the other. Gives how many packets it found, and where the whole chunks end:
    /// less than `bytes.len()` where a chunk is cut (it is still being written) or damaged.
    pub fn add(&mut self, bytes: &[u8]) -> (u64, usize) {
        let (mut found, mut at) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(header) = Header::read(rest) else { break };
            let Some(chunk) = rest.get(..header.size) else { break };
            let records_at = header.records_at().unwrap_or(header.size);
            let keys = chunk.get(HEADER..records_at).unwrap_or(&[]);
            let overlaps = header.first_ns <= self.wanted.to_ns && header.last_ns >= self.wanted.from_ns;
            if overlaps && holds(keys, self.key) {
                found += self.look(chunk.get(records_at..).unwrap_or(&[]));
            }
            at += header.size;
        }
        (found, at)
    }

    /// The file so far: a header even without packets.
    pub fn file(&mut self) -> &[u8] {
        self.pcap.file()
    }

    /// Packets that are not in the file, because it was full or they came over a link of another type.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn look(&mut self, records: &[u8]) -> u64 {
        let Self { wanted, decoder, pcap, left_out, most_bytes, .. } = self;
        let mut found = 0;
        FrameReader::new(Format::Records, 0, 1).read(records, |frame| {
            if frame.time_ns < wanted.from_ns || frame.time_ns > wanted.to_ns {
                return;
            }
            let Some(packet) = decoder.decode(&frame) else { return };
            let (src, dst) = packet.addresses();
            let (src_port, dst_port) = packet.ports();
            let ends = ((src, src_port), (dst, dst_port));
            let is_it = packet.protocol == wanted.protocol
                && (ends == (wanted.one, wanted.other) || ends == (wanted.other, wanted.one));
            if !is_it {
                return;
            }
            if pcap.size_with(&frame) <= *most_bytes && pcap.add(&frame) {
                found += 1;
            } else {
                *left_out += 1;
            }
        });
        found
    }
}
