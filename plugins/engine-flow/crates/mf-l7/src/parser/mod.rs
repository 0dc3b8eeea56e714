//! Parsers: what they say of themselves, how they are called, and what happens when they fail.

mod description;
mod fault;
mod runtime;
mod slot;

pub use description::{Pairing, ParserDescription};
pub use runtime::{run, Fault, Op, ParserRuntime, Runtime, Seen, Work};
pub use slot::{Slot, MAX_PARSERS};
