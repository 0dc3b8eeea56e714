//! MySQL and MariaDB (login, every command, prepared statements, result sets, compression) for MetaFlow.
//!
//! The protocol code takes bytes and gives [`message::Message`]s; [`binding`] puts it on the parser SDK.

pub mod binding;
pub mod check;
pub mod message;
pub mod options;
pub mod proto;
pub mod session;
pub mod sql;
pub mod wire;

mod core;
mod entry;
mod lane;
mod pending;
mod response;
mod statements;

pub use binding::MysqlParser;

metaflow_parser_sdk::export_parser!(MysqlParser);
