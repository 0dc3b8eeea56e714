//! One row for each step of inference.

use mf_column::{Field, Schema, Table, Type};

use super::ends::text;
use crate::infer::Step;

/// `explain`: `op` and `verdict` are words.
pub static EXPLAIN: Schema = Schema {
    name: "explain",
    fields: &[
        Field::new("flow_id", Type::U64),
        Field::new("time_ns", Type::U64),
        Field::new("parser", Type::Utf8),
        Field::new("op", Type::Utf8),
        Field::new("verdict", Type::Utf8),
        Field::new("offset", Type::U64),
        Field::new("reason", Type::Utf8),
    ],
};

/// Writes one step.
pub fn write_step(table: &mut Table, flow_id: u64, step: &Step) {
    table.u64(0, flow_id);
    table.u64(1, step.stamp.clock);
    text(table, 2, &step.parser);
    text(table, 3, step.op);
    text(table, 4, step.verdict);
    table.u64(5, step.offset);
    text(table, 6, &step.reason);
    table.end_row();
}

/// Steps are rare: all their columns are written at once, and nothing is left to spread.
pub fn no_numbers(_table: &mut Table, _first: usize, _rows: &[()]) {}
