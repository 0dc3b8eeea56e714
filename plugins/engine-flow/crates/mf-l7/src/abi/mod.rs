//! The bytes that go to a parser and come back (`mf_abi_v1`, `docs/explanation/data-plane.md`).
//!
//! [`Batch`] writes segments; [`Checks`] and [`Records`] read results. A result is hostile input whatever made it:
//! every length is checked before it is used, and a bad one is an error of the whole batch.

mod checks;
mod column;
mod encode;
pub mod ids;
mod numbers;
mod records;
mod texts;

pub use checks::{Checks, Verdict};
pub use column::{Column, Malformed};
pub use encode::{Batch, SegmentHead, SegmentView};
pub use numbers::Numbers;
pub use records::{Records, CHUNK};
pub use texts::{Positions, Texts, TEXT_COUNT};
