//! IP reassembly: any order gives the datagram, memory and time are bounded, bad overlaps discard.

mod build;

use build::*;
use mf_packet::ip::fragment::Limits;
use mf_packet::{Decoder, DecoderConfig};

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];

/// A UDP datagram of 1000 payload bytes in frames of at most `size` (a multiple of 8) payload bytes.
fn pieces4(size: usize, id: u16) -> Vec<Vec<u8>> {
    let whole = udp(999, 53, &body());
    let count = whole.len().div_ceil(size);
    let piece = |(i, part): (usize, &[u8])| {
        let place = (i * size / 8) as u16 | if i + 1 < count { 0x2000 } else { 0 };
        eth(0x0800, &ip4_full(A, B, 17, id, place, &[], part))
    };
    whole.chunks(size).enumerate().map(piece).collect()
}

fn pieces6(size: usize, id: u32) -> Vec<Vec<u8>> {
    // The fragmentable part begins with a destination options header.
    let whole = join(&[&[17, 0, 1, 4, 0, 0, 0, 0], &udp(999, 53, &body())]);
    let count = whole.len().div_ceil(size);
    let piece = |(i, part): (usize, &[u8])| {
        let place = ((i * size) as u16 & 0xfff8) | u16::from(i + 1 < count);
        let head = join(&[&[60, 0], &place.to_be_bytes(), &id.to_be_bytes()]);
        eth(0x86dd, &ip6(1, 2, 44, &join(&[&head, part])))
    };
    whole.chunks(size).enumerate().map(piece).collect()
}

fn body() -> Vec<u8> {
    (0..1000u32).map(|i| (i % 251) as u8).collect()
}

#[test]
fn any_order_gives_the_datagram_once() {
    let mut rng = Rng(3);
    for round in 0..200 {
        let size = 8 * (1 + rng.below(60));
        let mut pieces = if round % 2 == 0 {
            pieces4(size, round)
        } else {
            pieces6(size, round.into())
        };
        for i in (1..pieces.len()).rev() {
            pieces.swap(i, rng.below(i + 1));
        }
        let total: usize = pieces.iter().map(Vec::len).sum();
        let mut decoder = Decoder::new(DecoderConfig {
            fragments: Limits {
                pieces: 200,
                ..Limits::default()
            },
            ..Default::default()
        });
        let mut found = 0;
        for (i, piece) in pieces.iter().enumerate() {
            if let Some(p) = decoder.decode(&frame_at(i as u64, piece)) {
                found += 1;
                assert_eq!(i + 1, pieces.len());
                assert_eq!(
                    (p.payload, p.payload_wire, p.ports()),
                    (&body()[..], 1000, (999, 53))
                );
                assert_eq!(
                    (usize::from(p.frames), p.wire_len as usize),
                    (pieces.len(), total)
                );
            }
        }
        assert_eq!(found, 1, "size {size}");
        let later = decoder.counters().get("ip", "fragment_later") as usize;
        assert_eq!(later + 1, pieces.len());
    }
}

#[test]
fn duplicates_are_dropped_and_overlaps_discard_the_datagram() {
    let pieces = pieces4(256, 1);
    let mut decoder = Decoder::default();
    for piece in [&pieces[0], &pieces[0], &pieces[1], &pieces[2], &pieces[1]] {
        assert!(decoder.decode(&frame(piece)).is_none());
    }
    let whole = decoder.decode(&frame(&pieces[3])).unwrap();
    // Copies are frames, too: what was on the wire is counted, once each.
    assert_eq!((whole.frames, whole.l3_len), (6, 1008 + 2 * 256));
    assert_eq!(decoder.counters().get("ip", "fragment_duplicate"), 2);

    let evil = eth(0x0800, &ip4_full(A, B, 17, 1, 0x2000 | 16, &[], &[0; 256])); // bytes 128..384 of a datagram with 0..256
    let mut decoder = Decoder::default();
    for piece in [&pieces[0], &evil, &pieces[1], &pieces[2], &pieces[3]] {
        assert!(decoder.decode(&frame(piece)).is_none());
    }
    assert_eq!(decoder.counters().get("ip", "fragment_overlap"), 1);
    assert_eq!(
        decoder
            .counters()
            .get("ip", "fragment_of_overlapping_datagram"),
        3
    );
}

#[test]
fn unfinished_datagrams_time_out_and_a_reused_id_starts_over() {
    let pieces = pieces4(512, 9);
    let mut decoder = Decoder::default();
    assert!(decoder.decode(&frame_at(0, &pieces[0])).is_none());
    assert!(decoder
        .decode(&frame_at(31_000_000_000, &pieces[1]))
        .is_none());
    assert_eq!(decoder.counters().get("ip", "reassembly_timeout"), 1);
    assert!(
        decoder
            .decode(&frame_at(31_000_000_001, &pieces[0]))
            .is_some()
            == (pieces.len() == 2)
    );
}

#[test]
fn memory_stays_bounded_under_a_flood_of_unfinished_datagrams() {
    let limits = Limits {
        bytes: 100_000,
        datagrams: 50,
        pieces: 8,
        timeout_ns: u64::MAX,
    };
    let mut decoder = Decoder::new(DecoderConfig {
        fragments: limits,
        ..Default::default()
    });
    for id in 0..20_000u16 {
        let piece = eth(
            0x0800,
            &ip4_full(A, B, 17, id, 0x2000 | (id % 1000), &[], &[1; 1400]),
        );
        assert!(decoder.decode(&frame(&piece)).is_none());
    }
    let counters = decoder.counters();
    assert!(counters.get("ip", "reassembly_table_full") > 0);
    // Small datagrams with many pieces: the piece limit holds.
    let mut decoder = Decoder::new(DecoderConfig {
        fragments: limits,
        ..Default::default()
    });
    for at in 0..100u16 {
        assert!(decoder
            .decode(&frame(&eth(
                0x0800,
                &ip4_full(A, B, 17, 1, 0x2000 | (at * 2), &[], &[1; 8])
            )))
            .is_none());
    }
    assert_eq!(decoder.counters().get("ip", "fragment_too_many_pieces"), 92);
}

#[test]
fn a_fragment_cut_by_the_capture_gives_the_captured_prefix() {
    let pieces = pieces4(512, 2);
    let mut decoder = Decoder::default();
    let mut first = frame(&pieces[0]);
    first.data = &pieces[0][..14 + 20 + 8 + 100];
    assert!(decoder.decode(&first).is_none());
    let p = decoder.decode(&frame(&pieces[1])).unwrap();
    assert_eq!((p.payload, p.payload_wire), (&body()[..100], 1000));
}

#[test]
fn fragments_inside_a_tunnel_and_of_the_tunnel() {
    let inner = pieces4(512, 5);
    let wrap = |data: &[u8], id: u16| -> Vec<Vec<u8>> {
        let outer = udp(1, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 1, 0], data]));
        let count = outer.len().div_ceil(200);
        let piece = |(i, part): (usize, &[u8])| {
            let place = (i * 200 / 8) as u16 | if i + 1 < count { 0x2000 } else { 0 };
            eth(
                0x0800,
                &ip4_full([1, 1, 1, 1], [2, 2, 2, 2], 17, id, place, &[], part),
            )
        };
        outer.chunks(200).enumerate().map(piece).collect()
    };
    let mut decoder = Decoder::default();
    let mut found = 0;
    for (i, data) in inner.iter().enumerate() {
        for piece in wrap(data, i as u16) {
            if let Some(p) = decoder.decode(&frame(&piece)) {
                found += 1;
                assert_eq!((p.payload, p.tunnel.tier), (&body()[..], 1));
            }
        }
    }
    assert_eq!(found, 1);
}

/// Frames, bytes behind IP, ports, protocol, time.
type Sum = (u16, u32, (u16, u16), u8, u64);

/// What was given up, in order.
fn given_up(decoder: &mut Decoder) -> Vec<Sum> {
    std::iter::from_fn(|| decoder.given_up())
        .map(|p| {
            assert_eq!((p.payload, p.payload_wire), (&b""[..], 0));
            (p.frames, p.l3_len, p.ports(), p.protocol, p.time_ns)
        })
        .collect()
}

#[test]
fn what_never_comes_together_is_told_frame_by_frame() {
    let (pieces, lost) = (pieces4(256, 1), pieces4(512, 2));
    let mut decoder = Decoder::default();
    // The last piece is missing; the first one of another datagram.
    for (at, piece) in [&pieces[0], &pieces[1], &pieces[1], &lost[1]]
        .iter()
        .enumerate()
    {
        assert!(decoder.decode(&frame_at(at as u64, piece)).is_none());
    }
    assert_eq!(given_up(&mut decoder), []);
    // A fragment half a minute later finds both too old.
    let late = pieces6(512, 3);
    assert!(decoder
        .decode(&frame_at(31_000_000_000, &late[0]))
        .is_none());
    assert_eq!(
        given_up(&mut decoder),
        [(3, 768, (999, 53), 17, 2), (1, 496, (0, 0), 17, 3)]
    );
    decoder.finish();
    assert_eq!(
        given_up(&mut decoder),
        [(1, 520, (999, 53), 17, 31_000_000_000)],
        "the fragment header belongs to the bytes behind IP"
    );
    assert_eq!(decoder.counters().get("ip", "reassembly_timeout"), 2);
    assert_eq!(decoder.counters().get("ip", "reassembly_unfinished"), 1);
    // An overlap discards the datagram's bytes, not its frames.
    let evil = eth(0x0800, &ip4_full(A, B, 17, 1, 0x2000 | 16, &[], &[0; 256]));
    for piece in [&pieces[0], &evil, &pieces[1]] {
        assert!(decoder.decode(&frame(piece)).is_none());
    }
    decoder.finish();
    assert_eq!(
        given_up(&mut decoder),
        [(3, 768, (999, 53), 17, 1_000_000_000)]
    );
}

#[test]
fn nobody_need_ask_for_what_was_given_up() {
    let mut decoder = Decoder::new(DecoderConfig {
        fragments: Limits {
            datagrams: 1,
            ..Limits::default()
        },
        ..Default::default()
    });
    for id in 0..3000u16 {
        let piece = eth(0x0800, &ip4_full(A, B, 17, id, 0x2000, &[], &[1; 64]));
        assert!(decoder.decode(&frame(&piece)).is_none());
    }
    assert_eq!(given_up(&mut decoder).len(), 1024);
    assert_eq!(
        decoder.counters().get("ip", "fragments_not_counted"),
        2999 - 1024
    );
}
