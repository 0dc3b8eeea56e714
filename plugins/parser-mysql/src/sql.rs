//! What can be said of a statement of MySQL without parsing SQL.

use metaflow_parser_sdk::sql::{self, Dialect};

pub use sql::{trace, traceparent, Class};

/// Whether a text begins with a word of SQL; `None` when it ends before a whole word.
pub fn is_statement(text: &[u8]) -> Option<bool> {
    sql::is_statement(text, Dialect::MySql)
}

/// Writes `VERB table` (or `VERB`) to `out`, nothing when the text is no statement.
pub fn endpoint(text: &[u8], out: &mut Vec<u8>) -> Class {
    sql::endpoint(text, Dialect::MySql, out)
}

/// Appends `text` to `out` with every literal as `?`.
pub fn obfuscate(text: &[u8], out: &mut Vec<u8>) {
    sql::obfuscate(text, Dialect::MySql, out);
}
