//! Blocks of a kernel collector -> records: the bytes of a call on a socket, with process, thread and direction.
//!
//! The layout is that of `docs/explanation/kernel-segments.md`. A block is hostile: every length is checked before it is
//! used, a damaged record is counted and left out, and the block goes on behind it as long as its size can be believed.
#![forbid(unsafe_code)]

mod reader;
mod record;

pub use reader::Reader;
pub use record::{flags, Damage, Kind, Record, Role, HEADER, LAYOUT};
