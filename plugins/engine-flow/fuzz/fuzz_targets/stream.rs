//! Segments in any order, cut, repeated and lost: what comes out follows without a hole that was not told, and every
//! byte is the one that was sent at its offset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_l7::stream::{Direction, Limits, Store, StreamCounts};

fn sent(offset: u32) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

fuzz_target!(|input: &[u8]| {
    let Some((head, steps)) = input.split_first_chunk::<8>() else { return };
    let first = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let limits = Limits {
        bytes: usize::from(head[4]) * 64,
        segments: usize::from(head[5]),
        wait_ns: 1000,
        acked_wait_ns: 100,
        max_jump: 1 << 30,
    };
    let total = usize::from(head[6]) * 256;
    let mut store = Store::new(total);
    let mut direction = Direction::default();
    let mut counts = StreamCounts::default();
    if head[7] & 1 == 0 {
        direction.start(first);
    }
    let mut buffer = [0u8; 255];
    let (mut now, mut expected, mut base) = (0u64, 0u64, None);
    for step in steps.chunks_exact(6) {
        let offset = u32::from(u16::from_le_bytes([step[0], step[1]]));
        let (len, captured, time, action) = (step[2], step[3].min(step[2]), step[4], step[5]);
        now += u64::from(time);
        let seq = first.wrapping_add(offset);
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = sent(offset + at as u32);
        }
        let known_base = head[7] & 1 == 0;
        let mut out = |piece: mf_l7::stream::Piece<'_>| {
            assert_eq!(piece.offset, expected, "pieces follow each other");
            assert!((piece.gap == 0) != piece.data.is_empty());
            let start = *base.get_or_insert(if known_base { first } else { piece.seq });
            assert_eq!(piece.seq, start.wrapping_add(piece.offset as u32));
            for (at, &byte) in piece.data.iter().enumerate() {
                let absolute = piece.seq.wrapping_sub(first).wrapping_add(at as u32);
                assert_eq!(byte, sent(absolute), "a wrong byte");
            }
            expected += piece.data.len() as u64 + u64::from(piece.gap);
        };
        match action {
            0..=9 => direction.expire(now, &limits, &mut store, &mut counts, &mut out),
            10..=19 => direction.acknowledged(seq, now),
            20..=22 => direction.finish_at(seq),
            23 => direction.close(now, &limits, &mut store, &mut counts, &mut out),
            _ => {
                let data = &buffer[..usize::from(captured)];
                direction.push(seq, now, data, u32::from(len), &limits, &mut store, &mut counts, &mut out);
            }
        }
        assert!(store.used() <= total);
    }
    direction.reset(&mut store);
    assert_eq!(store.used(), 0);
});
