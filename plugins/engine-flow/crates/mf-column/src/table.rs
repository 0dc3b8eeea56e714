//! A table under construction: typed pushes by column index, row by row.

use crate::batch::Batch;
use crate::column::{Column, Data};
use crate::schema::Schema;

/// Builder of one table's rows.
///
/// Pushing to a column that does not exist or has another type is a programming error: it fails in debug builds and
/// leaves the value unset in release builds. A column set twice in a row keeps the last value.
#[derive(Debug)]
pub struct Table {
    schema: &'static Schema,
    columns: Vec<Column>,
    rows: usize,
}

macro_rules! push_fixed {
    ($(#[$doc:meta] $name:ident $variant:ident $ty:ty)*) => { $(
        #[$doc]
        #[inline]
        pub fn $name(&mut self, index: usize, value: $ty) {
            if let Some(column) = self.open(index) {
                if let Data::$variant(values) = &mut column.data {
                    values.push(value);
                    column.pushed();
                    return;
                }
            }
            debug_assert!(false, "column {index} of {} is not of type {}", self.schema.name, stringify!($variant));
        }
    )* };
}

macro_rules! fill_fixed {
    ($(#[$doc:meta] $name:ident $variant:ident $ty:ty)*) => { $(
        #[$doc]
        pub fn $name(&mut self, index: usize, first: usize, values: impl ExactSizeIterator<Item = $ty>) {
            let Some(column) = self.columns.get_mut(index) else { return debug_assert!(false, "no column {index}") };
            column.align(first);
            if let Data::$variant(data) = &mut column.data {
                let count = values.len();
                data.extend(values);
                return column.filled(count);
            }
            debug_assert!(false, "column {index} of {} is not of type {}", self.schema.name, stringify!($variant));
        }
    )* };
}

macro_rules! fill_optional {
    ($(#[$doc:meta] $name:ident $variant:ident $ty:ty)*) => { $(
        #[$doc]
        pub fn $name(
            &mut self,
            index: usize,
            first: usize,
            values: impl ExactSizeIterator<Item = Option<$ty>> + Clone,
        ) {
            if values.clone().all(|value| value.is_none()) {
                return;
            }
            let Some(column) = self.columns.get_mut(index) else { return debug_assert!(false, "no column {index}") };
            column.align(first);
            if let Data::$variant(data) = &mut column.data {
                data.extend(values.clone().map(|value| value.unwrap_or_default()));
                return column.filled_partly(values.map(|value| value.is_some()));
            }
            debug_assert!(false, "column {index} of {} is not of type {}", self.schema.name, stringify!($variant));
        }
    )* };
}

/// Whole columns of rows that were ended: `first` is the row of the first value. Rows before it that have no value are
/// unset; values that are there from `first` on are replaced.
impl Table {
    fill_fixed! {
        /// Sets a `U8` column of the rows from `first` on.
        fill_u8 U8 u8
        /// Sets a `U16` column of the rows from `first` on.
        fill_u16 U16 u16
        /// Sets a `U32` column of the rows from `first` on.
        fill_u32 U32 u32
        /// Sets a `U64` column of the rows from `first` on.
        fill_u64 U64 u64
        /// Sets a `Fixed16` column of the rows from `first` on.
        fill_bytes16 Fixed16 [u8; 16]
    }

    fill_optional! {
        /// Sets a nullable `U64` column of the rows from `first` on; without any value nothing is written.
        fill_some_u64 U64 u64
        /// Sets a nullable `I32` column of the rows from `first` on; without any value nothing is written.
        fill_some_i32 I32 i32
    }

    /// Sets a `Bool` column of the rows from `first` on.
    pub fn fill_bool(&mut self, index: usize, first: usize, values: impl ExactSizeIterator<Item = bool>) {
        let Some(column) = self.columns.get_mut(index) else { return debug_assert!(false, "no column {index}") };
        column.align(first);
        if let Data::Bool(data) = &mut column.data {
            let count = values.len();
            data.push_all(values);
            return column.filled(count);
        }
        debug_assert!(false, "column {index} of {} is not of booleans", self.schema.name);
    }

    /// The same with one value for `count` rows.
    pub fn fill_same_bool(&mut self, index: usize, first: usize, value: bool, count: usize) {
        let Some(column) = self.columns.get_mut(index) else { return debug_assert!(false, "no column {index}") };
        column.align(first);
        if let Data::Bool(data) = &mut column.data {
            data.extend(count, value);
            return column.filled(count);
        }
        debug_assert!(false, "column {index} of {} is not of booleans", self.schema.name);
    }

    /// Whether a column was written since the last `take`.
    pub fn is_written(&self, index: usize) -> bool {
        self.columns.get(index).is_some_and(Column::is_touched)
    }
}

impl Table {
    /// An empty table.
    pub fn new(schema: &'static Schema) -> Self {
        Table { schema, columns: schema.fields.iter().map(Column::new).collect(), rows: 0 }
    }

    /// The schema it was made with.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    #[inline]
    fn open(&mut self, index: usize) -> Option<&mut Column> {
        let rows = self.rows;
        let column = self.columns.get_mut(index)?;
        column.align(rows);
        Some(column)
    }

    push_fixed! {
        /// Sets a `U8` column of the current row.
        u8 U8 u8
        /// Sets a `U16` column of the current row.
        u16 U16 u16
        /// Sets a `U32` column of the current row.
        u32 U32 u32
        /// Sets a `U64` column of the current row.
        u64 U64 u64
        /// Sets an `I32` column of the current row.
        i32 I32 i32
        /// Sets an `I64` column of the current row.
        i64 I64 i64
        /// Sets an `F64` column of the current row.
        f64 F64 f64
        /// Sets a `Bool` column of the current row.
        bool Bool bool
        /// Sets a `Fixed16` column of the current row.
        bytes16 Fixed16 [u8; 16]
    }

    /// Sets a `Utf8` or `DictUtf8` column of the current row.
    #[inline]
    pub fn str(&mut self, index: usize, value: &str) {
        if let Some(column) = self.open(index) {
            match &mut column.data {
                Data::Utf8(values) => values.push(value),
                Data::Dict(values) => values.push(value),
                _ => return debug_assert!(false, "a text column was expected"),
            }
            column.pushed();
        }
    }

    /// Sets a `Utf8` column of the current row.
    #[inline(always)]
    pub fn utf8(&mut self, index: usize, value: &str) {
        let rows = self.rows;
        if let Some(column) = self.columns.get_mut(index) {
            column.leave_empty(rows);
            if let Data::Utf8(values) = &mut column.data {
                values.push(value);
                return column.pushed();
            }
        }
        debug_assert!(false, "column {index} of {} is not a plain text", self.schema.name);
    }

    /// Sets a `DictUtf8` column of the current row.
    #[inline(always)]
    pub fn word(&mut self, index: usize, value: &str) {
        let rows = self.rows;
        if let Some(column) = self.columns.get_mut(index) {
            column.leave_empty(rows);
            if let Data::Dict(values) = &mut column.data {
                values.push(value);
                return column.pushed();
            }
        }
        debug_assert!(false, "column {index} of {} is not of words", self.schema.name);
    }

    /// Sets a text column from bytes off the wire: what is not UTF-8 becomes U+FFFD.
    #[inline]
    pub fn text(&mut self, index: usize, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.str(index, text),
            Err(_) => self.str(index, &String::from_utf8_lossy(value)),
        }
    }

    /// Sets a `ListUtf8` column of the current row.
    pub fn list_str<'a>(&mut self, index: usize, values: impl Iterator<Item = &'a str>) {
        if let Some(column) = self.open(index) {
            if let Data::ListUtf8(offsets, items) = &mut column.data {
                values.for_each(|value| items.push(value));
                offsets.push(items.len() as i32);
                column.pushed();
                return;
            }
        }
        debug_assert!(false, "column {index} of {} is not a list of texts", self.schema.name);
    }

    /// Sets a `ListF64` column of the current row.
    pub fn list_f64(&mut self, index: usize, values: impl Iterator<Item = f64>) {
        if let Some(column) = self.open(index) {
            if let Data::ListF64(offsets, items) = &mut column.data {
                items.extend(values);
                offsets.push(items.len() as i32);
                column.pushed();
                return;
            }
        }
        debug_assert!(false, "column {index} of {} is not a list of doubles", self.schema.name);
    }

    /// Takes back what the current row set in a column: null, or zero when the column is not nullable.
    pub fn null(&mut self, index: usize) {
        self.open(index);
    }

    /// Ends the current row. Columns it did not set are null, or zero when not nullable.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Forgets what was set since the last `end_row`.
    pub fn cancel_row(&mut self) {
        for index in 0..self.columns.len() {
            self.open(index);
        }
    }

    /// Rows ended since the last `take`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns_mut(&mut self) -> impl Iterator<Item = &mut Column> {
        self.columns.iter_mut()
    }

    /// Moves the ended rows out and starts again empty. A row that was begun but not ended is dropped.
    pub fn take(&mut self) -> Batch {
        let rows = std::mem::take(&mut self.rows);
        let columns = self.columns.iter_mut().map(|column| column.take(rows)).collect();
        Batch::new(self.schema, rows, columns)
    }
}
