//! A classic capture file (draft-ietf-opsawg-pcap) with nanoseconds, of one link type.

use mf_packet::Frame;

const NANOSECONDS: u32 = 0xa1b2_3c4d;
const SNAP_LENGTH: u32 = 262_144;
const FILE_HEADER: usize = 24;
const FRAME_HEADER: usize = 16;
const NS: u64 = 1_000_000_000;

/// A file that is being written.
#[derive(Default)]
pub struct Pcap {
    bytes: Vec<u8>,
    link_type: u16,
}

impl Pcap {
    /// Bytes of the file when it has this frame too.
    pub fn size_with(&self, frame: &Frame<'_>) -> usize {
        self.bytes.len().max(FILE_HEADER) + FRAME_HEADER + frame.data.len()
    }

    /// Adds a frame; false when its link type is not that of the first one, which a classic file cannot hold.
    pub fn add(&mut self, frame: &Frame<'_>) -> bool {
        if self.bytes.is_empty() {
            self.begin(frame.link_type);
        }
        if frame.link_type != self.link_type {
            return false;
        }
        let seconds = (frame.time_ns / NS) as u32;
        let rest = (frame.time_ns % NS) as u32;
        for word in [seconds, rest, frame.data.len() as u32, frame.wire_len] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes.extend_from_slice(frame.data);
        true
    }

    /// The file; a header alone when it has no packets.
    pub fn file(&mut self) -> &[u8] {
        if self.bytes.is_empty() {
            self.begin(1);
        }
        &self.bytes
    }

    fn begin(&mut self, link_type: u16) {
        self.link_type = link_type;
        self.bytes.extend_from_slice(&NANOSECONDS.to_le_bytes());
        self.bytes.extend_from_slice(&2u16.to_le_bytes());
        self.bytes.extend_from_slice(&4u16.to_le_bytes());
        for word in [0, 0, SNAP_LENGTH, u32::from(link_type)] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
}
