//! MySQL and MariaDB (login, every command, prepared statements, result sets, compression) for MetaFlow.
//!
//! The protocol code takes bytes and gives [`message::Message`]s; [`binding`] puts it on the parser SDK.

pub mod binding;
pub mod check;
pub mod message;
pub mod proto;
pub mod session;
pub mod sql;
pub mod wire;

mod core;
mod entry;
mod pending;
mod response;
mod statements;

pub use binding::MysqlParser;
// What is the same in every parser of a database, or in every parser without a buffer.
pub use metaflow_parser_sdk::sql as options;
use metaflow_parser_sdk::unbuffered as lane;

metaflow_parser_sdk::export_parser!(MysqlParser);
