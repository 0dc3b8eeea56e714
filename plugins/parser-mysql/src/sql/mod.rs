//! What can be said of a statement without parsing SQL: its verb, its table, its literals, its comments.

mod endpoint;
mod obfuscate;
mod token;
mod trace;

pub use endpoint::{endpoint, is_statement, Class};
pub use obfuscate::obfuscate;
pub use trace::{trace, traceparent};
