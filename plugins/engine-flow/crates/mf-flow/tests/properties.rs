//! What must hold for any packets: nothing lost between reports, the same output whatever the hash seed, bounded tables.

mod talk;

use mf_flow::{Config, FlowReport, ReportKind};
use talk::build::{eth, ip4, tcp, udp, zoo, Rng, Seg};
use talk::*;

/// A run of random packets of a few hosts with odd flags, sequence numbers and times.
fn storm(seed: u64, packets: usize, config: Config) -> (Talk, u64, u64) {
    let mut rng = Rng(seed);
    let mut talk = Talk::with(config);
    let (mut now, mut bytes) = (0u64, 0u64);
    let zoo: Vec<_> = zoo()
        .into_iter()
        .filter(|(link, data)| *link == 1 && data[12] != 0x88 && data[20] & 0x20 == 0)
        .collect();
    let mut taken = 0;
    for _ in 0..packets {
        now += [0, 1000, 50 * MS, 700 * MS, 9 * SECOND][rng.below(5)] / (1 + rng.below(50) as u64);
        let (a, b) = (rng.below(4) as u8, rng.below(4) as u8);
        let ports = [80, 443, 40000, 40001, 53];
        let (src, dst) = (ports[rng.below(5)], ports[rng.below(5)]);
        let payload = vec![7; rng.below(30)];
        let data = match rng.below(10) {
            0 => zoo[rng.below(zoo.len())].1.clone(),
            1 => eth(
                0x0800,
                &ip4([10, 0, 0, a], [10, 0, 0, b], 17, &udp(src, dst, &payload)),
            ),
            _ => {
                let flags = [2, 18, 16, 24, 17, 4, 20, 1, rng.next() as u8][rng.below(9)];
                let (seq, ack) = (rng.below(100) as u32, rng.below(100) as u32);
                let seg = Seg {
                    src,
                    dst,
                    seq,
                    ack,
                    flags,
                    window: rng.below(2) as u16,
                    payload: &payload,
                };
                eth(0x0800, &ip4([10, 0, 0, a], [10, 0, 0, b], 6, &tcp(seg)))
            }
        };
        let jitter = rng.below(3) as u64 * rng.below(3_000_000) as u64;
        let mut decoder = mf_packet::Decoder::default();
        if let Some(packet) = decoder.decode(&talk::build::frame_at(
            START + now.saturating_sub(jitter),
            &data,
        )) {
            bytes += u64::from(packet.wire_len);
            taken += 1;
            talk.table.push(&packet, &mut talk.log);
        }
    }
    talk.finish();
    (talk, taken, bytes)
}

fn totals<'a>(reports: impl Iterator<Item = &'a FlowReport>) -> [u64; 8] {
    let mut sum = [0; 8];
    for r in reports {
        let c = &r.counts;
        let row = [
            c.tx.packets + c.rx.packets,
            c.tx.bytes + c.rx.bytes,
            u64::from(c.tx.retrans + c.rx.retrans),
            u64::from(c.tx.ooo + c.rx.ooo),
            u64::from(c.tx.zero_win + c.rx.zero_win),
            u64::from(c.syn + c.synack + c.fin),
            u64::from(c.rtt.count + c.rtt_client.count + c.rtt_server.count),
            c.srt.sum + c.art.sum + c.cit.sum,
        ];
        for (have, more) in sum.iter_mut().zip(row) {
            *have += more;
        }
    }
    sum
}

#[test]
fn nothing_is_lost_between_packets_seconds_and_minutes() {
    for seed in 1..40 {
        let (talk, packets, bytes) = storm(seed, 800, Config::default());
        let seconds = totals(talk.log.seconds.iter());
        assert_eq!((seconds[0], seconds[1]), (packets, bytes), "seed {seed}");
        let minutes = totals(talk.log.minutes.iter().chain(&talk.log.closed));
        // A direction that turns between a second and the end of its minute moves srt, art and cit to the other side.
        assert_eq!(seconds[..7], minutes[..7], "seed {seed}");
        assert!(talk.table.is_empty());
        assert_eq!(
            talk.log.seconds.iter().filter(|r| r.closing).count(),
            talk.log.closed.len()
        );
        assert_eq!(
            talk.log.seconds.iter().filter(|r| r.is_new_flow).count(),
            talk.log.closed.len()
        );
        let by_kind = |kind| {
            talk.log
                .minutes
                .iter()
                .chain(&talk.log.closed)
                .filter(|r| r.kind == kind)
                .count()
        };
        assert_eq!(by_kind(ReportKind::Close), talk.log.closed.len());
    }
}

#[test]
fn damaged_packets_are_accounted_like_good_ones() {
    let zoo = zoo();
    let mut rng = Rng(77);
    let mut talk = Talk::with(Config {
        max_flows: 64,
        ..Config::default()
    });
    let mut decoder = mf_packet::Decoder::default();
    let mut taken = 0;
    for i in 0..60_000u64 {
        let (link, data) = &zoo[rng.below(zoo.len())];
        let mut data = data.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(data.len());
            data[at] ^= 1 << rng.below(8);
        }
        data.truncate(data.len() - rng.below(2) * rng.below(data.len()));
        if let Some(packet) =
            decoder.decode(&talk::build::frame_of(*link, START + i * 3 * MS, &data))
        {
            taken += u64::from(packet.frames);
            talk.table.push(&packet, &mut talk.log);
        }
    }
    talk.finish();
    let minutes = talk.log.minutes.iter().chain(&talk.log.closed);
    // Links of all kinds are interfaces of all kinds, where the same bytes are copies.
    taken -= talk.table.counters().get("flow", "duplicate_packet");
    assert_eq!(
        (totals(talk.log.seconds.iter())[0], totals(minutes)[0]),
        (taken, taken)
    );
}

#[test]
fn the_output_does_not_depend_on_the_hash_seed() {
    for seed in 100..110 {
        let text = |hash_seed| {
            let (talk, ..) = storm(
                seed,
                1500,
                Config {
                    hash_seed: Some(hash_seed),
                    max_flows: 20,
                    ..Config::default()
                },
            );
            format!(
                "{:?}{:?}{:?}{:?}",
                talk.log.seconds, talk.log.minutes, talk.log.closed, talk.log.segments
            )
        };
        assert!(text(1) == text(0xdead_beef), "seed {seed}");
    }
}

#[test]
fn the_table_never_grows_beyond_its_bound() {
    for seed in 200..210 {
        let (talk, packets, _) = storm(
            seed,
            2000,
            Config {
                max_flows: 7,
                ..Config::default()
            },
        );
        let seconds = totals(talk.log.seconds.iter());
        assert_eq!(
            seconds[0] + talk.table.counters().get("flow", "refused_table_full"),
            packets
        );
        assert!(talk.table.counters().get("flow", "evicted_table_full") > 0);
    }
}

#[test]
fn reports_come_in_the_order_of_time() {
    let (talk, ..) = storm(7, 5000, Config::default());
    assert!(talk
        .log
        .seconds
        .windows(2)
        .all(|two| two[0].period_ns <= two[1].period_ns));
    assert!(talk
        .log
        .closed
        .iter()
        .all(|r| r.flow_start_ns <= r.end_ns && r.flow_id != 0));
}
