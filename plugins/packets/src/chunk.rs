//! A chunk: packets of about a second or a megabyte, with the keys of their flows in front.
//!
//! ```text
//! 0 "MFK1"   4 u32 bytes of the whole chunk   8 u32 keys   12 u32 packets   16 u64 first time   24 u64 last time (ns since 1970)
//! 32 u64[keys], ascending, each once   records (format `records` of docs/explanation/data-plane.md)
//! ```
//! Little-endian. A key is the hash of both ends and the protocol that is the same for both directions.

/// Bytes before the keys.
pub const HEADER: usize = 32;
const MAGIC: &[u8; 4] = b"MFK1";

/// What stands in front of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole chunk.
    pub size: usize,
    /// How many keys follow.
    pub keys: usize,
    /// How many packets it holds.
    pub packets: u32,
    /// Time of the earliest packet, nanoseconds since 1970.
    pub first_ns: u64,
    /// Time of the latest packet.
    pub last_ns: u64,
}

impl Header {
    /// Reads the header of a chunk; none when this is no chunk, or its numbers contradict each other.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<HEADER>()?;
        if !head.starts_with(MAGIC) {
            return None;
        }
        let header = Self {
            size: word(head, 4)? as usize,
            keys: word(head, 8)? as usize,
            packets: word(head, 12)?,
            first_ns: long(head, 16)?,
            last_ns: long(head, 24)?,
        };
        (header.records_at()? <= header.size).then_some(header)
    }

    /// Where the records begin.
    pub fn records_at(&self) -> Option<usize> {
        self.keys.checked_mul(8)?.checked_add(HEADER)
    }

    /// Writes the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        for value in [self.size as u32, self.keys as u32, self.packets] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&self.first_ns.to_le_bytes());
        out.extend_from_slice(&self.last_ns.to_le_bytes());
    }
}

/// Whether a chunk's keys hold this one; `keys` are the bytes between header and records.
pub fn holds(keys: &[u8], key: u64) -> bool {
    let (mut low, mut high) = (0, keys.len() / 8);
    while low < high {
        let middle = low + (high - low) / 2;
        match long(keys, middle * 8) {
            Some(found) if found == key => return true,
            Some(found) if found < key => low = middle + 1,
            Some(_) => high = middle,
            None => return false,
        }
    }
    false
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_le_bytes(*b))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|b| u64::from_le_bytes(*b))
}
