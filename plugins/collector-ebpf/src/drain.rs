//! From the ring to a block.

use crate::expand::{Connections, Expanded, ABOUT, HEADER, SHORT};
use crate::ring::{Ring, BUSY, DISCARDED, HEAD};

/// What one drain did.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub struct Drained {
    /// Bytes written to the block.
    pub bytes: usize,
    /// Records among them.
    pub records: u64,
    /// Records that were not what they should be, and were left out.
    pub damaged: u64,
}

/// Move whole records to `out` until it is full or the ring is empty.
///
/// Each record gets the header of its connection, which the programs say once, and `to_unix` added to its times (nanoseconds from the kernel's
/// monotonic clock to Unix time); its padding is zeroed. Without `connections` records are copied as they are, each padded to 8.
pub fn drain(
    ring: &impl Ring,
    out: &mut [u8],
    to_unix: i64,
    mut connections: Option<&mut Connections>,
) -> Drained {
    let mut done = Drained::default();
    let mut position = ring.consumed();
    let produced = ring.produced();
    while position < produced {
        let header = ring.header(position);
        if header & BUSY != 0 {
            break;
        }
        let length = u64::from(header & !(BUSY | DISCARDED));
        let step = (length + HEAD + 7) & !7;
        if length > ring.size() || step > produced - position {
            // the kernel never writes this; whatever is there, nothing after it can be found
            done.damaged += 1;
            position = produced;
            break;
        }
        if header & DISCARDED == 0 {
            let (at, length, room) = (position + HEAD, length as usize, &mut out[done.bytes..]);
            let taken = match connections.as_deref_mut() {
                Some(known) => segment(ring, at, length, room, to_unix, known),
                None => plain(ring, at, length, room),
            };
            match taken {
                Taken::Bytes(bytes) => {
                    done.bytes += bytes;
                    done.records += 1;
                }
                Taken::NoRoom => break,
                Taken::Nothing => {}
                Taken::Damaged => done.damaged += 1,
            }
        }
        position += step;
    }
    ring.consume(position);
    done
}

enum Taken {
    Bytes(usize),
    /// It said something about a connection.
    Nothing,
    NoRoom,
    Damaged,
}

fn plain(ring: &impl Ring, at: u64, length: usize, out: &mut [u8]) -> Taken {
    let padded = (length + 7) & !7;
    let Some(target) = out.get_mut(..padded) else {
        return Taken::NoRoom;
    };
    let (record, padding) = target.split_at_mut(length);
    ring.copy(at, record);
    padding.fill(0);
    Taken::Bytes(padded)
}

fn segment(
    ring: &impl Ring,
    at: u64,
    length: usize,
    out: &mut [u8],
    to_unix: i64,
    known: &mut Connections,
) -> Taken {
    if length < SHORT {
        return Taken::Damaged;
    }
    let head = ring.read::<SHORT>(at);
    if Connections::is_about(&head) {
        return if length >= ABOUT && known.tell(&ring.read(at)) {
            Taken::Nothing
        } else {
            Taken::Damaged
        };
    }
    match known.expand(&head, length, to_unix, out) {
        Expanded::Damaged => Taken::Damaged,
        Expanded::NoRoom => Taken::NoRoom,
        Expanded::Record(captured, padded) => {
            let payload = &mut out[HEADER..HEADER + padded];
            // what is padding stands in the last word
            if let Some(last) = payload.last_chunk_mut::<8>() {
                *last = [0; 8];
            }
            ring.copy(at + SHORT as u64, &mut payload[..captured]);
            Taken::Bytes(HEADER + padded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::tests as made;
    use std::cell::Cell;

    struct Memory {
        data: Vec<u8>,
        produced: u64,
        consumed: Cell<u64>,
    }

    impl Memory {
        fn new(size: usize) -> Self {
            Self {
                data: vec![0; size],
                produced: 0,
                consumed: Cell::new(0),
            }
        }

        fn write(&mut self, record: &[u8], bits: u32) {
            let head = (record.len() as u32 | bits).to_le_bytes();
            let at = self.produced;
            for (index, byte) in head.iter().chain(&[0; 4]).chain(record).enumerate() {
                let place = ((at + index as u64) % self.data.len() as u64) as usize;
                self.data[place] = *byte;
            }
            self.produced += (record.len() as u64 + HEAD + 7) & !7;
        }
    }

    impl Ring for Memory {
        fn size(&self) -> u64 {
            self.data.len() as u64
        }
        fn produced(&self) -> u64 {
            self.produced
        }
        fn consumed(&self) -> u64 {
            self.consumed.get()
        }
        fn consume(&self, position: u64) {
            self.consumed.set(position);
        }
        fn header(&self, position: u64) -> u32 {
            let mut raw = [0; 4];
            self.copy(position, &mut raw);
            u32::from_le_bytes(raw)
        }
        fn read<const N: usize>(&self, position: u64) -> [u8; N] {
            let mut found = [0; N];
            self.copy(position, &mut found);
            found
        }
        fn copy(&self, position: u64, to: &mut [u8]) {
            for (index, byte) in to.iter_mut().enumerate() {
                *byte = self.data[((position + index as u64) % self.data.len() as u64) as usize];
            }
        }
    }

    const PLACE: u16 = 7;
    const ID: u64 = 0x0200_0000_0001_0009;

    fn record(captured: usize, time: u64) -> Vec<u8> {
        made::record(PLACE, ID, captured, time)
    }

    fn told() -> Connections {
        let mut known = Connections::default();
        assert!(known.tell(&made::about(PLACE, ID).try_into().unwrap()));
        known
    }

    #[test]
    fn a_connection_is_told_once_and_times_become_unix() {
        let mut ring = Memory::new(4096);
        let mut known = Connections::default();
        ring.write(&made::about(PLACE, ID), 0);
        ring.write(&record(3, 100), 0);
        ring.write(&record(0, 200), 0);
        let mut out = vec![0xAA; 1024];
        let done = drain(&ring, &mut out, 1_000, Some(&mut known));
        assert_eq!(
            done,
            Drained {
                bytes: 168 + 160,
                records: 2,
                damaged: 0
            }
        );
        assert_eq!(&out[8..16], &1_100u64.to_le_bytes());
        assert_eq!(&out[24..32], &ID.to_le_bytes());
        assert_eq!(&out[160..168], &[0xEE, 0xEE, 0xEE, 0, 0, 0, 0, 0]);
        assert_eq!(&out[168 + 8..168 + 16], &1_200u64.to_le_bytes());
        assert_eq!(&out[168 + 24..168 + 32], &ID.to_le_bytes());
        assert_eq!(ring.consumed(), ring.produced());
    }

    #[test]
    fn stops_at_a_busy_record_and_skips_a_discarded_one() {
        let mut ring = Memory::new(4096);
        let mut known = told();
        ring.write(&record(0, 1), DISCARDED);
        ring.write(&record(0, 2), 0);
        ring.write(&record(0, 3), BUSY);
        let mut out = vec![0; 1024];
        assert_eq!(drain(&ring, &mut out, 0, Some(&mut known)).records, 1);
        assert_eq!(drain(&ring, &mut out, 0, Some(&mut known)).records, 0);
    }

    #[test]
    fn what_does_not_fit_stays_and_the_ring_goes_round() {
        let mut ring = Memory::new(1024);
        let mut known = told();
        let mut out = vec![0; 400];
        for round in 1..50 {
            ring.write(&record(40, round), 0);
            ring.write(&record(40, round), 0);
            ring.write(&record(1, round), 0);
            assert_eq!(drain(&ring, &mut out, 0, Some(&mut known)).records, 2);
            assert_eq!(drain(&ring, &mut out, 0, Some(&mut known)).records, 1);
        }
    }

    #[test]
    fn damage_is_counted_and_nothing_is_read_outside() {
        let mut ring = Memory::new(4096);
        let mut known = told();
        ring.write(&[1, 2, 3], 0);
        let mut lying = record(0, 1);
        lying[..2].copy_from_slice(&9_000u16.to_le_bytes());
        ring.write(&lying, 0);
        let mut greedy = record(0, 1);
        greedy[60..62].copy_from_slice(&u16::MAX.to_le_bytes());
        ring.write(&greedy, 0);
        ring.write(&made::record(PLACE, ID + 1, 0, 1), 0);
        ring.write(&made::about(PLACE, ID)[..72], 0);
        ring.write(&record(0, 1), 0);
        let mut out = vec![0; 4096];
        let done = drain(&ring, &mut out, 0, Some(&mut known));
        assert_eq!((done.records, done.damaged), (1, 5));
        // a length that cannot be
        let at = ring.produced;
        ring.write(&record(0, 1), 0);
        ring.data[(at % 4096) as usize..][..4].copy_from_slice(&0x3000_0000u32.to_le_bytes());
        assert_eq!(drain(&ring, &mut out, 0, Some(&mut known)).damaged, 1);
        assert_eq!(ring.consumed(), ring.produced());
    }

    #[test]
    fn plain_records_are_left_as_they_are() {
        let mut ring = Memory::new(1024);
        ring.write(&[1, 2, 3], 0);
        let mut out = vec![9; 64];
        assert_eq!(drain(&ring, &mut out, 5, None).bytes, 8);
        assert_eq!(&out[..8], &[1, 2, 3, 0, 0, 0, 0, 0]);
    }
}
