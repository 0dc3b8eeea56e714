//! The drain of collector-ebpf: records out of the kernel's ring buffer into one block, each with the header of its connection.
//!
//! [`drain`] is the logic, in safe Rust over a [`ring::Ring`]; [`abi`] maps the memory and is called by Python.

pub mod abi;
pub mod drain;
pub mod expand;
pub mod ring;
