//! Block formats: any split of a stream gives the same frames; wrong lengths are counted and what came before is kept.

mod build;

use build::{join, Rng};
use mf_packet::frame::block_flags::{BIG_ENDIAN, NANOSECONDS, SKIP_OUTGOING};
use mf_packet::{Direction, Format, Frame, FrameReader};

/// (time, wire length, link type, interface, direction, bytes)
type Seen = (u64, u32, u16, u16, Direction, Vec<u8>);

fn seen(frame: &Frame<'_>) -> Seen {
    (
        frame.time_ns,
        frame.wire_len,
        frame.link_type,
        frame.interface,
        frame.direction,
        frame.data.to_vec(),
    )
}

fn read_all(reader: &mut FrameReader, blocks: &[&[u8]]) -> Vec<Seen> {
    let mut frames = Vec::new();
    for block in blocks {
        let before = frames.len();
        let n = reader.read(block, |frame| frames.push(seen(&frame)));
        assert_eq!(n as usize, frames.len() - before);
    }
    frames
}

/// The frames of blocks that are read one frame at a time: after each one the reader stops.
fn one_by_one(reader: &mut FrameReader, blocks: &[&[u8]]) -> Vec<Seen> {
    let mut frames = Vec::new();
    for block in blocks {
        let mut from = 0;
        loop {
            let before = frames.len();
            let each = |frame: Frame<'_>| {
                frames.push(seen(&frame));
                false
            };
            let (n, next) = reader.read_from(block, from, each);
            assert_eq!(n as usize, frames.len() - before);
            let Some(next) = next else { break };
            assert_eq!(n, 1);
            assert!(next > from);
            from = next;
        }
    }
    frames
}

fn pad(data: &[u8], to: usize) -> Vec<u8> {
    let mut out = data.to_vec();
    out.resize(data.len().next_multiple_of(to), 0);
    out
}

fn record(time: u64, link: u16, data: &[u8]) -> Vec<u8> {
    join(&[
        &(data.len() as u32).to_le_bytes(),
        &(data.len() as u32 + 10).to_le_bytes(),
        &time.to_le_bytes(),
        &link.to_le_bytes(),
        &[4, 0, 2, 0, 0, 0],
        &pad(data, 8),
    ])
}

fn pcap(big: bool, sec: u32, sub: u32, data: &[u8]) -> Vec<u8> {
    let w = |n: u32| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    join(&[
        &w(sec),
        &w(sub),
        &w(data.len() as u32),
        &w(data.len() as u32 + 1),
        data,
    ])
}

/// A pcapng block in either byte order.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let w = |n: u32| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let len = w(12 + body.len().next_multiple_of(4) as u32);
    join(&[&w(kind), &len, &pad(body, 4), &len])
}

fn words(big: bool, words: &[u32]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|n| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        })
        .collect()
}

fn halves(big: bool, halves: &[u16]) -> Vec<u8> {
    halves
        .iter()
        .flat_map(|n| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        })
        .collect()
}

fn section(big: bool) -> Vec<u8> {
    block(
        big,
        0x0a0d_0d0a,
        &words(big, &[0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX]),
    )
}

/// Two sections in different byte orders with three interfaces: microseconds, nanoseconds with an offset, 2^-10 s.
fn pcapng() -> (Vec<u8>, Vec<Seen>) {
    let mut out = Vec::new();
    let big = true;
    out.extend(section(big));
    out.extend(block(
        big,
        1,
        &join(&[&halves(big, &[1, 0]), &words(big, &[64])]),
    ));
    let nano = join(&[
        &halves(big, &[101, 0]),
        &words(big, &[0]),
        &halves(big, &[9, 1]),
        &[9, 0, 0, 0],
        &halves(big, &[14, 8]),
        &5i64.to_be_bytes(),
        &halves(big, &[0, 0]),
    ]);
    out.extend(block(big, 1, &nano));
    out.extend(block(big, 5, &[0; 20])); // interface statistics: skipped
    out.extend(block(
        big,
        6,
        &join(&[&words(big, &[0, 0, 7, 5, 60]), b"hello"]),
    ));
    let flags = join(&[
        &words(big, &[1, 1, 2, 4, 4]),
        b"nano",
        &halves(big, &[2, 4]),
        &words(big, &[2]),
        &[0; 4],
    ]);
    out.extend(block(big, 6, &flags));
    out.extend(block(big, 3, &join(&[&words(big, &[6]), b"simple"])));
    let big = false;
    out.extend(section(big));
    let binary = join(&[
        &halves(big, &[113, 0]),
        &words(big, &[0]),
        &halves(big, &[9, 1]),
        &[0x8a, 0, 0, 0],
    ]);
    out.extend(block(big, 1, &binary));
    out.extend(block(
        big,
        2,
        &join(&[&halves(big, &[0, 9]), &words(big, &[0, 1536, 3, 3]), b"old"]),
    ));
    let frames = vec![
        (7_000, 60, 1, 0, Direction::Unknown, b"hello".to_vec()),
        (
            (1 << 32) + 2 + 5_000_000_000,
            4,
            101,
            1,
            Direction::Out,
            b"nano".to_vec(),
        ),
        (
            (1 << 32) + 2 + 5_000_000_000,
            6,
            1,
            0,
            Direction::Unknown,
            b"simple".to_vec(),
        ),
        (
            1_500_000_000,
            3,
            113,
            2,
            Direction::Unknown,
            b"old".to_vec(),
        ),
    ];
    (out, frames)
}

/// Each stream format with its bytes and the frames they hold.
fn streams() -> Vec<(Format, u32, Vec<u8>, Vec<Seen>)> {
    let mut all = Vec::new();
    let data: Vec<Vec<u8>> = (0..20usize).map(|n| vec![n as u8; n * 7]).collect();
    let bytes = data
        .iter()
        .enumerate()
        .flat_map(|(i, d)| record(i as u64, 113, d))
        .collect();
    let out = |i: usize, d: &Vec<u8>| {
        (
            i as u64,
            d.len() as u32 + 10,
            113,
            4,
            Direction::Out,
            d.clone(),
        )
    };
    all.push((
        Format::Records,
        0,
        bytes,
        data.iter().enumerate().map(|(i, d)| out(i, d)).collect(),
    ));
    for flags in 0..4 {
        let bytes = data
            .iter()
            .flat_map(|d| pcap(flags & BIG_ENDIAN != 0, 3, 9, d))
            .collect();
        let time = 3_000_000_000 + if flags & NANOSECONDS != 0 { 9 } else { 9_000 };
        let frames = data
            .iter()
            .map(|d| {
                (
                    time,
                    d.len() as u32 + 1,
                    1,
                    0,
                    Direction::Unknown,
                    d.clone(),
                )
            })
            .collect();
        all.push((Format::Pcap, flags, bytes, frames));
    }
    let (bytes, frames) = pcapng();
    all.push((Format::Pcapng, 0, bytes, frames));
    all
}

#[test]
fn any_split_gives_the_same_frames() {
    let mut rng = Rng(11);
    for (format, flags, bytes, frames) in streams() {
        let mut whole = FrameReader::new(format, flags, 1);
        assert_eq!(
            read_all(&mut whole, &[&bytes]),
            frames,
            "{format:?} {flags}"
        );
        let mut single = FrameReader::new(format, flags, 1);
        assert_eq!(
            read_all(&mut single, &bytes.chunks(1).collect::<Vec<_>>()),
            frames,
            "{format:?} by bytes"
        );
        let mut stopping = FrameReader::new(format, flags, 1);
        assert_eq!(
            one_by_one(&mut stopping, &[&bytes]),
            frames,
            "{format:?} by frames"
        );
        for _ in 0..100 {
            let (mut rest, mut blocks) = (&bytes[..], Vec::new());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rng.below(rest.len() + 1));
                blocks.push(now);
                rest = later;
            }
            let mut reader = FrameReader::new(format, flags, 1);
            assert_eq!(read_all(&mut reader, &blocks), frames, "{format:?}");
            reader.finish();
            assert!(reader.counters().is_empty());
            let mut reader = FrameReader::new(format, flags, 1);
            assert_eq!(one_by_one(&mut reader, &blocks), frames, "{format:?}");
        }
    }
}

#[test]
fn a_stream_cut_anywhere_keeps_the_frames_before_and_is_counted() {
    for (format, flags, bytes, frames) in streams() {
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::new(format, flags, 1);
            let got = read_all(&mut reader, &[&bytes[..cut]]);
            assert_eq!(got, frames[..got.len()], "{format:?} cut at {cut}");
            reader.finish();
            assert!(
                reader
                    .counters()
                    .get("frame", "cut_in_the_middle_of_a_frame")
                    <= 1
            );
        }
    }
}

#[test]
fn a_wrong_length_ends_the_stream_and_keeps_what_was_before() {
    let good = pcap(false, 1, 2, b"good");
    let bad = join(&[&good, &words(false, &[1, 2, 1 << 30, 1 << 30]), &[0; 40]]);
    let mut reader = FrameReader::new(Format::Pcap, 0, 1);
    assert_eq!(read_all(&mut reader, &[&bad, &good]).len(), 1);
    assert_eq!(
        reader
            .counters()
            .get("frame", "pcap_record_length_beyond_limit"),
        1
    );
    assert_eq!(
        reader.counters().get("frame", "bytes_after_corruption"),
        56 + 20
    );

    for (wrong, reason) in [
        (words(false, &[6, 13, 0]), "pcapng_block_length_wrong"),
        (words(false, &[6, 8, 0]), "pcapng_block_length_wrong"),
        (words(false, &[6, 16, 0, 20]), "pcapng_block_lengths_differ"),
    ] {
        let (bytes, frames) = pcapng();
        let mut reader = FrameReader::new(Format::Pcapng, 0, 1);
        assert_eq!(read_all(&mut reader, &[&bytes, &wrong, &[0; 64]]), frames);
        assert_eq!(
            reader.counters().get("frame", reason),
            1,
            "{:?}",
            reader.counters()
        );
    }
    let mut reader = FrameReader::new(Format::Pcapng, 0, 1);
    assert!(read_all(&mut reader, &[b"this is no pcapng file at all"]).is_empty());
    assert_eq!(
        reader
            .counters()
            .get("frame", "pcapng_without_section_header"),
        1
    );
}

#[test]
fn damaged_blocks_of_known_size_are_skipped() {
    let mut bytes = section(false);
    bytes.extend(block(false, 1, &[0; 3]));
    bytes.extend(block(false, 6, &words(false, &[0, 0, 0, 0, 0]))); // no interface yet
    bytes.extend(block(
        false,
        1,
        &join(&[&halves(false, &[1, 0]), &words(false, &[0])]),
    ));
    bytes.extend(block(false, 6, &words(false, &[0, 0, 0, 99, 99]))); // captured length beyond the block
    bytes.extend(block(
        false,
        6,
        &join(&[&words(false, &[0, 0, 5, 2, 2]), b"ok"]),
    ));
    let mut reader = FrameReader::new(Format::Pcapng, 0, 1);
    let frames = read_all(&mut reader, &[&bytes]);
    assert_eq!(
        frames.iter().map(|f| f.5.clone()).collect::<Vec<_>>(),
        [b"ok"]
    );
    for reason in [
        "pcapng_interface_block_too_short",
        "pcapng_interface_unknown",
        "pcapng_captured_length_beyond_block",
    ] {
        assert_eq!(reader.counters().get("frame", reason), 1, "{reason}");
    }
}

/// A ring block as the kernel lays it out: 48 bytes of block header, packets of header (48), address (20), padding, bytes.
fn ring(packets: &[(u32, u32, u8, bool, &[u8])]) -> Vec<u8> {
    let mut out = vec![0; 48];
    out[12..16].copy_from_slice(&(packets.len() as u32).to_le_bytes());
    out[16..20].copy_from_slice(&48u32.to_le_bytes());
    for (i, (sec, nsec, kind, vlan, data)) in packets.iter().enumerate() {
        let mut p = vec![0; 82];
        p.extend_from_slice(data);
        let p_len = p.len().next_multiple_of(16);
        p.resize(p_len, 0);
        let next = if i + 1 < packets.len() {
            p.len() as u32
        } else {
            0
        };
        let len = data.len() as u32;
        for (at, n) in [
            (0, next),
            (4, *sec),
            (8, *nsec),
            (12, len),
            (16, len + 5),
            (20, u32::from(*vlan) << 4),
            (32, 0x2009),
            (52, 3),
        ] {
            p[at..at + 4].copy_from_slice(&n.to_le_bytes());
        }
        p[24..26].copy_from_slice(&82u16.to_le_bytes());
        p[58] = *kind;
        out.extend(p);
    }
    out
}

#[test]
fn ring_blocks() {
    let block = ring(&[(1, 2, 4, false, b"sent"), (1, 3, 0, true, b"received")]);
    let mut tags = Vec::new();
    let mut reader = FrameReader::new(Format::Tpacket3, 0, 1);
    let n = reader.read(&block, |frame| tags.push((seen(&frame), frame.vlan_tci)));
    assert_eq!(n, 2);
    assert_eq!(
        tags[0],
        (
            (1_000_000_002, 9, 1, 3, Direction::Out, b"sent".to_vec()),
            None
        )
    );
    assert_eq!(
        tags[1],
        (
            (1_000_000_003, 13, 1, 3, Direction::In, b"received".to_vec()),
            Some(0x2009)
        )
    );
    let mut stopping = FrameReader::new(Format::Tpacket3, 0, 1);
    assert_eq!(one_by_one(&mut stopping, &[&block, &block]).len(), 4);
    let mut skipping = FrameReader::new(Format::Tpacket3, SKIP_OUTGOING, 1);
    assert_eq!(skipping.read(&block, |_| ()), 1);
    assert_eq!(skipping.counters().get("frame", "loopback_copy_skipped"), 1);
    // Every block stands for itself: a damaged one does not end the source.
    for cut in 0..block.len() {
        let mut reader = FrameReader::new(Format::Tpacket3, 0, 1);
        let got = reader.read(&block[..cut], |_| ());
        assert!(got <= 2);
        assert_eq!(reader.read(&block, |_| ()), 2);
    }
}
