//! The engine's C ABI (`docs/explanation/data-plane.md`): plain C symbols, the same in the native library and in
//! `engine.wasm`. This and its submodules are the only places of the crate with `unsafe`.
//!
//! Nothing unwinds into the caller: a panic is caught at the border, reported as an error, and the engine that panicked
//! refuses further work, for its state may be half changed. (In a WebAssembly build a panic is a trap, which the host sees.)
#![allow(unsafe_code)]

mod calls;
mod guard;
mod handle;
mod memory;
mod vtable;

pub use calls::*;
pub use handle::{Handle, Raw, WorkItem};
pub use memory::{mfe_alloc, mfe_dealloc};
pub use vtable::{NativeParser, Vtable};
