//! From what stands in the ring (bpf/include/types.h: `struct record`, `struct about`) to the records of
//! docs/explanation/kernel-segments.md.

/// Bytes of a record's header in the ring.
pub const SHORT: usize = 64;
/// Bytes of what is said about a connection.
pub const ABOUT: usize = 104;
/// Bytes of a record's header in a block.
pub const HEADER: usize = 160;
/// Payloads are no longer than this.
pub const CAPTURE_MAX: usize = 4096;
const PLACES: usize = 1 << 16;
const WHAT_ABOUT: u8 = 0x7f;
const OUT: u8 = 0x80;

/// The headers of connections as far as they are the same for all records of each, by the connection's place in the kernel's array.
pub struct Connections {
    known: Vec<[u8; HEADER]>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            // pages of it come into being when they are written: a machine has as many as it has connections
            known: vec![[0; HEADER]; PLACES],
        }
    }
}

impl Connections {
    /// Whether this begins what is said about a connection.
    pub fn is_about(head: &[u8; SHORT]) -> bool {
        head[4] == WHAT_ABOUT
    }

    /// Remember what is said about a connection; false when it cannot be true.
    pub fn tell(&mut self, about: &[u8; ABOUT]) -> bool {
        if usize::from(half(about, 0)) != ABOUT {
            return false;
        }
        let Some(to) = self.known.get_mut(usize::from(half(about, 8))) else {
            return false;
        };
        to[6] = about[5]; // role
        to[24..32].copy_from_slice(&about[16..24]); // connection
        to[48..56].copy_from_slice(&about[56..64]); // cgroup
        to[56..60].copy_from_slice(&about[12..16]); // process
        to[64..68].copy_from_slice(&about[28..32]); // network namespace
        to[84..88].copy_from_slice(&about[24..28]); // ports
        to[88..90].copy_from_slice(&about[6..8]); // family, protocol
        to[96..128].copy_from_slice(&about[72..104]); // addresses
        to[128..144].copy_from_slice(&about[32..48]); // name
        to[144..152].copy_from_slice(&about[64..72]); // user
        to[152..160].copy_from_slice(&about[48..56]); // start of the process
        true
    }

    /// Write the header of a record that has `length` bytes in the ring to `out`, with its times in Unix time; answers how much of what follows is
    /// payload, and how much that is padded.
    pub fn expand(
        &self,
        head: &[u8; SHORT],
        length: usize,
        to_unix: i64,
        out: &mut [u8],
    ) -> Expanded {
        let size = usize::from(half(head, 0));
        let captured = usize::from(half(head, 60));
        let padded = size.wrapping_sub(SHORT);
        if size > length || size % 8 != 0 || captured > padded || padded > CAPTURE_MAX {
            return Expanded::Damaged;
        }
        let Some(known) = self.known.get(usize::from(half(head, 62))) else {
            return Expanded::Damaged;
        };
        // an earlier connection in this place had another number; none has no family
        if known[24..26] != head[2..4] || known[88] == 0 {
            return Expanded::Damaged;
        }
        if out.len() < HEADER + padded {
            return Expanded::NoRoom;
        }
        let Some(to) = out.first_chunk_mut::<HEADER>() else {
            return Expanded::NoRoom;
        };
        *to = *known;
        let what = [head[4] & !OUT, head[4] >> 7, known[6], head[7]];
        let first = (HEADER + padded) as u64 | u64::from(u32::from_le_bytes(what)) << 32;
        put(to, 0, first);
        put(to, 8, long(head, 8).wrapping_add_signed(to_unix));
        put(to, 16, long(head, 16).wrapping_add_signed(to_unix));
        put(to, 32, long(head, 24)); // trace
        put(to, 40, long(head, 32)); // coroutine
        to[60..64].copy_from_slice(&head[40..44]); // thread
        put(to, 68, long(head, 44)); // sequence number, bytes of the call
        let number = u64::from(word(head, 52)); // of the record
        put(to, 76, captured as u64 | number << 32);
        to[90..92].copy_from_slice(&head[5..7]); // source, processor
        to[92..96].copy_from_slice(&head[56..60]); // round trip
        Expanded::Record(captured, padded)
    }
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Expanded {
    /// Its header was written: bytes of payload, and these padded to 8, for which there is room.
    Record(usize, usize),
    /// There is no room for it.
    NoRoom,
    /// The programs write no such thing, or said nothing of its connection.
    Damaged,
}

fn put<const N: usize>(to: &mut [u8; N], at: usize, value: u64) {
    to[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn word<const N: usize>(from: &[u8; N], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&from[at..at + 4]);
    u32::from_le_bytes(raw)
}

fn half<const N: usize>(from: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([from[at], from[at + 1]])
}

fn long<const N: usize>(from: &[u8; N], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&from[at..at + 8]);
    u64::from_le_bytes(raw)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// About the connection `id` at `place`.
    pub fn about(place: u16, id: u64) -> Vec<u8> {
        let mut made = vec![0; ABOUT];
        made[..2].copy_from_slice(&(ABOUT as u16).to_le_bytes());
        made[2..4].copy_from_slice(&id.to_le_bytes()[..2]);
        made[4..8].copy_from_slice(&[WHAT_ABOUT, 2, 4, 6]);
        made[8..10].copy_from_slice(&place.to_le_bytes());
        made[12..16].copy_from_slice(&77u32.to_le_bytes());
        made[16..24].copy_from_slice(&id.to_le_bytes());
        made[24..28].copy_from_slice(&[1, 0, 2, 0]);
        made[28..32].copy_from_slice(&5u32.to_le_bytes());
        made[32..36].copy_from_slice(b"name");
        made[48..56].copy_from_slice(&6u64.to_le_bytes());
        made[56..64].copy_from_slice(&7u64.to_le_bytes());
        made[64..72].copy_from_slice(&8u64.to_le_bytes());
        made[72..76].copy_from_slice(&[127, 0, 0, 1]);
        made[88..92].copy_from_slice(&[127, 0, 0, 2]);
        made
    }

    /// A record of that connection, with `captured` bytes of 0xEE and padding of the same.
    pub fn record(place: u16, id: u64, captured: usize, time: u64) -> Vec<u8> {
        let size = (SHORT + captured + 7) & !7;
        let mut made = vec![0xEE; size];
        made[..2].copy_from_slice(&(size as u16).to_le_bytes());
        made[2..4].copy_from_slice(&id.to_le_bytes()[..2]);
        made[4..8].copy_from_slice(&[OUT, 1, 3, 9]);
        made[8..16].copy_from_slice(&time.to_le_bytes());
        made[16..24].copy_from_slice(&(time - 1).to_le_bytes());
        for (at, value) in (24..40).zip(1..) {
            made[at] = value;
        }
        for (index, at) in (40..60).step_by(4).enumerate() {
            made[at..at + 4].copy_from_slice(&(100 + index as u32).to_le_bytes());
        }
        made[60..62].copy_from_slice(&(captured as u16).to_le_bytes());
        made[62..64].copy_from_slice(&place.to_le_bytes());
        made
    }

    fn head(of: &[u8]) -> [u8; SHORT] {
        of[..SHORT].try_into().unwrap()
    }

    fn expanded(known: &Connections, raw: &[u8], length: usize) -> Expanded {
        known.expand(&head(raw), length, -1, &mut [0; HEADER + CAPTURE_MAX])
    }

    #[test]
    fn each_member_stands_where_the_document_says() {
        let mut connections = Connections::default();
        assert!(connections.tell(&about(65535, 0x0100_0000_0000_1234).try_into().unwrap()));
        let raw = record(65535, 0x1234, 5, 1_000);
        let mut made = [0xAA; HEADER + 8];
        assert_eq!(
            connections.expand(&head(&raw), raw.len(), 10, &mut made),
            Expanded::Record(5, 8)
        );
        assert_eq!(
            connections.expand(&head(&raw), raw.len(), 10, &mut [0; HEADER + 7]),
            Expanded::NoRoom
        );
        assert_eq!(word(&made, 0), 168);
        assert_eq!(made[4..8], [0, 1, 2, 9]);
        assert_eq!(long(&made, 8), 1_010);
        assert_eq!(long(&made, 16), 1_009);
        assert_eq!(long(&made, 24), 0x0100_0000_0000_1234);
        assert_eq!(made[32..48], (1..17).collect::<Vec<u8>>());
        assert_eq!(long(&made, 48), 7);
        assert_eq!(word(&made, 56), 77);
        assert_eq!(word(&made, 60), 100);
        assert_eq!(word(&made, 64), 5);
        assert_eq!((word(&made, 68), word(&made, 72)), (101, 102));
        assert_eq!((word(&made, 76), word(&made, 80)), (5, 103));
        assert_eq!(made[84..88], [1, 0, 2, 0]);
        assert_eq!(made[88..92], [4, 6, 1, 3]);
        assert_eq!(word(&made, 92), 104);
        assert_eq!(made[96..100], [127, 0, 0, 1]);
        assert_eq!(made[112..116], [127, 0, 0, 2]);
        assert_eq!(&made[128..133], b"name\0");
        assert_eq!((long(&made, 144), long(&made, 152)), (8, 6));
    }

    #[test]
    fn a_record_of_another_or_of_no_connection_is_damaged() {
        let mut connections = Connections::default();
        let raw = record(3, 0x1234, 0, 1);
        assert_eq!(expanded(&connections, &raw, raw.len()), Expanded::Damaged);
        assert!(connections.tell(&about(3, 0x1235).try_into().unwrap()));
        assert_eq!(expanded(&connections, &raw, raw.len()), Expanded::Damaged);
        assert!(connections.tell(&about(3, 0x1234).try_into().unwrap()));
        assert_eq!(
            expanded(&connections, &raw, raw.len()),
            Expanded::Record(0, 0)
        );
        assert_eq!(
            expanded(&connections, &raw, raw.len() - 8),
            Expanded::Damaged
        );
        assert!(!connections.tell(&[0; ABOUT]));
    }

    #[test]
    fn whatever_bytes_come_no_more_is_taken_than_there_is() {
        let mut connections = Connections::default();
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut raw = [0; ABOUT];
            for byte in &mut raw {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (state >> 33) as u8;
            }
            connections.tell(&raw);
            let length = usize::from(raw[0]);
            if let Expanded::Record(captured, padded) = expanded(&connections, &raw, length) {
                assert!(captured <= padded && padded + SHORT <= length);
            }
        }
    }
}
