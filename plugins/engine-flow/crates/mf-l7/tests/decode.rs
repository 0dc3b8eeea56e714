//! The decoder of results against wrong ones.

mod common;

use common::result::{bytes, result, texts, u32s, u64s, u8s};
use common::Prng;
use mf_l7::abi::{Checks, Numbers, Records, Texts, Verdict, CHUNK};

fn good() -> Vec<u8> {
    let mut out = Vec::new();
    let columns = [
        u32s(1, [0, 1, 2]),
        u8s(2, [1, 2, 1]),
        u64s(7, [5, 6, 7]),
        texts(18, ["one", "", "zwölf"]),
        bytes(2000, 1, vec![9; 3]),
        bytes(900, 77, vec![1, 2, 3]),
    ];
    result(&mut out, b"MFR1", 3, &columns);
    out
}

fn error(magic: &[u8; 4], rows: usize, columns: &[common::result::Column]) -> String {
    let mut out = Vec::new();
    result(&mut out, magic, rows, columns);
    Records::read(&out).expect_err("must be refused").to_string()
}

/// Says that the data of a column begins with validity bits: its flag is the byte behind id and type.
fn set_validity(result: &mut [u8], id: u8, ty: u8) {
    let mut at = 16;
    while result[at..at + 3] != [id, 0, ty] {
        at += 8 + u32::from_le_bytes(result[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    result[at + 3] = 1;
}

fn texts_of<'a>(records: &'a Records<'_>, row: usize) -> Texts<'a> {
    let mut texts = Texts::NONE;
    records.texts(row, &mut texts);
    texts
}

#[test]
fn numbers_of_many_rows_are_those_of_each_row() {
    let rows = CHUNK * 2 + 3;
    let mut out = Vec::new();
    let column = |id, values: Vec<u64>| bytes(id, 4, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    let indices: Vec<u8> = (0..rows as u32).flat_map(u32::to_le_bytes).collect();
    let mut sparse = vec![0b0101_0101_u8; rows.div_ceil(8).next_multiple_of(8)];
    sparse.extend((0..rows as i32).flat_map(|row| (-row).to_le_bytes()));
    let columns = [
        bytes(1, 3, indices),
        bytes(2, 1, (0..rows).map(|row| (row % 4) as u8).collect()),
        bytes(4, 2, sparse),
        column(7, (0..rows as u64).map(|row| row * 100).collect()),
        column(10, (0..rows as u64).map(|row| u64::MAX - row).collect()),
    ];
    result(&mut out, b"MFR1", rows, &columns);
    set_validity(&mut out, 4, 2);
    let records = Records::read(&out).unwrap();
    let (mut chunk, mut seen): (Vec<Numbers>, usize) = (Vec::new(), 0);
    for first in (0..rows).step_by(CHUNK) {
        records.numbers(first, &mut chunk);
        for (row, numbers) in (first..).zip(&chunk) {
            seen += 1;
            assert_eq!(numbers.some(1, numbers.segment_index), records.u32(1, row));
            assert_eq!(numbers.some(2, numbers.kind), records.u8(2, row));
            assert_eq!(numbers.some(4, numbers.code), records.i32(4, row), "{row}");
            assert_eq!(numbers.some(7, numbers.stream_offset), records.u64(7, row));
            assert_eq!(numbers.some(10, numbers.length), records.u64(10, row));
            assert_eq!(numbers.some(8, numbers.time_ns), None);
        }
    }
    assert_eq!(seen, rows);
}

#[test]
fn reads_what_is_right_and_skips_what_it_does_not_know() {
    let bytes = good();
    let records = Records::read(&bytes).unwrap();
    assert_eq!(records.rows(), 3);
    assert_eq!((records.u32(1, 2), records.u64(7, 1), records.u8(2, 1)), (Some(2), Some(6), Some(2)));
    assert_eq!(records.text(2, 2), "zwölf");
    assert_eq!(texts_of(&records, 0).0[2], "one");
    assert_eq!((records.u64(7, 3), records.u64(8, 0), records.text(2, 99)), (None, None, ""));
}

#[test]
fn validity_bits_say_which_rows_count() {
    let mut codes = vec![0b101u8, 0, 0, 0, 0, 0, 0, 0];
    for value in [7i32, 8, -9] {
        codes.extend_from_slice(&value.to_le_bytes());
    }
    let mut out = Vec::new();
    result(&mut out, b"MFR1", 3, &[u32s(1, [0, 0, 0]), u8s(2, [1, 1, 1]), bytes(4, 2, codes)]);
    set_validity(&mut out, 4, 2);
    let records = Records::read(&out).unwrap();
    assert_eq!((records.i32(4, 0), records.i32(4, 1), records.i32(4, 2)), (Some(7), None, Some(-9)));
}

#[test]
fn every_wrong_length_is_an_error_with_words() {
    let two = || [u32s(1, [0, 1]), u8s(2, [1, 1])];
    assert!(error(b"MFC1", 2, &two()).contains("magic"));
    assert!(error(b"MFR1", 100, &two()).contains("shorter"));
    assert!(error(b"MFR1", 1 << 21, &two()).contains("rows"));
    assert!(error(b"MFR1", 2, &two()[..1]).contains("missing"));
    assert!(error(b"MFR1", 2, &[u32s(1, [0, 1]), u32s(2, [1, 1])]).contains("type"));
    assert!(error(b"MFR1", 2, &[u32s(1, [0, 1]), u32s(1, [0, 1])]).contains("twice"));
    let back = [0u32, 3, 1].into_iter().flat_map(u32::to_le_bytes).chain(*b"abc").collect();
    assert!(error(b"MFR1", 2, &[u32s(1, [0, 1]), u8s(2, [1, 1]), bytes(18, 5, back)]).contains("back"));
    let far = [0u32, 3, 999].into_iter().flat_map(u32::to_le_bytes).chain(*b"abc").collect();
    assert!(error(b"MFR1", 2, &[u32s(1, [0, 1]), u8s(2, [1, 1]), bytes(18, 5, far)]).contains("behind"));
}

#[test]
fn bytes_that_are_not_text_cost_only_themselves() {
    let data = [0u32, 4, 6].into_iter().flat_map(u32::to_le_bytes).chain(*b"a\xff\xfebok").collect();
    let mut out = Vec::new();
    result(&mut out, b"MFR1", 2, &[u32s(1, [0, 1]), u8s(2, [1, 1]), bytes(18, 5, data)]);
    let records = Records::read(&out).unwrap();
    assert_eq!((records.text(2, 0), records.text(2, 1)), ("a??b", "ok"));
}

#[test]
fn checks_need_one_verdict_for_each_segment() {
    let mut out = Vec::new();
    result(&mut out, b"MFC1", 4, &[u8s(1, [0, 1, 3, 200]), u32s(2, [9, 8, 7, 6]), texts(16, ["a", "b", "", "d"])]);
    let checks = Checks::read(&out, 4).unwrap();
    assert_eq!(checks.row(0), (Verdict::No, 9, "a"));
    assert_eq!(checks.row(2), (Verdict::Response, 7, ""));
    assert_eq!(checks.row(3).0, Verdict::No);
    assert_eq!(checks.row(99).0, Verdict::No);
    assert!(Checks::read(&out, 5).is_err());
    assert!(Checks::read(&out, 3).is_err());
}

#[test]
fn truncation_and_noise_never_panic() {
    let good = good();
    for end in 0..good.len() {
        let _ = Records::read(&good[..end]);
        let _ = Checks::read(&good[..end], 3);
    }
    let mut random = Prng(3);
    for _ in 0..200_000 {
        let mut noisy = good.clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(noisy.len());
            noisy[at] = [random.next() as u8, 0, 0xff, 1][random.below(4)];
        }
        if let Ok(records) = Records::read(&noisy) {
            for row in [0, 1, records.rows(), usize::MAX / 2] {
                let _ = (texts_of(&records, row), records.u64(7, row), records.u32(1, row));
            }
        }
    }
}
