//! Finished rows.

use crate::column::{Column, Data};
use crate::schema::{Field, Schema};

/// Finished rows of one table: owned buffers in Arrow's layout.
#[derive(Debug)]
pub struct Batch {
    schema: &'static Schema,
    rows: usize,
    pub(crate) columns: Vec<Column>,
}

/// One value of a batch, for tests and for readers that are not fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// no value
    Null,
    /// any unsigned type
    U64(u64),
    /// any signed type
    I64(i64),
    /// a double
    F64(f64),
    /// a boolean
    Bool(bool),
    /// a text, plain or from a dictionary
    Str(&'a str),
    /// 16 bytes
    Bytes16(&'a [u8; 16]),
    /// a list, with its number of items (see [`Batch::list_str`])
    List(usize),
}

impl Batch {
    pub(crate) fn new(schema: &'static Schema, rows: usize, columns: Vec<Column>) -> Self {
        Batch { schema, rows, columns }
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The columns that the batch has, with their fields.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static Field, &Column)> {
        self.schema.fields.iter().zip(&self.columns).filter(|(_, column)| column.is_there())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The value at a row and column; `Null` outside the batch.
    pub fn value(&self, row: usize, column: usize) -> Value<'_> {
        self.get(row, column).unwrap_or(Value::Null)
    }

    /// The value of a column by name; `Null` when there is none.
    pub fn named(&self, row: usize, name: &str) -> Value<'_> {
        self.schema.find(name).map_or(Value::Null, |column| self.value(row, column))
    }

    fn get(&self, row: usize, index: usize) -> Option<Value<'_>> {
        let column = self.columns.get(index)?;
        if column.validity.as_ref().is_some_and(|map| !map.get(row)) {
            return None;
        }
        let size = |offsets: &Vec<i32>| Some(Value::List((offsets.get(row + 1)? - offsets.get(row)?) as usize));
        match &column.data {
            Data::U8(v) => v.get(row).map(|v| Value::U64(u64::from(*v))),
            Data::U16(v) => v.get(row).map(|v| Value::U64(u64::from(*v))),
            Data::U32(v) => v.get(row).map(|v| Value::U64(u64::from(*v))),
            Data::U64(v) => v.get(row).map(|v| Value::U64(*v)),
            Data::I32(v) => v.get(row).map(|v| Value::I64(i64::from(*v))),
            Data::I64(v) => v.get(row).map(|v| Value::I64(*v)),
            Data::F64(v) => v.get(row).map(|v| Value::F64(*v)),
            Data::Bool(v) => (row < v.len()).then(|| Value::Bool(v.get(row))),
            Data::Utf8(v) => v.get(row).map(Value::Str),
            Data::Dict(v) => v.get(row).map(Value::Str),
            Data::Fixed16(v) => v.get(row).map(Value::Bytes16),
            Data::ListUtf8(offsets, _) | Data::ListF64(offsets, _) => size(offsets),
        }
    }

    /// The texts of a `ListUtf8` value; empty for null and for other types.
    pub fn list_str(&self, row: usize, column: usize) -> Vec<&str> {
        match self.columns.get(column).map(|column| &column.data) {
            Some(Data::ListUtf8(offsets, items)) => range(offsets, row).filter_map(|item| items.get(item)).collect(),
            _ => Vec::new(),
        }
    }

    /// The numbers of a `ListF64` value; empty for null and for other types.
    pub fn list_f64(&self, row: usize, column: usize) -> Vec<f64> {
        match self.columns.get(column).map(|column| &column.data) {
            Some(Data::ListF64(offsets, items)) => {
                range(offsets, row).filter_map(|item| items.get(item).copied()).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    match (offsets.get(row), offsets.get(row + 1)) {
        (Some(&start), Some(&end)) => start as usize..end as usize,
        _ => 0..0,
    }
}
