//! A table behaves like a list of rows, however its columns are filled.

use mf_column::{image, Batch, Field, Schema, Table, Type, Value};

static SCHEMA: Schema = Schema {
    name: "every_type",
    fields: &[
        Field::new("u8", Type::U8),
        Field::nullable("u16", Type::U16),
        Field::new("u32", Type::U32),
        Field::nullable("u64", Type::U64),
        Field::nullable("i32", Type::I32),
        Field::new("i64", Type::I64),
        Field::nullable("f64", Type::F64),
        Field::nullable("bool", Type::Bool),
        Field::nullable("text", Type::Utf8),
        Field::new("dict", Type::DictUtf8),
        Field::nullable("fixed", Type::Fixed16),
        Field::nullable("texts", Type::ListUtf8),
        Field::new("numbers", Type::ListF64),
    ],
};

const TEXT: usize = SCHEMA.column("text");

fn fill(table: &mut Table, row: u64) {
    table.u8(0, row as u8);
    table.u16(1, row as u16);
    table.u32(2, row as u32);
    table.u64(3, row);
    table.i32(4, -(row as i32));
    table.i64(5, -(row as i64));
    table.f64(6, row as f64 / 2.0);
    table.bool(7, row % 3 == 0);
    table.str(TEXT, &format!("row {row} é"));
    table.str(9, ["GET", "POST", "PUT"][row as usize % 3]);
    table.bytes16(10, [row as u8; 16]);
    table.list_str(11, (0..row % 4).map(|n| if n % 2 == 0 { "even" } else { "odd" }));
    table.list_f64(12, (0..row % 3).map(|n| n as f64));
}

#[test]
fn values_come_back() {
    let mut table = Table::new(&SCHEMA);
    for row in 0..200 {
        fill(&mut table, row);
        table.end_row();
    }
    let batch = table.take();
    assert_eq!((batch.rows(), table.rows()), (200, 0));
    assert_eq!(batch.value(7, 0), Value::U64(7));
    assert_eq!(batch.value(7, 4), Value::I64(-7));
    assert_eq!(batch.value(7, 7), Value::Bool(false));
    assert_eq!(batch.named(199, "text"), Value::Str("row 199 é"));
    assert_eq!(batch.value(7, 9), Value::Str("POST"));
    assert_eq!(batch.value(7, 10), Value::Bytes16(&[7; 16]));
    assert_eq!(batch.list_str(7, 11), ["even", "odd", "even"]);
    assert_eq!(batch.list_f64(8, 12), [0.0, 1.0]);
    assert_eq!(batch.value(200, 0), Value::Null);
}

#[test]
fn unset_columns_are_null_or_zero_wherever_they_are() {
    let mut table = Table::new(&SCHEMA);
    for row in 0..100 {
        if row % 7 == 3 {
            fill(&mut table, row);
        }
        table.end_row();
    }
    let batch = table.take();
    for row in 0..100 {
        let set = row % 7 == 3;
        assert_eq!(batch.value(row, 3) == Value::Null, !set, "u64 of row {row}");
        assert_eq!(batch.value(row, 8) == Value::Null, !set, "text of row {row}");
        assert_eq!(batch.value(row, 11) == Value::Null, !set, "list of row {row}");
        assert_eq!(batch.value(row, 5), Value::I64(if set { -(row as i64) } else { 0 }));
        assert_eq!(batch.value(row, 9) == Value::Str(""), !set, "dict of row {row}");
        assert_eq!(batch.value(row, 12), Value::List(if set { row % 3 } else { 0 }));
    }
}

#[test]
fn the_last_write_wins_and_rows_can_be_cancelled() {
    let mut table = Table::new(&SCHEMA);
    table.end_row();
    fill(&mut table, 1);
    fill(&mut table, 2);
    table.null(3);
    table.end_row();
    fill(&mut table, 3);
    table.cancel_row();
    table.u8(0, 9);
    table.end_row();
    fill(&mut table, 4);
    let batch = table.take();
    assert_eq!(batch.rows(), 3);
    assert_eq!(batch.value(1, TEXT), Value::Str("row 2 é"));
    assert_eq!(batch.value(1, 3), Value::Null);
    assert_eq!(batch.list_str(1, 11), ["even", "odd"]);
    assert_eq!((batch.value(2, 0), batch.value(2, TEXT)), (Value::U64(9), Value::Null));
    table.end_row();
    assert_eq!(table.take().value(0, 0), Value::U64(0), "nothing of the dropped row is left");
}

#[test]
fn bytes_that_are_not_text_are_replaced() {
    let mut table = Table::new(&SCHEMA);
    table.text(TEXT, b"a\xffb");
    table.end_row();
    assert_eq!(table.take().value(0, TEXT), Value::Str("a\u{fffd}b"));
}

#[test]
fn a_large_dictionary_keeps_its_indices() {
    let mut table = Table::new(&SCHEMA);
    for row in 0..5000 {
        table.str(9, &format!("v{}", row % 1777));
        table.end_row();
    }
    let batch = table.take();
    for row in 0..5000 {
        assert_eq!(batch.value(row, 9), Value::Str(&format!("v{}", row % 1777)));
    }
}

fn sample(rows: u64) -> Batch {
    let mut table = Table::new(&SCHEMA);
    for row in 0..rows {
        if row % 2 == 0 {
            fill(&mut table, row);
        }
        table.end_row();
    }
    table.take()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[test]
fn the_image_describes_itself_and_is_the_same_every_time() {
    let (mut first, mut second) = (Vec::new(), vec![1, 2, 3]);
    image::write(&sample(10), &mut first);
    image::write(&sample(10), &mut second);
    assert_eq!(first, second);
    assert_eq!(&first[..4], b"MFT1");
    assert_eq!((number(&first[4..8]), number(&first[8..16])), (13, 10));
    let column = &first[24 + 88 * TEXT..][..88];
    let (name, length) = (number(&column[..4]) as usize, number(&column[4..8]) as usize);
    assert_eq!(&first[name..name + length], b"text");
    assert_eq!((column[8], column[9], number(&column[16..24])), (9, 3, 5));
    let at = |slot: usize| number(&column[24 + 16 * slot..][..8]) as usize;
    let offsets = &first[at(1)..][..44];
    assert_eq!(&first[at(2)..][..number(&offsets[4..8]) as usize], "row 0 é".as_bytes());
    assert_eq!(first[at(0)], 0b0101_0101);
    assert!((0..4).all(|slot| at(slot) % 8 == 0));
}

static REPEATING: Schema = Schema {
    name: "repeating",
    fields: &[
        Field::repeating("number", Type::U32),
        Field::repeating("flag", Type::Bool),
        Field::repeating("word", Type::DictUtf8),
        Field::optional("seldom", Type::U8),
    ],
};

#[test]
fn a_repeating_column_goes_on_with_its_last_value_in_its_own_batch() {
    let mut table = Table::new(&REPEATING);
    table.end_row();
    table.u32(0, 7);
    table.bool(1, true);
    table.str(2, "a");
    table.end_row();
    table.end_row();
    table.end_row();
    table.u32(0, 8);
    table.end_row();
    table.end_row();
    table.reorder(&[5, 4, 3, 2, 1, 0]);
    let batch = table.take();
    let rows: Vec<_> = (0..6).map(|row| (batch.value(row, 0), batch.value(row, 1), batch.value(row, 2))).collect();
    let (seven, eight) = (Value::U64(7), Value::U64(8));
    let (yes, a) = (Value::Bool(true), Value::Str("a"));
    assert_eq!(
        rows,
        [
            (eight, yes, a),
            (eight, yes, a),
            (seven, yes, a),
            (seven, yes, a),
            (seven, yes, a),
            (Value::U64(0), Value::Bool(false), Value::Str("")),
        ]
    );
    table.end_row();
    assert_eq!(table.take().value(0, 0), Value::U64(0));
}

#[test]
fn an_optional_column_is_there_when_a_row_set_it() {
    let mut table = Table::new(&REPEATING);
    let columns = |table: &mut Table| {
        let mut image = Vec::new();
        mf_column::image::write(&table.take(), &mut image);
        u32::from_le_bytes([image[4], image[5], image[6], image[7]])
    };
    table.end_row();
    assert_eq!(columns(&mut table), 3);
    table.end_row();
    table.u8(3, 1);
    table.end_row();
    assert_eq!(columns(&mut table), 4);
    table.end_row();
    assert_eq!(columns(&mut table), 3);
}
