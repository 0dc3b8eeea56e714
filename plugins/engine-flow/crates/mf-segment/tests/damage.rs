//! Blocks that were cut, filled with garbage or lie about their sizes.

use mf_packet::Counters;
use mf_segment::{flags, Kind, Reader, Record, Role, HEADER};

/// A record of kind data with everything set to something else.
fn record(payload: &[u8], wire_len: u32) -> Vec<u8> {
    let size = HEADER + payload.len().next_multiple_of(8);
    let mut out = vec![0u8; size];
    out[0..4].copy_from_slice(&(size as u32).to_le_bytes());
    out[5] = 1;
    out[6] = 2;
    out[7] = flags::CONCURRENT | flags::PLAINTEXT;
    for (at, value) in [(8, 1_700_000_000_000_000_000u64), (24, 7), (32, 0xabcd), (40, 5)] {
        out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in [(56, 100u32), (60, 101), (68, 0xffff_fff0), (72, wire_len), (76, payload.len() as u32), (80, 3)]
    {
        out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    out[84..86].copy_from_slice(&8080u16.to_le_bytes());
    out[86..88].copy_from_slice(&40000u16.to_le_bytes());
    (out[88], out[89], out[90]) = (4, 6, 1);
    out[96..100].copy_from_slice(&[10, 0, 0, 2]);
    out[112..116].copy_from_slice(&[10, 0, 0, 1]);
    out[128..133].copy_from_slice(b"nginx");
    out[HEADER..HEADER + payload.len()].copy_from_slice(payload);
    out
}

fn read(block: &[u8]) -> (Vec<Vec<u8>>, Counters) {
    let mut counters = Counters::new();
    let payloads = Reader::new(block, &mut counters).map(|(record, _)| record.payload.to_vec()).collect();
    (payloads, counters)
}

#[test]
fn every_field_is_read_from_its_place() {
    let bytes = record(b"hello", 9);
    let read = Record::read(&bytes).unwrap();
    assert_eq!((read.kind, read.egress, read.role), (Kind::Data, true, Role::Server));
    assert_eq!((read.time_ns, read.socket_id, read.trace_id), (1_700_000_000_000_000_000, 7, 0xabcd));
    assert_eq!((read.coroutine_id, read.pid, read.tid), (5, 100, 101));
    assert_eq!((read.tcp_seq, read.wire_len, read.cap_seq), (0xffff_fff0, 9, 3));
    assert_eq!((read.local.to_string(), read.local_port), ("10.0.0.2".into(), 8080));
    assert_eq!((read.remote.to_string(), read.remote_port), ("10.0.0.1".into(), 40000));
    assert_eq!((&read.comm[..6], read.payload), (b"nginx\0".as_slice(), b"hello".as_slice()));
    assert!(read.has(flags::PLAINTEXT) && !read.has(flags::CIPHERTEXT));
}

#[test]
fn a_damaged_record_costs_only_itself() {
    let good = record(b"good", 4);
    let damages: [(usize, u8, &str); 9] = [
        (4, 5, "unknown_kind"),
        (4, 1, "payload_of_an_event"),
        (5, 2, "unknown_direction"),
        (6, 3, "unknown_role"),
        (15, 0xff, "impossible_time"),
        (24, 0, "no_socket_id"),
        (88, 5, "unknown_family"),
        (89, 132, "unknown_protocol"),
        (72, 1, "captured_more_than_sent"),
    ];
    for (at, value, reason) in damages {
        let mut bad = record(b"bad", 3);
        bad[at] = value;
        let block = [good.as_slice(), &bad, &good].concat();
        let (payloads, counters) = read(&block);
        assert_eq!(payloads, [b"good", b"good"], "{reason}");
        assert_eq!(counters.get("segment", reason), 1, "{reason}");
    }
    let mut beyond = record(b"bad", 300);
    beyond[76] = 200;
    let (payloads, counters) = read(&[good.as_slice(), &beyond, &good].concat());
    assert_eq!((payloads.len(), counters.get("segment", "payload_beyond_record")), (2, 1));
}

#[test]
fn a_size_that_cannot_be_true_ends_the_block() {
    let good = record(b"good", 4);
    for (size, reason) in
        [(0u32, "wrong_size"), (152, "wrong_size"), (165, "wrong_size"), (1 << 20, "truncated_record")]
    {
        let mut bad = record(b"bad", 3);
        bad[..4].copy_from_slice(&size.to_le_bytes());
        let (payloads, counters) = read(&[good.as_slice(), &bad, &good].concat());
        assert_eq!(payloads, [b"good"], "{size}");
        assert_eq!(counters.get("segment", reason), 1, "{size}");
        assert_eq!(counters.get("segment", "bytes_behind_damage"), (bad.len() + good.len()) as u64);
    }
}

#[test]
fn every_cut_keeps_the_whole_records() {
    let (a, b) = (record(b"first of two", 12), record(b"second", 6));
    let block = [a.as_slice(), &b].concat();
    for cut in 0..=block.len() {
        let (payloads, _) = read(&block[..cut]);
        let whole = usize::from(cut >= a.len()) + usize::from(cut == block.len());
        assert_eq!(payloads.len(), whole, "{cut}");
    }
}

#[test]
fn garbage_never_panics_and_never_gives_bytes_from_elsewhere() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    for _ in 0..3000 {
        let mut block = [record(b"some payload here", 17), record(b"x", 900), record(b"", 0)].concat();
        for _ in 0..=next() % 8 {
            let at = next() as usize % block.len();
            block[at] = next() as u8;
        }
        block.truncate(next() as usize % (block.len() + 1));
        let mut counters = Counters::new();
        let mut bytes = 0;
        for (read, raw) in Reader::new(&block, &mut counters) {
            assert!(read.payload.len() <= read.wire_len as usize);
            bytes += raw.len();
        }
        assert!(bytes <= block.len());
    }
}
