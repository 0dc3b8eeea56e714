//! Both directions are told in the order in which their ends saw them, whatever the capture lost or reordered.

mod common;

use common::{Prng, MS, START};
use mf_l7::stream::{Arrival, Conversation, Limits, Means, Store, StreamCounts};

const LIMITS: Limits =
    Limits { bytes: 1 << 20, segments: 1024, wait_ns: 3000 * MS, acked_wait_ns: 10 * MS, max_jump: 1 << 30 };
const FIRST: [u32; 2] = [u32::MAX - 40, 7];

/// What was told: the side, its offset, the bytes, the gap.
type Told = (u8, u64, Vec<u8>, u32);

struct Bench {
    conversation: Conversation,
    store: Store,
    counts: StreamCounts,
    limits: Limits,
    told: Vec<Told>,
}

impl Bench {
    fn new() -> Self {
        let mut conversation = Conversation::default();
        conversation.side(0).start(FIRST[0]);
        conversation.side(1).start(FIRST[1]);
        Bench {
            conversation,
            store: Store::new(1 << 24),
            counts: StreamCounts::default(),
            limits: LIMITS,
            told: Vec::new(),
        }
    }

    /// `side` sends `data` at `offset` of its stream and has seen `acked` bytes of the other one.
    fn send(&mut self, side: u8, offset: u32, data: &[u8], acked: u32, time_ns: u64) {
        let Bench { conversation, store, counts, limits, told } = self;
        let arrival = Arrival {
            seq: FIRST[usize::from(side)].wrapping_add(offset),
            ack: Some(FIRST[usize::from(side ^ 1)].wrapping_add(acked)),
            time_ns,
            data,
            wire_len: data.len() as u32,
        };
        if let Some((_, piece)) = conversation.next_in_order(side, &arrival) {
            told.push((side, piece.offset, piece.data.to_vec(), piece.gap));
            return;
        }
        let mut means = Means { limits, store, counts };
        conversation.arrive(side, &arrival, &mut means, &mut |side, _, piece| {
            told.push((side, piece.offset, piece.data.to_vec(), piece.gap));
        });
    }

    fn expire(&mut self, now: u64) {
        let Bench { conversation, store, counts, limits, told } = self;
        let mut means = Means { limits, store, counts };
        conversation.expire(now, 0, &mut means, &mut |side, _, piece| {
            told.push((side, piece.offset, piece.data.to_vec(), piece.gap));
        });
    }

    fn close(&mut self) {
        let Bench { conversation, store, counts, limits, told } = self;
        let mut means = Means { limits, store, counts };
        conversation.close(START, &mut means, &mut |side, _, piece| {
            told.push((side, piece.offset, piece.data.to_vec(), piece.gap));
        });
        assert_eq!(store.used(), 0, "nothing is held after the close");
    }

    fn words(&self) -> Vec<String> {
        self.told
            .iter()
            .map(|(side, _, data, gap)| match gap {
                0 => format!("{side}:{}", String::from_utf8_lossy(data)),
                _ => format!("{side}:gap {gap}"),
            })
            .collect()
    }
}

#[test]
fn what_is_asked_behind_a_lost_answer_is_told_behind_the_loss() {
    let mut bench = Bench::new();
    bench.send(0, 0, b"q1", 0, START);
    // "a1" is lost.
    bench.send(0, 2, b"q2", 2, START + MS);
    bench.send(1, 2, b"a2", 4, START + 2 * MS);
    bench.send(0, 4, b"q3", 4, START + 3 * MS);
    bench.send(1, 4, b"a3", 6, START + 4 * MS);
    assert_eq!(bench.words(), ["0:q1"]);
    bench.expire(START + 11 * MS);
    assert_eq!(bench.words(), ["0:q1", "1:gap 2", "0:q2", "1:a2", "0:q3", "1:a3"]);
    assert!(!bench.conversation.is_waiting());
}

#[test]
fn several_lost_answers_are_several_gaps_between_their_questions() {
    let mut bench = Bench::new();
    bench.send(0, 0, b"q1", 0, START);
    bench.send(0, 2, b"q2", 2, START + MS);
    bench.send(0, 4, b"q3", 4, START + 2 * MS);
    bench.send(1, 4, b"a3", 6, START + 3 * MS);
    bench.close();
    assert_eq!(bench.words(), ["0:q1", "1:gap 2", "0:q2", "1:gap 2", "0:q3", "1:a3"]);
}

#[test]
fn losses_of_both_sides_are_told_in_their_turn() {
    let mut bench = Bench::new();
    bench.send(0, 0, b"q1", 0, START);
    // "a1" and "q2" are lost.
    bench.send(1, 2, b"a2", 4, START + 2 * MS);
    bench.send(0, 4, b"q3", 4, START + 3 * MS);
    bench.send(1, 4, b"a3", 6, START + 4 * MS);
    bench.expire(START + 20 * MS);
    assert_eq!(bench.words(), ["0:q1", "0:gap 2", "1:gap 2", "1:a2", "0:q3", "1:a3"]);
}

#[test]
fn a_packet_that_the_capture_brings_late_takes_its_place() {
    let mut bench = Bench::new();
    bench.send(0, 0, b"q1", 0, START);
    bench.send(0, 2, b"q2", 2, START + MS);
    bench.send(1, 0, b"a1", 2, START + 2 * MS);
    bench.send(1, 2, b"a2", 4, START + 3 * MS);
    assert_eq!(bench.words(), ["0:q1", "1:a1", "0:q2", "1:a2"]);
    assert_eq!(bench.counts.gaps, 0);
}

#[test]
fn what_does_not_acknowledge_the_missing_bytes_waits_for_nothing() {
    let mut bench = Bench::new();
    bench.send(0, 0, b"q1", 0, START);
    bench.send(1, 2, b"a2", 2, START + MS);
    bench.send(0, 2, b"q2", 0, START + 2 * MS);
    assert_eq!(bench.words(), ["0:q1", "0:q2"], "the server's bytes are on their way again, the client goes on");
    bench.send(1, 0, b"a1", 2, START + 200 * MS);
    assert_eq!(bench.words(), ["0:q1", "0:q2", "1:a1", "1:a2"]);
}

#[test]
fn an_acknowledged_fin_is_no_missing_byte() {
    let mut bench = Bench::new();
    bench.send(1, 0, b"bye", 0, START);
    bench.conversation.side(1).finish_at(FIRST[1] + 3);
    bench.send(0, 0, b"so long", 4, START + MS);
    assert_eq!(bench.words(), ["1:bye", "0:so long"]);
}

#[test]
fn two_sides_that_each_claim_to_follow_the_other_do_not_stand_still() {
    let mut bench = Bench::new();
    for turn in 0..50u32 {
        bench.send(0, turn * 2, b"ab", turn * 2 + 2, START + u64::from(turn));
        bench.send(1, turn * 2, b"cd", turn * 2 + 2, START + u64::from(turn));
    }
    bench.expire(START + 20 * MS);
    let bytes = |side: u8| bench.told.iter().filter(|told| told.0 == side).map(|told| told.2.len()).sum::<usize>();
    assert_eq!((bytes(0), bytes(1)), (100, 100));
    assert_eq!(bench.counts.gaps, 0);
}

#[test]
fn memory_is_bounded() {
    let mut bench = Bench::new();
    bench.limits.segments = 8;
    bench.limits.bytes = 1000;
    bench.store = Store::new(1500);
    for turn in 0..10_000u32 {
        bench.send(0, turn * 100, &[1; 100], turn * 10 + 10, START);
        assert!(bench.store.used() <= 1500);
    }
    bench.close();
    let asked: usize = bench.told.iter().filter(|told| told.0 == 0).map(|told| told.2.len()).sum();
    assert_eq!(asked, 1_000_000, "what was captured is told");
}

/// Conversations in turns, of which packets are lost and come in another order: every byte is right, and nothing is told before
/// what its sender had seen.
#[test]
fn any_loss_and_order_keeps_bytes_right_and_causes_before_what_they_caused() {
    let mut random = Prng(0xca5e);
    for round in 0..300 {
        let mut bench = Bench::new();
        let mut sent = [Vec::new(), Vec::new()];
        let mut packets = Vec::new();
        for turn in 0..60u64 {
            let side = (turn % 2) as u8;
            for _ in 0..1 + random.below(3) {
                let data: Vec<u8> = (0..1 + random.below(40)).map(|_| random.next() as u8).collect();
                let (own, other) = (usize::from(side), usize::from(side ^ 1));
                let place = sent[own].len() as u32;
                packets.push((side, place, data.clone(), sent[other].len() as u32, START + turn * MS));
                sent[own].extend(data);
            }
        }
        let window = round % 4;
        let mut keyed: Vec<_> =
            packets.into_iter().enumerate().map(|(i, packet)| (i + random.below(window + 1), packet)).collect();
        keyed.sort_by_key(|&(key, _)| key);
        let mut acks = std::collections::HashMap::new();
        for (_, (side, place, data, acked, time)) in keyed {
            if random.below(8) == 0 {
                continue;
            }
            for at in 0..data.len() as u64 {
                acks.insert((side, u64::from(place) + at), u64::from(acked));
            }
            bench.send(side, place, &data, acked, time);
        }
        bench.close();
        let mut reached = [0u64; 2];
        for (side, offset, data, gap) in &bench.told {
            let (own, other) = (usize::from(*side), usize::from(side ^ 1));
            assert_eq!(*offset, reached[own], "round {round}: offsets follow each other");
            assert_eq!(data.as_slice(), &sent[own][*offset as usize..*offset as usize + data.len()]);
            let needed = (0..data.len() as u64).filter_map(|at| acks.get(&(*side, offset + at))).max();
            assert!(needed.is_none_or(|&needed| reached[other] >= needed), "round {round}: told before its cause");
            reached[own] += data.len() as u64 + u64::from(*gap);
        }
    }
}
