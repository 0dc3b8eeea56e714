//! Requests and responses: the messages that wait for their other half.
//!
//! The rules stand in `engine/pairing.rs`; here is the memory: [`Pairs`] keeps waiting messages in recycled slots that
//! are linked by session (order of arrival), by parser (order of deadline) and, when keyed, by key.

mod message;
mod packed;
mod pool;

pub use message::{Half, Message, Owner};
pub use pool::{Pairs, SessionPairs, NIL};
