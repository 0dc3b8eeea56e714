//! MetaFlow's flow engine: blocks of packets in, tables of flows, messages, exchanges and metrics out.
//!
//! ```text
//! block -> frames -> packets -> flows ---> l4_flow_log, network documents
//!  sources           (mf-packet) (mf-flow) \
//!                                           payload -> messages -> exchanges -> application documents
//!                                           (mf-l7)
//! block of calls -> sockets ---> streams  /
//!  (mf-segment)      (kernel)
//! ```
//!
//! [`Engine`] wires the crates together; [`abi`] is the C interface through which Python drives it (and the same source
//! built for `wasm32-unknown-unknown` offers it as exports). The contract is `docs/explanation/data-plane.md`.

pub mod abi;
pub mod aggregate;
pub mod engine;
mod intake;
mod kernel;
pub mod l4;
pub mod options;
mod output;
mod sources;
mod wiring;

pub use engine::{Engine, Origin};
pub use options::Options;
