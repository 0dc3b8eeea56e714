//! From the ring to a block.

use crate::ring::{Ring, BUSY, DISCARDED, HEAD};

/// Bytes of a record's header (docs/explanation/kernel-segments.md).
const HEADER: usize = 160;
const TIMES: [usize; 2] = [8, 16];
const CAPTURED: usize = 76;

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

/// Copy whole records to `out` until it is full or the ring is empty.
///
/// Records of segments get `to_unix` added to their times (nanoseconds from the kernel's monotonic clock to Unix time) and
/// their padding zeroed. With `plain` records are copied as they are, each padded to 8.
pub fn drain(ring: &impl Ring, out: &mut [u8], to_unix: i64, plain: bool) -> Drained {
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
            match take(
                ring,
                position + HEAD,
                length as usize,
                &mut out[done.bytes..],
                to_unix,
                plain,
            ) {
                Taken::Bytes(bytes) => {
                    done.bytes += bytes;
                    done.records += 1;
                }
                Taken::NoRoom => break,
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
    NoRoom,
    Damaged,
}

fn take(
    ring: &impl Ring,
    at: u64,
    length: usize,
    out: &mut [u8],
    to_unix: i64,
    plain: bool,
) -> Taken {
    let padded = (length + 7) & !7;
    let Some(target) = out.get_mut(..padded) else {
        return Taken::NoRoom;
    };
    let (record, padding) = target.split_at_mut(length);
    ring.copy(at, record);
    padding.fill(0);
    if plain {
        return Taken::Bytes(padded);
    }
    let Some(size) = word(target, 0).map(|size| size as usize) else {
        return Taken::Damaged;
    };
    let captured = word(target, CAPTURED).map_or(usize::MAX, |captured| captured as usize);
    if size < HEADER || size > length || size % 8 != 0 || captured > size - HEADER {
        return Taken::Damaged;
    }
    target[HEADER + captured..].fill(0);
    for offset in TIMES {
        if let Some(field) = target.get_mut(offset..offset + 8) {
            let mut raw = [0; 8];
            raw.copy_from_slice(field);
            field.copy_from_slice(
                &u64::from_le_bytes(raw)
                    .wrapping_add_signed(to_unix)
                    .to_le_bytes(),
            );
        }
    }
    Taken::Bytes(size)
}

fn word(from: &[u8], at: usize) -> Option<u32> {
    let mut raw = [0; 4];
    raw.copy_from_slice(from.get(at..at + 4)?);
    Some(u32::from_le_bytes(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        fn copy(&self, position: u64, to: &mut [u8]) {
            for (index, byte) in to.iter_mut().enumerate() {
                *byte = self.data[((position + index as u64) % self.data.len() as u64) as usize];
            }
        }
    }

    fn record(captured: usize, time: u64) -> Vec<u8> {
        let size = (HEADER + captured + 7) & !7;
        let mut made = vec![0xEE; size];
        made[..4].copy_from_slice(&(size as u32).to_le_bytes());
        made[8..16].copy_from_slice(&time.to_le_bytes());
        made[16..24].copy_from_slice(&time.to_le_bytes());
        made[CAPTURED..CAPTURED + 4].copy_from_slice(&(captured as u32).to_le_bytes());
        made
    }

    #[test]
    fn times_become_unix_and_padding_is_zero() {
        let mut ring = Memory::new(4096);
        ring.write(&record(3, 100), 0);
        let mut out = vec![0; 1024];
        let done = drain(&ring, &mut out, 1_000, false);
        assert_eq!(
            done,
            Drained {
                bytes: 168,
                records: 1,
                damaged: 0
            }
        );
        assert_eq!(&out[8..16], &1_100u64.to_le_bytes());
        assert_eq!(&out[160..168], &[0xEE, 0xEE, 0xEE, 0, 0, 0, 0, 0]);
        assert_eq!(ring.consumed(), ring.produced());
    }

    #[test]
    fn stops_at_a_busy_record_and_skips_a_discarded_one() {
        let mut ring = Memory::new(4096);
        ring.write(&record(0, 1), DISCARDED);
        ring.write(&record(0, 2), 0);
        ring.write(&record(0, 3), BUSY);
        let mut out = vec![0; 1024];
        assert_eq!(drain(&ring, &mut out, 0, false).records, 1);
        assert_eq!(drain(&ring, &mut out, 0, false).records, 0);
    }

    #[test]
    fn what_does_not_fit_stays_and_the_ring_goes_round() {
        let mut ring = Memory::new(1024);
        let mut out = vec![0; 400];
        for round in 0..50 {
            ring.write(&record(40, round), 0);
            ring.write(&record(40, round), 0);
            ring.write(&record(1, round), 0);
            assert_eq!(drain(&ring, &mut out, 0, false).records, 2);
            assert_eq!(drain(&ring, &mut out, 0, false).records, 1);
        }
    }

    #[test]
    fn damage_is_counted_and_nothing_is_read_outside() {
        let mut ring = Memory::new(4096);
        ring.write(&[1, 2, 3], 0);
        let mut lying = record(0, 0);
        lying[..4].copy_from_slice(&9_000u32.to_le_bytes());
        ring.write(&lying, 0);
        let mut greedy = record(0, 0);
        greedy[CAPTURED..CAPTURED + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        ring.write(&greedy, 0);
        ring.write(&record(0, 0), 0);
        let mut out = vec![0; 4096];
        let done = drain(&ring, &mut out, 0, false);
        assert_eq!((done.records, done.damaged), (1, 3));
        // a length that cannot be
        let at = ring.produced;
        ring.write(&record(0, 0), 0);
        ring.data[(at % 4096) as usize..][..4].copy_from_slice(&0x3000_0000u32.to_le_bytes());
        assert_eq!(drain(&ring, &mut out, 0, false).damaged, 1);
        assert_eq!(ring.consumed(), ring.produced());
    }

    #[test]
    fn plain_records_are_left_as_they_are() {
        let mut ring = Memory::new(1024);
        ring.write(&[1, 2, 3], 0);
        let mut out = vec![9; 64];
        assert_eq!(drain(&ring, &mut out, 5, true).bytes, 8);
        assert_eq!(&out[..8], &[1, 2, 3, 0, 0, 0, 0, 0]);
    }
}
