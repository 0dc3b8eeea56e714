//! From blocks to chunks.

use std::collections::{HashMap, HashSet};

use mf_packet::{ethertype, Decoder, Format, Frame, FrameReader};

use crate::chunk::{Header, HEADER};

/// Of a frame whose headers cannot be told from what they carry (it is no IP, or is damaged), so many bytes are kept.
const UNKNOWN: usize = 64;
/// Sources (interfaces, files) whose half frames are remembered.
const MOST_SOURCES: usize = 4096;
const RECORD: usize = 24;

/// Collects frames for the next chunk.
pub struct Keeper {
    payload_bytes: usize,
    sources: HashMap<(u32, u32, u32, u32), FrameReader>,
    decoder: Decoder,
    keys: HashSet<u64>,
    records: Vec<u8>,
    packets: u32,
    first_ns: u64,
    last_ns: u64,
    chunk: Vec<u8>,
}

impl Keeper {
    /// `payload_bytes` are kept behind the headers of each frame.
    pub fn new(payload_bytes: u32) -> Self {
        Self {
            payload_bytes: payload_bytes as usize,
            sources: HashMap::new(),
            decoder: Decoder::default(),
            keys: HashSet::new(),
            records: Vec::new(),
            packets: 0,
            first_ns: u64::MAX,
            last_ns: 0,
            chunk: Vec::new(),
        }
    }

    /// Takes a block; gives the number of its frames, none when the format is not known.
    pub fn push(&mut self, source: u32, format: u32, flags: u32, link_type: u32, block: &[u8]) -> Option<u64> {
        let known = Format::from_id(format)?;
        let name = (source, format, flags, link_type);
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&name) {
            self.sources.clear();
        }
        let mut reader = self.sources.remove(&name).unwrap_or_else(|| FrameReader::new(known, flags, link_type as u16));
        let frames = reader.read(block, |frame| self.keep(&frame));
        self.sources.insert(name, reader);
        Some(frames)
    }

    /// Bytes that wait for the next chunk.
    pub fn waiting(&self) -> usize {
        self.records.len()
    }

    /// The chunk that was taken last.
    pub fn chunk(&self) -> &[u8] {
        &self.chunk
    }

    /// The chunk of what waits; empty when nothing does.
    pub fn take(&mut self) -> &[u8] {
        self.chunk.clear();
        if self.packets > 0 {
            let mut keys: Vec<u64> = self.keys.drain().collect();
            keys.sort_unstable();
            let size = HEADER + keys.len() * 8 + self.records.len();
            let header = Header {
                size,
                keys: keys.len(),
                packets: self.packets,
                first_ns: self.first_ns,
                last_ns: self.last_ns,
            };
            self.chunk.reserve(size);
            header.write(&mut self.chunk);
            for key in keys {
                self.chunk.extend_from_slice(&key.to_le_bytes());
            }
            self.chunk.append(&mut self.records);
            (self.packets, self.first_ns, self.last_ns) = (0, u64::MAX, 0);
        }
        &self.chunk
    }

    fn keep(&mut self, frame: &Frame<'_>) {
        let mut kept = UNKNOWN.saturating_add(self.payload_bytes);
        if let Some(packet) = self.decoder.decode(frame) {
            self.keys.insert(packet.symmetric_hash());
            // the payload of a datagram that was put together from fragments lies elsewhere
            if let Some(headers) = offset_in(frame.data, packet.payload).filter(|_| packet.is_ip()) {
                kept = headers.saturating_add(self.payload_bytes);
            }
        }
        let data = frame.data.get(..kept).unwrap_or(frame.data);
        // a tag that the network card took off goes back where it was on the wire
        let tag = frame.vlan_tci.filter(|_| frame.link_type == 1 && data.len() >= 12);
        let extra = if tag.is_some() { 4 } else { 0 };
        let cap_len = data.len() + extra;
        self.records.reserve(RECORD + cap_len + 8);
        let records = &mut self.records;
        records.extend_from_slice(&(cap_len as u32).to_le_bytes());
        records.extend_from_slice(&frame.wire_len.saturating_add(extra as u32).to_le_bytes());
        records.extend_from_slice(&frame.time_ns.to_le_bytes());
        records.extend_from_slice(&frame.link_type.to_le_bytes());
        records.extend_from_slice(&frame.interface.to_le_bytes());
        records.extend_from_slice(&(frame.direction as u32).to_le_bytes());
        match (tag, data.split_at_checked(12)) {
            (Some(tci), Some((addresses, rest))) => {
                records.extend_from_slice(addresses);
                records.extend_from_slice(&ethertype::VLAN.to_be_bytes());
                records.extend_from_slice(&tci.to_be_bytes());
                records.extend_from_slice(rest);
            }
            _ => records.extend_from_slice(data),
        }
        records.resize(records.len().next_multiple_of(8), 0);
        self.packets = self.packets.saturating_add(1);
        self.first_ns = self.first_ns.min(frame.time_ns);
        self.last_ns = self.last_ns.max(frame.time_ns);
    }
}

/// Where `part` begins in `whole`; none when it is no part of it.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at.checked_add(part.len())? <= whole.len()).then_some(at)
}
