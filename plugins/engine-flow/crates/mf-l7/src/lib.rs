//! mf-l7: payload into ordered streams, streams to parsers, messages into exchanges.
//!
//! ```text
//! Segment ──► stream ──► infer ──► parser (batches) ──► pair ──► rows, events
//! ```
//!
//! The caller (mf-engine) opens a flow with [`FlowInfo`], hands every packet's payload in as a [`Segment`], calls
//! [`L7Engine::flush_block`] at the end of each block and [`L7Engine::close`] when the flow ends. Parsers are called in
//! batches over many flows: inline when native, or by the host ([`L7Engine::next_work`]). The contracts are in
//! `docs/explanation/data-plane.md`. Everything is bounded ([`L7Options`]), counted ([`Count`]) and deterministic.
#![forbid(unsafe_code)]

pub mod abi;
mod calls;
mod counters;
mod engine;
mod flow;
mod infer;
mod options;
mod pair;
mod parser;
mod rows;
mod session;
mod sink;
mod stamp;
pub mod stream;

pub use abi::ids::SEGMENT_HEADER;
pub use counters::{Count, Counters};
pub use engine::{L7Engine, L7Table};
pub use flow::{tcp_flags, Call, CallSegment, FlowInfo, L7Flow, Layer, Segment, ICMP, ICMP6, TCP, UDP};
pub use options::L7Options;
pub use parser::{Fault, Op, Pairing, ParserDescription, ParserRuntime, Runtime, Seen, Work, MAX_PARSERS};
pub use rows::{EXPLAIN, L7_FLOW_LOG, L7_MESSAGE};
pub use sink::{ExchangeEvent, L7Sink, L7Stats, NoSink};
