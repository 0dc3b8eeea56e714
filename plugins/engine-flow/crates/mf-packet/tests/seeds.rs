//! The seeds of the fuzz target `decode`: every kind of frame, and what several frames make together. `MF_UPDATE=1` writes
//! them (all but `ends`, a capture of connections that end in every way).

mod build;

use build::{eth, frame, ip4_full, ip6, join, tcp, udp, zoo, Seg};
use mf_packet::Decoder;

/// The links that the target knows, in its order.
const LINKS: [u16; 10] = [1, 1, 101, 0, 108, 113, 276, 12, 9, 50];
/// Of a frame: it was seen at the second interface.
const SECOND: u8 = 16;

/// The target's input for frames of `what`, a step of time (20 ms) and bytes.
fn input(flags: u8, frames: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![flags];
    for (what, step, data) in frames {
        out.extend([*what, *step]);
        out.extend((data.len() as u16).to_le_bytes());
        out.extend_from_slice(data);
    }
    out
}

/// UDP datagrams in three pieces each: IPv4, IPv6, and in a tunnel whose own packets are pieces too.
fn pieces() -> Vec<Vec<u8>> {
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let v4 = |protocol: u8, id: u16, datagram: &[u8]| -> Vec<Vec<u8>> {
        let count = datagram.len().div_ceil(24);
        let parts = datagram.chunks(24).enumerate();
        parts
            .map(|(at, part)| {
                let more = u16::from(at + 1 < count) << 13;
                ip4_full(a, b, protocol, id, more | (at * 3) as u16, &[], part)
            })
            .collect()
    };
    let v6 = |datagram: &[u8]| -> Vec<Vec<u8>> {
        let count = datagram.len().div_ceil(24);
        let parts = datagram.chunks(24).enumerate();
        parts
            .map(|(at, part)| {
                let place = ((at * 24) as u16 | u16::from(at + 1 < count)).to_be_bytes();
                let head = join(&[&[17, 0], &place, &[0, 0, 0, 5]]);
                eth(0x86dd, &ip6(1, 2, 44, &join(&[&head, part])))
            })
            .collect()
    };
    let datagram = udp(5353, 53, &[7; 56]);
    let mut out: Vec<Vec<u8>> = v4(17, 3, &datagram)
        .iter()
        .map(|p| eth(0x0800, p))
        .collect();
    out.extend(v6(&datagram));
    for inner in v4(17, 4, &datagram) {
        out.extend(v4(4, 5, &inner).iter().map(|p| eth(0x0800, p)));
    }
    out
}

/// The seeds by name.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for (at, (link, data)) in zoo().iter().enumerate() {
        let what = LINKS.iter().position(|known| known == link);
        let what = what.unwrap_or_else(|| panic!("link type {link} is not known to the target"));
        out.push((format!("zoo-{at:02}"), input(0, &[(what as u8, 1, data)])));
    }
    let pieces = pieces();
    let whole: Vec<(u8, u8, &[u8])> = pieces.iter().map(|p| (0, 1, &p[..])).collect();
    let backwards: Vec<_> = whole.iter().rev().copied().collect();
    // One of each datagram is missing; the others are given up by time.
    let holes: Vec<_> = whole
        .iter()
        .enumerate()
        .filter(|(at, _)| at % 3 != 1)
        .map(|(_, p)| (p.0, 200, p.2))
        .collect();
    out.push(("pieces".into(), input(0, &whole)));
    out.push(("pieces-backwards".into(), input(0, &backwards)));
    out.push(("pieces-missing".into(), input(0, &holes)));
    let segment = |seq: u32, flags: u8, payload: &[u8]| {
        let seg = Seg {
            src: 40000,
            dst: 80,
            seq,
            ack: 9,
            flags,
            window: 100,
            payload,
        };
        eth(
            0x0800,
            &ip4_full(
                [10, 0, 0, 1],
                [10, 0, 0, 2],
                6,
                seq as u16,
                0,
                &[],
                &tcp(seg),
            ),
        )
    };
    let (syn, get) = (
        segment(1, 2, b""),
        segment(2, 0x18, b"GET / HTTP/1.1\r\n\r\n"),
    );
    let copies: [(u8, u8, &[u8]); 8] = [
        (0, 1, &syn),
        (SECOND, 0, &syn),
        (0, 1, &get),
        (SECOND, 1, &get),
        (0, 60, &get), // sent again
        (0, 1, &get),
        (SECOND, 251, &get), // a hundred seconds back
        (32, 1, &get[..60]), // a byte was not captured
    ];
    for flags in 0..8 {
        out.push((format!("copies-{flags}"), input(flags, &copies)));
    }
    out
}

#[test]
fn the_seeds_of_the_fuzz_target_are_these_frames() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/decode");
    for (name, input) in seeds() {
        let file = format!("{folder}/{name}");
        if std::env::var_os("MF_UPDATE").is_some() {
            std::fs::write(&file, &input).unwrap();
        }
        assert!(
            std::fs::read(&file).is_ok_and(|found| found == input),
            "{file}: MF_UPDATE=1 writes it"
        );
    }
}

#[test]
fn the_pieces_come_together() {
    let (mut decoder, mut whole) = (Decoder::default(), 0);
    for piece in &pieces() {
        whole += usize::from(
            decoder
                .decode(&frame(piece))
                .is_some_and(|p| p.payload_wire == 56),
        );
    }
    assert_eq!(
        (whole, decoder.counters().get("ip", "datagram_reassembled")),
        (3, 6)
    );
}
