//! Packets: a 4-byte header (length, sequence number) and a payload; a payload of 16 MiB - 1 goes on in the next frame
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>).

use crate::message::At;

/// The largest frame; a frame of this size is continued.
const FULL: u32 = 0xff_ffff;
/// Bytes kept of the end of a payload that is cut: comments with trace ids stand there.
const TAIL: usize = 512;

/// A whole packet, of which the first bytes, and when it is long the last ones, are kept.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The first bytes, at most as many as the framer keeps.
    pub payload: &'a [u8],
    /// The last bytes, when `payload` does not hold all.
    pub tail: &'a [u8],
    /// Bytes of the payload.
    pub total: u64,
    /// Bytes with all frame headers.
    pub wire: u64,
    /// Sequence number of the first frame.
    pub first_seq: u8,
    /// Sequence number of the last frame.
    pub last_seq: u8,
    /// Where the first frame begins.
    pub start: At,
    /// When the last byte was seen.
    pub end_time_ns: u64,
    /// Bytes in the middle were not seen.
    pub has_hole: bool,
}

impl Packet<'_> {
    /// First byte of the payload; 0 when it is empty.
    pub fn first(&self) -> u8 {
        self.payload.first().copied().unwrap_or(0)
    }
}

/// Cuts one direction into packets.
#[derive(Debug)]
pub struct Framer {
    keep: usize,
    head: [u8; 4],
    have: usize,
    left: u32,
    /// The frame at hand is continued by the next one.
    continued: bool,
    /// Inside a packet.
    open: bool,
    first_seq: u8,
    frames: u64,
    total: u64,
    start: At,
    has_hole: bool,
    body: Vec<u8>,
    tail: Vec<u8>,
}

impl Framer {
    /// A framer that keeps `keep` bytes of a payload.
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            head: [0; 4],
            have: 0,
            left: 0,
            continued: false,
            open: false,
            first_seq: 0,
            frames: 0,
            total: 0,
            start: At::default(),
            has_hole: false,
            body: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// True between two packets.
    pub fn is_idle(&self) -> bool {
        !self.open
    }

    /// Sequence number of the packet that is being read, once its first header is.
    pub fn opening(&self) -> Option<u8> {
        (self.open && self.frames > 0).then_some(self.first_seq)
    }

    /// Where the packet that is being read begins.
    pub fn start(&self) -> At {
        self.start
    }

    /// Drops a half-read packet.
    pub fn reset(&mut self) {
        self.open = false;
        self.have = 0;
        self.left = 0;
    }

    /// Takes missing bytes; true when they lie inside a payload, so that the next packet's place is known.
    ///
    /// A payload may end with them: [`Framer::feed`] must then be called with no bytes to get it.
    pub fn gap(&mut self, missing: u64) -> bool {
        if !self.open || self.have < 4 || missing > u64::from(self.left) {
            return false;
        }
        self.left -= missing as u32;
        self.total += missing;
        self.has_hole = true;
        self.tail.clear();
        true
    }

    /// Takes bytes up to the end of one packet: how many were used, and the packet.
    ///
    /// `at` is where and when the first byte was sent, `now_ns` when it was known (later, if it was compressed). `step`
    /// is 1 where a byte of `data` is a byte of the wire, 0 where all of `data` came from one place.
    pub fn feed<'a>(&'a mut self, at: At, now_ns: u64, step: u64, data: &'a [u8]) -> (usize, Option<Packet<'a>>) {
        if !self.open {
            if let Some(&[a, b, c, seq]) = data.first_chunk::<4>() {
                let length = u32::from_le_bytes([a, b, c, 0]);
                let end = 4 + length as usize;
                if length < FULL && data.len() >= end {
                    return (end, Some(self.whole(at, now_ns, seq, &data[4..end])));
                }
            }
        }
        let mut used = 0;
        loop {
            if self.have < 4 {
                let Some(&byte) = data.get(used) else { return (used, None) };
                if !self.open {
                    self.open(At { offset: at.offset + step * used as u64, ..at });
                }
                self.head[self.have] = byte;
                self.have += 1;
                used += 1;
                if self.have == 4 {
                    let [a, b, c, seq] = self.head;
                    self.left = u32::from_le_bytes([a, b, c, 0]);
                    self.continued = self.left == FULL;
                    if self.frames == 0 {
                        self.first_seq = seq;
                    }
                    self.frames += 1;
                }
                continue;
            }
            let take = (data.len() - used).min(self.left as usize);
            self.keep(&data[used..used + take]);
            used += take;
            self.left -= take as u32;
            self.total += take as u64;
            if self.left > 0 {
                return (used, None);
            }
            self.have = 0;
            if !self.continued {
                self.open = false;
                return (used, Some(self.packet(now_ns)));
            }
        }
    }

    fn open(&mut self, start: At) {
        self.open = true;
        self.start = start;
        self.frames = 0;
        self.total = 0;
        self.has_hole = false;
        self.body.clear();
        self.tail.clear();
    }

    fn keep(&mut self, data: &[u8]) {
        let room = if self.has_hole { 0 } else { self.keep.saturating_sub(self.body.len()).min(data.len()) };
        self.body.extend_from_slice(&data[..room]);
        let rest = &data[room..];
        if rest.len() >= TAIL {
            self.tail.clear();
            self.tail.extend_from_slice(&rest[rest.len() - TAIL..]);
        } else if !rest.is_empty() {
            let drop = (self.tail.len() + rest.len()).saturating_sub(TAIL);
            self.tail.drain(..drop);
            self.tail.extend_from_slice(rest);
        }
    }

    /// The usual case: the packet lies in one piece and nothing is copied.
    fn whole<'a>(&self, at: At, end_time_ns: u64, seq: u8, payload: &'a [u8]) -> Packet<'a> {
        let (head, rest) = payload.split_at(payload.len().min(self.keep));
        Packet {
            payload: head,
            tail: &rest[rest.len().saturating_sub(TAIL)..],
            total: payload.len() as u64,
            wire: payload.len() as u64 + 4,
            first_seq: seq,
            last_seq: seq,
            start: at,
            end_time_ns,
            has_hole: false,
        }
    }

    fn packet(&self, end_time_ns: u64) -> Packet<'_> {
        Packet {
            payload: &self.body,
            tail: &self.tail,
            total: self.total,
            wire: self.total + 4 * self.frames,
            first_seq: self.first_seq,
            last_seq: self.head[3],
            start: self.start,
            end_time_ns,
            has_hole: self.has_hole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Payload, tail, sizes and numbers of every packet, as text.
    fn packets(keep: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Framer::new(keep);
        let mut found = Vec::new();
        let mut offset = 0;
        for piece in pieces {
            let mut from = 0;
            while from < piece.len() {
                let at = At { time_ns: 0, offset: offset + from as u64 };
                let (used, packet) = framer.feed(at, 0, 1, &piece[from..]);
                from += used;
                found.extend(packet.map(|packet| format!("{packet:?}")));
            }
            offset += piece.len() as u64;
        }
        found
    }

    #[test]
    fn any_split_gives_the_same_packets() {
        let mut stream = vec![3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 1];
        stream.extend_from_slice(&[0xe8, 3, 0, 2]);
        stream.extend((0..1000).map(|byte| byte as u8));
        let whole = packets(16, &[&stream]);
        assert_eq!(whole.len(), 3);
        assert!(whole[2]
            .contains("total: 1000, wire: 1004, first_seq: 2, last_seq: 2, start: At { time_ns: 0, offset: 11 }"));
        for split in 1..stream.len() {
            assert_eq!(packets(16, &[&stream[..split], &stream[split..]]), whole, "{split}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(packets(16, &single), whole);
    }

    #[test]
    fn frames_of_16_mib_are_joined_without_being_kept() {
        let mut framer = Framer::new(8);
        let at = At::default();
        let mut seen = None;
        let full = vec![b'x'; FULL as usize];
        for (head, body) in [([0xff, 0xff, 0xff, 0], &full[..]), ([0xff, 0xff, 0xff, 1], &full), ([0, 0, 0, 2], &[])] {
            assert!(seen.is_none());
            let (used, none) = framer.feed(at, 0, 1, &head);
            assert_eq!(used, 4);
            seen = none.map(|packet| (packet.total, packet.wire, packet.payload.len(), packet.last_seq));
            if !body.is_empty() {
                assert!(framer.feed(at, 0, 1, body).1.is_none());
            }
        }
        assert_eq!(seen, Some((2 * u64::from(FULL), 2 * u64::from(FULL) + 12, 8, 2)));
        assert!(framer.body.capacity() < 100 && framer.tail.capacity() <= 2048);
    }

    #[test]
    fn a_hole_inside_a_payload_keeps_the_place() {
        let mut framer = Framer::new(8);
        let at = At::default();
        assert!(framer.feed(at, 0, 1, &[10, 0, 0, 0, 1, 2]).1.is_none());
        assert!(!framer.gap(9));
        assert!(framer.gap(8));
        let packet = framer.feed(at, 0, 1, &[]).1.unwrap();
        assert!(packet.has_hole && packet.total == 10 && packet.payload == [1, 2]);
    }
}
