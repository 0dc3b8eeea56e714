//! Reordered rows keep their values, in every type of column.

use mf_column::{Field, Schema, Table, Type, Value};

static SCHEMA: Schema = Schema {
    name: "t",
    fields: &[
        Field::new("number", Type::U64),
        Field::nullable("text", Type::Utf8),
        Field::new("word", Type::DictUtf8),
        Field::new("list", Type::ListUtf8),
        Field::new("bit", Type::Bool),
        Field::nullable("doubles", Type::ListF64),
        Field::new("never_written", Type::Utf8),
        Field::nullable("code", Type::I32),
    ],
};

fn fill(table: &mut Table, rows: impl Iterator<Item = u64>) {
    for row in rows {
        table.u64(0, row);
        if row % 3 != 0 {
            table.str(1, &"x".repeat(row as usize % 7));
        }
        table.str(2, ["a", "b", "c"][row as usize % 3]);
        table.list_str(3, (0..row % 4).map(|_| ["p", "qq"][row as usize % 2]));
        table.bool(4, row % 5 == 0);
        if row % 2 == 0 {
            table.list_f64(5, (0..row % 3).map(|item| item as f64));
        }
        if row % 4 == 1 {
            table.i32(7, row as i32);
        }
        table.end_row();
    }
}

#[test]
fn rows_keep_their_values() {
    let mut mixed = Table::new(&SCHEMA);
    fill(&mut mixed, (0..100).map(|row| row * 37 % 100));
    let mut order: Vec<u32> = (0..100).collect();
    order.sort_by_key(|row| row * 37 % 100);
    mixed.reorder(&order);
    let mut straight = Table::new(&SCHEMA);
    fill(&mut straight, 0..100);
    let (mixed, straight) = (mixed.take(), straight.take());
    for row in 0..100 {
        for column in 0..SCHEMA.fields.len() {
            assert_eq!(mixed.value(row, column), straight.value(row, column), "row {row} column {column}");
        }
        assert_eq!(mixed.list_str(row, 3), straight.list_str(row, 3));
        assert_eq!(mixed.list_f64(row, 5), straight.list_f64(row, 5));
    }
    assert_eq!(mixed.value(1, 6), Value::Str(""));
}
