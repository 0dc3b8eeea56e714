//! Any way of cutting, reordering and repeating a stream gives the same bytes; losses are gaps, never wrong bytes.

mod common;

use common::{Prng, MS, START};
use mf_l7::stream::{Direction, Limits, Piece, Store, StreamCounts};

const LIMITS: Limits =
    Limits { bytes: 1 << 20, segments: 1024, wait_ns: 3000 * MS, acked_wait_ns: 10 * MS, max_jump: 1 << 30 };

/// What came out: bytes by offset, gaps, and that it came in order without a hole that was not told.
#[derive(Default)]
struct Out {
    bytes: Vec<Option<u8>>,
    gaps: Vec<(u64, u32)>,
}

impl Out {
    fn take(&mut self, first_seq: u32, piece: Piece<'_>) {
        assert_eq!(piece.offset, self.bytes.len() as u64, "offsets follow each other");
        assert_eq!(piece.seq, first_seq.wrapping_add(piece.offset as u32));
        assert!(piece.gap == 0 || piece.data.is_empty());
        assert!(piece.gap > 0 || !piece.data.is_empty());
        if piece.gap > 0 {
            self.gaps.push((piece.offset, piece.gap));
            self.bytes.resize(self.bytes.len() + piece.gap as usize, None);
        }
        self.bytes.extend(piece.data.iter().copied().map(Some));
    }
}

struct Bench {
    direction: Direction,
    store: Store,
    counts: StreamCounts,
    out: Out,
    first_seq: u32,
    limits: Limits,
}

impl Bench {
    fn new(first_seq: u32) -> Self {
        let mut direction = Direction::default();
        direction.start(first_seq);
        Bench {
            direction,
            store: Store::new(1 << 24),
            counts: StreamCounts::default(),
            out: Out::default(),
            first_seq,
            limits: LIMITS,
        }
    }

    fn push(&mut self, offset: usize, time: u64, data: &[u8], wire_len: usize) {
        let Bench { direction, store, counts, out, first_seq, limits } = self;
        let seq = first_seq.wrapping_add(offset as u32);
        direction
            .push(seq, time, data, wire_len as u32, limits, store, counts, &mut |piece| out.take(*first_seq, piece));
    }

    fn close(&mut self) {
        let Bench { direction, store, counts, out, first_seq, limits } = self;
        direction.close(START, limits, store, counts, &mut |piece| out.take(*first_seq, piece));
        assert_eq!(store.used(), 0, "nothing is held after the close");
    }

    fn expire(&mut self, now: u64) {
        let Bench { direction, store, counts, out, first_seq, limits } = self;
        direction.expire(now, limits, store, counts, &mut |piece| out.take(*first_seq, piece));
    }
}

fn stream(random: &mut Prng, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.next() as u8).collect()
}

/// Random cuts with overlaps, some repeated, moved at most `window` places.
fn segments(random: &mut Prng, len: usize, window: usize) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < len {
        let take = (1 + random.below(1500)).min(len - at);
        let back = if random.below(4) == 0 { random.below(at.min(700) + 1) } else { 0 };
        out.push((at - back, at + take));
        if random.below(6) == 0 {
            out.push((at, at + take));
        }
        at += take;
    }
    let mut keyed: Vec<_> = out.into_iter().enumerate().map(|(i, s)| (i + random.below(window + 1), s)).collect();
    keyed.sort_by_key(|&(key, _)| key);
    keyed.into_iter().map(|(_, segment)| segment).collect()
}

#[test]
fn any_cut_order_and_repetition_gives_the_same_bytes() {
    let mut random = Prng(0x5eed);
    for round in 0..400 {
        let len = 1 + random.below(60_000);
        let data = stream(&mut random, len);
        // Every fourth round wraps the sequence number.
        let first = if round % 4 == 0 { u32::MAX - random.below(20_000) as u32 } else { random.next() as u32 };
        let mut bench = Bench::new(first);
        for (start, end) in segments(&mut random, len, round % 24) {
            bench.push(start, START, &data[start..end], end - start);
        }
        assert!(bench.out.gaps.is_empty());
        let got: Vec<u8> = bench.out.bytes.iter().map(|byte| byte.expect("no gap")).collect();
        assert_eq!(got, data, "round {round}");
        bench.close();
    }
}

#[test]
fn losses_and_cuts_are_gaps_and_never_wrong_bytes() {
    let mut random = Prng(0xbad);
    for round in 0..400 {
        let len = 1 + random.below(60_000);
        let data = stream(&mut random, len);
        let mut bench = Bench::new(random.next() as u32);
        bench.limits.bytes = 1 + random.below(20_000);
        bench.limits.segments = 1 + random.below(30);
        if round % 3 == 0 {
            bench.store = Store::new(random.below(5000));
        }
        let mut seen = vec![false; len];
        for (i, (start, end)) in segments(&mut random, len, round % 24).into_iter().enumerate() {
            if random.below(5) == 0 {
                continue;
            }
            let captured = if random.below(4) == 0 { random.below(end - start + 1) } else { end - start };
            seen[start..start + captured].fill(true);
            bench.push(start, START + i as u64 * MS, &data[start..start + captured], end - start);
            if random.below(20) == 0 {
                bench.expire(START + i as u64 * MS + 4000 * MS);
            }
        }
        bench.close();
        for (at, byte) in bench.out.bytes.iter().enumerate() {
            assert!(byte.is_none_or(|byte| byte == data[at]), "round {round}: a wrong byte at {at}");
            assert!(byte.is_none() || seen[at]);
        }
    }
}

#[test]
fn what_came_first_stays() {
    let mut bench = Bench::new(7);
    bench.push(4, START, b"EFGH", 4);
    bench.push(0, START, b"abcdefghij", 10);
    let text: Vec<u8> = bench.out.bytes.iter().flatten().copied().collect();
    assert_eq!(text, b"abcdEFGHij");
    bench.push(2, START, b"XXXXXXXXXXkl", 12);
    let text: Vec<u8> = bench.out.bytes.iter().flatten().copied().collect();
    assert_eq!(text, b"abcdEFGHijXXkl".to_vec());
}

#[test]
fn a_hole_waits_for_its_time_and_shorter_when_acknowledged() {
    let mut bench = Bench::new(0);
    bench.push(0, START, b"ab", 2);
    bench.push(4, START, b"ef", 2);
    bench.expire(START + 2999 * MS);
    assert_eq!(bench.out.bytes.len(), 2);
    bench.expire(START + 3000 * MS);
    assert_eq!(bench.out.gaps, [(2, 2)]);
    bench.push(8, START + 4000 * MS, b"ij", 2);
    bench.direction.acknowledged(10, START + 4001 * MS);
    bench.expire(START + 4010 * MS);
    assert_eq!(bench.out.bytes.len(), 6);
    bench.expire(START + 4011 * MS);
    assert_eq!(bench.out.gaps, [(2, 2), (6, 2)]);
}

#[test]
fn a_late_packet_still_fills_an_acknowledged_hole() {
    let mut bench = Bench::new(0);
    bench.push(2, START, b"cd", 2);
    bench.direction.acknowledged(4, START + MS);
    bench.expire(START + 2 * MS);
    bench.push(0, START + 3 * MS, b"ab", 2);
    assert_eq!(bench.out.bytes.len(), 4);
    assert!(bench.out.gaps.is_empty());
}

#[test]
fn a_cut_packet_is_data_and_a_gap_and_a_whole_repetition_fills_what_is_held() {
    let mut bench = Bench::new(0);
    bench.push(0, START, b"abc", 10);
    assert_eq!(bench.out.gaps, [(3, 7)]);
    bench.push(20, START, b"uv", 6);
    bench.push(20, START, b"uvwxyz", 6);
    bench.push(10, START, b"klmnopqrst", 10);
    assert_eq!(bench.out.bytes.len(), 26);
    assert_eq!(bench.out.gaps.len(), 1, "the whole packet filled what the cut one had not");
}

#[test]
fn memory_is_bounded_for_a_direction() {
    let mut bench = Bench::new(0);
    bench.limits.segments = 16;
    bench.limits.bytes = 10_000;
    for i in 1..10_000 {
        bench.push(i * 200, START, &[1; 100], 100);
        assert!(bench.direction.held_bytes() <= 10_000);
    }
    bench.close();
}

#[test]
fn a_wild_sequence_number_is_dropped_and_a_new_numbering_is_taken_up() {
    let mut bench = Bench::new(0);
    bench.push(0, START, b"ab", 2);
    let Bench { direction, store, counts, limits, .. } = &mut bench;
    let mut got = Vec::new();
    let mut push = |seq: u32, data: &[u8]| {
        direction.push(seq, START, data, data.len() as u32, limits, store, counts, &mut |piece| {
            got.push((piece.offset, piece.gap, piece.data.to_vec()));
        });
    };
    push(0x7000_0000, b"wild");
    push(2, b"cd");
    for i in 0..6 {
        push(0x9000_0000 + i * 2, b"xy");
    }
    assert_eq!(got[0], (2, 0, b"cd".to_vec()));
    assert_eq!(got[1].1, 1, "one byte of gap says that something is missing");
    assert!(got[2..].iter().all(|piece| piece.2 == b"xy"));
    assert_eq!(bench.counts.resync, 1);
    assert_eq!(bench.counts.out_of_window, 4);
}

#[test]
fn garbage_never_panics() {
    let mut random = Prng(99);
    let mut direction = Direction::default();
    let mut store = Store::new(4096);
    let mut counts = StreamCounts::default();
    let mut limits = LIMITS;
    limits.bytes = 2048;
    limits.segments = 8;
    let data = [7u8; 64];
    let mut base = 0u32;
    for _ in 0..200_000 {
        base = if random.below(50) == 0 { random.next() as u32 } else { base.wrapping_add(random.below(64) as u32) };
        let seq = base.wrapping_add(random.below(300) as u32).wrapping_sub(150);
        let len = random.below(65);
        let wire = if random.below(3) == 0 { random.next() as u32 } else { len as u32 };
        let now = random.next();
        match random.below(12) {
            0 => direction.start(seq),
            1 => direction.finish_at(seq),
            2 => direction.acknowledged(seq, now),
            3 => direction.expire(now, &limits, &mut store, &mut counts, &mut |_| ()),
            4 if random.below(100) == 0 => direction.close(now, &limits, &mut store, &mut counts, &mut |_| ()),
            _ => direction.push(seq, now, &data[..len], wire, &limits, &mut store, &mut counts, &mut |_| ()),
        }
        assert!(store.used() <= 4096);
    }
    direction.reset(&mut store);
    assert_eq!(store.used(), 0);
}
