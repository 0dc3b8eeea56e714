//! What can be said of a statement without parsing SQL: its verb, its table, its literals, its comments. Shared by the
//! parsers of databases.

mod endpoint;
mod obfuscate;
mod options;
mod token;
mod trace;

pub use endpoint::{endpoint, is_statement, Class};
pub use obfuscate::obfuscate;
pub use options::Options;
pub use trace::{trace, traceparent, Trace};

/// Whose SQL it is, as far as quoting, comments and first words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL and what speaks its protocol.
    PostgreSql,
}
