//! TCP bytes in order: a [`Conversation`] for each connection, with one [`Direction`] for each side.
//!
//! Offsets are absolute: byte 0 is the first byte after the SYN (or the first byte seen), a gap moves the offset on
//! like data does. What was seen first is kept where segments overlap. Memory is bounded for each direction and for
//! all of them together ([`Store`]); what would exceed it becomes a gap, never a silent loss.

mod conversation;
mod direction;
mod hold;
mod park;
mod store;

pub use conversation::{Arrival, Conversation, Means};
pub use direction::{Direction, Limits, Piece, StreamCounts};
pub use store::Store;
