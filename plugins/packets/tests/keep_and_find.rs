//! What was kept is found again, whatever the bytes on disk have become.

use metaflow_packets::chunk::Header;
use metaflow_packets::{Finder, Keeper, Wanted};
use mf_packet::Addr;

const TCP: u8 = 6;

/// An Ethernet frame with IPv4 and TCP.
fn frame(src: (u32, u16), dst: (u32, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let length = (40 + payload.len()) as u16;
    bytes.extend([0x45, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, TCP, 0, 0]);
    bytes.extend(src.0.to_be_bytes());
    bytes.extend(dst.0.to_be_bytes());
    bytes.extend(src.1.to_be_bytes());
    bytes.extend(dst.1.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

fn record(time_ns: u64, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(time_ns.to_le_bytes());
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

const CLIENT: (u32, u16) = (0x0a00_0001, 40_000);
const SERVER: (u32, u16) = (0x0a00_0002, 80);
const STRANGER: (u32, u16) = (0x0a00_0003, 40_000);

fn kept(payload_bytes: u32) -> Vec<u8> {
    let mut keeper = Keeper::new(payload_bytes);
    for at in 0..10u64 {
        let block: Vec<u8> = [
            record(1000 + at, &frame(CLIENT, SERVER, b"GET / secret")),
            record(1000 + at, &frame(SERVER, CLIENT, b"200 OK")),
            record(1000 + at, &frame(STRANGER, SERVER, b"another")),
        ]
        .concat();
        assert_eq!(keeper.push(0, 0, 0, 1, &block), Some(3));
    }
    keeper.take().to_vec()
}

fn wanted(from_ns: u64, to_ns: u64) -> Wanted {
    Wanted { one: (Addr::v4(SERVER.0), SERVER.1), other: (Addr::v4(CLIENT.0), CLIENT.1), protocol: TCP, from_ns, to_ns }
}

#[test]
fn both_directions_of_one_flow_are_found_in_the_time_asked_for() {
    let chunk = kept(u32::MAX);
    let header = Header::read(&chunk).unwrap();
    assert_eq!((header.packets, header.keys, header.first_ns, header.last_ns), (30, 2, 1000, 1009));
    let mut finder = Finder::new(wanted(1003, 1004), usize::MAX);
    assert_eq!(finder.add(&chunk), (4, chunk.len()));
    assert_eq!(finder.add(&chunk), (4, chunk.len()), "chunk by chunk");
    assert!(finder.file().starts_with(&[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]));
    assert!(finder.file().windows(6).any(|bytes| bytes == b"secret"));
    let mut later = Finder::new(wanted(2000, 3000), usize::MAX);
    assert_eq!(later.add(&chunk).0, 0);
    assert_eq!(later.file().len(), 24);
}

#[test]
fn without_payload_the_headers_stay_and_the_length_on_the_wire_too() {
    let chunk = kept(0);
    assert!(!chunk.windows(6).any(|bytes| bytes == b"secret"));
    let mut finder = Finder::new(wanted(0, u64::MAX), usize::MAX);
    assert_eq!(finder.add(&chunk).0, 20);
    assert_eq!(finder.file().len(), 24 + 20 * (16 + 54));
    assert_eq!(finder.file()[24 + 8..24 + 16], [54, 0, 0, 0, 66, 0, 0, 0]);
    let part = kept(3);
    assert!(part.windows(3).any(|bytes| bytes == b"GET") && !part.windows(4).any(|bytes| bytes == b"GET "));
}

#[test]
fn a_file_has_a_largest_size_and_what_is_left_out_is_counted() {
    let mut finder = Finder::new(wanted(0, u64::MAX), 24 + 3 * (16 + 54));
    let (found, _) = finder.add(&kept(0));
    assert_eq!((found, finder.left_out()), (3, 17));
}

#[test]
fn damage_ends_the_search_and_never_panics() {
    let chunk = kept(4);
    let two = [chunk.clone(), chunk.clone()].concat();
    for cut in 0..two.len() {
        let mut finder = Finder::new(wanted(0, u64::MAX), usize::MAX);
        let (_, end) = finder.add(&two[..cut]);
        assert_eq!(end, cut / chunk.len() * chunk.len());
    }
    for at in 0..chunk.len() {
        for bit in [1, 128, 255] {
            let mut damaged = chunk.clone();
            damaged[at] ^= bit;
            Finder::new(wanted(0, u64::MAX), usize::MAX).add(&damaged);
        }
    }
}

#[test]
fn blocks_may_be_anything() {
    let mut keeper = Keeper::new(8);
    let mut noise = 1u64;
    for round in 0..400u32 {
        let block: Vec<u8> = (0..round)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (noise >> 33) as u8
            })
            .collect();
        keeper.push(round % 3, round % 5, round % 8, round % 120, &block);
        keeper.take();
    }
    assert_eq!(keeper.push(0, 9, 0, 1, &[]), None);
}
