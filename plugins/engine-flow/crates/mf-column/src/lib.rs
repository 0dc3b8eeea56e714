//! Typed column builders in Arrow's memory layout, with two ways out: the Arrow C Data Interface (native, no copy) and
//! a self-describing image (`MFT1`, for wasm, one copy).
//!
//! A [`Schema`] is a static list of [`Field`]s. A [`Table`] takes values by column index and row by row; a column that a
//! row did not set becomes null, or the type's zero when the field is not nullable. Unset values cost nothing per row:
//! they are filled in when the column is next written or the table is taken.
//!
//! ```
//! use mf_column::{Field, Schema, Table, Type, Value};
//! static SCHEMA: Schema = Schema { name: "people", fields: &[
//!     Field::new("age", Type::U8),
//!     Field::nullable("name", Type::Utf8),
//! ] };
//! const NAME: usize = SCHEMA.column("name"); // a wrong name fails the build
//! let mut table = Table::new(&SCHEMA);
//! table.u8(0, 41);
//! table.end_row();
//! table.str(NAME, "Ada");
//! table.end_row();
//! let batch = table.take();
//! assert_eq!(batch.value(0, NAME), Value::Null);
//! assert_eq!(batch.value(1, 0), Value::U64(0));
//! ```

pub mod arrow_ffi;
mod batch;
mod bitmap;
mod column;
pub mod image;
mod order;
mod schema;
mod strings;
mod table;

pub use batch::{Batch, Value};
pub use bitmap::Bitmap;
pub use schema::{Field, Schema, Type};
pub use table::Table;
