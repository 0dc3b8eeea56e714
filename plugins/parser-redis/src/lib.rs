//! Redis (RESP2, RESP3, inline commands, pub/sub, MONITOR, replication) for MetaFlow.
//!
//! The protocol code takes bytes and gives [`message::Message`]s; [`binding`] puts it on the parser SDK.

pub mod binding;
pub mod check;
pub mod message;
pub mod options;
pub mod reply;
pub mod request;
pub mod session;

mod pending;
mod push;
mod replication;
mod text;

pub use binding::RedisParser;

metaflow_parser_sdk::export_parser!(RedisParser);
