//! Recent packets, kept so that those of one flow are found again.
//!
//! ```text
//! block --Keeper--> chunk (header · keys of its flows · records) --> file ... chunk --Finder--> pcap
//! ```
//!
//! [`Keeper`] reads the frames of blocks in every format that collectors hand over, cuts what is behind their headers as it was told,
//! and collects them in chunks. A [`chunk`] names the flows that it holds, so that [`Finder`] looks into those only. Nothing here
//! panics on any input; a chunk on disk is hostile input too.
#![deny(unsafe_code)]

pub mod abi;
pub mod chunk;
mod find;
mod keep;
mod pcap;

pub use find::{Finder, Wanted};
pub use keep::Keeper;
